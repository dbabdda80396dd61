/*-------------------------------------------------------------------------
 *
 * ticket.c
 *	  Tickets: forty bytes that only this server can have written.
 *
 * Called by identity/known_device.c and identity/attempt.c.  A pure file.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <openssl/crypto.h>

#include "keys/base64url.h"
#include "keys/blind.h"
#include "keys/ticket.h"

#define CONTENT_AT 1
#define MAC_AT (CONTENT_AT + KN_TICKET_CONTENT)
#define TICKET_BYTES (MAC_AT + KN_SHA256_SIZE)

bool
kn_ticket_make(const KnKeyring *ring, KnTicketKind kind,
			   const unsigned char content[KN_TICKET_CONTENT], char *out, size_t size)
{
	const KnKey *key = kn_keyring_current(ring, KN_KEY_REFRESH);
	unsigned char bytes[TICKET_BYTES] = {(unsigned char) kind};

	memcpy(bytes + CONTENT_AT, content, KN_TICKET_CONTENT);
	return key != NULL && kn_hmac(key, bytes, MAC_AT, bytes + MAC_AT) &&
		   kn_base64url_encode(bytes, sizeof(bytes), out, size);
}

/* Every key is tried, whichever fits, so that time tells nothing. */
bool
kn_ticket_check(const KnKeyring *ring, KnTicketKind kind, const char *text, size_t len,
				unsigned char content[KN_TICKET_CONTENT])
{
	unsigned char bytes[TICKET_BYTES], mac[KN_SHA256_SIZE];
	size_t size = sizeof(bytes);
	bool found = false;

	if (len != KN_TICKET_SIZE - 1 || !kn_base64url_decode(text, len, bytes, &size) ||
		size != sizeof(bytes) || bytes[0] != (unsigned char) kind)
		return false;
	for (int i = kn_keyring_count(ring, KN_KEY_REFRESH) - 1; i >= 0; i--)
	{
		bool fits = kn_hmac(kn_keyring_at(ring, KN_KEY_REFRESH, i), bytes, MAC_AT, mac) &&
					CRYPTO_memcmp(mac, bytes + MAC_AT, sizeof(mac)) == 0;

		found = fits || found;
	}
	OPENSSL_cleanse(mac, sizeof(mac));
	if (found)
		memcpy(content, bytes + CONTENT_AT, KN_TICKET_CONTENT);
	return found;
}
