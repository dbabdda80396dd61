/*-------------------------------------------------------------------------
 *
 * keycheck.c
 *	  Whether a key ring is the one that this database is sealed under.
 *
 * Called by keystore.c.  A second ring beside the first is the one mistake that
 * cannot be undone: what is sealed under it is lost when the first comes back.
 * So a check value of each key lies in the database, and travels with it to
 * standbys and into dumps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "base/errcodes.h"
#include "base/scan.h"
#include "base/spi.h"
#include "keys/blind.h"
#include "keys/field.h"
#include "keys/keycheck.h"

#define CHECKED_TEXT "kintaraa key check"
#define KEY_MAX_ID 65535

typedef struct Fit
{
	const KnKeyring *ring;
	int fits;
	int lacks;
	int differs;
} Fit;

static void compare(TupleTableSlot *slot, void *arg);
static void prove(const KnKeyring *ring);

/* in the order of KnKeyKind */
static const char *const kinds[KN_KEY_KINDS] = {"wrap", "index", "sign",
												"refresh", "pseudonym", "hash"};

static KnStatement insert_check = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.key_check (kind, id, value) VALUES ($1, $2, $3) "
	"ON CONFLICT (kind, id) DO NOTHING",
	TEXTOID, INT4OID, BYTEAOID);

static KnStatement some_subject = {
	.sql = "SELECT s.subject, s.wrapped FROM kintaraa.subject_key s LIMIT 1",
	.actor = KN_AS_SYSTEM,
};

static KnStatement is_sealed = {
	.sql = "SELECT EXISTS (SELECT FROM kintaraa.subject_key) "
		   "    OR EXISTS (SELECT FROM kintaraa.account) "
		   "    OR EXISTS (SELECT FROM kintaraa.audit_seal)",
	.actor = KN_AS_SYSTEM,
};

static KnStatement delete_checks = {
	.sql = "DELETE FROM kintaraa.key_check",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

KnKeyFit
kn_keycheck_fit(const KnKeyring *ring)
{
	Fit fit = {.ring = ring};

	(void) kn_scan_table("key_check", compare, &fit);
	if (fit.differs > 0 || (fit.lacks > 0 && fit.fits == 0))
		return KN_KEY_FOREIGN;
	return fit.lacks > 0 ? KN_KEY_LACKING : KN_KEY_FITS;
}

static void
compare(TupleTableSlot *slot, void *arg)
{
	Fit *fit = arg;
	bool is_null;
	char *kind = TextDatumGetCString(slot_getattr(slot, 1, &is_null));
	int id = DatumGetInt32(slot_getattr(slot, 2, &is_null));
	bytea *value = DatumGetByteaPP(slot_getattr(slot, 3, &is_null));
	unsigned char computed[32];

	for (int i = 0; i < KN_KEY_KINDS; i++)
	{
		const KnKey *key;

		if (strcmp(kinds[i], kind) != 0)
			continue;
		key = id > KEY_MAX_ID ? NULL : kn_keyring_find(fit->ring, (KnKeyKind) i, (uint16_t) id);
		if (key == NULL)
			fit->lacks++;
		else if (kn_hmac(key, CHECKED_TEXT, strlen(CHECKED_TEXT), computed) &&
				 VARSIZE_ANY_EXHDR(value) == sizeof(computed) &&
				 memcmp(VARDATA_ANY(value), computed, sizeof(computed)) == 0)
			fit->fits++;
		else
			fit->differs++;
	}
}

int
kn_keycheck_count(void)
{
	return kn_scan_table("key_check", NULL, NULL);
}

void
kn_keycheck_record(const KnKeyring *ring)
{
	prove(ring);
	for (int kind = 0; kind < KN_KEY_KINDS; kind++)
		for (int i = 0; i < kn_keyring_count(ring, (KnKeyKind) kind); i++)
		{
			const KnKey *key = kn_keyring_at(ring, (KnKeyKind) kind, i);
			unsigned char value[32];
			KnArgs args = {0};

			if (!kn_hmac(key, CHECKED_TEXT, strlen(CHECKED_TEXT), value))
				elog(ERROR, "could not compute a check value");
			kn_arg_text(&args, kinds[kind]);
			kn_arg_int(&args, key->id);
			kn_arg_bytes(&args, value, sizeof(value));
			kn_run(&insert_check, &args);
		}
}

/* A database older than the check values shows by one account that the ring is its own. */
static void
prove(const KnKeyring *ring)
{
	unsigned char opened[KN_KEY_SIZE];
	pg_uuid_t id;
	bytea *wrapped;
	KnRows rows;

	if (kn_keycheck_count() > 0 || kn_run0(&some_subject) == 0)
		return;
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, &id);
	wrapped = kn_col_bytea(&rows, 0, 2);
	if (VARSIZE_ANY_EXHDR(wrapped) != KN_WRAPPED_SIZE ||
		!kn_datakey_unwrap(ring, id.data, UUID_LEN, (unsigned char *) VARDATA_ANY(wrapped), opened))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("this is another key ring than the one of this database"),
				errhint("Copy the key ring file that belongs to this database."));
	explicit_bzero(opened, sizeof(opened));
}

bool
kn_keycheck_sealed(void)
{
	KnRows rows;

	kn_run0(&is_sealed);
	rows = kn_rows();
	return kn_col_bool(&rows, 0, 1);
}

void
kn_keycheck_forget(void)
{
	kn_run0(&delete_checks);
}
