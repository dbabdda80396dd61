/*-------------------------------------------------------------------------
 *
 * cursor.c
 *	  Cursors: numbers that name a tick.
 *
 * Called by the feed.  A cursor of an earlier epoch is good up to the last
 * tick of that epoch that this server has: whoever holds a later one saw
 * commits that were lost here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/datum.h"

#include "base/mutant.h"
#include "sync/cursor.h"

/* clang-format off */
#define RESOLVE \
	"SELECT n.t, pg_catalog.pg_snapshot_xmax(b.snapshot), " \
	"       ARRAY(SELECT pg_catalog.pg_snapshot_xip(b.snapshot)) " \
	"  FROM (SELECT t FROM kintaraa.tick ORDER BY t DESC LIMIT 1) n " \
	"  LEFT JOIN LATERAL (SELECT k.snapshot FROM kintaraa.tick k WHERE k.t <= $1 " \
	"                      ORDER BY k.t DESC LIMIT 1) b " \
	"    ON $1 <= n.t AND EXISTS (SELECT FROM kintaraa.epoch e WHERE e.tag = $1 % 1000 " \
	"                                AND (e.last_tick IS NULL OR $1 <= e.last_tick))"
/* clang-format on */

static KnStatement resolve = KN_FRESH(KN_AS_SYSTEM, RESOLVE, INT8OID);

/* A cursor must never be newer than the rows that are read with it. */
static KnStatement resolve_in_snapshot = KN_READ(KN_AS_SYSTEM, RESOLVE, INT8OID);

static void run(KnStatement *statement, int64 cursor, KnCursor *out);

void
kn_cursor_resolve(int64 cursor, KnCursor *out)
{
	run(&resolve, cursor, out);
}

void
kn_cursor_resolve_in_snapshot(int64 cursor, KnCursor *out)
{
	run(&resolve_in_snapshot, cursor, out);
}

static void
run(KnStatement *statement, int64 cursor, KnCursor *out)
{
	KnArgs args = {0};
	KnRows rows;
	bool is_null;

	memset(out, 0, sizeof(*out));
	kn_arg_bigint(&args, cursor);
	if (kn_run(statement, &args) == 0)
		return;
	rows = kn_rows();
	out->newest = kn_col_bigint(&rows, 0, 1, 0);
	out->xmax = kn_col(&rows, 0, 2, &is_null);
	if (is_null)
		return;
	out->known = true;
	out->xip = datumCopy(kn_col(&rows, 0, 3, &is_null), false, -1);
	if (kn_mutant("no_xip"))
		out->xip = PointerGetDatum(construct_empty_array(XID8OID));
}
