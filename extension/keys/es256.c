/*-------------------------------------------------------------------------
 *
 * es256.c
 *	  ECDSA on P-256 with SHA-256, signatures as 64 raw bytes.
 *
 * Called by keyring.c and jws.c; a pure file.  Keys are parsed once, when the
 * ring is read: parsing a PEM again for each token costs seven verifications.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "keys/es256.h"

/* two integers of at most 33 bytes, each with two bytes in front, and the outer two */
#define DER_MAX 72

/* the order of P-256, and half of it rounded down, big endian */
static const unsigned char order[32] = {
	0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const unsigned char half_order[32] = {
	0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

static bool public_of_scalar(const BIGNUM *scalar, unsigned char point[KN_ES256_POINT_SIZE]);
static EVP_PKEY *pkey_from_parts(const unsigned char point[KN_ES256_POINT_SIZE],
								 const BIGNUM *scalar);
static const EVP_MD *sha256(void);
static size_t raw_to_der(const unsigned char *raw, unsigned char der[DER_MAX]);
static bool der_to_raw(const unsigned char *der, size_t len, unsigned char *raw);
static void make_low(unsigned char s[32]);

EVP_PKEY *
kn_es256_private(const unsigned char scalar[KN_ES256_SCALAR_SIZE])
{
	static const unsigned char zero[KN_ES256_SCALAR_SIZE];
	unsigned char point[KN_ES256_POINT_SIZE];
	EVP_PKEY *pkey = NULL;
	BIGNUM *number;

	if (memcmp(scalar, zero, sizeof(zero)) == 0 || memcmp(scalar, order, sizeof(order)) >= 0)
		return NULL;
	number = BN_secure_new();
	if (number == NULL)
		return NULL;
	BN_set_flags(number, BN_FLG_CONSTTIME);
	if (BN_bin2bn(scalar, KN_ES256_SCALAR_SIZE, number) != NULL &&
		public_of_scalar(number, point))
		pkey = pkey_from_parts(point, number);
	BN_clear_free(number);
	return pkey;
}

static bool
public_of_scalar(const BIGNUM *scalar, unsigned char point[KN_ES256_POINT_SIZE])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *product = group ? EC_POINT_new(group) : NULL;
	bool done = product != NULL &&
				EC_POINT_mul(group, product, scalar, NULL, NULL, NULL) == 1 &&
				EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, point,
								   KN_ES256_POINT_SIZE, NULL) == KN_ES256_POINT_SIZE;

	EC_POINT_free(product);
	EC_GROUP_free(group);
	return done;
}

static EVP_PKEY *
pkey_from_parts(const unsigned char point[KN_ES256_POINT_SIZE], const BIGNUM *scalar)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	int selection = scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (builder != NULL && ctx != NULL &&
		OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
		OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
										 KN_ES256_POINT_SIZE) &&
		(scalar == NULL ||
		 OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar)) &&
		(params = OSSL_PARAM_BLD_to_param(builder)) != NULL &&
		EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params); /* cleanses the part that held the scalar */
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

EVP_PKEY *
kn_es256_public(const unsigned char point[KN_ES256_POINT_SIZE])
{
	return pkey_from_parts(point, NULL);
}

bool
kn_es256_point(EVP_PKEY *pkey, unsigned char point[KN_ES256_POINT_SIZE])
{
	size_t len = 0;

	return EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
										   KN_ES256_POINT_SIZE, &len) == 1 &&
		   len == KN_ES256_POINT_SIZE && point[0] == POINT_CONVERSION_UNCOMPRESSED;
}

bool
kn_es256_sign(EVP_PKEY *pkey, const void *data, size_t len,
			  unsigned char signature[KN_ES256_SIGNATURE_SIZE])
{
	unsigned char der[DER_MAX];
	size_t der_len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx != NULL && sha256() != NULL &&
				EVP_DigestSignInit(ctx, NULL, sha256(), NULL, pkey) == 1 &&
				EVP_DigestSign(ctx, der, &der_len, data, len) == 1 &&
				der_to_raw(der, der_len, signature);

	EVP_MD_CTX_free(ctx);
	if (done && !kn_es256_is_low(signature))
		make_low(signature + 32);
	return done;
}

bool
kn_es256_verify(EVP_PKEY *pkey, const void *data, size_t len,
				const unsigned char signature[KN_ES256_SIGNATURE_SIZE])
{
	unsigned char der[DER_MAX];
	size_t der_len = raw_to_der(signature, der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx != NULL && sha256() != NULL &&
				EVP_DigestVerifyInit(ctx, NULL, sha256(), NULL, pkey) == 1 &&
				EVP_DigestVerify(ctx, der, der_len, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	return done;
}

bool
kn_es256_is_low(const unsigned char signature[KN_ES256_SIGNATURE_SIZE])
{
	return memcmp(signature + 32, half_order, sizeof(half_order)) <= 0;
}

/* Fetched once per process: a fetch by name costs more than the digest of a token. */
static const EVP_MD *
sha256(void)
{
	static EVP_MD *md = NULL;

	if (md == NULL)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return md;
}

/* DER wants integers without leading zeros, and a zero in front of a set top bit. */
static size_t
raw_to_der(const unsigned char *raw, unsigned char der[DER_MAX])
{
	size_t at = 2;

	for (int half = 0; half < 2; half++)
	{
		const unsigned char *number = raw + half * 32;
		size_t len = 32;

		while (len > 1 && *number == 0)
		{
			number++;
			len--;
		}
		der[at++] = 0x02;
		der[at++] = (unsigned char) (len + (*number >> 7));
		if (*number & 0x80)
			der[at++] = 0;
		memcpy(der + at, number, len);
		at += len;
	}
	der[0] = 0x30;
	der[1] = (unsigned char) (at - 2);
	return at;
}

static bool
der_to_raw(const unsigned char *der, size_t len, unsigned char *raw)
{
	ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long) len);
	bool done = parts != NULL &&
				BN_bn2binpad(ECDSA_SIG_get0_r(parts), raw, 32) == 32 &&
				BN_bn2binpad(ECDSA_SIG_get0_s(parts), raw + 32, 32) == 32;

	ECDSA_SIG_free(parts);
	return done;
}

/* s becomes order - s, which signs the same. */
static void
make_low(unsigned char s[32])
{
	int borrow = 0;

	for (int i = 31; i >= 0; i--)
	{
		int difference = order[i] - s[i] - borrow;

		borrow = difference < 0;
		s[i] = (unsigned char) (difference & 0xff);
	}
}
