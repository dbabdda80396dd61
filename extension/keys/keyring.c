/*-------------------------------------------------------------------------
 *
 * keyring.c
 *	  The key ring: its text, its keys, its public half.
 *
 * Called by whoever needs a key; keyring_file.c brings the text.  A pure file.
 *
 * The text is for people too:
 *
 *		kintaraa key ring 1
 *		# kind id created secret
 *		wrap 1 1735689600 <base64url of 32 bytes>
 *
 * Everything outside that form is refused, a missing line end at the close as
 * well, for it means a torn file.  A ring always has a key of every kind, and no
 * two keys share a secret.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "keys/base64url.h"
#include "keys/es256.h"
#include "keys/hash.h"
#include "keys/keyring.h"
#include "keys/keyring_text.h"
#include "keys/random.h"

#define KEY_ID_MAX 65535
#define CREATED_MAX INT64_C(253402300799) /* the end of year 9999 */
#define DERIVED_MAX 16
#define THUMB_SIZE 12
#define COORDINATE_TEXT 44 /* 32 bytes in base64url, terminated */

typedef struct Derived
{
	uint16_t key_id;
	KnKeyKind kind;
	char purpose[KN_PURPOSE_MAX + 1];
	unsigned char secret[KN_KEY_SIZE];
} Derived;

struct KnKeyring
{
	int count;
	KnKey *keys; /* owns; sorted by kind, then id */
	int derived_count;
	Derived *derived; /* owns; filled as purposes are first used */
};

/* a part of the text, not terminated */
typedef struct Slice
{
	const char *at;
	size_t len;
} Slice;

static const char *const kind_names[KN_KEY_KINDS] = {
	[KN_KEY_WRAP] = "wrap",
	[KN_KEY_INDEX] = "index",
	[KN_KEY_SIGN] = "sign",
	[KN_KEY_REFRESH] = "refresh",
	[KN_KEY_PSEUDONYM] = "pseudonym",
	[KN_KEY_HASH] = "hash",
};

static KnKeyring *ring_new(void);
static bool parse_lines(KnKeyring *ring, Slice text);
static bool take_until(Slice *from, char end, Slice *part);
static bool parse_key(Slice line, KnKey *key);
static bool parse_kind(Slice word, KnKeyKind *kind);
static bool parse_number(Slice word, int64_t max, int64_t *number);
static bool add_key(KnKeyring *ring, const KnKey *key);
static bool name_signing_key(KnKey *key);
static int compare_keys(const void *a, const void *b);
static bool is_sound(const KnKeyring *ring);
static bool coordinates(const KnKey *key, char x[COORDINATE_TEXT], char y[COORDINATE_TEXT]);

KnKeyringStatus
kn_keyring_parse(const char *text, size_t len, KnKeyring **out)
{
	KnKeyring *ring;

	*out = NULL;
	if (len > KN_KEYRING_TEXT_MAX)
		return KN_KEYRING_MALFORMED;
	ring = ring_new();
	if (ring == NULL)
		return KN_KEYRING_IO;
	if (!parse_lines(ring, (Slice){text, len}))
	{
		kn_keyring_free(ring);
		return KN_KEYRING_MALFORMED;
	}
	qsort(ring->keys, (size_t) ring->count, sizeof(KnKey), compare_keys);
	if (!is_sound(ring))
	{
		kn_keyring_free(ring);
		return KN_KEYRING_MALFORMED;
	}
	*out = ring;
	return KN_KEYRING_OK;
}

static KnKeyring *
ring_new(void)
{
	KnKeyring *ring = calloc(1, sizeof(*ring));

	if (ring == NULL)
		return NULL;
	ring->keys = calloc(KN_KEYRING_KEYS_MAX, sizeof(*ring->keys));
	ring->derived = calloc(DERIVED_MAX, sizeof(*ring->derived));
	if (ring->keys == NULL || ring->derived == NULL)
	{
		kn_keyring_free(ring);
		return NULL;
	}
	return ring;
}

static bool
parse_lines(KnKeyring *ring, Slice text)
{
	Slice line;

	if (!take_until(&text, '\n', &line) || line.len != strlen(KN_KEYRING_TITLE) ||
		memcmp(line.at, KN_KEYRING_TITLE, line.len) != 0)
		return false;
	while (text.len > 0)
	{
		KnKey key = {0};
		bool done;

		if (!take_until(&text, '\n', &line))
			return false;
		if (line.len == 0 || line.at[0] == '#')
			continue;
		done = parse_key(line, &key) && add_key(ring, &key);
		OPENSSL_cleanse(&key, sizeof(key));
		if (!done)
			return false;
	}
	return true;
}

/* Splits the part before end off; false when end does not occur. */
static bool
take_until(Slice *from, char end, Slice *part)
{
	const char *stop = from->len > 0 ? memchr(from->at, end, from->len) : NULL;

	if (stop == NULL)
		return false;
	part->at = from->at;
	part->len = (size_t) (stop - from->at);
	from->len -= part->len + 1;
	from->at = stop + 1;
	return true;
}

static bool
parse_key(Slice line, KnKey *key)
{
	Slice kind, id, created;
	int64_t number;
	size_t size = KN_KEY_SIZE;

	if (!take_until(&line, ' ', &kind) || !take_until(&line, ' ', &id) ||
		!take_until(&line, ' ', &created) ||
		!parse_kind(kind, &key->kind) ||
		!parse_number(created, CREATED_MAX, &key->created) ||
		!parse_number(id, KEY_ID_MAX, &number) || number == 0)
		return false;
	key->id = (uint16_t) number;
	return kn_base64url_decode(line.at, line.len, key->secret, &size) && size == KN_KEY_SIZE;
}

static bool
parse_kind(Slice word, KnKeyKind *kind)
{
	for (int i = 0; i < KN_KEY_KINDS; i++)
	{
		if (strlen(kind_names[i]) == word.len && memcmp(kind_names[i], word.at, word.len) == 0)
		{
			*kind = (KnKeyKind) i;
			return true;
		}
	}
	return false;
}

/* Digits only, no leading zero, 0..max. */
static bool
parse_number(Slice word, int64_t max, int64_t *number)
{
	int64_t value = 0;

	if (word.len == 0 || (word.len > 1 && word.at[0] == '0'))
		return false;
	for (size_t i = 0; i < word.len; i++)
	{
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		value = value * 10 + (word.at[i] - '0');
		if (value > max)
			return false;
	}
	*number = value;
	return true;
}

static bool
add_key(KnKeyring *ring, const KnKey *key)
{
	KnKey *place;

	if (ring->count == KN_KEYRING_KEYS_MAX)
		return false;
	place = &ring->keys[ring->count++];
	*place = *key;
	return key->kind != KN_KEY_SIGN || name_signing_key(place);
}

/* The name is the start of the key's thumbprint, RFC 7638. */
static bool
name_signing_key(KnKey *key)
{
	char x[COORDINATE_TEXT], y[COORDINATE_TEXT], text[160];
	unsigned char digest[KN_SHA256_SIZE];
	int len;

	key->pkey = kn_es256_private(key->secret);
	if (key->pkey == NULL || !coordinates(key, x, y))
		return false;
	len = snprintf(text, sizeof(text),
				   "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
	kn_sha256(text, (size_t) len, digest);
	return kn_base64url_encode(digest, THUMB_SIZE, key->kid, sizeof(key->kid));
}

static bool
coordinates(const KnKey *key, char x[COORDINATE_TEXT], char y[COORDINATE_TEXT])
{
	unsigned char point[KN_ES256_POINT_SIZE];

	return kn_es256_point(key->pkey, point) &&
		   kn_base64url_encode(point + 1, 32, x, COORDINATE_TEXT) &&
		   kn_base64url_encode(point + 33, 32, y, COORDINATE_TEXT);
}

static int
compare_keys(const void *a, const void *b)
{
	const KnKey *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return (int) left->id - (int) right->id;
}

static bool
is_sound(const KnKeyring *ring)
{
	static const unsigned char zero[KN_KEY_SIZE];

	for (int kind = 0; kind < KN_KEY_KINDS; kind++)
	{
		if (kn_keyring_count(ring, (KnKeyKind) kind) == 0)
			return false;
	}
	for (int i = 0; i < ring->count; i++)
	{
		if (CRYPTO_memcmp(ring->keys[i].secret, zero, KN_KEY_SIZE) == 0)
			return false;
		if (i > 0 && compare_keys(&ring->keys[i - 1], &ring->keys[i]) == 0)
			return false;
		for (int j = 0; j < i; j++)
		{
			if (CRYPTO_memcmp(ring->keys[i].secret, ring->keys[j].secret, KN_KEY_SIZE) == 0)
				return false;
		}
	}
	return true;
}

void
kn_keyring_free(KnKeyring *ring)
{
	if (ring == NULL)
		return;
	for (int i = 0; i < ring->count; i++)
		EVP_PKEY_free(ring->keys[i].pkey);
	if (ring->keys != NULL)
		OPENSSL_cleanse(ring->keys, KN_KEYRING_KEYS_MAX * sizeof(*ring->keys));
	if (ring->derived != NULL)
		OPENSSL_cleanse(ring->derived, DERIVED_MAX * sizeof(*ring->derived));
	free(ring->keys);
	free(ring->derived);
	free(ring);
}

const KnKey *
kn_keyring_current(const KnKeyring *ring, KnKeyKind kind)
{
	return kn_keyring_at(ring, kind, kn_keyring_count(ring, kind) - 1);
}

const KnKey *
kn_keyring_find(const KnKeyring *ring, KnKeyKind kind, uint16_t id)
{
	for (int i = 0; i < ring->count; i++)
	{
		if (ring->keys[i].kind == kind && ring->keys[i].id == id)
			return &ring->keys[i];
	}
	return NULL;
}

int
kn_keyring_count(const KnKeyring *ring, KnKeyKind kind)
{
	int count = 0;

	for (int i = 0; i < ring->count; i++)
		count += ring->keys[i].kind == kind;
	return count;
}

const KnKey *
kn_keyring_at(const KnKeyring *ring, KnKeyKind kind, int i)
{
	int first = 0;

	while (first < ring->count && ring->keys[first].kind != kind)
		first++;
	if (i < 0 || i >= ring->count - first || ring->keys[first + i].kind != kind)
		return NULL;
	return &ring->keys[first + i];
}

const unsigned char *
kn_keyring_derive(const KnKeyring *ring, const KnKey *key, const char *purpose)
{
	KnKeyring *memory = (KnKeyring *) ring; /* the keys stay as they are; only the memory grows */
	size_t len = strlen(purpose);
	Derived *place;

	if (len == 0 || len > KN_PURPOSE_MAX)
		return NULL;
	for (int i = 0; i < ring->derived_count; i++)
	{
		place = &ring->derived[i];
		if (place->key_id == key->id && place->kind == key->kind &&
			strcmp(place->purpose, purpose) == 0)
			return place->secret;
	}
	/* when full, the last place serves all others: slower, never wrong */
	if (ring->derived_count < DERIVED_MAX)
		memory->derived_count++;
	place = &ring->derived[ring->derived_count - 1];
	place->purpose[0] = '\0';
	if (!kn_hkdf(key->secret, KN_KEY_SIZE, "", 0, purpose, len, place->secret, KN_KEY_SIZE))
		return NULL;
	place->key_id = key->id;
	place->kind = key->kind;
	memcpy(place->purpose, purpose, len + 1);
	return place->secret;
}

const char *
kn_keyring_describe(KnKeyringStatus status)
{
	switch (status)
	{
		case KN_KEYRING_OK:
			return "The key ring is in order.";
		case KN_KEYRING_ABSENT:
			return "There is no key ring file.";
		case KN_KEYRING_LAX_MODE:
			return "The key ring file can be reached by others; its mode must be 0600.";
		case KN_KEYRING_BAD_OWNER:
			return "The key ring file belongs to another user than the server's.";
		case KN_KEYRING_MALFORMED:
			return "The key ring file is not a complete key ring.";
		case KN_KEYRING_EXISTS:
			return "There is a key ring file already; it is never overwritten.";
		case KN_KEYRING_IO:
			return "The key ring file could not be read or written.";
	}
	return "The key ring is in an unknown state.";
}

bool
kn_keyring_jwks(const KnKeyring *ring, char *out, size_t size)
{
	size_t at = 0;

	for (int i = kn_keyring_count(ring, KN_KEY_SIGN) - 1; i >= 0; i--)
	{
		const KnKey *key = kn_keyring_at(ring, KN_KEY_SIGN, i);
		char x[COORDINATE_TEXT], y[COORDINATE_TEXT];
		int len;

		if (!coordinates(key, x, y))
			return false;
		len = snprintf(out + at, size - at,
					   "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\","
					   "\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"%s\"}",
					   at == 0 ? "{\"keys\":[" : ",", x, y, key->kid);
		if (len < 0 || (size_t) len >= size - at)
			return false;
		at += (size_t) len;
	}
	if (size - at < sizeof("]}"))
		return false;
	memcpy(out + at, "]}", sizeof("]}"));
	return true;
}

bool
kn_keyring_new_line(KnKeyKind kind, uint16_t id, int64_t created, char *out, size_t size)
{
	unsigned char secret[KN_KEY_SIZE];
	char text[COORDINATE_TEXT];
	EVP_PKEY *pkey;
	int len;

	/* a random scalar misses the range about once in 2^32, so this ends */
	do
	{
		kn_random(secret, sizeof(secret));
		pkey = kind == KN_KEY_SIGN ? kn_es256_private(secret) : NULL;
	} while (kind == KN_KEY_SIGN && pkey == NULL);
	EVP_PKEY_free(pkey);
	kn_base64url_encode(secret, sizeof(secret), text, sizeof(text));
	len = snprintf(out, size, "%s %u %lld %s\n", kind_names[kind], (unsigned) id,
				   (long long) created, text);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(text, sizeof(text));
	return len > 0 && (size_t) len < size;
}
