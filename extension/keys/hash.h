/*-------------------------------------------------------------------------
 *
 * hash.h
 *	  SHA-256, HMAC and HKDF.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_HASH_H
#define KN_KEYS_HASH_H

#include <stdbool.h>
#include <stddef.h>

#define KN_SHA256_SIZE 32

extern void kn_sha256(const void *data, size_t len, unsigned char out[KN_SHA256_SIZE]);
extern bool kn_hmac_raw(const unsigned char *secret, size_t secret_len,
						const void *data, size_t len, unsigned char out[KN_SHA256_SIZE]);
extern bool kn_hkdf(const unsigned char *secret, size_t secret_len,
					const void *salt, size_t salt_len, const void *info, size_t info_len,
					unsigned char *out, size_t out_len);

#endif /* KN_KEYS_HASH_H */
