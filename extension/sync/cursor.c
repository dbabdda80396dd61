/*-------------------------------------------------------------------------
 *
 * cursor.c
 *	  Cursors: numbers that name a tick.
 *
 * Called by the feed.  A cursor of an earlier epoch is good up to the last
 * tick of that epoch that this server has: whoever holds a later one saw
 * commits that were lost here.  One that lies before the beginning of its epoch
 * is from another history that used the same tag.
 *
 * Between the start of a server and the worker's look at the epoch nobody knows
 * whether the ticks are of this history; no cursor is read or given until then.
 * A standby follows its primary and need not wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/datum.h"

#include "base/errcodes.h"
#include "base/guc.h"
#include "base/mutant.h"
#include "base/shared.h"
#include "sync/cursor.h"
#include "sync/tick.h"

/* clang-format off */
#define RESOLVE \
	"SELECT n.t, pg_catalog.pg_snapshot_xmax(b.snapshot), " \
	"       ARRAY(SELECT pg_catalog.pg_snapshot_xip(b.snapshot)) " \
	"  FROM (SELECT t FROM kintaraa.tick ORDER BY t DESC LIMIT 1) n " \
	"  LEFT JOIN LATERAL (SELECT k.snapshot FROM kintaraa.tick k WHERE k.t <= $1 " \
	"                      ORDER BY k.t DESC LIMIT 1) b " \
	"    ON $1 <= n.t AND ($2 OR EXISTS (SELECT FROM kintaraa.epoch e WHERE e.tag = $1 % 1000 " \
	"                                       AND e.first_tick <= $1 " \
	"                                       AND (e.last_tick IS NULL OR $1 <= e.last_tick)))"
/* clang-format on */

static KnStatement resolve = KN_FRESH(KN_AS_SYSTEM, RESOLVE, INT8OID, BOOLOID);

/* A cursor must never be newer than the rows that are read with it. */
static KnStatement resolve_in_snapshot = KN_READ(KN_AS_SYSTEM, RESOLVE, INT8OID, BOOLOID);

/* Who was not there yet cannot have had it. */
static KnStatement was_there = KN_READ(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.account a WHERE a.id = $1 AND a.created_at <= "
	" pg_catalog.to_timestamp($2::float8 / 1000000 + 1)",
	UUIDOID, INT8OID);

static KnStatement is_of_open_epoch = KN_READ(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.epoch e WHERE e.tag = $1 % 1000 AND e.last_tick IS NULL", INT8OID);

#define TAGS 999

static void resolve_own(KnStatement *statement, const pg_uuid_t *account, int64 cursor,
						KnCursor *out);
static int64 turn(const pg_uuid_t *account, int64 cursor, bool back);
static void run(KnStatement *statement, int64 cursor, bool is_time, KnCursor *out);
static void require_primary(void);
static void require_epoch(void);
static bool worker_comes_here(void);
static bool is_ahead(int64 cursor, KnCursor *out);

void
kn_cursor_resolve(int64 cursor, KnCursor *out)
{
	require_primary();
	run(&resolve, cursor, false, out);
}

static void
require_primary(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("a standby has no feed"),
				errhint("Connect the gateway to the primary: target_session_attrs=read-write."));
}

void
kn_cursor_resolve_own(const pg_uuid_t *account, int64 cursor, KnCursor *out)
{
	require_primary();
	resolve_own(&resolve, account, cursor, out);
}

/*
 * The primary may have given a cursor that this standby has not replayed yet.
 * Its rows may be older than what the phone has: better none than those.
 */
void
kn_cursor_resolve_in_snapshot(const pg_uuid_t *account, int64 cursor, KnCursor *out)
{
	resolve_own(&resolve_in_snapshot, account, cursor, out);
	if (out->known || cursor / 1000 <= out->newest / 1000 || !RecoveryInProgress())
		return;
	if (!is_ahead(turn(account, cursor, true), out) && !is_ahead(cursor, out))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("this standby does not know the epoch of the cursor"),
				errhint("It is behind its primary, or the cursor is not one of ours."));
}

void
kn_cursor_resolve_time(int64 cursor, KnCursor *out)
{
	run(&resolve_in_snapshot, cursor, true, out);
}

int64
kn_cursor_mark(const pg_uuid_t *account, int64 cursor)
{
	return kn_mutant("no_mark") ? cursor : turn(account, cursor, false);
}

static void
resolve_own(KnStatement *statement, const pg_uuid_t *account, int64 cursor, KnCursor *out)
{
	KnArgs args = {0};

	run(statement, turn(account, cursor, true), false, out);
	if (out->known || cursor <= 0)
		return;
	run(statement, cursor, false, out);
	if (!out->known)
		return;
	kn_arg_uuid(&args, account);
	kn_arg_bigint(&args, cursor);
	out->known = kn_run(&was_there, &args) == 1;
}

/* A number without a tag, 0 among them, is nobody's and stays as it is. */
static int64
turn(const pg_uuid_t *account, int64 cursor, bool back)
{
	uint32 by = 0;
	int64 tag = cursor % 1000;

	for (int i = 0; i < UUID_LEN; i++)
		by = (by * 256 + account->data[i]) % TAGS;
	if (tag == 0)
		return cursor;
	return cursor - tag + 1 + (tag - 1 + (back ? TAGS - by : by)) % TAGS;
}

static void
run(KnStatement *statement, int64 cursor, bool is_time, KnCursor *out)
{
	KnArgs args = {0};
	KnRows rows;
	bool is_null;

	memset(out, 0, sizeof(*out));
	out->plain = cursor;
	require_epoch();
	kn_arg_bigint(&args, cursor);
	kn_arg_bool(&args, is_time);
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

static void
require_epoch(void)
{
	KnShared *shared = kn_shared();

	if (RecoveryInProgress() || kn_mutant("no_epoch") ||
		(shared != NULL && pg_atomic_read_u32(&shared->epoch_database) == MyDatabaseId))
		return;
	if (shared == NULL || worker_comes_here() || !kn_epoch_is_ours())
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("the epoch of cursors is not checked yet"),
				errhint("The background worker does so when it begins; see kintaraa.health()."));
}

static bool
worker_comes_here(void)
{
	char *name = get_database_name(MyDatabaseId);

	return kn_guc_worker && name != NULL && strcmp(name, kn_guc_database) == 0;
}

static bool
is_ahead(int64 cursor, KnCursor *out)
{
	KnArgs args = {0};

	kn_arg_bigint(&args, cursor);
	out->plain = cursor;
	out->lags = kn_run(&is_of_open_epoch, &args) > 0;
	return out->lags;
}
