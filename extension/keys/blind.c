/*-------------------------------------------------------------------------
 *
 * blind.c
 *	  Keyed look-ups: a row is found by a number that cannot be read in it.
 *
 *
 * Called wherever a row is found by e-mail or number; keys come from keyring.c,
 * normal forms from normalise.c.  A pure file.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <openssl/crypto.h>

#include "keys/blind.h"

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
