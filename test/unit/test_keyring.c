/*-------------------------------------------------------------------------
 *
 * test_keyring.c
 *	  A key ring is read only when it is whole, ours and out of others' reach.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/keyring.c extension/keys/keyring_file.c extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/es256.c */
/* libs: crypto */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keyring.h"

#include "tap.h"

#include "ring.h"

#define FULL RING_TITLE RING_NEW RING_REST

typedef struct Malformed
{
	const char *name, *text;
} Malformed;

/* the secret of RING_HASH_1 with other text around it */
#define LAST_BUT(line) RING_TITLE RING_NEW RING_SIGN_1 RING_PSEUDONYM_1 line
#define SECRET "h7dnUnbJ2OOrg-b4-l5GRP4vEuFWS1W3yktzCSD0KBg"

static const Malformed malformed[] = {
	{"nothing", ""},
	{"a title alone", RING_TITLE},
	{"no title", RING_NEW RING_REST},
	{"another version", "kintaraa key ring 2\n" RING_NEW RING_REST},
	{"a blank after the title", "kintaraa key ring 1 \n" RING_NEW RING_REST},
	{"a line end of another system", "kintaraa key ring 1\r\n" RING_NEW RING_REST},
	{"a kind is missing", RING_TITLE RING_NEW RING_SIGN_1 RING_PSEUDONYM_1},
	{"an unknown kind", FULL "salt 1 1735689600 " SECRET "\n"},
	{"a kind in capitals", LAST_BUT("HASH 1 1735689600 " SECRET "\n")},
	{"an empty kind", FULL " 1 1735689600 " SECRET "\n"},
	{"the same key twice", FULL RING_HASH_1},
	{"two keys with one id", FULL "hash 1 1735689600 " SECRET "\n"},
	{"two keys with one secret", LAST_BUT("hash 1 1735689600 " SECRET "\nhash 2 1735689600 " SECRET "\n")},
	{"id zero", LAST_BUT("hash 0 1735689600 " SECRET "\n")},
	{"an id above the highest", LAST_BUT("hash 65536 1735689600 " SECRET "\n")},
	{"an id that would wrap", LAST_BUT("hash 18446744073709551617 1735689600 " SECRET "\n")},
	{"an id with a leading zero", LAST_BUT("hash 01 1735689600 " SECRET "\n")},
	{"an id with a sign", LAST_BUT("hash +1 1735689600 " SECRET "\n")},
	{"no id", LAST_BUT("hash  1735689600 " SECRET "\n")},
	{"a time before 1970", LAST_BUT("hash 1 -1 " SECRET "\n")},
	{"a time after year 9999", LAST_BUT("hash 1 253402300800 " SECRET "\n")},
	{"two blanks", LAST_BUT("hash 1  1735689600 " SECRET "\n")},
	{"a tab", LAST_BUT("hash\t1 1735689600 " SECRET "\n")},
	{"a blank at the end", LAST_BUT("hash 1 1735689600 " SECRET " \n")},
	{"a blank in front", LAST_BUT(" hash 1 1735689600 " SECRET "\n")},
	{"no secret", LAST_BUT("hash 1 1735689600 \n")},
	{"a secret too short", LAST_BUT("hash 1 1735689600 h7dnUnbJ2OOrg-b4-l5GRP4vEuFWS1W3yktzCSD0KA\n")},
	{"a secret too long", LAST_BUT("hash 1 1735689600 " SECRET "A\n")},
	{"a padded secret", LAST_BUT("hash 1 1735689600 " SECRET "=\n")},
	{"a secret with stray bits", LAST_BUT("hash 1 1735689600 h7dnUnbJ2OOrg-b4-l5GRP4vEuFWS1W3yktzCSD0KBh\n")},
	{"a secret in plain base64", LAST_BUT("hash 1 1735689600 h7dnUnbJ2OOrg+b4+l5GRP4vEuFWS1W3yktzCSD0KBg\n")},
	{"a secret of zeros", LAST_BUT("hash 1 1735689600 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")},
	{"a signing key of zero", FULL "sign 2 1735689600 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"},
	{"a signing key equal to the order", FULL "sign 2 1735689600 _____wAAAAD__________7zm-q2nF56E87nKwvxjJVE\n"},
	{"a signing key above the order", FULL "sign 2 1735689600 __________________________________________8\n"},
};

static char folder[] = "/tmp/kn_keyring_XXXXXX";
static char path[64];

static KnKeyringStatus
parse(const char *text, size_t len)
{
	KnKeyring *ring;
	KnKeyringStatus status = kn_keyring_parse(text, len, &ring);

	if ((status == KN_KEYRING_OK) != (ring != NULL))
		return KN_KEYRING_IO;
	kn_keyring_free(ring);
	return status;
}

static KnKeyringStatus
load(const char *name)
{
	KnKeyring *ring;
	KnKeyringStatus status = kn_keyring_load(name, &ring);

	if ((status == KN_KEYRING_OK) != (ring != NULL))
		return KN_KEYRING_IO;
	kn_keyring_free(ring);
	return status;
}

static void
test_malformed(void)
{
	ok(parse(LAST_BUT("hash 1 1735689600 " SECRET "\n"),
			 strlen(LAST_BUT("hash 1 1735689600 " SECRET "\n"))) == KN_KEYRING_OK,
	   "the text that the malformed ones differ from is accepted");
	ok(parse(LAST_BUT("hash 65535 253402300799 " SECRET "\n"),
			 strlen(LAST_BUT("hash 65535 253402300799 " SECRET "\n"))) == KN_KEYRING_OK,
	   "the highest id and the latest time are accepted");
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		ok(parse(malformed[i].text, strlen(malformed[i].text)) == KN_KEYRING_MALFORMED,
		   "malformed: %s", malformed[i].name);
}

static void
test_torn(void)
{
	size_t whole = strlen(FULL);
	int accepted = 0;
	char *copy = malloc(whole);

	for (size_t len = 0; len < whole; len++)
	{
		/* a copy of that size, so that reading past the end is noticed */
		char *torn = malloc(len + 1);

		memcpy(torn, FULL, len);
		torn = realloc(torn, len ? len : 1);
		accepted += parse(torn, len) != KN_KEYRING_MALFORMED;
		free(torn);
	}
	ok(accepted == 0, "a text torn at any byte is refused");
	accepted = 0;
	memcpy(copy, FULL, whole);
	for (size_t at = 0; at < whole; at++)
	{
		copy[at] = '\0';
		accepted += parse(copy, whole) != KN_KEYRING_MALFORMED;
		copy[at] = FULL[at];
	}
	ok(accepted == 0, "a zero byte anywhere is refused");
	ok(parse(copy, whole) == KN_KEYRING_OK, "the whole text is accepted");
	free(copy);
}

/* Appends count keys of a kind, ids from 100 on. */
static char *
text_with_keys(int count, size_t *len)
{
	size_t size = KN_KEYRING_TEXT_MAX;
	char *text = malloc(size);
	int at = snprintf(text, size, "%s", FULL);

	for (int i = 0; i < count; i++)
		at += snprintf(text + at, size - (size_t) at, "hash %d 1735689600 %040dAAA\n", 100 + i,
					   i + 1);
	*len = (size_t) at;
	return text;
}

static void
test_limits(void)
{
	size_t len;
	int held = 9 - 3; /* keys in FULL */
	char *text = text_with_keys(KN_KEYRING_KEYS_MAX - held, &len);
	char *padded = malloc(KN_KEYRING_TEXT_MAX + 1);

	ok(parse(text, len) == KN_KEYRING_OK, "as many keys as a ring may have are accepted");
	free(text);
	text = text_with_keys(KN_KEYRING_KEYS_MAX - held + 1, &len);
	ok(parse(text, len) == KN_KEYRING_MALFORMED, "one key more is refused");
	free(text);
	memset(padded, '\n', KN_KEYRING_TEXT_MAX + 1);
	memcpy(padded, FULL, strlen(FULL));
	ok(parse(padded, KN_KEYRING_TEXT_MAX) == KN_KEYRING_OK, "the longest text is accepted");
	ok(parse(padded, KN_KEYRING_TEXT_MAX + 1) == KN_KEYRING_MALFORMED, "one byte more is refused");
	free(padded);
}

static void
test_keys(void)
{
	KnKeyring *ring = ring_of(RING_TEXT);
	const KnKey *key = kn_keyring_current(ring, KN_KEY_REFRESH);

	ok(key->id == 7 && key->created == 1735689600, "the highest id is current, wherever it stands");
	ok(kn_keyring_count(ring, KN_KEY_REFRESH) == 2 && kn_keyring_count(ring, KN_KEY_SIGN) == 1,
	   "keys are counted by kind");
	ok(kn_keyring_at(ring, KN_KEY_REFRESH, 0)->id == 1 &&
		   kn_keyring_at(ring, KN_KEY_REFRESH, 1) == key,
	   "keys are listed by rising id");
	ok(kn_keyring_at(ring, KN_KEY_REFRESH, 2) == NULL &&
		   kn_keyring_at(ring, KN_KEY_REFRESH, -1) == NULL &&
		   kn_keyring_at(ring, KN_KEY_HASH, 1) == NULL,
	   "no key beyond a kind's own");
	ok(kn_keyring_find(ring, KN_KEY_REFRESH, 1) != NULL &&
		   kn_keyring_find(ring, KN_KEY_REFRESH, 2) == NULL &&
		   kn_keyring_find(ring, KN_KEY_SIGN, 7) == NULL,
	   "a key is found by kind and id only");
	key = kn_keyring_current(ring, KN_KEY_SIGN);
	ok(key->pkey != NULL && strcmp(key->kid, RING_KID) == 0,
	   "a signing key is named by its thumbprint");
	key = kn_keyring_current(ring, KN_KEY_WRAP);
	ok(key->pkey == NULL && key->kid[0] == '\0', "another key has no such name");
	kn_keyring_free(ring);
	kn_keyring_free(NULL);
	ok(true, "no ring at all is freed without harm");
}

static void
test_derived(void)
{
	KnKeyring *ring = ring_of(RING_TEXT);
	const KnKey *index = kn_keyring_current(ring, KN_KEY_INDEX);
	unsigned char first[KN_KEY_SIZE];
	char purpose[KN_PURPOSE_MAX + 2];
	int kept = 0;

	memcpy(first, kn_keyring_derive(ring, index, "email"), sizeof(first));
	ok(memcmp(first, kn_keyring_derive(ring, index, "phone"), sizeof(first)) != 0,
	   "two purposes give two keys");
	ok(memcmp(first, kn_keyring_derive(ring, kn_keyring_find(ring, KN_KEY_INDEX, 1), "email"),
			  sizeof(first)) != 0,
	   "two root keys give two keys");
	for (int i = 0; i < 40; i++)
	{
		snprintf(purpose, sizeof(purpose), "purpose %d", i);
		kn_keyring_derive(ring, index, purpose);
		kept += memcmp(first, kn_keyring_derive(ring, index, "email"), sizeof(first)) == 0;
	}
	ok(kept == 40, "a key stays the same when the memory for derived keys is full");
	memcpy(first, kn_keyring_derive(ring, index, "purpose 38"), sizeof(first));
	kn_keyring_derive(ring, index, "purpose 39");
	ok(memcmp(first, kn_keyring_derive(ring, index, "purpose 38"), sizeof(first)) == 0,
	   "a purpose that was pushed out is derived again");
	memset(purpose, 'p', sizeof(purpose));
	purpose[KN_PURPOSE_MAX] = '\0';
	ok(kn_keyring_derive(ring, index, purpose) != NULL, "the longest purpose is accepted");
	purpose[KN_PURPOSE_MAX] = 'p';
	purpose[KN_PURPOSE_MAX + 1] = '\0';
	ok(kn_keyring_derive(ring, index, purpose) == NULL &&
		   kn_keyring_derive(ring, index, "") == NULL,
	   "a longer purpose, or none, is refused");
	kn_keyring_free(ring);
}

static void
test_jwks(void)
{
	static const char wanted[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RING_X
								 "\",\"y\":\"" RING_Y
								 "\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"" RING_KID "\"}]}";
	KnKeyring *ring = ring_of(RING_TEXT);
	char out[sizeof(wanted) + 1];
	int wrote = 0;

	ok(kn_keyring_jwks(ring, out, sizeof(wanted)) && strcmp(out, wanted) == 0,
	   "the public half of the signing key is told, and nothing else");
	for (size_t size = 0; size < sizeof(wanted); size++)
	{
		char *small = malloc(size ? size : 1);

		wrote += kn_keyring_jwks(ring, small, size);
		free(small);
	}
	ok(wrote == 0, "a buffer too small by any number of bytes is refused");
	kn_keyring_free(ring);
}

static KnKeyring *
reload(void)
{
	KnKeyring *ring;

	return kn_keyring_load(path, &ring) == KN_KEYRING_OK ? ring : NULL;
}

static void
test_create(void)
{
	struct stat facts;
	KnKeyring *ring, *other;
	mode_t mask = umask(0277);

	ok(load(path) == KN_KEYRING_ABSENT, "no file is told apart from a bad one");
	ok(kn_keyring_create(path) == KN_KEYRING_OK, "a ring is made");
	umask(mask);
	ok(stat(path, &facts) == 0 && (facts.st_mode & 07777) == 0600 && facts.st_nlink == 1,
	   "its mode is 0600 whatever the mask, under one name");
	ring = reload();
	ok(ring != NULL, "it is read back");
	ok(kn_keyring_create(path) == KN_KEYRING_EXISTS, "it is never overwritten");
	other = reload();
	ok(memcmp(kn_keyring_current(ring, KN_KEY_WRAP)->secret,
			  kn_keyring_current(other, KN_KEY_WRAP)->secret, KN_KEY_SIZE) == 0,
	   "the refusal left its keys alone");
	for (int kind = 0; kind < KN_KEY_KINDS; kind++)
		ok(kn_keyring_count(ring, (KnKeyKind) kind) == 1 &&
			   kn_keyring_current(ring, (KnKeyKind) kind)->id == 1,
		   "a new ring has one key of kind %d", kind);
	kn_keyring_free(ring);
	kn_keyring_free(other);
	ok(kn_keyring_create("/nonexistent/ring") == KN_KEYRING_IO,
	   "a folder that is not there is told");
}

static void
test_modes(void)
{
	int accepted = 0;

	for (int mode = 0; mode < 010000; mode++)
	{
		if ((mode & ~0600) == 0)
			continue;
		chmod(path, (mode_t) mode);
		/* without the right to read, opening fails first unless root tries */
		accepted += load(path) == KN_KEYRING_OK;
	}
	ok(accepted == 0, "every mode that allows more than 0600 is refused");
	chmod(path, 0640);
	ok(load(path) == KN_KEYRING_LAX_MODE, "a file that a group may read is called lax");
	chmod(path, 0400);
	ok(load(path) == KN_KEYRING_OK, "a file its owner may only read is accepted");
	chmod(path, 0600);
	ok(load(path) == KN_KEYRING_OK, "mode 0600 is accepted");
}

static void
test_owner(void)
{
	if (geteuid() == 0)
	{
		ok(chown(path, 65534, (gid_t) -1) == 0 && load(path) == KN_KEYRING_BAD_OWNER,
		   "a file of another user is refused, even to root");
		ok(chown(path, 0, (gid_t) -1) == 0 && load(path) == KN_KEYRING_OK,
		   "given back, it is accepted");
		return;
	}
	ok(load("/etc/passwd") == KN_KEYRING_BAD_OWNER, "a file of another user is refused");
	ok(load(path) == KN_KEYRING_OK, "our own is accepted");
}

static void
test_not_a_file(void)
{
	char other[80];

	ok(load(folder) == KN_KEYRING_MALFORMED, "a folder is refused");
	snprintf(other, sizeof(other), "%s/link", folder);
	ok(symlink(path, other) == 0 && load(other) == KN_KEYRING_MALFORMED,
	   "a symbolic link is refused");
	ok(kn_keyring_create(other) == KN_KEYRING_EXISTS, "a ring is not made through a link");
	unlink(other);
	snprintf(other, sizeof(other), "%s/pipe", folder);
	ok(mkfifo(other, 0600) == 0 && load(other) == KN_KEYRING_MALFORMED,
	   "a pipe is refused without waiting for a writer");
	unlink(other);
}

static void
test_rotation(void)
{
	KnKeyring *before = reload(), *after;
	struct stat facts;
	char stale[80];
	FILE *file;

	/* what a crash could have left behind */
	snprintf(stale, sizeof(stale), "%s.new", path);
	file = fopen(stale, "w");
	fputs("torn", file);
	fclose(file);
	ok(kn_keyring_add(path, KN_KEY_SIGN) == KN_KEYRING_OK, "a signing key is added");
	ok(access(stale, F_OK) != 0, "what a crash left behind is gone");
	after = reload();
	ok(kn_keyring_current(after, KN_KEY_SIGN)->id == 2,
	   "the new key has the next id and is current");
	ok(strcmp(kn_keyring_find(after, KN_KEY_SIGN, 1)->kid,
			  kn_keyring_current(before, KN_KEY_SIGN)->kid) == 0,
	   "the old key is still there");
	ok(kn_keyring_count(after, KN_KEY_WRAP) == 1, "other kinds are as they were");
	ok(stat(path, &facts) == 0 && (facts.st_mode & 07777) == 0600, "the file's mode is still 0600");
	kn_keyring_free(before);
	kn_keyring_free(after);
	chmod(path, 0644);
	ok(kn_keyring_add(path, KN_KEY_SIGN) == KN_KEYRING_LAX_MODE, "a lax file gets no key");
	chmod(path, 0600);
	snprintf(stale, sizeof(stale), "%s/absent", folder);
	ok(kn_keyring_add(stale, KN_KEY_SIGN) == KN_KEYRING_ABSENT && access(stale, F_OK) != 0,
	   "adding a key makes no ring");
}

static void
test_writers_side_by_side(void)
{
	KnKeyring *ring;
	int failed = 0;

	for (int i = 0; i < 8; i++)
	{
		if (fork() == 0)
			_exit(kn_keyring_add(path, KN_KEY_HASH) != KN_KEYRING_OK);
	}
	for (int i = 0, status; i < 8; i++)
	{
		wait(&status);
		failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	ring = reload();
	ok(failed == 0 && kn_keyring_count(ring, KN_KEY_HASH) == 9 &&
		   kn_keyring_current(ring, KN_KEY_HASH)->id == 9,
	   "eight writers at once lose no key");
	kn_keyring_free(ring);
}

static void
test_full(void)
{
	FILE *file = fopen(path, "w");

	fputs(RING_TITLE RING_NEW RING_SIGN_1 RING_PSEUDONYM_1 "hash 65534 1735689600 " SECRET "\n",
		  file);
	fclose(file);
	ok(kn_keyring_add(path, KN_KEY_HASH) == KN_KEYRING_OK, "the last id is given");
	ok(kn_keyring_add(path, KN_KEY_HASH) == KN_KEYRING_MALFORMED && load(path) == KN_KEYRING_OK,
	   "after it none is, and the ring stays as it was");
}

static void
test_description(void)
{
	for (int status = KN_KEYRING_OK; status <= KN_KEYRING_IO; status++)
	{
		const char *text = kn_keyring_describe((KnKeyringStatus) status);

		ok(strlen(text) > 10 && text[strlen(text) - 1] == '.' && strchr(text, '/') == NULL,
		   "status %d has a sentence without a path", status);
	}
}

int
main(void)
{
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/ring", folder);
	test_malformed();
	test_torn();
	test_limits();
	test_keys();
	test_derived();
	test_jwks();
	test_create();
	test_modes();
	test_owner();
	test_not_a_file();
	test_rotation();
	test_writers_side_by_side();
	test_full();
	test_description();
	unlink(path);
	ok(rmdir(folder) == 0, "nothing else is left in the folder");
	return finish();
}
