/*-------------------------------------------------------------------------
 *
 * es256.h
 *	  ECDSA on P-256 with SHA-256, signatures as 64 raw bytes.
 *
 * Used by keyring.c (key from scalar, public point) and jws.c (sign, verify).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_ES256_H
#define KN_KEYS_ES256_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#define KN_ES256_SCALAR_SIZE 32
#define KN_ES256_POINT_SIZE 65 /* 4, x, y */
#define KN_ES256_SIGNATURE_SIZE 64

/* Returns new (free with EVP_PKEY_free); NULL when the scalar is not in 1..order-1. */
extern EVP_PKEY *kn_es256_private(const unsigned char scalar[KN_ES256_SCALAR_SIZE]);

/* Returns new; NULL when the point is not on the curve. */
extern EVP_PKEY *kn_es256_public(const unsigned char point[KN_ES256_POINT_SIZE]);

extern bool kn_es256_point(EVP_PKEY *pkey, unsigned char point[KN_ES256_POINT_SIZE]);

/* Signs with the smaller of the two equivalent values of s. */
extern bool kn_es256_sign(EVP_PKEY *pkey, const void *data, size_t len,
						  unsigned char signature[KN_ES256_SIGNATURE_SIZE]);

/* Accepts either value of s, as RFC 7518 does; kn_es256_is_low tells them apart. */
extern bool kn_es256_verify(EVP_PKEY *pkey, const void *data, size_t len,
							const unsigned char signature[KN_ES256_SIGNATURE_SIZE]);
extern bool kn_es256_is_low(const unsigned char signature[KN_ES256_SIGNATURE_SIZE]);

#endif /* KN_KEYS_ES256_H */
