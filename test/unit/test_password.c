/*-------------------------------------------------------------------------
 *
 * test_password.c
 *	  Which passwords are acceptable, and that their hash is the standard's.
 *
 *-------------------------------------------------------------------------
 */
/* sources: */
/* libs: crypto argon2 */

/* the file itself, for its list is private to it */
#include "identity/password.c"

#include "tap.h"

typedef struct Case
{
	const char *password;
	KnPasswordStatus status;
} Case;

static const Case cases[] = {
	{"", KN_PASSWORD_SHORT},
	{"seven77", KN_PASSWORD_SHORT},
	{"kiti8888", KN_PASSWORD_OK},
	{"\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93", KN_PASSWORD_SHORT},
	{"\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93\xe2\x9c\x93", KN_PASSWORD_OK},
	{"a long phrase in plain words", KN_PASSWORD_OK},
	{"password", KN_PASSWORD_COMMON},
	{"PassWord", KN_PASSWORD_COMMON},
	{"12345678", KN_PASSWORD_COMMON},
	{"qwertyuiop", KN_PASSWORD_COMMON},
	{"iloveyou1", KN_PASSWORD_COMMON},
	{"kintaraa", KN_PASSWORD_COMMON},
	{"Kenya2024", KN_PASSWORD_COMMON},
	{"safaricom", KN_PASSWORD_COMMON},
	{"0712345678", KN_PASSWORD_COMMON},
	{"password ", KN_PASSWORD_OK},
	{"\xff\xff\xff\xff\xff\xff\xff\xff", KN_PASSWORD_ENCODING},
	{"\xc0\xaf slash in two bytes", KN_PASSWORD_ENCODING},
	{"\xe0\x80\xaf slash in three", KN_PASSWORD_ENCODING},
	{"\xf0\x80\x80\xaf slash in four", KN_PASSWORD_ENCODING},
	{"\xed\xa0\x80 half of a pair", KN_PASSWORD_ENCODING},
	{"\xf4\x90\x80\x80 above the last", KN_PASSWORD_ENCODING},
	{"\xf5\x80\x80\x80 far above", KN_PASSWORD_ENCODING},
	{"\x80 a tail alone", KN_PASSWORD_ENCODING},
	{"cut at the end \xe2\x9c", KN_PASSWORD_ENCODING},
	{"\xe2\x28\x93 no tail", KN_PASSWORD_ENCODING},
	{"\xf4\x8f\xbf\xbf the last one", KN_PASSWORD_OK},
	{"\xc2\x80 the first of two bytes", KN_PASSWORD_OK},
};

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(kn_password_check(cases[i].password, strlen(cases[i].password)) == cases[i].status,
		   "case %zu has status %d", i, cases[i].status);
	ok(kn_password_check("with a\0zero", 11) == KN_PASSWORD_ENCODING, "a zero byte is refused");
}

static void
test_limits(void)
{
	char text[KN_PASSWORD_MAX * 4 + 4];

	memset(text, 'q', sizeof(text));
	ok(kn_password_check(text, KN_PASSWORD_MIN - 1) == KN_PASSWORD_SHORT &&
		   kn_password_check("w8xk2ped", KN_PASSWORD_MIN) == KN_PASSWORD_OK,
	   "eight characters are enough, seven are not");
	ok(kn_password_check(text, KN_PASSWORD_MAX) == KN_PASSWORD_OK &&
		   kn_password_check(text, KN_PASSWORD_MAX + 1) == KN_PASSWORD_LONG,
	   "128 characters are accepted, 129 are not");
	for (size_t i = 0; i < sizeof(text); i += 4)
		memcpy(text + i, "\xf0\x9f\x99\x82", 4);
	ok(kn_password_check(text, KN_PASSWORD_MAX * 4) == KN_PASSWORD_OK &&
		   kn_password_check(text, KN_PASSWORD_MAX * 4 + 4) == KN_PASSWORD_LONG,
	   "characters are counted, not bytes");
}

static void
test_list(void)
{
	int misplaced = 0, wrong = 0, missed = 0;

	for (size_t i = 0; i < KN_PASSWORD_COMMON_COUNT; i++)
	{
		const char *word = common_passwords[i];
		size_t len = strlen(word);

		misplaced += i > 0 && strcmp(common_passwords[i - 1], word) >= 0;
		wrong += len < KN_PASSWORD_MIN || len > KN_PASSWORD_COMMON_MAX ||
				 strpbrk(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
		missed += kn_password_check(word, len) != KN_PASSWORD_COMMON;
	}
	ok(KN_PASSWORD_COMMON_COUNT >= 3000, "the list has %zu words", KN_PASSWORD_COMMON_COUNT);
	ok(misplaced == 0, "it is sorted, without repetition");
	ok(wrong == 0, "every word could be a password, in lower case");
	ok(missed == 0, "every word is found");
}

/* wanted values come from another implementation of RFC 9106 */
static void
test_hash(void)
{
	unsigned char salt[16], other[16], a[32], b[32];
	static const char phrase[] = "correct horse battery staple",
					  check[] = "nenosiri \xe2\x9c\x93 siri";

	from_hex("000102030405060708090a0b0c0d0e0f", salt);
	memset(other, 0xff, sizeof(other));
	ok(kn_password_hash(phrase, strlen(phrase), salt, a) &&
		   is_hex(a, "818259b6310026a8e0dbac5d2e6927abcfdb07b32258fac4f61b18b80f929085"),
	   "Argon2id of a phrase");
	ok(kn_password_hash(check, strlen(check), other, b) &&
		   is_hex(b, "20e962e830dedcffbad2423c9b020b3734c9f0dcfbabc779e2009eb04d682ea7"),
	   "Argon2id of other letters");
	ok(kn_password_hash(phrase, strlen(phrase), salt, b) && kn_password_equal(a, b),
	   "the same password and salt give equal hashes");
	ok(kn_password_hash(phrase, strlen(phrase), other, b) && !kn_password_equal(a, b),
	   "another salt gives another");
	memcpy(b, a, 32);
	b[31] ^= 1;
	ok(!kn_password_equal(a, b), "hashes that differ in the last bit are not equal");
	ok(kn_password_hash("", 0, salt, b), "an empty text has a hash, for whoever is unknown");
}

static void
test_hash_limit(void)
{
	char text[KN_PASSWORD_MAX * 4 + 1];
	unsigned char salt[16] = {0}, out[32];

	memset(text, 'x', sizeof(text));
	ok(kn_password_hash(text, KN_PASSWORD_MAX * 4, salt, out), "the longest password is hashed");
	ok(!kn_password_hash(text, KN_PASSWORD_MAX * 4 + 1, salt, out), "a longer text is not");
}

int
main(void)
{
	test_cases();
	test_limits();
	test_list();
	test_hash();
	test_hash_limit();
	return finish();
}
