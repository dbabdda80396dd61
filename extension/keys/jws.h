/*-------------------------------------------------------------------------
 *
 * jws.h
 *	  Access tokens (compact JWS, ES256) and refresh tokens.
 *
 * An access token has exactly one spelling: the header and the payload that
 * kn_jws_sign writes, byte for byte, with members in that order and no space.
 * So there is no JSON parser here, and nothing for two parsers to disagree on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_JWS_H
#define KN_KEYS_JWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/keyring.h"

#define KN_JWS_MAX 1024       /* bytes of a token, terminator not counted */
#define KN_REFRESH_SIZE 77    /* bytes of a refresh token's text with its terminator */
#define KN_JWS_SKEW_MAX 30    /* seconds; a larger skew is cut to this */
#define KN_JWS_LIFE_MAX 86400 /* seconds between iat and exp */

typedef struct KnClaims
{
	unsigned char sub[16]; /* account */
	unsigned char sid[16]; /* session */
	char role[16];
	int64_t iat;
	int64_t exp;
} KnClaims;

typedef enum KnJwsStatus
{
	KN_JWS_OK,
	KN_JWS_MALFORMED, /* not three segments of strict base64url */
	KN_JWS_HEADER,    /* not our header */
	KN_JWS_KEY,       /* no key of that name */
	KN_JWS_SIGNATURE,
	KN_JWS_CLAIMS, /* not our payload */
	KN_JWS_EXPIRED,
	KN_JWS_EARLY /* iat lies in the future */
} KnJwsStatus;

/* *out is written only with KN_JWS_OK; text need not be terminated. */
extern KnJwsStatus kn_jws_verify(const KnKeyring *ring, const char *token, size_t len,
								 int64_t now, int skew, KnClaims *out);

/* Uses the current signing key; false when claims are not ours to make or out is too small. */
extern bool kn_jws_sign(const KnKeyring *ring, const KnClaims *claims, char *out, size_t size);

/* base64url of version (1), session (16), generation (8, big endian), HMAC-SHA-256 (32). */
extern bool kn_refresh_make(const KnKeyring *ring, const unsigned char session[16],
							uint64_t generation, char *out, size_t size);
extern bool kn_refresh_check(const KnKeyring *ring, const char *token, size_t len,
							 unsigned char session[16], uint64_t *generation);

#endif /* KN_KEYS_JWS_H */
