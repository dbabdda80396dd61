/*-------------------------------------------------------------------------
 *
 * fuzz_keyring.c
 *	  Hostile key ring files.
 *
 * A ring that is accepted must be usable: a current key of every kind, names for
 * signing keys, and a public half.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/keyring.c extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/es256.c */
/* libs: crypto */
#include <stdlib.h>
#include <string.h>

#include "keys/keyring.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
use(const KnKeyring *ring)
{
	static char jwks[KN_KEYRING_TEXT_MAX];

	for (int kind = 0; kind < KN_KEY_KINDS; kind++)
	{
		const KnKey *key = kn_keyring_current(ring, (KnKeyKind) kind);

		require(key != NULL && key->id > 0 && key->kind == (KnKeyKind) kind);
		require(kn_keyring_find(ring, (KnKeyKind) kind, key->id) == key);
		require((kind == KN_KEY_SIGN) == (key->pkey != NULL && strlen(key->kid) == 16));
	}
	require(kn_keyring_jwks(ring, jwks, sizeof(jwks)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KnKeyring *ring;
	KnKeyringStatus status = kn_keyring_parse((const char *) data, size, &ring);

	require((status == KN_KEYRING_OK) == (ring != NULL));
	if (ring != NULL)
		use(ring);
	kn_keyring_free(ring);
	return 0;
}
