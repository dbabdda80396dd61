/*-------------------------------------------------------------------------
 *
 * health.c
 *	  What is missing or dangerous about this server, and how to mend it.
 *
 * Called by the postmaster at start, by a DBA as kintaraa.health(), and by the
 * gateway through the door of the same name, which is told names only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/definition_table.h"
#include "base/guc.h"
#include "base/installed.h"
#include "base/migration_table.h"
#include "base/shared.h"
#include "base/spi.h"
#include "identity/door.h"
#include "keep/definition.h"
#include "keep/health.h"
#include "keys/keystore.h"

#define WORKER_LATE_SECONDS 10
#define UNSEALED_LATE_SECONDS 60
#define NAMES_SHOWN 5
#define JOBS 6 /* of kintaraa.jobs() */
#define JOB_PREFIX "kintaraa "
#define JWKS_MAX 65536

/* One finding; indispensable ones decide whether requests can be served. */
typedef struct Finding
{
	const char *name;
	bool ok;
	bool indispensable;
	const char *detail;
	const char *hint; /* NULL when ok */
} Finding;

typedef struct Report
{
	void (*take)(struct Report *report, const Finding *finding);
	ReturnSetInfo *rows; /* of kintaraa.health() */
	KnJson *json;        /* of the door */
	bool degraded;
} Report;

static void warn(void *arg, const char *name, const char *value, const char *hint);
static void examine(Report *report);
static void find(Report *report, const char *name, bool indispensable, const char *detail,
				 const char *hint);
static void examine_state(Report *report);
static void examine_code(Report *report);
static const char *names_of(const KnRows *rows, int column);
static void examine_worker(Report *report);
static void examine_jobs(Report *report);
static int count_jobs(void);
static void examine_seal(Report *report);
static void take_setting(void *arg, const char *name, const char *value, const char *hint);
static void take_row(Report *report, const Finding *finding);
static void take_json(Report *report, const Finding *finding);
static void health(KnCall *call);
static void jwks(KnCall *call);

PG_FUNCTION_INFO_V1(kn_health_sql);

static KnStatement unsealed_age = {
	.sql = "SELECT COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() "
		   "                                   - pg_catalog.min(a.at)), 0)"
		   "           ::float8 "
		   "  FROM kintaraa.epoch e, kintaraa.audit a "
		   " WHERE e.last_tick IS NULL AND a.epoch = e.tag AND a.x >= COALESCE("
		   "   (SELECT s.to_x FROM kintaraa.audit_seal s WHERE s.epoch = e.tag "
		   "     ORDER BY s.to_x DESC LIMIT 1), '0'::xid8)",
	.actor = KN_AS_SYSTEM,
};

void
kn_health_init(void)
{
	if (process_shared_preload_libraries_in_progress)
		kn_settings_check(warn, NULL, true);
}

static void
warn(void *arg, const char *name, const char *value, const char *hint)
{
	if (hint != NULL)
		ereport(WARNING, errmsg("kintaraa: %s would write personal data into this log", name),
				errhint("%s", hint));
}

static void
examine(Report *report)
{
	examine_state(report);
	examine_worker(report);
	examine_jobs(report);
	examine_seal(report);
	kn_settings_check(take_setting, report, false);
}

static void
find(Report *report, const char *name, bool indispensable, const char *detail, const char *hint)
{
	Finding finding = {.name = name,
					   .ok = hint == NULL,
					   .indispensable = indispensable,
					   .detail = detail,
					   .hint = hint};

	if (indispensable && hint != NULL)
		report->degraded = true;
	report->take(report, &finding);
}

static void
examine_state(Report *report)
{
	KnInstalled state;
	const char *keyring = NULL;

	kn_installed_read(&state);
	if (kn_keystore_try(&keyring) != NULL)
		keyring = NULL;
	find(report, "preload", true, kn_shared() ? "preloaded" : "loaded on demand",
		 kn_shared() ? NULL : "Add kintaraa to shared_preload_libraries and restart the server.");
	find(report, "server_version", true, GetConfigOption("server_version", false, false), NULL);
	find(report, "migrations", true, psprintf("%d of %d", state.migrations, kn_migration_count),
		 state.migrations == kn_migration_count ? NULL
		 : state.migrations < kn_migration_count
			 ? "Run CALL kintaraa.migrate()."
			 : "Install the version of kintaraa that migrated this database.");
	examine_code(report);
	find(report, "key_ring", true, keyring ? keyring : "loaded",
		 keyring ? "Set kintaraa.keyring_file; kintaraa.keyring_create() makes one."
				 : NULL);
}

/* Functions, and what of the tables goes with them, as this library made them. */
static void
examine_code(Report *report)
{
	KnRows rows;
	bool is_strange = false;
	const char *hint = NULL;

	SPI_connect();
	rows = kn_functions_differing();
	for (uint64 i = 0; i < rows.n; i++)
		is_strange = is_strange || !kn_col_bool(&rows, i, 2);
	if (rows.n > 0)
		hint = is_strange ? "Find out who made what is named; kintaraa has no such function."
						  : "Run BEGIN; ALTER EXTENSION kintaraa UPDATE TO 'again'; "
							"ALTER EXTENSION kintaraa UPDATE; COMMIT.";
	find(report, "code", false, rows.n == 0 ? "version " KN_VERSION : names_of(&rows, 1), hint);
	rows = kn_definitions_differing();
	hint = NULL;
	for (uint64 i = 0; i < rows.n; i++)
		if (!kn_col_is_null(&rows, i, 3))
			hint = "Run CALL kintaraa.migrate().";
	if (rows.n > 0 && hint == NULL)
		hint = "Find out who made what is named; kintaraa has no such rule.";
	find(report, "rules", false,
		 rows.n == 0 ? psprintf("%d policies, triggers and views", kn_definition_count)
					 : names_of(&rows, 2),
		 hint);
	SPI_finish();
}

/* The first few, and how many more. */
static const char *
names_of(const KnRows *rows, int column)
{
	StringInfoData text;

	initStringInfo(&text);
	for (uint64 i = 0; i < Min(rows->n, NAMES_SHOWN); i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", kn_col_text(rows, i, column));
	if (rows->n > NAMES_SHOWN)
		appendStringInfo(&text, " and %d more", (int) rows->n - NAMES_SHOWN);
	return text.data;
}

static void
examine_worker(Report *report)
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
	if (!is_here)
		find(report, "worker", true,
			 psprintf("works in database %s", kn_guc_database ? kn_guc_database : "none"),
			 "Set kintaraa.database to the name of this database and restart the server.");
	else if (pid == 0)
		find(report, "worker", true, "not running",
			 "Set kintaraa.worker = on, see the server log, and restart the server.");
	else if (pg_atomic_read_u32(&shared->epoch_database) != MyDatabaseId)
		find(report, "worker", true, "has not begun", "See the server log.");
	else
		find(report, "worker", true, psprintf("process %d, seen %.1f s ago", pid, seconds),
			 seconds < WORKER_LATE_SECONDS ? NULL : "See the server log and pg_stat_activity.");
}

static void
examine_jobs(Report *report)
{
	int jobs = OidIsValid(get_extension_oid("pg_cron", true)) ? count_jobs() : -1;

	if (jobs < 0)
		find(report, "pg_cron", false, "not in this database",
			 "Create extension pg_cron and call kintaraa.schedule_jobs().");
	else
		find(report, "pg_cron", false, psprintf("%d of %d jobs", jobs, JOBS),
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

static void
examine_seal(Report *report)
{
	KnRows rows;
	double seconds;

	SPI_connect();
	kn_run0(&unsealed_age);
	rows = kn_rows();
	seconds = kn_col_float(&rows, 0, 1, 0);
	SPI_finish();
	find(report, "audit_seal", false, psprintf("oldest unsealed entry %.1f s old", seconds),
		 seconds < UNSEALED_LATE_SECONDS ? NULL : "See the worker and the oldest transaction.");
}

static void
take_setting(void *arg, const char *name, const char *value, const char *hint)
{
	find(arg, name, false, value ? value : "unknown", hint);
}

/* kintaraa.health() -> setof ("check", ok, detail, hint) */
PGDLLEXPORT Datum
kn_health_sql(PG_FUNCTION_ARGS)
{
	Report report = {.take = take_row, .rows = (ReturnSetInfo *) fcinfo->resultinfo};

	InitMaterializedSRF(fcinfo, 0);
	examine(&report);
	return (Datum) 0;
}

static void
take_row(Report *report, const Finding *finding)
{
	Datum values[4] = {0};
	bool nulls[4] = {false, false, false, finding->hint == NULL};

	values[0] = CStringGetTextDatum(finding->name);
	values[1] = BoolGetDatum(finding->ok);
	values[2] = CStringGetTextDatum(finding->detail);
	if (finding->hint != NULL)
		values[3] = CStringGetTextDatum(finding->hint);
	tuplestore_putvalues(report->rows->setResult, report->rows->setDesc, values, nulls);
}

static void
health(KnCall *call)
{
	Report report = {.take = take_json, .json = &call->json};

	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "checks");
	kn_json_open(&call->json, '[');
	examine(&report);
	kn_json_close(&call->json, ']');
	kn_json_pair_text(&call->json, "status", report.degraded ? "degraded" : "ok");
	kn_json_close(&call->json, '}');
}
KN_DOOR(health, health, KN_ROLE_NONE, KN_DOOR_READS | KN_DOOR_UPLOAD | KN_DOOR_ALWAYS);

static void
take_json(Report *report, const Finding *finding)
{
	kn_json_open(report->json, '{');
	kn_json_pair_text(report->json, "name", finding->name);
	kn_json_pair_bool(report->json, "ok", finding->ok);
	kn_json_close(report->json, '}');
}

static void
jwks(KnCall *call)
{
	char *text = palloc(JWKS_MAX);

	if (!kn_keyring_jwks(kn_keystore(), text, JWKS_MAX))
		elog(ERROR, "the set of public keys is too long");
	kn_json_raw(&call->json, text, strlen(text));
}
KN_DOOR(jwks, jwks, KN_ROLE_NONE, KN_DOOR_READS | KN_DOOR_UPLOAD | KN_DOOR_ALWAYS);
