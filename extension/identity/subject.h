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

/* Opens an account's key to seal and unseal by; it is not open where there is none any more. */
extern void kn_account_subject(const pg_uuid_t *account, KnSubject *out);

#endif
