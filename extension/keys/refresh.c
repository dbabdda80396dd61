/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  Refresh tokens: a session's id and generation under an HMAC.
 *
 * Called at sign-in and refresh; keys come from keyring.c.  A pure file.  Nothing
 * of the token is stored: the same session and generation give the same token,
 * so requests sent side by side are answered alike.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <openssl/crypto.h>

#include "keys/base64url.h"
#include "keys/blind.h"
#include "keys/jws.h"

#define REFRESH_VERSION 1
#define SESSION_AT 1
#define GENERATION_AT 17
#define MAC_AT 25
#define TOKEN_SIZE (MAC_AT + KN_SHA256_SIZE)

bool
kn_refresh_make(const KnKeyring *ring, const unsigned char session[16],
				uint64_t generation, char *out, size_t size)
{
	const KnKey *key = kn_keyring_current(ring, KN_KEY_REFRESH);
	unsigned char token[TOKEN_SIZE] = {REFRESH_VERSION};

	memcpy(token + SESSION_AT, session, 16);
	for (int i = 0; i < 8; i++)
		token[GENERATION_AT + i] = (unsigned char) (generation >> (56 - 8 * i));
	return key != NULL && kn_hmac(key, token, MAC_AT, token + MAC_AT) &&
		   kn_base64url_encode(token, sizeof(token), out, size);
}

/* Every key is tried, whichever fits, so that time tells nothing. */
bool
kn_refresh_check(const KnKeyring *ring, const char *token, size_t len,
				 unsigned char session[16], uint64_t *generation)
{
	unsigned char bytes[TOKEN_SIZE], mac[KN_SHA256_SIZE];
	size_t size = sizeof(bytes);
	bool found = false;

	if (len != KN_REFRESH_SIZE - 1 || !kn_base64url_decode(token, len, bytes, &size) ||
		size != sizeof(bytes) || bytes[0] != REFRESH_VERSION)
		return false;
	for (int i = kn_keyring_count(ring, KN_KEY_REFRESH) - 1; i >= 0; i--)
	{
		bool fits = kn_hmac(kn_keyring_at(ring, KN_KEY_REFRESH, i), bytes, MAC_AT, mac) &&
					CRYPTO_memcmp(mac, bytes + MAC_AT, sizeof(mac)) == 0;

		found = fits || found;
	}
	OPENSSL_cleanse(mac, sizeof(mac));
	if (!found)
		return false;
	memcpy(session, bytes + SESSION_AT, 16);
	*generation = 0;
	for (int i = 0; i < 8; i++)
		*generation = *generation << 8 | bytes[GENERATION_AT + i];
	return true;
}
