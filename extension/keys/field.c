/*-------------------------------------------------------------------------
 *
 * field.c
 *	  One sealed field: AES-256-GCM with a named key and bound context.
 *
 * Called wherever text that could harm is stored; keys come from keyring.c.  A
 * pure file.  Every seal draws a fresh nonce, so a key must be rotated well
 * before 2^32 uses; the key of a survivor never comes near that.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "keys/field.h"
#include "keys/random.h"

#define FIELD_VERSION 1
#define NAME_SIZE 3 /* version and key id */
#define NONCE_SIZE 12
#define TAG_SIZE 16

/* One run of the cipher: where the bytes are, and in which direction. */
typedef struct Run
{
	const unsigned char *key;
	const unsigned char *nonce;
	const unsigned char *name; /* authenticated in front of aad */
	size_t name_len;
	const void *aad;
	size_t aad_len;
	const void *in;
	size_t len;
	unsigned char *out;
} Run;

static bool gcm_seal(const Run *run, unsigned char tag[TAG_SIZE]);
static bool gcm_open(const Run *run, const unsigned char tag[TAG_SIZE]);
static bool gcm_start(EVP_CIPHER_CTX *ctx, const Run *run, int sealing);
static const EVP_CIPHER *aes256gcm(void);

bool
kn_field_seal(const unsigned char key[KN_KEY_SIZE], uint16_t key_id,
			  const void *aad, size_t aad_len,
			  const void *plain, size_t len, unsigned char *out)
{
	Run run = {key, out + NAME_SIZE, out, NAME_SIZE, aad, aad_len,
			   plain, len, out + NAME_SIZE + NONCE_SIZE};

	if (len > KN_FIELD_MAX || aad_len > INT_MAX)
		return false;
	out[0] = FIELD_VERSION;
	out[1] = (unsigned char) (key_id >> 8);
	out[2] = (unsigned char) (key_id & 0xff);
	kn_random(out + NAME_SIZE, NONCE_SIZE);
	return gcm_seal(&run, run.out + len);
}

bool
kn_field_open(const unsigned char key[KN_KEY_SIZE], uint16_t *key_id_out,
			  const void *aad, size_t aad_len,
			  const unsigned char *sealed, size_t len, unsigned char *plain_out)
{
	uint16_t id;

	if (!kn_field_key_id(sealed, len, &id) || len - KN_FIELD_OVERHEAD > KN_FIELD_MAX ||
		aad_len > INT_MAX)
		return false;

	Run run = {key, sealed + NAME_SIZE, sealed, NAME_SIZE, aad, aad_len,
			   sealed + NAME_SIZE + NONCE_SIZE, len - KN_FIELD_OVERHEAD, plain_out};

	if (!gcm_open(&run, sealed + len - TAG_SIZE))
	{
		/* the cipher writes as it goes; nothing unproven may be seen */
		OPENSSL_cleanse(plain_out, run.len);
		return false;
	}
	if (key_id_out != NULL)
		*key_id_out = id;
	return true;
}

static bool
gcm_seal(const Run *run, unsigned char tag[TAG_SIZE])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int wrote = 0;
	bool done = ctx != NULL && gcm_start(ctx, run, 1) &&
				(run->len == 0 ||
				 EVP_EncryptUpdate(ctx, run->out, &wrote, run->in, (int) run->len) == 1) &&
				EVP_EncryptFinal_ex(ctx, run->out + wrote, &wrote) == 1 &&
				EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return done;
}

static bool
gcm_open(const Run *run, const unsigned char tag[TAG_SIZE])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int wrote = 0;
	bool done = ctx != NULL && gcm_start(ctx, run, 0) &&
				(run->len == 0 ||
				 EVP_DecryptUpdate(ctx, run->out, &wrote, run->in, (int) run->len) == 1) &&
				EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, (void *) tag) == 1 &&
				EVP_DecryptFinal_ex(ctx, run->out + wrote, &wrote) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return done;
}

static bool
gcm_start(EVP_CIPHER_CTX *ctx, const Run *run, int sealing)
{
	int wrote;

	return aes256gcm() != NULL &&
		   EVP_CipherInit_ex2(ctx, aes256gcm(), run->key, run->nonce, sealing, NULL) == 1 &&
		   (run->name_len == 0 ||
			EVP_CipherUpdate(ctx, NULL, &wrote, run->name, (int) run->name_len) == 1) &&
		   (run->aad_len == 0 ||
			EVP_CipherUpdate(ctx, NULL, &wrote, run->aad, (int) run->aad_len) == 1);
}

/* Fetched once per process. */
static const EVP_CIPHER *
aes256gcm(void)
{
	static EVP_CIPHER *cipher = NULL;

	if (cipher == NULL)
		cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	return cipher;
}

bool
kn_field_key_id(const unsigned char *sealed, size_t len, uint16_t *id)
{
	if (len < KN_FIELD_OVERHEAD || sealed[0] != FIELD_VERSION)
		return false;
	*id = (uint16_t) (sealed[1] << 8 | sealed[2]);
	return true;
}

bool
kn_datakey_new(const KnKeyring *ring, const void *aad, size_t aad_len,
			   unsigned char plain[KN_KEY_SIZE], unsigned char wrapped[KN_WRAPPED_SIZE])
{
	const KnKey *key = kn_keyring_current(ring, KN_KEY_WRAP);

	if (key == NULL)
		return false;
	kn_random(plain, KN_KEY_SIZE);
	if (kn_field_seal(key->secret, key->id, aad, aad_len, plain, KN_KEY_SIZE, wrapped))
		return true;
	OPENSSL_cleanse(plain, KN_KEY_SIZE);
	return false;
}

bool
kn_datakey_unwrap(const KnKeyring *ring, const void *aad, size_t aad_len,
				  const unsigned char wrapped[KN_WRAPPED_SIZE], unsigned char plain[KN_KEY_SIZE])
{
	const KnKey *key;
	uint16_t id;

	memset(plain, 0, KN_KEY_SIZE);
	if (!kn_field_key_id(wrapped, KN_WRAPPED_SIZE, &id))
		return false;
	key = kn_keyring_find(ring, KN_KEY_WRAP, id);
	return key != NULL &&
		   kn_field_open(key->secret, NULL, aad, aad_len, wrapped, KN_WRAPPED_SIZE, plain);
}
