/*-------------------------------------------------------------------------
 *
 * password.c
 *	  Passwords: what is acceptable, and the Argon2id hash.
 *
 * Called at registration, sign-in and change of password; the list of common
 * passwords is password_common.h.  A pure file: libc, OpenSSL and libargon2.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <argon2.h>
#include <openssl/crypto.h>

#include "identity/password.h"
#include "identity/password_common.h"

#define ARGON2_PASSES 2
#define ARGON2_KIB (19 * 1024)
#define ARGON2_LANES 1
#define CHARACTER_BYTES_MAX 4

static bool count_characters(const unsigned char *text, size_t len, size_t *count);
static size_t character_size(const unsigned char *text, size_t len);
static size_t size_of_first(unsigned char first);
static bool is_common(const char *password, size_t len);
static int compare_word(const void *key, const void *word);

KnPasswordStatus
kn_password_check(const char *password, size_t len)
{
	size_t count;

	/* bytes first, so that a huge text is not read */
	if (len > KN_PASSWORD_MAX * CHARACTER_BYTES_MAX)
		return KN_PASSWORD_LONG;
	if (!count_characters((const unsigned char *) password, len, &count))
		return KN_PASSWORD_ENCODING;
	if (count < KN_PASSWORD_MIN)
		return KN_PASSWORD_SHORT;
	if (count > KN_PASSWORD_MAX)
		return KN_PASSWORD_LONG;
	return is_common(password, len) ? KN_PASSWORD_COMMON : KN_PASSWORD_OK;
}

static bool
count_characters(const unsigned char *text, size_t len, size_t *count)
{
	*count = 0;
	while (len > 0)
	{
		size_t size = character_size(text, len);

		if (size == 0)
			return false;
		text += size;
		len -= size;
		(*count)++;
	}
	return true;
}

/* Bytes of the character at text, 0 if it is none: NUL, overlong, surrogate, too high, cut off. */
static size_t
character_size(const unsigned char *text, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = size_of_first(text[0]);
	uint32_t value;

	if (size == 0 || size > len || text[0] == 0)
		return 0;
	if (size == 1)
		return 1;
	value = text[0] & (0xffu >> (size + 1));
	for (size_t i = 1; i < size; i++)
	{
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return size;
}

static size_t
size_of_first(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3
										   : 4;
}

/* Capital letters do not make a common password a rare one. */
static bool
is_common(const char *password, size_t len)
{
	char lower[KN_PASSWORD_COMMON_MAX + 1];
	bool found;

	if (len > KN_PASSWORD_COMMON_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		lower[i] = (char) (password[i] >= 'A' && password[i] <= 'Z' ? password[i] + ('a' - 'A')
																	: password[i]);
	lower[len] = '\0';
	found = bsearch(lower, common_passwords, KN_PASSWORD_COMMON_COUNT,
					sizeof(common_passwords[0]), compare_word) != NULL;
	OPENSSL_cleanse(lower, sizeof(lower));
	return found;
}

static int
compare_word(const void *key, const void *word)
{
	return strcmp(key, *(const char *const *) word);
}

bool
kn_password_hash(const char *password, size_t len,
				 const unsigned char salt[KN_PASSWORD_SALT_SIZE],
				 unsigned char out[KN_PASSWORD_HASH_SIZE])
{
	if (len > KN_PASSWORD_MAX * CHARACTER_BYTES_MAX)
		return false;
	return argon2id_hash_raw(ARGON2_PASSES, ARGON2_KIB, ARGON2_LANES, password, len,
							 salt, KN_PASSWORD_SALT_SIZE, out, KN_PASSWORD_HASH_SIZE) == ARGON2_OK;
}

bool
kn_password_equal(const unsigned char a[KN_PASSWORD_HASH_SIZE],
				  const unsigned char b[KN_PASSWORD_HASH_SIZE])
{
	return CRYPTO_memcmp(a, b, KN_PASSWORD_HASH_SIZE) == 0;
}
