/*-------------------------------------------------------------------------
 *
 * hash.c
 *	  SHA-256, HMAC and HKDF.
 *
 *
 * Called by the other files of this room and wherever something is compared by
 * its hash.  A pure file.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "keys/hash.h"

static EVP_MAC_CTX *hmac_with(const unsigned char *secret, size_t secret_len);

/*
 * The context is made once, so that hashing cannot fail later: no caller has an
 * answer to a hash that is missing.
 */
void
kn_sha256(const void *data, size_t len, unsigned char out[KN_SHA256_SIZE])
{
	static EVP_MD *md = NULL;
	static EVP_MD_CTX *ctx = NULL;

	if (md == NULL)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (ctx == NULL)
		ctx = EVP_MD_CTX_new();
	if (md == NULL || ctx == NULL || EVP_DigestInit_ex2(ctx, md, NULL) != 1 ||
		EVP_DigestUpdate(ctx, data, len) != 1 || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		abort();
}

bool
kn_hmac_raw(const unsigned char *secret, size_t secret_len,
			const void *data, size_t len, unsigned char out[KN_SHA256_SIZE])
{
	EVP_MAC_CTX *ctx = hmac_with(secret, secret_len);
	size_t wrote;

	return ctx != NULL && EVP_MAC_update(ctx, data, len) == 1 &&
		   EVP_MAC_final(ctx, out, &wrote, KN_SHA256_SIZE) == 1 && wrote == KN_SHA256_SIZE;
}

/*
 * The context is made once per process: finding the digest costs as much as
 * hashing a report.  The last key stays in it, as it does in the key ring.
 */
static EVP_MAC_CTX *
hmac_with(const unsigned char *secret, size_t secret_len)
{
	static EVP_MAC_CTX *ctx = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *) "SHA256", 0),
		OSSL_PARAM_construct_end()};
	EVP_MAC *mac;

	if (ctx != NULL)
		return EVP_MAC_init(ctx, secret, secret_len, NULL) == 1 ? ctx : NULL;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac);
	if (ctx != NULL && EVP_MAC_init(ctx, secret, secret_len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	ctx = NULL;
	return NULL;
}

bool
kn_hkdf(const unsigned char *secret, size_t secret_len,
		const void *salt, size_t salt_len, const void *info, size_t info_len,
		unsigned char *out, size_t out_len)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *) secret, secret_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *) salt, salt_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *) info, info_len),
		OSSL_PARAM_construct_end()};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	bool done = ctx != NULL && EVP_KDF_derive(ctx, out, out_len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return done;
}
