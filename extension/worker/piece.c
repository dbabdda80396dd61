/*-------------------------------------------------------------------------
 *
 * piece.c
 *	  The pieces of work that the worker does, each in its own transaction.
 *
 * Called by worker.c.  All run as kintaraa_system.  One that fails says so
 * once a minute and does not keep the others from their work: what it left
 * undone is a row that the next turn finds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "keys/keystore.h"
#include "trail/seal.h"
#include "worker/piece.h"

#define SECOND 1000
#define MINUTE_MS (60 * SECOND)
#define DAY (24 * 60 * MINUTE_MS)
#define SWEEP "200" /* so few that news does not wait long */
#define BATCH "500"

static int64 seal(KnPiece *piece);
static int64 log_root(KnPiece *piece);
static int64 record_keys(KnPiece *piece);
static int64 run_statement(KnPiece *piece);
static int64 find_functions(KnPiece *piece);
static void work(KnPiece *piece, int64 *done);
static void complain(KnPiece *piece, const ErrorData *error);

#define CALLS(call_)                                                               \
	{                                                                              \
		.sql = "SELECT (" call_ ")::bigint", .actor = KN_AS_SYSTEM, .writes = true \
	}

/* clang-format off */
KnPiece kn_pieces[] = {
	{.name = "seal", .every_ms = 100, .run = seal},
	{.name = "sweep of due needs", .every_ms = 100, .full = 200,
	 .function = "kintaraa.need_sweep(integer)", .statement = CALLS("kintaraa.need_sweep(" SWEEP ")")},
	{.name = "end of cases taken back", .every_ms = SECOND, .full = 50,
	 .function = "kintaraa.hold_end()", .statement = CALLS("kintaraa.hold_end()")},
	{.name = "second look at lost teams", .every_ms = SECOND,
	 .function = "kintaraa.team_check_run()", .statement = CALLS("kintaraa.team_check_run()")},
	{.name = "teams without people", .every_ms = MINUTE_MS,
	 .function = "kintaraa.team_check_all()", .statement = CALLS("kintaraa.team_check_all()")},
	{.name = "fold of routing figures", .every_ms = SECOND,
	 .function = "kintaraa.dispatch_fold()", .statement = CALLS("kintaraa.dispatch_fold()")},
	{.name = "fold of counters", .every_ms = SECOND,
	 .function = "kintaraa.dispatch_count_fold()", .statement = CALLS("kintaraa.dispatch_count_fold()")},
	{.name = "refresh of routing", .every_ms = MINUTE_MS,
	 .function = "kintaraa.dispatch_refresh()", .statement = CALLS("kintaraa.dispatch_refresh()")},
	{.name = "audit root", .every_ms = MINUTE_MS, .run = log_root},
	{.name = "record of keys", .every_ms = 2 * SECOND, .run = record_keys},
	{.name = "retention", .every_ms = 10 * SECOND, .full = 500,
	 .function = "kintaraa.retention_run(integer)", .statement = CALLS("kintaraa.retention_run(" BATCH ")")},
	{.name = "thinning of ticks", .every_ms = MINUTE_MS,
	 .function = "kintaraa.ticks_thin(boolean)", .statement = CALLS("kintaraa.ticks_thin(false)")},
	{.name = "thinning of all ticks", .every_ms = DAY,
	 .function = "kintaraa.ticks_thin(boolean)", .statement = CALLS("kintaraa.ticks_thin(true)")},
};
/* clang-format on */
const int kn_piece_count = lengthof(kn_pieces);

static KnStatement function_exists = KN_READ(
	KN_AS_SYSTEM, "SELECT pg_catalog.to_regprocedure($1) IS NOT NULL", TEXTOID);

int64
kn_monotonic_ms(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

void
kn_pieces_find(void)
{
	KnPiece search = {.name = "search for functions", .run = find_functions};
	int64 found;

	(void) kn_piece_run(&search, &found);
}

static int64
find_functions(KnPiece *piece)
{
	int64 found = 0;

	for (int i = 0; i < kn_piece_count; i++)
	{
		KnArgs args = {0};
		KnRows rows;

		if (kn_pieces[i].function == NULL)
			continue;
		kn_arg_text(&args, kn_pieces[i].function);
		kn_run(&function_exists, &args);
		rows = kn_rows();
		kn_pieces[i].absent = !kn_col_bool(&rows, 0, 1);
		found += !kn_pieces[i].absent;
	}
	return found;
}

bool
kn_piece_run(KnPiece *piece, int64 *done)
{
	MemoryContext memory = CurrentMemoryContext;
	bool is_fine = true;

	*done = 0;
	pgstat_report_activity(STATE_RUNNING, piece->name);
	PG_TRY();
	{
		work(piece, done);
	}
	PG_CATCH();
	{
		ErrorData *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(memory);
		complain(piece, error);
		FreeErrorData(error);
		is_fine = false;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return is_fine;
}

static void
work(KnPiece *piece, int64 *done)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (piece->async)
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	*done = piece->run ? piece->run(piece) : run_statement(piece);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static int64
run_statement(KnPiece *piece)
{
	KnRows rows;

	kn_run0(&piece->statement);
	rows = kn_rows();
	return kn_col_bigint(&rows, 0, 1, 0);
}

static int64
seal(KnPiece *piece)
{
	return kn_audit_seal();
}

static int64
log_root(KnPiece *piece)
{
	kn_audit_log_root();
	return 0;
}

static int64
record_keys(KnPiece *piece)
{
	return kn_keystore_record();
}

/* The message only: details and statements may quote rows. */
static void
complain(KnPiece *piece, const ErrorData *error)
{
	int64 now = kn_monotonic_ms();

	if (piece->complained_ms != 0 && now - piece->complained_ms < MINUTE_MS)
		return;
	piece->complained_ms = Max(now, 1);
	ereport(WARNING,
			errcode(error->sqlerrcode),
			errmsg("kintaraa worker: %s failed: %s (%s)", piece->name, error->message,
				   unpack_sql_state(error->sqlerrcode)));
}
