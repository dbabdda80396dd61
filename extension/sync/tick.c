/*-------------------------------------------------------------------------
 *
 * tick.c
 *	  Ticks: snapshots with a number, written by the worker of the primary.
 *
 * Called by the worker, and from SQL by tests.  A tick sees exactly what was
 * committed when it was taken, so a row of a transaction that commits late is
 * in a later tick and cannot be missed.  Numbers rise even when the clock does
 * not: while it is behind they are counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "fmgr.h"
#include "postmaster/walwriter.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "base/errcodes.h"
#include "base/lock.h"
#include "base/mutant.h"
#include "sync/tick.h"

/*
 * Numbers that a crash may have taken back are never given again, for phones
 * know them.  PostgreSQL loses no more than three times wal_writer_delay; as
 * many milliseconds and a second are left out, whatever the clock says.
 */
#define LOST_TICKS_MS (3 * WalWriterDelay + 1000)

static int64 insert(bool force, int64 gap_ms, int *covered);
static bool is_due(int *covered);

PG_FUNCTION_INFO_V1(kn_tick_write_sql);

static KnStatement last_tick = {
	.sql = "SELECT pg_catalog.pg_snapshot_xmax(t.snapshot), "
		   "       ARRAY(SELECT pg_catalog.pg_snapshot_xip(t.snapshot)) "
		   "  FROM kintaraa.tick t ORDER BY t.t DESC LIMIT 1",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

/* The limits keep the planner with the index on x, whatever it knows of $1. */
static KnStatement count_news = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT (SELECT pg_catalog.count(*) FROM (SELECT FROM kintaraa.change "
	"         WHERE x >= $1 ORDER BY x LIMIT 200) q) "
	"     + (SELECT pg_catalog.count(*) FROM (SELECT FROM kintaraa.change "
	"         WHERE x = ANY ($2) LIMIT 200) q) "
	"     + (SELECT pg_catalog.count(*) FROM (SELECT FROM kintaraa.member "
	"         WHERE gx >= $1 ORDER BY gx LIMIT 200) q) "
	"     + (SELECT pg_catalog.count(*) FROM (SELECT FROM kintaraa.member "
	"         WHERE gx = ANY ($2) LIMIT 200) q)",
	XID8OID, XID8ARRAYOID);

static KnStatement insert_tick = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.tick (t, snapshot, epoch) "
	"SELECT GREATEST(e.first_tick / 1000, COALESCE(n.t / 1000 + 1 + $1, 0), "
	"         pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()) "
	"                          * 1000)::bigint) * 1000 + e.tag, "
	"       pg_catalog.pg_current_snapshot(), e.tag "
	"  FROM kintaraa.epoch e "
	"  LEFT JOIN (SELECT t FROM kintaraa.tick ORDER BY t DESC LIMIT 1) n ON true "
	" WHERE e.last_tick IS NULL RETURNING t",
	INT8OID);

int64
kn_tick_write(bool force, int *covered)
{
	return insert(force, 0, covered);
}

int64
kn_tick_write_first(void)
{
	int covered;

	return insert(true, kn_mutant("no_gap") ? 0 : LOST_TICKS_MS, &covered);
}

static int64
insert(bool force, int64 gap_ms, int *covered)
{
	KnArgs args = {0};
	KnRows rows;

	*covered = 0;
	/* Two at once could give the older snapshot the higher number. */
	kn_lock(KN_LOCK_TICK);
	if (!is_due(covered) && !force)
		return 0;
	kn_arg_bigint(&args, kn_mutant("clock_ticks") ? -INT64CONST(1000000000000) : gap_ms);
	if (kn_run(&insert_tick, &args) != 1)
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("there is no epoch to write a tick in"),
				errhint("The background worker begins one; see kintaraa.health()."));
	rows = kn_rows();
	Async_Notify("kintaraa_tick", "");
	return kn_col_bigint(&rows, 0, 1, 0);
}

static bool
is_due(int *covered)
{
	KnArgs args = {0};
	KnRows rows;
	bool is_null;

	if (kn_run0(&last_tick) == 0)
		return true;
	rows = kn_rows();
	kn_arg_datum(&args, kn_col(&rows, 0, 1, &is_null), false);
	kn_arg_datum(&args, datumCopy(kn_col(&rows, 0, 2, &is_null), false, -1), false);
	kn_run(&count_news, &args);
	rows = kn_rows();
	*covered = (int) kn_col_bigint(&rows, 0, 1, 0);
	return *covered > 0;
}

/* kintaraa.tick_write(force boolean) -> bigint: the tick, or NULL when there was nothing. */
PGDLLEXPORT Datum
kn_tick_write_sql(PG_FUNCTION_ARGS)
{
	int covered;
	int64 tick;

	SPI_connect();
	tick = kn_tick_write(PG_GETARG_BOOL(0), &covered);
	SPI_finish();
	if (tick == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(tick);
}
