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
#include "keys/keystore.h"
#include "operate/definition.h"
#include "operate/health.h"
#include "operate/health_report.h"

#define NAMES_SHOWN 5
#define JWKS_MAX 65536

static void warn(void *arg, const char *name, const char *value, const char *hint);
static void examine(KnReport *report);
static void examine_state(KnReport *report);
static void examine_code(KnReport *report);
static const char *names_of(const KnRows *rows, int column);
static void take_setting(void *arg, const char *name, const char *value, const char *hint);
static void take_row(KnReport *report, const KnFinding *finding);
static void take_json(KnReport *report, const KnFinding *finding);
static void health(KnCall *call);
static void jwks(KnCall *call);

PG_FUNCTION_INFO_V1(kn_health_sql);

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
examine(KnReport *report)
{
	examine_state(report);
	kn_health_server(report);
	kn_health_work(report);
	kn_settings_check(take_setting, report, false);
}

static void
examine_state(KnReport *report)
{
	KnInstalled state;
	KnLack keyring = kn_keystore_lack();

	kn_installed_read(&state);
	kn_health_find(report, "preload", true, kn_shared() ? "preloaded" : "loaded on demand",
				   kn_shared() ? NULL
							   : "Add kintaraa to shared_preload_libraries and restart.");
	kn_health_find(report, "server_version", true,
				   GetConfigOption("server_version", false, false), NULL);
	kn_health_find(report, "migrations", true,
				   psprintf("%d of %d", state.migrations, kn_migration_count),
				   state.migrations == kn_migration_count ? NULL
				   : state.migrations < kn_migration_count
					   ? "Run CALL kintaraa.migrate()."
					   : "Install the version of kintaraa that migrated this database.");
	examine_code(report);
	kn_health_find(report, "key_ring", true,
				   keyring.reason ? keyring.reason : "in order and that of this database",
				   keyring.hint);
}

/* Functions, and what of the tables goes with them, as this library made them. */
static void
examine_code(KnReport *report)
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
	kn_health_find(report, "code", false,
				   rows.n == 0 ? "version " KN_VERSION : names_of(&rows, 1), hint);
	rows = kn_definitions_differing();
	hint = NULL;
	for (uint64 i = 0; i < rows.n; i++)
		if (!kn_col_is_null(&rows, i, 3))
			hint = "Run CALL kintaraa.migrate().";
	if (rows.n > 0 && hint == NULL)
		hint = "Find out who made what is named; kintaraa has no such rule.";
	kn_health_find(report, "rules", false,
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
take_setting(void *arg, const char *name, const char *value, const char *hint)
{
	kn_health_find(arg, name, false, value ? value : "unknown", hint);
}

/* kintaraa.health() -> setof ("check", ok, detail, hint) */
PGDLLEXPORT Datum
kn_health_sql(PG_FUNCTION_ARGS)
{
	KnReport report = {.take = take_row, .rows = (ReturnSetInfo *) fcinfo->resultinfo};

	InitMaterializedSRF(fcinfo, 0);
	examine(&report);
	return (Datum) 0;
}

static void
take_row(KnReport *report, const KnFinding *finding)
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
	KnReport report = {.take = take_json, .json = &call->json};

	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "checks");
	kn_json_open(&call->json, '[');
	examine(&report);
	kn_json_close(&call->json, ']');
	kn_json_pair_text(&call->json, "status", report.degraded ? "degraded" : "ok");
	kn_json_close(&call->json, '}');
}
KN_DOOR(health, health, KN_ROLE_NONE, KN_DOOR_READS | KN_DOOR_UPLOAD | KN_DOOR_ALWAYS,
		"Whether requests can be served: degraded when something indispensable is missing.");

static void
take_json(KnReport *report, const KnFinding *finding)
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
KN_DOOR(jwks, jwks, KN_ROLE_NONE, KN_DOOR_READS | KN_DOOR_UPLOAD | KN_DOOR_ALWAYS,
		"The public halves of the keys that sign access tokens.");
