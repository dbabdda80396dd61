/*-------------------------------------------------------------------------
 *
 * epoch.c
 *	  Epochs: on which server, and on which of its histories, a cursor was made.
 *
 * Called by the worker before anything else.  A promoted standby lost the
 * newest ticks; a restored dump carries transaction ids of another counter.
 * Both begin a new epoch, so that no cursor of the old one hides new rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"

#include "access/barred.h"
#include "base/errcodes.h"
#include "sync/tick.h"
#include "trail/audit.h"

#define EPOCH_TAG_MAX 999
#define PROMOTION_GAP_MS 10000 /* ticks the old primary may have written meanwhile lie before it */

/* Where the open epoch was begun. */
typedef enum Origin
{
	OURS,
	NONE,
	OTHER_SERVER,
	OTHER_HISTORY
} Origin;

static Origin compare(void);
static void forget_transactions(void);
static void begin(const char *reason, bool keep_ticks, int64 gap_ms);
static void identity(KnArgs *args);
static void require_other_server(void);

PG_FUNCTION_INFO_V1(kn_epoch_check_sql);
PG_FUNCTION_INFO_V1(kn_epoch_adopt_sql);

static KnStatement current_epoch = {
	.sql = "SELECT e.system, e.timeline, e.database FROM kintaraa.epoch e "
		   " WHERE e.last_tick IS NULL",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement close_epoch = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.epoch SET last_tick = CASE WHEN $1 THEN "
	"  COALESCE((SELECT pg_catalog.max(t) FROM kintaraa.tick), 0) ELSE 0 END "
	" WHERE last_tick IS NULL OR NOT $1",
	BOOLOID);

/* A server whose clock is behind must not give numbers again. */
static KnStatement newest_number = {
	.sql = "SELECT GREATEST((SELECT pg_catalog.max(t) FROM kintaraa.tick), "
		   "                (SELECT pg_catalog.max(first_tick) FROM kintaraa.epoch), 0) / 1000",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement open_epoch = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.epoch (system, timeline, database, tag, first_tick, reason) "
	"SELECT $1, $2, $3, n.tag, "
	"  GREATEST(pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint, "
	"           $7) * 1000 + $4 * 1000 + n.tag, $5 "
	"  FROM (SELECT COALESCE(pg_catalog.max(e.tag), 0) + 1 AS tag FROM kintaraa.epoch e) n "
	" WHERE n.tag <= $6",
	INT8OID, INT4OID, OIDOID, INT8OID, TEXTOID, INT4OID, INT8OID);

static KnStatement reset_changes = {
	.sql = "UPDATE kintaraa.change SET x = '1'",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};
static KnStatement reset_members = {
	.sql = "UPDATE kintaraa.member SET gx = '1'",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};
static KnStatement reset_barred = {
	.sql = KN_BARRED_RESET,
	.actor = KN_AS_SYSTEM,
	.writes = true,
};
static KnStatement reset_case_news = {
	.sql = "UPDATE kintaraa.case_news SET x = '1'",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};
/* Folding is repeated from the beginning, which changes nothing that was folded before. */
static KnStatement reset_bookmark = {
	.sql = "UPDATE kintaraa.dispatch_bookmark SET snapshot = '1:1:'",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};
static KnStatement delete_ticks = {
	.sql = "DELETE FROM kintaraa.tick",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

/*
 * Only pg_upgrade leaves each tick as written by a transaction that began
 * after the tick before it and before the one after it; a restore writes them
 * all at once.  Transactions of rows are 32 bits, hence the mask.
 */
static KnStatement ticks_are_ours = {
	.sql = "SELECT FROM (SELECT pg_catalog.lag(q.x) OVER w AS last, "
		   "               (q.xmin::text::bigint - pg_catalog.lag(q.x) OVER w) & 4294967295 "
		   "                 AS written, "
		   "               pg_catalog.lead(q.x) OVER w - pg_catalog.lag(q.x) OVER w AS until_next "
		   "          FROM (SELECT t.t, t.xmin, "
		   "                       pg_catalog.pg_snapshot_xmax(t.snapshot)::text::bigint AS x "
		   "                  FROM kintaraa.tick t) q WINDOW w AS (ORDER BY q.t)) s "
		   "HAVING pg_catalog.count(s.last) > 0 "
		   "   AND pg_catalog.bool_and(s.last IS NULL OR "
		   "         s.written < COALESCE(s.until_next, 2147483648))",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement adopt = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.epoch SET system = $1, timeline = $2, database = $3 "
	" WHERE last_tick IS NULL AND NOT EXISTS (SELECT FROM (SELECT x FROM kintaraa.change "
	"         UNION ALL SELECT gx FROM kintaraa.member "
	"         UNION ALL SELECT pg_catalog.pg_snapshot_xmax(snapshot) FROM kintaraa.tick) s "
	"        WHERE s.x > pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()))",
	INT8OID, INT4OID, OIDOID);

bool
kn_epoch_check(void)
{
	switch (compare())
	{
		case NONE:
			begin("first", true, 0);
			return true;
		case OTHER_SERVER:
			begin("restored", false, 0);
			return true;
		case OTHER_HISTORY:
			begin("promoted", true, PROMOTION_GAP_MS);
			return true;
		case OURS:
			break;
	}
	return false;
}

/* Before the first worker has come there is no tick that could be another's. */
bool
kn_epoch_is_ours(void)
{
	Origin origin = compare();

	return origin == OURS || origin == NONE;
}

static Origin
compare(void)
{
	KnRows rows;

	if (kn_run0(&current_epoch) == 0)
		return NONE;
	rows = kn_rows();
	if (kn_col_bigint(&rows, 0, 1, 0) != (int64) GetSystemIdentifier() ||
		(Oid) kn_col_int(&rows, 0, 3, 0) != MyDatabaseId)
		return OTHER_SERVER;
	if (kn_col_int(&rows, 0, 2, 0) != (int) GetWALInsertionTimeLine())
		return OTHER_HISTORY;
	return OURS;
}

/* Every row counts as changed long ago; every phone fetches all of its scope again. */
static void
forget_transactions(void)
{
	kn_run0(&reset_changes);
	kn_run0(&reset_members);
	kn_run0(&reset_case_news);
	kn_run0(&reset_barred);
	kn_run0(&reset_bookmark);
	kn_run0(&delete_ticks);
}

static void
begin(const char *reason, bool keep_ticks, int64 gap_ms)
{
	KnArgs args = {0};
	KnRows rows;
	int64 newest;

	kn_run0(&newest_number);
	rows = kn_rows();
	newest = kn_col_bigint(&rows, 0, 1, 0);
	if (!keep_ticks)
		forget_transactions();
	kn_arg_bool(&args, keep_ticks);
	kn_run(&close_epoch, &args);
	args.n = 0;
	identity(&args);
	kn_arg_bigint(&args, gap_ms);
	kn_arg_text(&args, reason);
	kn_arg_int(&args, EPOCH_TAG_MAX);
	kn_arg_bigint(&args, newest);
	if (kn_run(&open_epoch, &args) != 1)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("all %d epochs are used", EPOCH_TAG_MAX),
				errhint("Delete closed epochs whose cursors are older than the retention of ticks, "
						"and renumber the open one."));
	ereport(LOG, errmsg("kintaraa: a new sync epoch begins (%s)", reason));
}

static void
identity(KnArgs *args)
{
	kn_arg_bigint(args, (int64) GetSystemIdentifier());
	kn_arg_int(args, (int) GetWALInsertionTimeLine());
	kn_arg_datum(args, ObjectIdGetDatum(MyDatabaseId), false);
}

/* kintaraa.epoch_check() -> boolean: whether a new epoch began. */
PGDLLEXPORT Datum
kn_epoch_check_sql(PG_FUNCTION_ARGS)
{
	bool began;

	SPI_connect();
	began = kn_epoch_check();
	SPI_finish();
	PG_RETURN_BOOL(began);
}

/* kintaraa.adopt_epoch(): after pg_upgrade, which keeps the counter of transactions. */
PGDLLEXPORT Datum
kn_epoch_adopt_sql(PG_FUNCTION_ARGS)
{
	KnArgs args = {0};
	bool adopted;

	SPI_connect();
	require_other_server();
	identity(&args);
	adopted = kn_run0(&ticks_are_ours) == 1 && kn_run(&adopt, &args) == 1;
	SPI_finish();
	if (!adopted)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the transactions of this database are not those of this server"),
				errhint("Only pg_upgrade keeps them. After a restore the worker begins a new epoch "
						"by itself."));
	kn_audit_function("adopt_epoch", NULL, NULL);
	PG_RETURN_VOID();
}

/* A promotion has lost commits, and where the worker was first the cursors are gone. */
static void
require_other_server(void)
{
	if (compare() != OTHER_SERVER)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the epoch of this database is this server's already"),
				errhint("Nothing is left to adopt. If the worker came first, phones read their "
						"lists anew and miss nothing."));
}
