/*-------------------------------------------------------------------------
 *
 * blind.c
 *	  Blind indexes and what they are made of: HMAC, HKDF, hash, random bytes.
 *
 * Called wherever a row is found by e-mail or number, and by the other files of
 * this room; keys come from keyring.c.  A pure file.  Normal forms are in
 * normalise.c, base64url in base64url.c.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "keys/blind.h"

#define SMALL 16 /* bytes: an id or a nonce; keys are larger */
#define POOL_SIZE 512

static unsigned char pool[POOL_SIZE];
static size_t pool_left = 0;

static EVP_MAC_CTX *hmac_with(const unsigned char *secret, size_t secret_len);
static bool draw_small(unsigned char *out, size_t len);
static void empty_pool(void);

bool
kn_blind_index(const KnKeyring *ring, const char *purpose,
			   const char *normalised, size_t len, unsigned char out[KN_BLIND_SIZE])
{
	const KnKey *key = kn_keyring_current(ring, KN_KEY_INDEX);

	return key != NULL && kn_blind_index_with(ring, key, purpose, normalised, len, out);
}

bool
kn_blind_index_with(const KnKeyring *ring, const KnKey *key, const char *purpose,
					const char *normalised, size_t len, unsigned char out[KN_BLIND_SIZE])
{
	const unsigned char *secret = kn_keyring_derive(ring, key, purpose);
	unsigned char whole[KN_SHA256_SIZE];

	if (secret == NULL || !kn_hmac_raw(secret, KN_KEY_SIZE, normalised, len, whole))
		return false;
	memcpy(out, whole, KN_BLIND_SIZE);
	OPENSSL_cleanse(whole, sizeof(whole));
	return true;
}

bool
kn_hmac(const KnKey *key, const void *data, size_t len, unsigned char out[KN_SHA256_SIZE])
{
	return kn_hmac_raw(key->secret, KN_KEY_SIZE, data, len, out);
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

/* OpenSSL's generator notices a fork and seeds itself anew; the kernel stands behind it. */
void
kn_random(void *out, size_t len)
{
	unsigned char *at = out;

	if (len <= SMALL && draw_small(at, len))
		return;
	if (len <= INT_MAX && RAND_bytes(at, (int) len) == 1)
		return;
	while (len > 0)
	{
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0)
		{
			at += got;
			len -= (size_t) got;
		}
	}
}

/*
 * Ids and nonces share one call of the generator, which costs forty times what
 * it gives.  What was handed out is wiped, and a child of fork() starts without
 * what its parent may yet hand out.
 */
static bool
draw_small(unsigned char *out, size_t len)
{
	static bool forks_are_noticed = false;

	if (!forks_are_noticed)
		forks_are_noticed = pthread_atfork(NULL, NULL, empty_pool) == 0;
	if (!forks_are_noticed)
		return false;
	if (pool_left < len)
	{
		if (RAND_bytes(pool, sizeof(pool)) != 1)
			return false;
		pool_left = sizeof(pool);
	}
	pool_left -= len;
	memcpy(out, pool + pool_left, len);
	OPENSSL_cleanse(pool + pool_left, len);
	return true;
}

static void
empty_pool(void)
{
	OPENSSL_cleanse(pool, sizeof(pool));
	pool_left = 0;
}

void
kn_uuid4(unsigned char out[16])
{
	kn_random(out, 16);
	out[6] = (unsigned char) ((out[6] & 0x0f) | 0x40);
	out[8] = (unsigned char) ((out[8] & 0x3f) | 0x80);
}
