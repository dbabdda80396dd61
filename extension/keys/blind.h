/*-------------------------------------------------------------------------
 *
 * blind.h
 *	  Keyed look-ups, hashes, random bytes and base64url.
 *
 * A blind index lets a row be found by e-mail or telephone number without the
 * number being readable in it.  It is only as good as its normal form: two
 * spellings of one number must give one text before they are hashed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_BLIND_H
#define KN_KEYS_BLIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/keyring.h"

#define KN_BLIND_SIZE 16
#define KN_SHA256_SIZE 32
#define KN_EMAIL_MIN 3
#define KN_EMAIL_MAX 254

/* Uses the current index key; purpose is the name of the column, 1..KN_PURPOSE_MAX bytes. */
extern bool kn_blind_index(const KnKeyring *ring, const char *purpose,
						   const char *normalised, size_t len,
						   unsigned char out[KN_BLIND_SIZE]);

/* The same under a key of the ring, for looking up what an older key indexed. */
extern bool kn_blind_index_with(const KnKeyring *ring, const KnKey *key, const char *purpose,
								const char *normalised, size_t len,
								unsigned char out[KN_BLIND_SIZE]);

extern bool kn_hmac(const KnKey *key, const void *data, size_t len,
					unsigned char out[KN_SHA256_SIZE]);
extern bool kn_hmac_raw(const unsigned char *secret, size_t secret_len,
						const void *data, size_t len, unsigned char out[KN_SHA256_SIZE]);
extern bool kn_hkdf(const unsigned char *secret, size_t secret_len,
					const void *salt, size_t salt_len, const void *info, size_t info_len,
					unsigned char *out, size_t out_len);
extern void kn_sha256(const void *data, size_t len, unsigned char out[KN_SHA256_SIZE]);

/* Trims spaces, lowers ASCII letters, keeps UTF-8; false when it cannot be an address. */
extern bool kn_normalise_email(const char *in, char *out, size_t size);

/* E.164 ("+254712345678"); default_country is digits, used when none is written. */
extern bool kn_normalise_phone(const char *in, const char *default_country,
							   char *out, size_t size);

/* Never returns without len random bytes: a dead generator ends the process. */
extern void kn_random(void *out, size_t len);
extern void kn_uuid4(unsigned char out[16]);

/* Without padding; out is terminated.  Strict: one spelling per value, no other byte. */
extern bool kn_base64url_encode(const void *in, size_t len, char *out, size_t size);
extern bool kn_base64url_decode(const char *in, size_t len,
								unsigned char *out, size_t *out_len); /* in: capacity */

#endif /* KN_KEYS_BLIND_H */
