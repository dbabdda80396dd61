/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The background worker: ticks, deadlines, seals, counters, retention.
 *
 * Registered by the postmaster when the library is preloaded.  A wake-up is
 * only a hint; what is to be done is in the tables, so that nothing is lost
 * when the worker dies and nothing depends on the clock of the wall except
 * deadlines, which are rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "base/installed.h"
#include "base/shared.h"
#include "operate/ready.h"
#include "sync/tick.h"
#include "worker/piece.h"
#include "worker/worker.h"

#define SPACING_MIN_MS 2
#define ROWS_PER_MS 4      /* a tick that covers more makes the next one wait longer */
#define LOOK_AFTER_MS 1000 /* a lost wake-up is found no later than this */
#define POLL_MS 1000       /* while something is missing */
#define WAIT_DATABASE_MS 2000
#define LOCK_TIMEOUT "200ms"

typedef struct Ticking
{
	int64 next_ms; /* not before */
	int64 look_ms; /* without a wake-up */
} Ticking;

static void connect_database(void);
static void wait_for_database(void) pg_attribute_noreturn();
static void publish(void);
static void withdraw(int code, Datum arg);
static void heed_signals(void);
static bool become_ready(void);
static bool is_whole(void);
static int64 begin_epoch(KnPiece *piece);
static int64 write_tick(KnPiece *piece);
static bool tick_when_due(Ticking *ticking, int64 now);
static void do_pieces(int64 now);
static long pause_ms(const Ticking *ticking, bool is_ready);

extern PGDLLEXPORT void kn_worker_main(Datum argument);

static int tick_covered;
static KnPiece first_tick = {.name = "first tick", .run = begin_epoch};
/* A tick that a crash undoes costs the repetition of news, so it does not wait for the disk. */
static KnPiece tick = {.name = "tick", .run = write_tick, .async = true};

void
kn_worker_init(void)
{
	BackgroundWorker worker = {
		.bgw_name = "kintaraa worker",
		.bgw_type = "kintaraa worker",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 1,
		.bgw_library_name = "kintaraa",
		.bgw_function_name = "kn_worker_main",
	};

	/* pg_upgrade has read the old server's counter of transactions before it starts it */
	if (process_shared_preload_libraries_in_progress && kn_guc_worker && !IsBinaryUpgrade)
		RegisterBackgroundWorker(&worker);
}

void
kn_worker_main(Datum argument)
{
	Ticking ticking = {0};
	MemoryContext memory;
	bool is_ready = false;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	connect_database();
	/* Whoever holds a lock for long holds up one piece of work, and never the news of everybody. */
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_OVERRIDE);
	/* Nor does a standby that is demanded and gone: what the worker does it would do again. */
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_OVERRIDE);
	/* Whatever the database sets for those who come to it. */
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);
	publish();
	before_shmem_exit(withdraw, (Datum) 0);
	memory = AllocSetContextCreate(TopMemoryContext, "kintaraa worker", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(memory);
	for (;;)
	{
		int64 now = kn_monotonic_ms();

		heed_signals();
		publish();
		if (!is_ready)
			is_ready = become_ready();
		else
		{
			is_ready = tick_when_due(&ticking, now);
			do_pieces(now);
			is_ready = is_ready && is_whole();
		}
		MemoryContextReset(memory);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause_ms(&ticking, is_ready), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/*
 * A database that is not there ends the process.  So that this is logged once
 * and not every second, the next process waits for it without one.
 */
static void
connect_database(void)
{
	pg_atomic_uint32 *missing = &kn_shared()->worker_database_missing;

	if (pg_atomic_read_u32(missing) != 0)
		wait_for_database();
	pg_atomic_write_u32(missing, 1);
	BackgroundWorkerInitializeConnection(kn_guc_database, NULL, 0);
	pg_atomic_write_u32(missing, 0);
}

static void
wait_for_database(void)
{
	bool is_there = false;

	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	ereport(LOG, errmsg("kintaraa worker: waits for database \"%s\"", kn_guc_database));
	while (!is_there)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_DATABASE_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		heed_signals();
		StartTransactionCommand();
		is_there = OidIsValid(get_database_oid(kn_guc_database, true));
		CommitTransactionCommand();
	}
	pg_atomic_write_u32(&kn_shared()->worker_database_missing, 0);
	proc_exit(1); /* and the postmaster starts the next one */
}

static void
publish(void)
{
	KnShared *shared = kn_shared();
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&shared->mutex);
	shared->worker_latch = MyLatch;
	shared->worker_pid = MyProcPid;
	shared->worker_seen_at = now;
	SpinLockRelease(&shared->mutex);
}

static void
withdraw(int code, Datum arg)
{
	KnShared *shared = kn_shared();

	SpinLockAcquire(&shared->mutex);
	shared->worker_latch = NULL;
	shared->worker_pid = 0;
	SpinLockRelease(&shared->mutex);
}

static void
heed_signals(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* Idles while something is missing, and says so once. */
static bool
become_ready(void)
{
	static char said[256] = "";
	const char *reason;
	int64 done;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	reason = kn_not_ready();
	if (reason != NULL && strcmp(reason, said) != 0)
		ereport(LOG, errmsg("kintaraa worker: waits, %s", reason));
	strlcpy(said, reason ? reason : "", sizeof(said));
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (said[0] != '\0')
		return false;
	kn_pieces_find();
	if (!kn_piece_run(&first_tick, &done))
		return false;
	pg_atomic_write_u32(&kn_shared()->epoch_database, MyDatabaseId);
	return true;
}

/* Somebody may drop the extension beside us. */
static bool
is_whole(void)
{
	bool is_there;

	if (kn_installed_is_known())
		return true;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	is_there = kn_installed_lack().reason == NULL;
	PopActiveSnapshot();
	CommitTransactionCommand();
	return is_there;
}

/* The first tick comes before anything else: a cursor from before a crash lies behind it. */
static int64
begin_epoch(KnPiece *piece)
{
	bool is_first = pg_atomic_read_u32(&kn_shared()->epoch_database) != MyDatabaseId;
	int covered;

	/* the numbers of a new epoch are nobody's yet */
	if (kn_epoch_check() || !is_first)
		return kn_tick_write(true, &covered);
	return kn_tick_write_first();
}

static int64
write_tick(KnPiece *piece)
{
	return kn_tick_write(false, &tick_covered);
}

/*
 * At once when it has been quiet, otherwise at a distance that grows with what
 * a tick covers.  The flag is cleared before the tables are read: a commit
 * that comes later sets it again.
 */
static bool
tick_when_due(Ticking *ticking, int64 now)
{
	pg_atomic_uint32 *dirty = &kn_shared()->dirty;
	int64 done;

	if (now < ticking->next_ms || (pg_atomic_read_u32(dirty) == 0 && now < ticking->look_ms))
		return true;
	pg_atomic_write_u32(dirty, 0);
	pg_memory_barrier();
	ticking->look_ms = now + LOOK_AFTER_MS;
	ticking->next_ms = now + SPACING_MIN_MS;
	if (!kn_piece_run(&tick, &done))
		return false;
	if (done != 0)
		ticking->next_ms = kn_monotonic_ms() + Min(SPACING_MIN_MS + tick_covered / ROWS_PER_MS,
												   kn_guc_tick_spacing_max);
	return true;
}

static void
do_pieces(int64 now)
{
	/* behind the one that news broke off: a backlog of one piece must not starve the others */
	static int first = 0;
	int begin = first;

	first = 0;
	for (int i = 0; i < kn_piece_count; i++)
	{
		int at = (begin + i) % kn_piece_count;
		KnPiece *piece = &kn_pieces[at];
		int64 done;

		if (piece->absent || now < piece->due_ms)
			continue;
		heed_signals();
		if (!kn_piece_run(piece, &done))
			piece->due_ms = now + Max(piece->every_ms, LOOK_AFTER_MS);
		else if (piece->full > 0 && done >= piece->full)
			piece->due_ms = now;
		else
			piece->due_ms = now + piece->every_ms;
		/* news does not wait for all of them */
		if (pg_atomic_read_u32(&kn_shared()->dirty) != 0)
		{
			first = (at + 1) % kn_piece_count;
			break;
		}
	}
}

static long
pause_ms(const Ticking *ticking, bool is_ready)
{
	int64 now = kn_monotonic_ms();
	int64 until = ticking->look_ms;

	if (!is_ready)
		return POLL_MS;
	if (pg_atomic_read_u32(&kn_shared()->dirty) != 0)
		until = Min(until, ticking->next_ms);
	for (int i = 0; i < kn_piece_count; i++)
		if (!kn_pieces[i].absent)
			until = Min(until, kn_pieces[i].due_ms);
	return (long) Max(0, until - now);
}
