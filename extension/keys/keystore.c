/*-------------------------------------------------------------------------
 *
 * keystore.c
 *	  The key ring of this server, as the rest of the extension uses it.
 *
 * Called by all rooms that seal, and by the worker.  The file is read at first use in each
 * backend and again when it changed on disk; keys never pass through SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <sys/stat.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/errcodes.h"
#include "base/guc.h"
#include "base/installed.h"
#include "base/json.h"
#include "base/scan.h"
#include "base/spi.h"
#include "keys/blind.h"
#include "keys/keycheck.h"
#include "keys/keystore.h"

#define RECHECK_MS 5000 /* how often a backend looks whether the file changed */
#define AAD_MAX 128
/* No hint makes a ring where something may be sealed under one. */
#define HINT_SET \
	"Set kintaraa.keyring_file to the path of the key ring file, outside the data directory."
#define HINT_COPY                                                                                 \
	"Copy the key ring file that belongs to this database to the path of kintaraa.keyring_file, " \
	"from its primary or from the copy that was kept."
#define HINT_MAKE                                                                               \
	"Copy the key ring file if this database has had one; kintaraa.keyring_create() makes one " \
	"for a new database and refuses where something is sealed."

static KnKeyring *ring = NULL;
static struct stat ring_stat;
static TimestampTz ring_checked = 0;

static KnKeyring *load(KnLack *lack);
static bool file_changed(void);
static void require_commit(const char *name);
static void refuse_second_ring(bool force);
static void record_ring(void);
static bool inside_data_directory(const char *path);
static int associated_data(unsigned char *aad, const char *place, const pg_uuid_t *row);

static bytea *pseudonym(const unsigned char *bytes, size_t len);

void (*kn_keyring_news)(const char *action) = NULL;

PG_FUNCTION_INFO_V1(kn_keyring_create_sql);
PG_FUNCTION_INFO_V1(kn_keyring_add_sql);
PG_FUNCTION_INFO_V1(kn_keyring_record_sql);

const KnKeyring *
kn_keystore(void)
{
	KnLack lack;

	if (ring == NULL || file_changed())
	{
		KnKeyring *fresh = load(&lack);

		if (fresh != NULL)
		{
			kn_keyring_free(ring);
			ring = fresh;
			(void) stat(kn_guc_keyring_file, &ring_stat);
		}
		/* a ring that was right stays in use while its file is being replaced */
		else if (ring == NULL)
			ereport(ERROR,
					errcode(ERRCODE_KN_NOT_READY),
					errmsg("the key ring is not ready: %s", lack.reason),
					errhint("%s", lack.hint));
	}
	return ring;
}

/* As a backend that has not read it yet would find it. */
KnLack
kn_keystore_lack(void)
{
	KnLack lack;

	kn_keyring_free(load(&lack));
	return lack;
}

/* The ring in the file when it is the one of this database; returns new. */
static KnKeyring *
load(KnLack *lack)
{
	KnKeyring *fresh = NULL;
	KnKeyringStatus status;

	*lack = (KnLack){NULL, NULL};
	if (kn_guc_keyring_file == NULL || *kn_guc_keyring_file == '\0')
	{
		*lack = (KnLack){"kintaraa.keyring_file is not set", HINT_SET};
		return NULL;
	}
	status = kn_keyring_load(kn_guc_keyring_file, &fresh);
	if (status == KN_KEYRING_OK)
	{
		KnKeyFit fit = kn_keycheck_fit(fresh);

		if (fit == KN_KEY_FITS)
			return fresh;
		kn_keyring_free(fresh);
		*lack = (KnLack){fit == KN_KEY_FOREIGN
							 ? "this is another key ring than the one of this database"
							 : "the file is older than a key that this database has used",
						 HINT_COPY};
		return NULL;
	}
	lack->reason = kn_keyring_describe(status);
	switch (status)
	{
		case KN_KEYRING_LAX_MODE:
		case KN_KEYRING_BAD_OWNER:
			lack->hint = "Give the file of kintaraa.keyring_file to the server's user, mode 0600.";
			break;
		case KN_KEYRING_ABSENT:
			lack->hint = kn_keycheck_count() > 0 ? HINT_COPY : HINT_MAKE;
			break;
		default:
			lack->hint = HINT_COPY;
	}
	return NULL;
}

static bool
file_changed(void)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	struct stat current;

	if (now < ring_checked + RECHECK_MS * (int64) 1000)
		return false;
	ring_checked = now;
	if (kn_guc_keyring_file == NULL || stat(kn_guc_keyring_file, &current) != 0)
		return false;
	return current.st_ino != ring_stat.st_ino ||
		   current.st_mtim.tv_sec != ring_stat.st_mtim.tv_sec ||
		   current.st_mtim.tv_nsec != ring_stat.st_mtim.tv_nsec;
}

void
kn_subject_new(KnSubject *subject, const pg_uuid_t *id, unsigned char *wrapped)
{
	const KnKeyring *keys = kn_keystore();

	subject->id = *id;
	if (!kn_datakey_new(keys, id->data, UUID_LEN, kn_vault_take(&subject->key), wrapped))
		elog(ERROR, "could not make a data key");
	subject->open = true;
}

void
kn_subject_open(KnSubject *subject, const pg_uuid_t *id, bytea *wrapped)
{
	const KnKeyring *keys;

	subject->id = *id;
	subject->open = false;
	subject->key.number = 0;
	if (wrapped == NULL)
		return;
	keys = kn_keystore();
	if (VARSIZE_ANY_EXHDR(wrapped) != KN_WRAPPED_SIZE ||
		!kn_datakey_unwrap(keys, id->data, UUID_LEN, (unsigned char *) VARDATA_ANY(wrapped),
						   kn_vault_take(&subject->key)))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("a data key does not open with this key ring"),
				errhint("Restore the key ring that belongs to this database."));
	subject->open = true;
}

void
kn_subject_forget(KnSubject *subject)
{
	if (subject->open)
		kn_vault_give(&subject->key);
	subject->open = false;
}

static int
associated_data(unsigned char *aad, const char *place, const pg_uuid_t *row)
{
	int len = strlen(place);

	if (len > AAD_MAX - UUID_LEN)
		elog(ERROR, "name of a sealed column is too long");
	memcpy(aad, place, len);
	memcpy(aad + len, row->data, UUID_LEN);
	return len + UUID_LEN;
}

bytea *
kn_seal(const KnSubject *subject, const char *place, const pg_uuid_t *row, const char *plain)
{
	unsigned char aad[AAD_MAX];
	int aad_len;
	int len;
	bytea *sealed;
	const unsigned char *key;

	if (plain == NULL)
		return NULL;
	key = subject != NULL && subject->open ? kn_vault_key(&subject->key) : NULL;
	if (key == NULL)
		elog(ERROR, "no data key is open");
	aad_len = associated_data(aad, place, row);
	len = strlen(plain);
	sealed = palloc(VARHDRSZ + len + KN_FIELD_OVERHEAD);
	SET_VARSIZE(sealed, VARHDRSZ + len + KN_FIELD_OVERHEAD);
	if (!kn_field_seal(key, 1, aad, aad_len, plain, len,
					   (unsigned char *) VARDATA(sealed)))
		elog(ERROR, "could not seal a field");
	return sealed;
}

char *
kn_unseal(const KnSubject *subject, const char *place, const pg_uuid_t *row, bytea *sealed)
{
	unsigned char aad[AAD_MAX];
	int aad_len;
	int len;
	char *plain;
	const unsigned char *key;

	if (sealed == NULL || !subject->open)
		return NULL;
	key = kn_vault_key(&subject->key);
	if (key == NULL)
		elog(ERROR, "a data key was closed too early");
	aad_len = associated_data(aad, place, row);
	len = VARSIZE_ANY_EXHDR(sealed);
	plain = palloc(len + 1);
	if (len < KN_FIELD_OVERHEAD ||
		!kn_field_open(key, NULL, aad, aad_len, (unsigned char *) VARDATA_ANY(sealed), len,
					   (unsigned char *) plain))
		ereport(ERROR,
				errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("a sealed field was moved or changed"));
	plain[len - KN_FIELD_OVERHEAD] = '\0';
	return plain;
}

bytea *
kn_record_hash(const char *text, int len)
{
	bytea *hash = palloc(VARHDRSZ + 32);

	SET_VARSIZE(hash, VARHDRSZ + 32);
	if (!kn_hmac(kn_keyring_current(kn_keystore(), KN_KEY_HASH), text, len,
				 (unsigned char *) VARDATA(hash)))
		elog(ERROR, "could not hash a record");
	return hash;
}

bytea *
kn_pseudonym(const pg_uuid_t *account)
{
	return pseudonym(account->data, UUID_LEN);
}

bytea *
kn_pseudonym_of_case(const pg_uuid_t *account, const pg_uuid_t *target)
{
	unsigned char both[2 * UUID_LEN];

	memcpy(both, account->data, UUID_LEN);
	memcpy(both + UUID_LEN, target->data, UUID_LEN);
	return pseudonym(both, sizeof(both));
}

static bytea *
pseudonym(const unsigned char *bytes, size_t len)
{
	unsigned char full[32];
	bytea *out = palloc(VARHDRSZ + 16);

	SET_VARSIZE(out, VARHDRSZ + 16);
	if (!kn_hmac(kn_keyring_current(kn_keystore(), KN_KEY_PSEUDONYM), bytes, len, full))
		elog(ERROR, "could not make a pseudonym");
	memcpy(VARDATA(out), full, 16);
	return out;
}

/* A key ring inside the data directory would travel with every base backup. */
static bool
inside_data_directory(const char *path)
{
	char directory[PATH_MAX];
	char parent[MAXPGPATH];
	char resolved[PATH_MAX];

	strlcpy(parent, path, sizeof(parent));
	get_parent_directory(parent);
	if (realpath(DataDir, directory) == NULL || realpath(parent, resolved) == NULL)
		return false;
	return path_is_prefix_of_path(directory, resolved);
}

/* kintaraa.keyring_create(force boolean) -> text: the path written; superuser only, once. */
PGDLLEXPORT Datum
kn_keyring_create_sql(PG_FUNCTION_ARGS)
{
	KnKeyringStatus status;

	if (!superuser())
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("only a superuser makes a key ring"));
	if (kn_guc_keyring_file == NULL || !is_absolute_path(kn_guc_keyring_file))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("kintaraa.keyring_file is not an absolute path"),
				errhint("Set it in postgresql.conf and reload."));
	if (inside_data_directory(kn_guc_keyring_file))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("kintaraa.keyring_file is inside the data directory"),
				errhint("Choose a path that no backup of the database takes along."));
	require_commit("kintaraa.keyring_create()");
	refuse_second_ring(PG_GETARG_BOOL(0));
	status = kn_keyring_create(kn_guc_keyring_file);
	if (status != KN_KEYRING_OK)
		ereport(ERROR, errcode(ERRCODE_KN_NOT_READY),
				errmsg("the key ring was not made: %s", kn_keyring_describe(status)));
	if (kn_keyring_news)
		kn_keyring_news("keyring_create");
	record_ring();
	PG_RETURN_TEXT_P(cstring_to_text(kn_guc_keyring_file));
}

/* No rollback takes a key out of the file: what would undo its record is refused before. */
static void
require_commit(const char *name)
{
	PreventCommandDuringRecovery(name);
	PreventCommandIfReadOnly(name);
	PreventInTransactionBlock(true, name);
}

/* What is sealed under one ring is lost under another, and what comes after under the first. */
static void
refuse_second_ring(bool force)
{
	int checks = kn_keycheck_count();
	bool is_sealed = false;

	if (kn_scan_table("migration", NULL, NULL) > 0)
	{
		SPI_connect();
		is_sealed = kn_keycheck_sealed();
		if (force && !is_sealed && checks > 0)
			kn_keycheck_forget();
		SPI_finish();
	}
	if (is_sealed || (checks > 0 && !force))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this database has a key ring already"),
				errhint("%s", is_sealed ? HINT_COPY
										: "Copy its file here. Nothing is sealed yet: "
										  "keyring_create(force => true) gives it up."));
}

static void
record_ring(void)
{
	if (!kn_scan_exists("key_check"))
		return;
	SPI_connect();
	kn_keycheck_record(kn_keystore());
	SPI_finish();
}

/* A key whose transaction was undone is in force as well, and so is a ring that was copied here. */
int
kn_keystore_record(void)
{
	int n = 0;

	if (!kn_scan_exists("key_check") || kn_keystore_lack().reason != NULL)
		return 0;
	for (int kind = 0; kind < KN_KEY_KINDS; kind++)
		n += kn_keyring_count(kn_keystore(), (KnKeyKind) kind);
	n -= kn_keycheck_count();
	if (n <= 0)
		return 0;
	if (kn_keyring_news)
		kn_keyring_news("keyring_record");
	record_ring();
	return n;
}

/* kintaraa.keyring_record(): the ring in force is the one of this database. */
PGDLLEXPORT Datum
kn_keyring_record_sql(PG_FUNCTION_ARGS)
{
	KnLack lack = kn_keystore_lack();

	/* one that is not there yet is recorded when it is made, or by the worker */
	if (lack.reason == NULL)
		record_ring();
	PG_RETURN_VOID();
}

/* kintaraa.keyring_add(kind text): a new current key of that kind; older ones still read. */
PGDLLEXPORT Datum
kn_keyring_add_sql(PG_FUNCTION_ARGS)
{
	static const char *const kinds[KN_KEY_KINDS] = {"wrap", "index", "sign", "refresh",
													"pseudonym", "hash"};
	char *kind = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (!superuser())
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("only a superuser adds a key"));
	for (int i = 0; i < KN_KEY_KINDS; i++)
	{
		KnKeyringStatus status;

		if (strcmp(kinds[i], kind) != 0)
			continue;
		if (i == KN_KEY_INDEX || i == KN_KEY_PSEUDONYM || i == KN_KEY_HASH)
			ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("a key of this kind cannot be replaced"),
					errhint("Stored indexes and hashes depend on it."));
		require_commit("kintaraa.keyring_add()");
		status = kn_keyring_add(kn_guc_keyring_file, (KnKeyKind) i);
		if (status != KN_KEYRING_OK)
			ereport(ERROR, errcode(ERRCODE_KN_NOT_READY),
					errmsg("the key was not added: %s", kn_keyring_describe(status)));
		if (kn_keyring_news)
			kn_keyring_news("keyring_add");
		ring_checked = 0;
		record_ring();
		PG_RETURN_VOID();
	}
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown kind of key"),
			errhint("Use wrap, sign or refresh."));
}
