/*-------------------------------------------------------------------------
 *
 * keyring_file.c
 *	  The key ring's file: made once, read if nobody else can, changed by rename.
 *
 * Called by the database's glue; calls keyring.c for the text.  A pure file.
 *
 * Whoever writes holds a lock on the directory.  So there is one temporary name,
 * what a crash left under it is removed by the next writer, and a reader sees a
 * whole file or none.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "keys/keyring.h"
#include "keys/keyring_text.h"

/* every bit but reading and writing by the owner */
#define LAX_BITS (07777 & ~0600)

/* a ring's text on its way from or to the file */
typedef struct Text
{
	size_t len;
	char bytes[KN_KEYRING_TEXT_MAX + 1]; /* one more shows that a file is too long */
} Text;

/* the directory a writer has locked */
typedef struct Place
{
	int directory;
	char temporary[PATH_MAX];
} Place;

static Text *text_new(void);
static void text_free(Text *text);
static bool text_append(Text *text, const char *piece);
static bool text_append_key(Text *text, KnKeyKind kind, int id);
static KnKeyringStatus read_text(const char *path, Text *text);
static KnKeyringStatus check_file(int file);
static bool read_all(int file, Text *text);
static bool place_open(Place *place, const char *path);
static void place_close(Place *place);
static bool write_temporary(const Place *place, const Text *text);
static bool write_all(int file, const Text *text);
static KnKeyringStatus publish_new(const Place *place, const char *path);
static KnKeyringStatus add_key(const Place *place, const char *path, KnKeyKind kind, Text *text);

KnKeyringStatus
kn_keyring_create(const char *path)
{
	KnKeyringStatus status = KN_KEYRING_IO;
	Text *text = text_new();
	Place place;
	bool made;

	if (text == NULL)
		return KN_KEYRING_IO;
	made = text_append(text, KN_KEYRING_TITLE "\n"
											  "# kind, id, seconds since 1970, secret\n"
											  "# Keep a copy away from the database's backups.\n");
	for (int kind = 0; kind < KN_KEY_KINDS; kind++)
		made = made && text_append_key(text, (KnKeyKind) kind, 1);
	if (made && place_open(&place, path))
	{
		if (write_temporary(&place, text))
			status = publish_new(&place, path);
		place_close(&place);
	}
	text_free(text);
	return status;
}

static Text *
text_new(void)
{
	return calloc(1, sizeof(Text));
}

static void
text_free(Text *text)
{
	OPENSSL_cleanse(text, sizeof(*text));
	free(text);
}

static bool
text_append(Text *text, const char *piece)
{
	size_t len = strlen(piece);

	if (len > KN_KEYRING_TEXT_MAX - text->len)
		return false;
	memcpy(text->bytes + text->len, piece, len);
	text->len += len;
	return true;
}

static bool
text_append_key(Text *text, KnKeyKind kind, int id)
{
	char line[KN_KEYRING_LINE_MAX];
	bool done = id <= UINT16_MAX &&
				kn_keyring_new_line(kind, (uint16_t) id, (int64_t) time(NULL),
									line, sizeof(line)) &&
				text_append(text, line);

	OPENSSL_cleanse(line, sizeof(line));
	return done;
}

KnKeyringStatus
kn_keyring_load(const char *path, KnKeyring **out)
{
	Text *text = text_new();
	KnKeyringStatus status;

	*out = NULL;
	if (text == NULL)
		return KN_KEYRING_IO;
	status = read_text(path, text);
	if (status == KN_KEYRING_OK)
		status = kn_keyring_parse(text->bytes, text->len, out);
	text_free(text);
	return status;
}

/* O_NONBLOCK, or opening a pipe planted under that name would wait for ever. */
static KnKeyringStatus
read_text(const char *path, Text *text)
{
	int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	KnKeyringStatus status;

	if (file < 0)
	{
		if (errno == ENOENT || errno == ENOTDIR)
			return KN_KEYRING_ABSENT;
		return errno == ELOOP ? KN_KEYRING_MALFORMED : KN_KEYRING_IO;
	}
	status = check_file(file);
	if (status == KN_KEYRING_OK && !read_all(file, text))
		status = KN_KEYRING_IO;
	close(file);
	return status;
}

static KnKeyringStatus
check_file(int file)
{
	struct stat facts;

	if (fstat(file, &facts) != 0)
		return KN_KEYRING_IO;
	if (!S_ISREG(facts.st_mode))
		return KN_KEYRING_MALFORMED;
	if (facts.st_uid != geteuid())
		return KN_KEYRING_BAD_OWNER;
	if ((facts.st_mode & LAX_BITS) != 0)
		return KN_KEYRING_LAX_MODE;
	return KN_KEYRING_OK;
}

static bool
read_all(int file, Text *text)
{
	while (text->len < sizeof(text->bytes))
	{
		ssize_t got = read(file, text->bytes + text->len, sizeof(text->bytes) - text->len);

		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0)
			text->len += (size_t) got;
	}
	return true; /* too long, which the parser says */
}

KnKeyringStatus
kn_keyring_add(const char *path, KnKeyKind kind)
{
	Text *text = text_new();
	KnKeyringStatus status = KN_KEYRING_IO;
	Place place;

	if (text == NULL)
		return KN_KEYRING_IO;
	if (place_open(&place, path))
	{
		status = add_key(&place, path, kind, text);
		place_close(&place);
	}
	text_free(text);
	return status;
}

static KnKeyringStatus
add_key(const Place *place, const char *path, KnKeyKind kind, Text *text)
{
	KnKeyring *ring;
	KnKeyringStatus status = read_text(path, text);
	int next;

	if (status == KN_KEYRING_OK)
		status = kn_keyring_parse(text->bytes, text->len, &ring);
	if (status != KN_KEYRING_OK)
		return status;
	next = kn_keyring_current(ring, kind)->id + 1;
	kn_keyring_free(ring);
	if (!text_append_key(text, kind, next))
		return KN_KEYRING_MALFORMED;
	/* what could not be read again must not replace what can */
	status = kn_keyring_parse(text->bytes, text->len, &ring);
	kn_keyring_free(ring);
	if (status != KN_KEYRING_OK)
		return status;
	if (!write_temporary(place, text) || rename(place->temporary, path) != 0 ||
		fsync(place->directory) != 0)
		return KN_KEYRING_IO;
	return KN_KEYRING_OK;
}

static bool
place_open(Place *place, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash ? (int) (slash - path) : 0;

	if (strlen(path) >= sizeof(folder))
		return false;
	if (slash == NULL)
		strcpy(folder, ".");
	else
		snprintf(folder, sizeof(folder), "%.*s", len > 0 ? len : 1, path);
	if (snprintf(place->temporary, sizeof(place->temporary), "%s.new", path) >=
		(int) sizeof(place->temporary))
		return false;
	place->directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->directory < 0)
		return false;
	while (flock(place->directory, LOCK_EX) != 0)
	{
		if (errno != EINTR)
		{
			close(place->directory);
			return false;
		}
	}
	unlink(place->temporary);
	return true;
}

/* Closing lets the lock go; after success there is no temporary file any more. */
static void
place_close(Place *place)
{
	unlink(place->temporary);
	close(place->directory);
}

static bool
write_temporary(const Place *place, const Text *text)
{
	int file = open(place->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool done;

	if (file < 0)
		return false;
	/* the mask may have taken the owner's own rights */
	done = fchmod(file, 0600) == 0 && write_all(file, text) && fsync(file) == 0;
	return close(file) == 0 && done;
}

static bool
write_all(int file, const Text *text)
{
	size_t at = 0;

	while (at < text->len)
	{
		ssize_t put = write(file, text->bytes + at, text->len - at);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0)
			at += (size_t) put;
	}
	return true;
}

/* A link refuses an existing name, where a rename would replace it. */
static KnKeyringStatus
publish_new(const Place *place, const char *path)
{
	if (link(place->temporary, path) != 0)
		return errno == EEXIST ? KN_KEYRING_EXISTS : KN_KEYRING_IO;
	return fsync(place->directory) == 0 ? KN_KEYRING_OK : KN_KEYRING_IO;
}
