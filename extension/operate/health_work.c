/*-------------------------------------------------------------------------
 *
 * health_work.c
 *	  Whether the work goes on: worker, news, deadlines, seals, jobs, people.
 *
 * Called by health.c.  A worker that is alive may still be held up, so what
 * counts is how old the oldest thing is that waits for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "base/installed.h"
#include "base/shared.h"
#include "base/spi.h"
#include "operate/health.h"
#include "operate/health_report.h"

#define WORKER_LATE_SECONDS 10
#define LATE_SECONDS 5 /* of what is done within a fraction of one */
#define CLOCK_AHEAD_SECONDS 1
#define JOBS 7 /* of kintaraa.jobs() */
#define JOB_PREFIX "kintaraa "
#define HINT_HELD_UP "See the worker's complaints in the server log; end the oldest transaction."

/* How long the oldest waits, in seconds. */
typedef struct Waiting
{
	const char *name;
	const char *what;
	KnStatement statement;
	double late;
	const char *hint;
} Waiting;

static void examine_worker(KnReport *report);
static void examine_rows(KnReport *report);
static void examine_waiting(KnReport *report);
static void examine_people(KnReport *report);
static void examine_jobs(KnReport *report);
static int count_jobs(void);

#define SECONDS_SINCE(time_) \
	"COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - (" time_ ")), 0)::float8"
#define SELECTS(...)                                        \
	{                                                       \
		.sql = "SELECT " __VA_ARGS__, .actor = KN_AS_SYSTEM \
	}

static Waiting waiting[] = {
	{"news", "oldest change without a tick",
	 SELECTS(SECONDS_SINCE(
		 "SELECT c.updated_at FROM kintaraa.change c, "
		 "  (SELECT t.snapshot FROM kintaraa.tick t ORDER BY t.t DESC LIMIT 1) AS n "
		 " WHERE c.x >= pg_catalog.pg_snapshot_xmin(n.snapshot) "
		 "   AND NOT pg_catalog.pg_visible_in_snapshot(c.x, n.snapshot) "
		 " ORDER BY c.x LIMIT 1")),
	 LATE_SECONDS, HINT_HELD_UP},
	{"deadlines", "oldest deadline that has passed",
	 SELECTS(SECONDS_SINCE("SELECT n.due_at FROM kintaraa.need n WHERE n.due_at IS NOT NULL "
						   " ORDER BY n.due_at LIMIT 1")),
	 LATE_SECONDS, HINT_HELD_UP},
	{"audit_seal", "oldest unsealed entry",
	 SELECTS(SECONDS_SINCE(
		 "SELECT pg_catalog.min(a.at) FROM kintaraa.epoch e, kintaraa.audit a "
		 " WHERE e.last_tick IS NULL AND a.epoch = e.tag AND a.x >= COALESCE("
		 "   (SELECT s.to_x FROM kintaraa.audit_seal s WHERE s.epoch = e.tag "
		 "     ORDER BY s.to_x DESC LIMIT 1), '0'::xid8)")),
	 LATE_SECONDS, HINT_HELD_UP},
	/* ticks never go back, so after a clock was set back they run ahead of it */
	{"clock", "the clock is behind its own ticks",
	 SELECTS("COALESCE((SELECT pg_catalog.max(t.t) FROM kintaraa.tick t)::float8 / 1000000 "
			 "         - EXTRACT(epoch FROM pg_catalog.clock_timestamp()), 0)::float8"),
	 CLOCK_AHEAD_SECONDS,
	 "The clock was set back: let a time service set it, then wait until it has caught up."},
};

/*
 * From the teams that have work and nobody for it, of which there should be
 * none, to their needs: a busy team has thousands.  Each step can go one way
 * only, whatever the planner believes of the tables: no join to reorder, and a
 * status that no partial index offers to read from end to end.
 */
static KnStatement people = SELECTS(
	"(SELECT pg_catalog.count(*) FROM kintaraa.account a "
	"  WHERE a.centre_id IS NOT NULL AND a.role = 'dispatcher' AND a.is_active), "
	"(SELECT pg_catalog.count(*) "
	"   FROM (SELECT d.provider_id FROM kintaraa.provider_dispatch d WHERE d.load > 0 "
	"            AND NOT (SELECT p.is_active AND p.is_verified AND (p.by_telephone OR EXISTS ("
	"                       SELECT FROM kintaraa.account s "
	"                        WHERE s.provider_id = p.id AND s.is_active)) "
	"                       FROM kintaraa.provider p WHERE p.id = d.provider_id) "
	"         OFFSET 0) AS v, "
	"        LATERAL (SELECT a.incident_bucket, a.need_id FROM kintaraa.assignment a "
	"                  WHERE a.provider_id = v.provider_id AND a.status::text = 'accepted' "
	"                 OFFSET 0) AS w "
	"  WHERE (SELECT n.state IN ('engaged', 'stalled') FROM kintaraa.need n "
	"          WHERE n.bucket = w.incident_bucket AND n.id = w.need_id))");

/* Rows that migrations made and no door takes away. */
static KnStatement rows_lost = SELECTS(
	"pg_catalog.string_agg(w.kind || ' ' || w.name, ', ') "
	"  FROM (VALUES ('setting', 'routing_mode'), ('setting', 'hotlines'), "
	"               ('policy', 'routing'), ('policy', 'escalation'), ('policy', 'retention')) "
	"       AS w (kind, name) "
	" WHERE NOT EXISTS (SELECT FROM kintaraa.setting s "
	"                    WHERE w.kind = 'setting' AND s.name = w.name) "
	"   AND NOT EXISTS (SELECT FROM kintaraa.policy p "
	"                    WHERE w.kind = 'policy' AND p.kind = w.name)");

void
kn_health_work(KnReport *report)
{
	examine_worker(report);
	if (kn_installed_lack().reason == NULL)
	{
		SPI_connect();
		examine_rows(report);
		examine_waiting(report);
		examine_people(report);
		SPI_finish();
	}
	examine_jobs(report);
}

static void
examine_rows(KnReport *report)
{
	KnRows rows;
	char *lost;

	kn_run0(&rows_lost);
	rows = kn_rows();
	lost = kn_col_text(&rows, 0, 1);
	kn_health_find(report, "settings", true, lost ? lost : "settings and policies are there",
				   lost ? "Insert what is named as migrations 8 and 9 of kintaraa.migrations() "
						  "have it: no report is taken until then."
						: NULL);
}

static void
examine_waiting(KnReport *report)
{
	for (int i = 0; i < lengthof(waiting); i++)
	{
		Waiting *wait = &waiting[i];
		KnRows rows;
		double seconds;

		kn_run0(&wait->statement);
		rows = kn_rows();
		seconds = Max(kn_col_float(&rows, 0, 1, 0), 0);
		kn_health_find(report, wait->name, false, psprintf("%s: %.1f s", wait->what, seconds),
					   seconds < wait->late || RecoveryInProgress() ? NULL : wait->hint);
	}
}

/* Without them a report that no team answers reaches nobody. */
static void
examine_people(KnReport *report)
{
	KnRows rows;
	int64 dispatchers;
	int64 nobodys;

	kn_run0(&people);
	rows = kn_rows();
	dispatchers = kn_col_bigint(&rows, 0, 1, 0);
	nobodys = kn_col_bigint(&rows, 0, 2, 0);
	kn_health_find(report, "dispatchers", false, psprintf(INT64_FORMAT " active", dispatchers),
				   dispatchers > 0 ? NULL
								   : "Let one register: SELECT kintaraa.invite('dispatcher').");
	kn_health_find(report, "owners", false,
				   psprintf(INT64_FORMAT " needs given to teams without active staff", nobodys),
				   nobodys == 0 ? NULL
								: "The worker searches them anew; see the dispatch queue.");
}

static void
examine_worker(KnReport *report)
{
	KnShared *shared = kn_shared();
	char *database = get_database_name(MyDatabaseId);
	bool is_here = kn_guc_database != NULL && database != NULL &&
				   strcmp(database, kn_guc_database) == 0;
	TimestampTz seen_at = 0;
	int pid = 0;
	double seconds;

	if (shared != NULL)
	{
		SpinLockAcquire(&shared->mutex);
		pid = shared->worker_pid;
		seen_at = shared->worker_seen_at;
		SpinLockRelease(&shared->mutex);
	}
	seconds = (double) (GetCurrentTimestamp() - seen_at) / USECS_PER_SEC;
	if (RecoveryInProgress())
		kn_health_find(report, "worker", true, "begins when this standby is promoted", NULL);
	else if (!is_here)
		kn_health_find(report, "worker", true,
					   psprintf("works in database %s", kn_guc_database ? kn_guc_database : "none"),
					   "Set kintaraa.database to this database and restart the server.");
	else if (pid == 0)
		kn_health_find(report, "worker", true, "not running",
					   "Set kintaraa.worker = on and restart the server; see its log.");
	else if (pg_atomic_read_u32(&shared->epoch_database) != MyDatabaseId)
		kn_health_find(report, "worker", true, "has not begun", "See the server log.");
	else
		kn_health_find(report, "worker", true,
					   psprintf("process %d, seen %.1f s ago", pid, seconds),
					   seconds < WORKER_LATE_SECONDS ? NULL
													 : "See the server log and pg_stat_activity.");
}

static void
examine_jobs(KnReport *report)
{
	int jobs = OidIsValid(get_extension_oid("pg_cron", true)) ? count_jobs() : -1;

	if (jobs < 0)
		kn_health_find(report, "pg_cron", false, "not in this database",
					   "Create extension pg_cron and call kintaraa.schedule_jobs().");
	else
		kn_health_find(report, "pg_cron", false, psprintf("%d of %d jobs", jobs, JOBS),
					   jobs >= JOBS ? NULL : "Call kintaraa.schedule_jobs().");
}

/* pg_cron shows each role its own jobs only; these belong to the DBA. */
static int
count_jobs(void)
{
	Oid schema = get_namespace_oid("cron", true);
	Oid id = OidIsValid(schema) ? get_relname_relid("job", schema) : InvalidOid;
	AttrNumber name = OidIsValid(id) ? get_attnum(id, "jobname") : InvalidAttrNumber;
	AttrNumber active = OidIsValid(id) ? get_attnum(id, "active") : InvalidAttrNumber;
	Relation table;
	TableScanDesc scan;
	TupleTableSlot *slot;
	int n = 0;

	if (name == InvalidAttrNumber || active == InvalidAttrNumber ||
		get_atttype(id, name) != NAMEOID)
		return 0;
	table = table_open(id, AccessShareLock);
	slot = table_slot_create(table, NULL);
	scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool no_name;
		bool no_active;
		Datum value = slot_getattr(slot, name, &no_name);
		bool is_active = DatumGetBool(slot_getattr(slot, active, &no_active)) && !no_active;

		if (!no_name && is_active &&
			strncmp(NameStr(*DatumGetName(value)), JOB_PREFIX, strlen(JOB_PREFIX)) == 0)
			n++;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return n;
}
