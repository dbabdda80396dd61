/*-------------------------------------------------------------------------
 *
 * subject.h
 *	  The data key of an account, under which its words are sealed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_SUBJECT_H
#define KN_IDENTITY_SUBJECT_H

#include "keys/keystore.h"

/* Opens the key of an account for sealing and unsealing; not open where the account has none any more. */
extern void kn_account_subject(const pg_uuid_t *account, KnSubject *out);

#endif
