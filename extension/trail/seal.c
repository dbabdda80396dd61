/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  Seals over the audit trail, so that a changed entry is found.
 *
 * Called by the worker ten times a second.  An entry is written in its
 * caller's transaction, so entries become visible out of order; a seal
 * therefore covers whole transactions only, from where the last one ended up
 * to the oldest that still runs.  After that no entry can appear in its range.
 * Each root hashes the root before it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "base/installed.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/spi.h"
#include "trail/seal.h"

#define ROOT_SIZE PG_SHA256_DIGEST_LENGTH
#define EPOCHS 1000

/* Transaction ids xid8, as SQL bigint would misread the highest bit. */
typedef struct Range
{
	int32 epoch;
	Datum from;
	Datum to;
} Range;

typedef struct Verdict
{
	int64 sealed;
	int64 unsealed;
	int64 first_bad; /* number of the first seal that does not hold, 0 when all do */
	int64 last;      /* seal looked at */
	unsigned char root[ROOT_SIZE];
	Datum reached[EPOCHS]; /* where the last seal of each epoch ended */
} Verdict;

static void previous_root(unsigned char *root);
static int64 seal_range(const Range *range);
static int64 fold_entries(const Range *range, unsigned char *root);
static void hash_entry(const KnRows *rows, uint64 row, unsigned char *digest);
static void add_text(pg_cryptohash_ctx *hash, const char *text);
static void add_bytes(pg_cryptohash_ctx *hash, const void *bytes, Size len);
static void check(int result);
static bytea *parse_root(const char *text);
static bool knows_root(bytea *root);
static bool unlinked_hold(void);
static bool unlinked_page(int64 *last, unsigned char *sum);
static void verify(Verdict *verdict);
static bool verify_page(Verdict *verdict);
static bool seal_holds(const KnRows *seals, uint64 row, Verdict *verdict);

PG_FUNCTION_INFO_V1(kn_seal_sql);
PG_FUNCTION_INFO_V1(kn_audit_verify_sql);
PG_FUNCTION_INFO_V1(kn_audit_anchor_sql);

static KnStatement newest_root = {
	.sql = "SELECT s.root FROM kintaraa.audit_seal s ORDER BY s.n DESC LIMIT 1",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

/*
 * What is finished in each epoch.  Of an epoch that a restore ended no
 * transaction runs any more, whatever their numbers say; and a backlog is
 * sealed piece by piece.
 */
/* clang-format off */
static KnStatement open_ranges = {
	.sql =
		"SELECT e.tag, f.x, LEAST(t.x, c.x) FROM kintaraa.epoch e "
		" CROSS JOIN LATERAL (SELECT COALESCE((SELECT s.to_x FROM kintaraa.audit_seal s "
		"       WHERE s.epoch = e.tag ORDER BY s.to_x DESC LIMIT 1), '0'::xid8) AS x) f "
		" CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM kintaraa.epoch n "
		"       WHERE n.tag > e.tag AND n.reason = 'restored') THEN '18446744073709551615'::xid8 "
		"       ELSE pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) END AS x) t "
		"  LEFT JOIN LATERAL (SELECT a.x FROM kintaraa.audit a "
		"       WHERE a.epoch = e.tag AND a.x >= f.x ORDER BY a.x, a.n "
		"       OFFSET " CppAsString2(KN_SEAL_ENTRIES) " LIMIT 1) c ON c.x > f.x "
		" WHERE EXISTS (SELECT FROM kintaraa.audit a WHERE a.epoch = e.tag AND a.x >= f.x "
		"                  AND a.x < t.x) "
		" ORDER BY e.tag",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};
/* clang-format on */

static KnStatement select_entries = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.n, a.x, a.at, a.action, a.outcome, a.code, a.actor, a.actor_role, a.noun, a.target, "
	"       a.fields, a.request, a.targets, a.digest "
	"  FROM kintaraa.audit a WHERE a.epoch = $1 AND a.x >= $2 AND a.x < $3 ORDER BY a.x, a.n",
	INT2OID, XID8OID, XID8OID);

static KnStatement insert_seal = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.audit_seal (epoch, from_x, to_x, entries, previous_root, root) "
	"VALUES ($1, $2, $3, $4, $5, $6)",
	INT2OID, XID8OID, XID8OID, INT8OID, BYTEAOID, BYTEAOID);

static KnStatement select_seals = KN_READ(
	KN_AS_SYSTEM,
	"SELECT s.n, s.epoch, s.from_x, s.to_x, s.entries, s.previous_root, s.root "
	"  FROM kintaraa.audit_seal s WHERE s.n > $1 ORDER BY s.n LIMIT 1000",
	INT8OID);

/* Entries whose actor was taken out, and what their sum was then. */
static KnStatement select_unlinked = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.n, a.x, a.at, a.action, a.outcome, a.code, a.actor, a.actor_role, a.noun, a.target, "
	"       a.fields, a.request, a.targets, a.digest "
	"  FROM kintaraa.audit a WHERE a.n > $1 AND a.digest IS NOT NULL ORDER BY a.n LIMIT 10000",
	INT8OID);

static KnStatement select_unlinking = {
	.sql = "SELECT a.fields FROM kintaraa.audit a WHERE a.action = 'trail_unlink' "
		   " ORDER BY a.n LIMIT 1",
	.actor = KN_AS_SYSTEM,
};

static KnStatement select_root = KN_READ(
	KN_AS_SYSTEM, "SELECT s.n FROM kintaraa.audit_seal s WHERE s.root = $1", BYTEAOID);

static KnStatement count_entries = {
	.sql = "SELECT pg_catalog.count(*) FROM kintaraa.audit",
	.actor = KN_AS_SYSTEM,
};

int64
kn_audit_seal(void)
{
	int64 sealed = 0;
	KnRows rows;

	kn_lock(KN_LOCK_SEAL);
	if (kn_run0(&open_ranges) == 0)
		return 0;
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		bool is_null;
		Range range = {.epoch = DatumGetInt16(kn_col(&rows, i, 1, &is_null)),
					   .from = kn_col(&rows, i, 2, &is_null),
					   .to = kn_col(&rows, i, 3, &is_null)};

		sealed += seal_range(&range);
	}
	return sealed;
}

static int64
seal_range(const Range *range)
{
	unsigned char root[ROOT_SIZE];
	KnArgs args = {0};
	bytea *before;
	int64 entries;

	previous_root(root);
	kn_arg_datum(&args, Int16GetDatum(range->epoch), false);
	kn_arg_datum(&args, range->from, false);
	kn_arg_datum(&args, range->to, false);
	before = palloc(VARHDRSZ + ROOT_SIZE);
	SET_VARSIZE(before, VARHDRSZ + ROOT_SIZE);
	memcpy(VARDATA(before), root, ROOT_SIZE);
	entries = fold_entries(range, root);
	kn_arg_bigint(&args, entries);
	kn_arg_bytea(&args, before);
	kn_arg_bytes(&args, root, ROOT_SIZE);
	kn_run(&insert_seal, &args);
	return entries;
}

static void
previous_root(unsigned char *root)
{
	KnRows rows;

	memset(root, 0, ROOT_SIZE);
	if (kn_run0(&newest_root) == 0)
		return;
	rows = kn_rows();
	memcpy(root, VARDATA_ANY(kn_col_bytea(&rows, 0, 1)), ROOT_SIZE);
}

/* root := SHA-256(root || SHA-256(entry) || ...) over the range; returns how many. */
static int64
fold_entries(const Range *range, unsigned char *root)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext range_context = AllocSetContextCreate(old, "audit range", ALLOCSET_DEFAULT_SIZES);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	KnArgs args = {0};
	KnRows rows;

	kn_arg_datum(&args, Int16GetDatum(range->epoch), false);
	kn_arg_datum(&args, range->from, false);
	kn_arg_datum(&args, range->to, false);
	kn_run(&select_entries, &args);
	rows = kn_rows();
	MemoryContextSwitchTo(range_context);
	check(pg_cryptohash_init(hash));
	check(pg_cryptohash_update(hash, root, ROOT_SIZE));
	for (uint64 i = 0; i < rows.n; i++)
	{
		unsigned char digest[ROOT_SIZE];
		bytea *kept = kn_col_bytea(&rows, i, 14);

		if (kept != NULL && VARSIZE_ANY_EXHDR(kept) == ROOT_SIZE)
			memcpy(digest, VARDATA_ANY(kept), ROOT_SIZE);
		else
			hash_entry(&rows, i, digest);
		check(pg_cryptohash_update(hash, digest, ROOT_SIZE));
	}
	check(pg_cryptohash_final(hash, root, ROOT_SIZE));
	pg_cryptohash_free(hash);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(range_context);
	SPI_freetuptable(rows.table);
	return (int64) rows.n;
}

/* Every column, each with its length, so that no two entries have the same bytes. */
static void
hash_entry(const KnRows *rows, uint64 row, unsigned char *digest)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	int64 numbers[3];
	bool is_null;
	bytea *actor = kn_col_bytea(rows, row, 7);
	pg_uuid_t target;
	Datum targets;

	numbers[0] = pg_hton64(kn_col_bigint(rows, row, 1, 0));
	numbers[1] = pg_hton64(DatumGetInt64(kn_col(rows, row, 2, &is_null)));
	numbers[2] = pg_hton64(kn_col_time(rows, row, 3));
	check(pg_cryptohash_init(hash));
	add_bytes(hash, numbers, sizeof(numbers));
	for (int column = 4; column <= 6; column++)
		add_text(hash, kn_col_text(rows, row, column));
	add_bytes(hash, actor ? VARDATA_ANY(actor) : NULL, actor ? VARSIZE_ANY_EXHDR(actor) : 0);
	add_text(hash, kn_col_text(rows, row, 8));
	add_text(hash, kn_col_text(rows, row, 9));
	if (kn_col_uuid(rows, row, 10, &target))
		add_bytes(hash, target.data, UUID_LEN);
	else
		add_bytes(hash, NULL, 0);
	add_text(hash, kn_col_text(rows, row, 11));
	add_text(hash, kn_col_text(rows, row, 12));
	/* entries from before there were several targets have the bytes they had */
	targets = kn_col(rows, row, 13, &is_null);
	if (!is_null)
	{
		ArrayType *array = DatumGetArrayTypeP(targets);

		add_bytes(hash, ARR_DATA_PTR(array),
				  UUID_LEN * ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
	}
	check(pg_cryptohash_final(hash, digest, ROOT_SIZE));
	pg_cryptohash_free(hash);
}

static void
add_text(pg_cryptohash_ctx *hash, const char *text)
{
	add_bytes(hash, text, text ? strlen(text) : 0);
}

/* NULL has a length of its own. */
static void
add_bytes(pg_cryptohash_ctx *hash, const void *bytes, Size len)
{
	uint32 size = pg_hton32(bytes == NULL ? PG_UINT32_MAX : (uint32) len);

	check(pg_cryptohash_update(hash, (const uint8 *) &size, sizeof(size)));
	if (bytes != NULL)
		check(pg_cryptohash_update(hash, bytes, len));
}

static void
check(int result)
{
	if (result < 0)
		elog(ERROR, "SHA-256 failed");
}

void
kn_audit_log_root(void)
{
	unsigned char root[ROOT_SIZE];
	char text[2 * ROOT_SIZE + 1];

	previous_root(root);
	text[hex_encode((char *) root, ROOT_SIZE, text)] = '\0';
	ereport(LOG, errmsg("kintaraa: audit root %s", text));
}

/* kintaraa.seal() -> bigint: how many entries it sealed. */
PGDLLEXPORT Datum
kn_seal_sql(PG_FUNCTION_ARGS)
{
	int64 sealed;

	SPI_connect();
	sealed = kn_audit_seal();
	SPI_finish();
	PG_RETURN_INT64(sealed);
}

/* kintaraa.audit_anchor(): the root into the log, once a day by pg_cron as well. */
PGDLLEXPORT Datum
kn_audit_anchor_sql(PG_FUNCTION_ARGS)
{
	SPI_connect();
	kn_audit_log_root();
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * kintaraa.audit_verify([root text]) -> (ok, sealed, unsealed, first_bad)
 *	  With a root that left the machine it also finds out that the seals after
 *	  it were cut off together with their entries, which leaves a chain that holds.
 */
PGDLLEXPORT Datum
kn_audit_verify_sql(PG_FUNCTION_ARGS)
{
	Verdict verdict = {0};
	/* the catalogue of the version before calls it without an argument */
	bool has_root = PG_NARGS() > 0 && !PG_ARGISNULL(0);
	bytea *root = has_root ? parse_root(text_to_cstring(PG_GETARG_TEXT_PP(0))) : NULL;
	TupleDesc desc;
	Datum values[4];
	bool nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "audit_verify returns a record");
	kn_installed_require();
	SPI_connect();
	verify(&verdict);
	if (verdict.first_bad == 0 && !unlinked_hold())
		verdict.first_bad = 1;
	if (verdict.first_bad == 0 && root != NULL && !knows_root(root))
		verdict.first_bad = verdict.last + 1;
	SPI_finish();
	values[0] = BoolGetDatum(verdict.first_bad == 0);
	values[1] = Int64GetDatum(verdict.sealed);
	values[2] = Int64GetDatum(verdict.unsealed);
	values[3] = Int64GetDatum(verdict.first_bad);
	nulls[3] = verdict.first_bad == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

static bytea *
parse_root(const char *text)
{
	bytea *root = palloc(VARHDRSZ + ROOT_SIZE);

	SET_VARSIZE(root, VARHDRSZ + ROOT_SIZE);
	if (strlen(text) != 2 * ROOT_SIZE || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("this is not a root of the audit trail"),
				errhint("Give the 64 digits that follow \"audit root\" in the log."));
	hex_decode(text, 2 * ROOT_SIZE, VARDATA(root));
	return root;
}

/* Before the first seal the root is nothing but zeros. */
static bool
knows_root(bytea *root)
{
	static const char none[ROOT_SIZE] = {0};
	KnArgs args = {0};

	kn_arg_bytea(&args, root);
	return memcmp(VARDATA(root), none, ROOT_SIZE) == 0 || kn_run(&select_root, &args) > 0;
}

/* Nobody can change an entry, or one like it, because a digest stands in for it. */
static bool
unlinked_hold(void)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext page = AllocSetContextCreate(old, "audit entries", ALLOCSET_DEFAULT_SIZES);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	unsigned char sum[ROOT_SIZE];
	char text[2 * ROOT_SIZE + 1];
	char *stored = NULL;
	int64 last = 0;
	bool any = false;
	KnRows rows;

	check(pg_cryptohash_init(hash));
	MemoryContextSwitchTo(page);
	while (unlinked_page(&last, sum))
	{
		check(pg_cryptohash_update(hash, sum, ROOT_SIZE));
		any = true;
		MemoryContextReset(page);
	}
	MemoryContextSwitchTo(old);
	check(pg_cryptohash_final(hash, sum, ROOT_SIZE));
	pg_cryptohash_free(hash);
	text[hex_encode((char *) sum, ROOT_SIZE, text)] = '\0';
	if (kn_run0(&select_unlinking) > 0)
	{
		rows = kn_rows();
		stored = kn_col_text(&rows, 0, 1);
	}
	return stored == NULL ? !any : strcmp(stored, text) == 0;
}

/* The digest of the page after last, as migration 22 made it; false when there is none. */
static bool
unlinked_page(int64 *last, unsigned char *sum)
{
	pg_cryptohash_ctx *hash;
	KnArgs args = {0};
	KnRows rows;

	CHECK_FOR_INTERRUPTS();
	kn_arg_bigint(&args, *last);
	if (kn_run(&select_unlinked, &args) == 0)
		return false;
	rows = kn_rows();
	hash = pg_cryptohash_create(PG_SHA256);
	check(pg_cryptohash_init(hash));
	for (uint64 i = 0; i < rows.n; i++)
	{
		bytea *kept = kn_col_bytea(&rows, i, 14);
		unsigned char digest[ROOT_SIZE];

		hash_entry(&rows, i, digest);
		check(pg_cryptohash_update(hash, digest, ROOT_SIZE));
		check(pg_cryptohash_update(hash, (uint8 *) VARDATA_ANY(kept), VARSIZE_ANY_EXHDR(kept)));
	}
	check(pg_cryptohash_final(hash, sum, ROOT_SIZE));
	pg_cryptohash_free(hash);
	*last = kn_col_bigint(&rows, rows.n - 1, 1, 0);
	SPI_freetuptable(rows.table);
	return true;
}

static void
verify(Verdict *verdict)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext page = AllocSetContextCreate(old, "audit seals", ALLOCSET_DEFAULT_SIZES);
	KnRows counted;

	MemoryContextSwitchTo(page);
	while (verify_page(verdict))
		MemoryContextReset(page);
	MemoryContextSwitchTo(old);
	kn_run0(&count_entries);
	counted = kn_rows();
	verdict->unsealed = Max(0, kn_col_bigint(&counted, 0, 1, 0) - verdict->sealed);
}

static bool
verify_page(Verdict *verdict)
{
	KnArgs args = {0};
	KnRows seals;

	kn_arg_bigint(&args, verdict->last);
	if (kn_run(&select_seals, &args) == 0)
		return false;
	seals = kn_rows();
	for (uint64 i = 0; i < seals.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		verdict->last = kn_col_bigint(&seals, i, 1, 0);
		if (verdict->first_bad == 0 && !seal_holds(&seals, i, verdict))
			verdict->first_bad = verdict->last;
		verdict->sealed += kn_col_bigint(&seals, i, 5, 0);
	}
	SPI_freetuptable(seals.table);
	return true;
}

/* Each begins where the one before it in its epoch ended; roots are computed, never trusted. */
static bool
seal_holds(const KnRows *seals, uint64 row, Verdict *verdict)
{
	bytea *before = kn_col_bytea(seals, row, 6);
	bytea *stored = kn_col_bytea(seals, row, 7);
	bool is_null;
	Range range = {.epoch = DatumGetInt16(kn_col(seals, row, 2, &is_null)),
				   .from = kn_col(seals, row, 3, &is_null),
				   .to = kn_col(seals, row, 4, &is_null)};

	if (range.epoch < 0 || range.epoch >= EPOCHS || range.from != verdict->reached[range.epoch] ||
		VARSIZE_ANY_EXHDR(before) != ROOT_SIZE || VARSIZE_ANY_EXHDR(stored) != ROOT_SIZE ||
		memcmp(VARDATA_ANY(before), verdict->root, ROOT_SIZE) != 0)
		return false;
	verdict->reached[range.epoch] = range.to;
	return fold_entries(&range, verdict->root) == kn_col_bigint(seals, row, 5, -1) &&
		   memcmp(verdict->root, VARDATA_ANY(stored), ROOT_SIZE) == 0;
}
