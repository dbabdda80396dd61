/*-------------------------------------------------------------------------
 *
 * test_field.c
 *	  A sealed field opens with its key and its context, and with nothing else.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/keyring.c extension/keys/es256.c */
/* libs: crypto */

/* the file itself, for its cipher is tried with the nonces of published vectors */
#include "keys/field.c"

#include "tap.h"

#include "ring.h"

static const unsigned char key[KN_KEY_SIZE] = "0123456789abcdef0123456789abcde";
static const char aad[] = "incident.description.7";

typedef struct Vector
{
	const char *name, *key, *nonce, *aad, *plain, *cipher, *tag;
} Vector;

/* McGrew and Viega, The Galois/Counter Mode of Operation, cases 13, 14 and 16 */
static const Vector vectors[] = {
	{"nothing", "0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"one block", "0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{"context and a part of a block",
	 "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void
test_published_vectors(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		const Vector *v = &vectors[i];
		unsigned char k[32], nonce[12], context[64], plain[64], out[64], tag[TAG_SIZE];
		Run run = {.key = k, .nonce = nonce, .aad = context, .in = plain, .out = out};

		from_hex(v->key, k);
		from_hex(v->nonce, nonce);
		run.aad_len = from_hex(v->aad, context);
		run.len = from_hex(v->plain, plain);
		ok(gcm_seal(&run, tag) && is_hex(out, v->cipher) && is_hex(tag, v->tag),
		   "AES-256-GCM vector is sealed: %s", v->name);
		from_hex(v->cipher, plain);
		ok(gcm_open(&run, tag) && is_hex(out, v->plain),
		   "AES-256-GCM vector is opened: %s", v->name);
	}
}

static bool
round_trips(size_t len)
{
	unsigned char *plain = malloc(len + 1), *back = malloc(len + 1);
	unsigned char *sealed = malloc(len + KN_FIELD_OVERHEAD);
	uint16_t id = 0;
	bool done;

	memset(plain, 'x', len);
	done = kn_field_seal(key, 513, aad, sizeof(aad), plain, len, sealed) &&
		   kn_field_open(key, &id, aad, sizeof(aad), sealed, len + KN_FIELD_OVERHEAD, back) &&
		   id == 513 && memcmp(plain, back, len) == 0;
	free(plain);
	free(back);
	free(sealed);
	return done;
}

static void
test_round_trip(void)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 1024, 1 << 20};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ok(round_trips(sizes[i]), "a field of %zu bytes comes back", sizes[i]);
}

static void
test_layout(void)
{
	unsigned char a[3 + KN_FIELD_OVERHEAD], b[3 + KN_FIELD_OVERHEAD];
	uint16_t id = 0;

	kn_field_seal(key, 0xabcd, aad, sizeof(aad), "abc", 3, a);
	kn_field_seal(key, 0xabcd, aad, sizeof(aad), "abc", 3, b);
	ok(a[0] == 1 && a[1] == 0xab && a[2] == 0xcd, "version and key id lead, in network order");
	ok(memcmp(a + 3, b + 3, 12) != 0 && memcmp(a + 15, b + 15, 3 + 16) != 0,
	   "the same text is never sealed the same way twice");
	ok(kn_field_key_id(a, sizeof(a), &id) && id == 0xabcd, "the key id is read without a key");
	ok(!kn_field_key_id(a, KN_FIELD_OVERHEAD - 1, &id), "no key id in a field cut too short");
	ok(kn_field_key_id(a, KN_FIELD_OVERHEAD, &id), "a key id in the shortest field");
	ok(kn_field_open(key, NULL, aad, sizeof(aad), a, sizeof(a), b),
	   "the key id need not be asked for");
}

static void
test_every_change_is_refused(void)
{
	unsigned char sealed[20 + KN_FIELD_OVERHEAD], plain[20], zero[20] = {0};
	int opened = 0, leaked = 0;
	char other[sizeof(aad)];

	kn_field_seal(key, 1, aad, sizeof(aad), "twenty bytes of text", 20, sealed);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++)
	{
		memset(plain, 0, sizeof(plain));
		sealed[bit / 8] ^= (unsigned char) (1 << bit % 8);
		opened += kn_field_open(key, NULL, aad, sizeof(aad), sealed, sizeof(sealed), plain);
		leaked += memcmp(plain, zero, sizeof(plain)) != 0;
		sealed[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	ok(opened == 0, "a field with any bit turned is refused");
	ok(leaked == 0, "nothing of a refused field is left in the buffer");
	opened = 0;
	for (size_t len = 0; len < sizeof(sealed); len++)
		opened += kn_field_open(key, NULL, aad, sizeof(aad), sealed, len, plain);
	ok(opened == 0, "a field cut at any byte is refused");
	opened = 0;
	for (size_t bit = 0; bit < sizeof(aad) * 8; bit++)
	{
		memcpy(other, aad, sizeof(aad));
		other[bit / 8] ^= (char) (1 << bit % 8);
		opened += kn_field_open(key, NULL, other, sizeof(aad), sealed, sizeof(sealed), plain);
	}
	for (size_t len = 0; len < sizeof(aad); len++)
		opened += kn_field_open(key, NULL, aad, len, sealed, sizeof(sealed), plain);
	ok(opened == 0, "a field under any other context is refused");
	ok(kn_field_open(key, NULL, aad, sizeof(aad), sealed, sizeof(sealed), plain),
	   "the field itself still opens");
}

static void
test_wrong_key(void)
{
	unsigned char sealed[KN_FIELD_OVERHEAD], other[KN_KEY_SIZE], plain[1];

	memcpy(other, key, sizeof(other));
	other[31] ^= 1;
	kn_field_seal(key, 1, NULL, 0, NULL, 0, sealed);
	ok(!kn_field_open(other, NULL, NULL, 0, sealed, sizeof(sealed), plain),
	   "another key does not open an empty field");
	ok(kn_field_open(key, NULL, NULL, 0, sealed, sizeof(sealed), plain),
	   "an empty field without context opens");
}

static void
test_limit(void)
{
	unsigned char out[KN_FIELD_OVERHEAD];

	ok(!kn_field_seal(key, 1, NULL, 0, NULL, (size_t) KN_FIELD_MAX + 1, out),
	   "a field longer than can be stored is not sealed");
	ok(!kn_field_seal(key, 1, NULL, (size_t) INT_MAX + 1, NULL, 0, out),
	   "a context too long for the cipher is not sealed");
}

static void
test_data_key(void)
{
	KnKeyring *ring = ring_of(RING_TEXT);
	KnKeyring *old = ring_of(RING_TITLE RING_OLD RING_REST);
	unsigned char plain[KN_KEY_SIZE], back[KN_KEY_SIZE], wrapped[KN_WRAPPED_SIZE];
	static const unsigned char zero[KN_KEY_SIZE];
	uint16_t id = 0;

	ok(kn_datakey_new(ring, "s1", 2, plain, wrapped) &&
		   kn_field_key_id(wrapped, sizeof(wrapped), &id) && id == 2,
	   "a data key is wrapped by the newest key");
	ok(kn_datakey_unwrap(ring, "s1", 2, wrapped, back) && memcmp(plain, back, 32) == 0,
	   "a data key is unwrapped");
	ok(!kn_datakey_unwrap(ring, "s2", 2, wrapped, back) && memcmp(back, zero, 32) == 0,
	   "a data key of another survivor is refused and leaves nothing");
	ok(!kn_datakey_unwrap(old, "s1", 2, wrapped, back),
	   "a data key without its wrapping key is lost");
	kn_datakey_new(old, "s1", 2, plain, wrapped);
	ok(kn_datakey_unwrap(ring, "s1", 2, wrapped, back) && memcmp(plain, back, 32) == 0,
	   "an older wrapping key still unwraps");
	wrapped[1] ^= 1;
	wrapped[2] = 99;
	memset(back, 7, sizeof(back));
	ok(!kn_datakey_unwrap(ring, "s1", 2, wrapped, back) && memcmp(back, zero, 32) == 0,
	   "a key id that is not in the ring is refused and leaves nothing");
	kn_keyring_free(ring);
	kn_keyring_free(old);
}

int
main(void)
{
	test_published_vectors();
	test_round_trip();
	test_layout();
	test_every_change_is_refused();
	test_wrong_key();
	test_limit();
	test_data_key();
	return finish();
}
