/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Access tokens: made and verified, with a cache of verified ones.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_TOKEN_H
#define KN_IDENTITY_TOKEN_H

#include "keys/jws.h"
#include "utils/uuid.h"

/* Raises KN102 or KN103 unless the token is one of ours and alive. */
extern void kn_token_verify(const char *token, KnClaims *claims);
/* Returns new. */
extern char *kn_token_make(const pg_uuid_t *account, const pg_uuid_t *session, const char *role);

#endif
