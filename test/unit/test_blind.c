/*-------------------------------------------------------------------------
 *
 * test_blind.c
 *	  Blind indexes find what they should, and base64url has one spelling.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/blind.c extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/normalise.c extension/keys/keyring.c extension/keys/es256.c */
/* libs: crypto */
#include <sys/wait.h>
#include <unistd.h>

#include "keys/base64url.h"
#include "keys/blind.h"
#include "keys/hash.h"
#include "keys/normalise.h"
#include "keys/random.h"

#include "tap.h"

#include "ring.h"

typedef struct Pair
{
	const char *in, *out; /* out is NULL where in is refused */
} Pair;

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A189 A64 A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const Pair emails[] = {
	{"amina@example.org", "amina@example.org"},
	{" \t\r\nAmina@Example.ORG\n ", "amina@example.org"},
	{"a@b", "a@b"},
	{"wanjik\xc5\xa9@example.org", "wanjik\xc5\xa9@example.org"},
	{"first+tag@example.org", "first+tag@example.org"},
	{A64 "@example.org", A64 "@example.org"},
	{A64 "a@example.org", NULL},
	{A64 "@" A189, A64 "@" A189},
	{A64 "@a" A189, NULL},
	{"a@", NULL},
	{"@b", NULL},
	{"@", NULL},
	{"", NULL},
	{"   ", NULL},
	{"amina", NULL},
	{"a@b@c", NULL},
	{"a@@b", NULL},
	{"@@@", NULL},
	{"a b@example.org", NULL},
	{"a\tb@example.org", NULL},
	{"a@exam\x7fple.org", NULL},
	{"a@exam\x01ple.org", NULL},
};

static const Pair phones[] = {
	{"0712345678", "+254712345678"},
	{"712345678", "+254712345678"},
	{"+254712345678", "+254712345678"},
	{"254712345678", "+254712345678"},
	{"00254712345678", "+254712345678"},
	{"+254 (0) 712-345.678", "+254712345678"},
	{"(+254) 712 345 678", "+254712345678"},
	{"0712/345 678", "+254712345678"},
	{" 0712 345 678\n", "+254712345678"},
	{"0110123456", "+254110123456"},
	{"020 2222222", "+254202222222"},
	{"254123456", "+254254123456"},
	{"+255712345678", "+255712345678"},
	{"0044 20 7946 0018", "+442079460018"},
	{"+12025550123", "+12025550123"},
	{"+12345678", "+12345678"},
	{"+1234567", NULL},
	{"+123456789012345", "+123456789012345"},
	{"+1234567890123456", NULL},
	{"1234567", "+2541234567"},
	{"123456", NULL},
	{"+254123456", NULL},
	{"999", NULL},
	{"1195", NULL},
	{"", NULL},
	{"+", NULL},
	{"00", NULL},
	{"++254712345678", NULL},
	{"0712+345678", NULL},
	{"07123456ab", NULL},
	{"0712345678 ext 3", NULL},
	{"+0712345678", NULL},
	{"000712345678", NULL},
	{"00712345678", "+712345678"},
	{"+25400712345678", NULL},
	{"\xd9\xa0\xd9\xa7\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5", NULL},
	{"0712345678901234567890", NULL},
};

/* RFC 4648, section 10, without padding and in the alphabet of section 5 */
static const Pair base64[] = {
	{"", ""},
	{"f", "Zg"},
	{"fo", "Zm8"},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xfe", "-__-"},
};

static const char *const not_base64[] = {
	"Z", "A", "Zm9vA", "Zg=", "Zg==", "Zg\n", " Zg", "Z g", "Zh", "Zn", "Zo",
	"Zm9", "Zm-", "+__-", "-//-", "Zm9vY", "Zm9v=", "====", "Zm9vYmFyZ", "Zm.v", "Zm\xc3\xa9"};

static void
test_normal_forms(void)
{
	char out[KN_EMAIL_MAX + 1];

	for (size_t i = 0; i < sizeof(emails) / sizeof(emails[0]); i++)
	{
		bool done = kn_normalise_email(emails[i].in, out, sizeof(out));

		ok(done == (emails[i].out != NULL) && (!done || strcmp(out, emails[i].out) == 0),
		   "e-mail %zu is %s", i, emails[i].out ? "in normal form" : "refused");
	}
	for (size_t i = 0; i < sizeof(phones) / sizeof(phones[0]); i++)
	{
		bool done = kn_normalise_phone(phones[i].in, "254", out, sizeof(out));

		if (!ok(done == (phones[i].out != NULL) && (!done || strcmp(out, phones[i].out) == 0),
				"number %zu is %s", i, phones[i].out ? "in normal form" : "refused"))
			printf("# %s gave %s\n", phones[i].in, done ? out : "nothing");
	}
}

static void
test_normal_form_is_stable(void)
{
	char once[KN_EMAIL_MAX + 1], twice[KN_EMAIL_MAX + 1];
	int changed = 0;

	for (size_t i = 0; i < sizeof(phones) / sizeof(phones[0]); i++)
	{
		if (phones[i].out == NULL)
			continue;
		kn_normalise_phone(phones[i].in, "254", once, sizeof(once));
		changed +=
			!kn_normalise_phone(once, "254", twice, sizeof(twice)) || strcmp(once, twice) != 0;
	}
	ok(changed == 0, "a number in normal form stays as it is");
}

static void
test_small_buffers(void)
{
	char out[14];

	ok(kn_normalise_phone("0712345678", "254", out, sizeof("+254712345678")),
	   "a number fits exactly");
	ok(!kn_normalise_phone("0712345678", "254", out, sizeof("+254712345678") - 1),
	   "one byte less is refused");
	ok(kn_normalise_email("a@b", out, 4) && !kn_normalise_email("a@b", out, 3),
	   "an e-mail fits exactly, and not in one byte less");
	ok(kn_normalise_phone("0712345", "1", out, sizeof(out)) == false &&
		   kn_normalise_phone("07123456", "1", out, sizeof(out)),
	   "the shortest national number has seven digits");
	ok(!kn_normalise_phone("0712345678", "", out, sizeof(out)) &&
		   !kn_normalise_phone("0712345678", "2541", out, sizeof(out)) &&
		   !kn_normalise_phone("0712345678", "054", out, sizeof(out)) &&
		   !kn_normalise_phone("0712345678", "2a4", out, sizeof(out)),
	   "a default country that is no country code is refused");
}

static void
test_base64url(void)
{
	unsigned char out[16], all[256];
	char text[400];

	for (size_t i = 0; i < sizeof(base64) / sizeof(base64[0]); i++)
	{
		size_t len = strlen(base64[i].in), wrote = len;

		ok(kn_base64url_encode(base64[i].in, len, text, strlen(base64[i].out) + 1) &&
			   strcmp(text, base64[i].out) == 0 &&
			   !kn_base64url_encode(base64[i].in, len, text, strlen(base64[i].out)),
		   "%zu bytes are written, and not into one byte less", len);
		ok(kn_base64url_decode(base64[i].out, strlen(base64[i].out), out, &wrote) && wrote == len &&
			   memcmp(out, base64[i].in, len) == 0,
		   "%zu bytes are read back", len);
		wrote = len - 1;
		ok(len == 0 || !kn_base64url_decode(base64[i].out, strlen(base64[i].out), out, &wrote),
		   "%zu bytes are not read into one byte less", len);
	}
	for (size_t i = 0; i < sizeof(not_base64) / sizeof(not_base64[0]); i++)
	{
		size_t wrote = sizeof(out);

		ok(!kn_base64url_decode(not_base64[i], strlen(not_base64[i]), out, &wrote),
		   "not base64url: %zu", i);
	}
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char) i;
	for (size_t len = 0; len <= sizeof(all); len++)
	{
		unsigned char back[256];
		size_t wrote = sizeof(back);

		if (!kn_base64url_encode(all, len, text, sizeof(text)) ||
			!kn_base64url_decode(text, strlen(text), back, &wrote) || wrote != len ||
			memcmp(all, back, len) != 0)
			ok(false, "%zu bytes do not come back", len);
	}
	ok(true, "0 to 256 bytes come back");
}

static void
test_one_spelling(void)
{
	int accepted = 0;

	/* of all texts of two digits, only those without stray bits are values */
	for (int a = 0; a < 256; a++)
	{
		for (int b = 0; b < 256; b++)
		{
			char text[2] = {(char) a, (char) b};
			unsigned char out[1];
			size_t wrote = 1;

			accepted += kn_base64url_decode(text, 2, out, &wrote);
		}
	}
	ok(accepted == 256, "each byte has exactly one spelling");
}

static void
test_published_vectors(void)
{
	unsigned char key[32], salt[32], info[32], out[64];

	from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", key);
	ok(kn_hmac_raw(key, 20, "Hi There", 8, out) &&
		   is_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
	   "HMAC-SHA-256, RFC 4231 case 1");
	ok(kn_hmac_raw((const unsigned char *) "Jefe", 4, "what do ya want for nothing?", 28, out) &&
		   is_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
	   "HMAC-SHA-256, RFC 4231 case 2");
	from_hex("000102030405060708090a0b0c", salt);
	from_hex("f0f1f2f3f4f5f6f7f8f9", info);
	ok(kn_hkdf(key, 22, salt, 13, info, 10, out, 42) &&
		   is_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
					   "34007208d5b887185865"),
	   "HKDF, RFC 5869 case 1");
	ok(kn_hkdf(key, 22, "", 0, "", 0, out, 42) &&
		   is_hex(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
					   "9d201395faa4b61a96c8"),
	   "HKDF, RFC 5869 case 3");
	kn_sha256("abc", 3, out);
	ok(is_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
	   "SHA-256, FIPS 180 example 1");
	kn_sha256("", 0, out);
	ok(is_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	   "SHA-256 of nothing");
}

static void
test_index(void)
{
	KnKeyring *ring = ring_of(RING_TEXT), *again = ring_of(RING_TEXT);
	const KnKey *older = kn_keyring_find(ring, KN_KEY_INDEX, 1);
	unsigned char a[16], b[16], derived[32], whole[32];

	ok(kn_blind_index(ring, "email", "a@b", 3, a) && kn_blind_index(again, "email", "a@b", 3, b) &&
		   memcmp(a, b, 16) == 0,
	   "one address has one index");
	kn_hkdf(kn_keyring_current(ring, KN_KEY_INDEX)->secret, 32, "", 0, "email", 5, derived, 32);
	kn_hmac_raw(derived, 32, "a@b", 3, whole);
	ok(memcmp(a, whole, 16) == 0, "it is the HMAC under a key derived for the purpose, cut");
	ok(kn_blind_index(ring, "email", "a@c", 3, b) && memcmp(a, b, 16) != 0,
	   "another address has another");
	ok(kn_blind_index(ring, "phone", "a@b", 3, b) && memcmp(a, b, 16) != 0,
	   "another column has another");
	ok(kn_blind_index_with(ring, older, "email", "a@b", 3, b) && memcmp(a, b, 16) != 0,
	   "an older key has another, for finding what it indexed");
	ok(kn_blind_index(ring, "email", "", 0, b), "an empty text has an index");
	ok(!kn_blind_index(ring, "", "a@b", 3, b), "no purpose, no index");
	kn_keyring_free(ring);
	kn_keyring_free(again);
}

/* Ids and nonces come from one pool: across its end, and in all sizes around the largest. */
static void
test_small_draws(void)
{
	enum
	{
		DRAWS = 2000
	};
	static unsigned char drawn[DRAWS][8];
	unsigned char out[18];
	int twice = 0, beyond = 0;

	for (int i = 0; i < DRAWS; i++)
	{
		size_t len = 8 + i % 10;

		memset(out, 0xa5, sizeof(out));
		kn_random(out, len);
		memcpy(drawn[i], out, 8);
		for (size_t j = len; j < sizeof(out); j++)
			beyond += out[j] != 0xa5;
		for (int j = 0; j < i; j++)
			twice += memcmp(drawn[i], drawn[j], 8) == 0;
	}
	ok(twice == 0, "nothing is handed out twice");
	ok(beyond == 0, "a draw of 8 to 17 bytes writes no more than it was asked for");
}

static void
test_random(void)
{
	unsigned char a[16], b[16], theirs[2][16], seen[256] = {0};
	int here[2], values = 0, sound = 0;

	for (int i = 0; i < 100; i++)
	{
		kn_uuid4(a);
		sound += (a[6] & 0xf0) == 0x40 && (a[8] & 0xc0) == 0x80;
	}
	ok(sound == 100, "a random id says that it is one");
	kn_random(a, 16);
	kn_random(b, 16);
	ok(memcmp(a, b, 16) != 0, "random bytes differ");
	for (int i = 0; i < 400; i++)
	{
		kn_random(a, 16);
		for (int j = 0; j < 16; j++)
			seen[a[j]] = 1;
	}
	for (int i = 0; i < 256; i++)
		values += seen[i];
	ok(values == 256, "every byte value occurs");
	if (pipe(here) != 0)
		exit(1);
	fflush(stdout);
	if (fork() == 0)
	{
		kn_random(theirs[0], 16);
		kn_random(theirs[1], 16);
		_exit(write(here[1], theirs, sizeof(theirs)) != sizeof(theirs));
	}
	kn_random(b, 16);
	ok(read(here[0], theirs, sizeof(theirs)) == sizeof(theirs) && memcmp(theirs[0], b, 16) != 0,
	   "a forked process draws other bytes than its parent");
	ok(memcmp(theirs[0], theirs[1], 16) != 0, "and not what its parent has left behind");
	wait(NULL);
}

int
main(void)
{
	test_normal_forms();
	test_normal_form_is_stable();
	test_small_buffers();
	test_base64url();
	test_one_spelling();
	test_published_vectors();
	test_index();
	test_random();
	test_small_draws();
	return finish();
}
