/*-------------------------------------------------------------------------
 *
 * installed.c
 *	  Whether this database holds what the library stands on.
 *
 * Called by every door, the worker and kintaraa.health().  Between "make
 * install" and kintaraa.migrate(), or after DROP EXTENSION, a database has half
 * of what the rules need; whoever works on it then could lose or show a report.
 * So doors answer KN901 until code and state fit.
 *
 * A backend that found all of it looks again only after an invalidation of a
 * function or a relation: whatever could take something away sends one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/definition_table.h"
#include "base/errcodes.h"
#include "base/gone.h"
#include "base/installed.h"
#include "base/migration_table.h"
#include "base/scan.h"

#define HINT_CREATE "Run CREATE EXTENSION kintaraa CASCADE."
#define HINT_UPDATE "Run ALTER EXTENSION kintaraa UPDATE, then CALL kintaraa.migrate()."
#define HINT_MIGRATE "Run CALL kintaraa.migrate()."
#define HINT_NEWER "Install the version of kintaraa that migrated this database."

/* everything was there when changes stood at complete_at */
static uint64 changes = 1;
static uint64 complete_at = 0;

static char *extension_version(void);
static int count_lost_rules(void);
static void find_policies(Oid schema, bool *found);
static void find_triggers(Oid schema, bool *found);
static void find_row_security(Oid schema, bool *found);
static void mark_rule(const char *kind, const char *name, Oid table, bool *found);
static int compare_definitions(const void *a, const void *b);
static void forget_function(Datum arg, int cacheid, uint32 hashvalue);
static void forget_relation(Datum arg, Oid relid);

void
kn_installed_init(void)
{
	CacheRegisterSyscacheCallback(PROCOID, forget_function, (Datum) 0);
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
}

static void
forget_function(Datum arg, int cacheid, uint32 hashvalue)
{
	changes++;
}

static void
forget_relation(Datum arg, Oid relid)
{
	changes++;
}

bool
kn_installed_is_known(void)
{
	return complete_at == changes;
}

void
kn_installed_require(void)
{
	KnLack lack = kn_installed_lack();

	if (lack.reason != NULL)
		ereport(ERROR, errcode(ERRCODE_KN_NOT_READY), errmsg("%s", lack.reason),
				errhint("%s", lack.hint));
}

/* Reached through a catalogue that is older than the library, or by nobody. */
Datum
kn_gone(PG_FUNCTION_ARGS)
{
	ereport(ERROR, errcode(ERRCODE_KN_NOT_READY),
			errmsg("this function is of another version than the library"),
			errhint("%s", HINT_UPDATE));
	PG_RETURN_NULL();
}

KnLack
kn_installed_lack(void)
{
	KnLack lack = {NULL, NULL};
	KnInstalled found;
	uint64 now = changes;

	if (complete_at == changes)
		return lack;
	kn_installed_read(&found);
	if (found.version == NULL)
		lack = (KnLack){"the extension is not created", HINT_CREATE};
	else if (strcmp(found.version, KN_VERSION) != 0)
		lack = (KnLack){"the extension has another version than the library", HINT_UPDATE};
	else if (found.migrations < kn_migration_count)
		lack = (KnLack){"migrations are missing", HINT_MIGRATE};
	else if (found.migrations > kn_migration_count)
		lack = (KnLack){"the database was migrated by a newer version than the installed one",
						HINT_NEWER};
	else if (found.lost_rules > 0)
		lack = (KnLack){"rules of the tables are lost or switched off", HINT_MIGRATE};
	/* what arrived while we looked counts as not yet seen */
	if (lack.reason == NULL)
		complete_at = now;
	return lack;
}

void
kn_installed_read(KnInstalled *out)
{
	out->version = extension_version();
	out->migrations = kn_scan_table("migration", NULL, NULL);
	out->lost_rules = count_lost_rules();
}

/*
 * By name and whether they are in force.  Their texts are kintaraa.health()'s:
 * a call has no time to read them.
 */
static int
count_lost_rules(void)
{
	Oid schema = get_namespace_oid("kintaraa", true);
	bool *found = palloc0(sizeof(bool) * Max(kn_definition_count, 1));
	int lost = 0;

	find_policies(schema, found);
	find_triggers(schema, found);
	find_row_security(schema, found);
	for (int i = 0; i < kn_definition_count; i++)
		lost += !found[i] && strcmp(kn_definitions[i].kind, "view") != 0;
	pfree(found);
	return lost;
}

static void
find_policies(Oid schema, bool *found)
{
	Relation table = table_open(PolicyRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_policy policy = (Form_pg_policy) GETSTRUCT(tuple);

		if (get_rel_namespace(policy->polrelid) == schema)
			mark_rule("policy", NameStr(policy->polname), policy->polrelid, found);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

/* One that fires for replicas only is off. */
static void
find_triggers(Oid schema, bool *found)
{
	Relation table = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (!trigger->tgisinternal && get_rel_namespace(trigger->tgrelid) == schema &&
			(trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
			 trigger->tgenabled == TRIGGER_FIRES_ALWAYS))
			mark_rule("trigger", NameStr(trigger->tgname), trigger->tgrelid, found);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

static void
find_row_security(Oid schema, bool *found)
{
	for (int i = 0; i < kn_definition_count; i++)
	{
		HeapTuple tuple;

		if (strcmp(kn_definitions[i].kind, "row security") != 0)
			continue;
		tuple = SearchSysCache2(RELNAMENSP,
								CStringGetDatum(strchr(kn_definitions[i].name, '.') + 1),
								ObjectIdGetDatum(schema));
		if (!HeapTupleIsValid(tuple))
			continue;
		found[i] = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity &&
				   ((Form_pg_class) GETSTRUCT(tuple))->relforcerowsecurity;
		ReleaseSysCache(tuple);
	}
}

/* What is not in the table of definitions is a DBA's own, and health() names it. */
static void
mark_rule(const char *kind, const char *name, Oid table, bool *found)
{
	char *relation = get_rel_name(table);
	KnDefinition key = {.kind = kind};
	const KnDefinition *definition;

	if (relation == NULL)
		return;
	key.name = psprintf("%s ON %s", quote_identifier(name),
						quote_qualified_identifier("kintaraa", relation));
	definition = bsearch(&key, kn_definitions, kn_definition_count, sizeof(KnDefinition),
						 compare_definitions);
	if (definition != NULL)
		found[definition - kn_definitions] = true;
}

/* The order in which the table is built: that of the bytes of kind and name. */
static int
compare_definitions(const void *a, const void *b)
{
	const KnDefinition *left = a;
	const KnDefinition *right = b;
	int order = strcmp(left->kind, right->kind);

	return order != 0 ? order : strcmp(left->name, right->name);
}

static char *
extension_version(void)
{
	Relation table = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	char *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("kintaraa"));
	scan = systable_beginscan(table, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool is_null;
		Datum value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(table),
								   &is_null);

		version = is_null ? NULL : TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return version;
}
