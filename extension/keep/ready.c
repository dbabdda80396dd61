/*-------------------------------------------------------------------------
 *
 * ready.c
 *	  Whether this database has all that the extension stands on.
 *
 * Called by the worker before it begins and by kintaraa.health().  Looks at
 * the tables itself, because they may not be there and no role may read the
 * list of migrations.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/migration_table.h"
#include "keep/ready.h"
#include "keys/keystore.h"

static int count_migrations(void);

void
kn_readiness(KnReadiness *out)
{
	memset(out, 0, sizeof(*out));
	out->has_extension = OidIsValid(get_extension_oid("kintaraa", true));
	out->migrations = count_migrations();
	if (kn_keystore_try(&out->keyring) != NULL)
		out->keyring = NULL;
}

static int
count_migrations(void)
{
	Oid schema = get_namespace_oid("kintaraa", true);
	Oid id = OidIsValid(schema) ? get_relname_relid("migration", schema) : InvalidOid;
	Relation table;
	TableScanDesc scan;
	TupleTableSlot *slot;
	int n = 0;

	if (!OidIsValid(id))
		return 0;
	table = table_open(id, AccessShareLock);
	slot = table_slot_create(table, NULL);
	scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		n++;
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return n;
}

const char *
kn_not_ready(void)
{
	KnReadiness state;

	kn_readiness(&state);
	if (!state.has_extension)
		return "the extension is not created: CREATE EXTENSION kintaraa CASCADE";
	if (state.migrations < kn_migration_count)
		return "migrations are missing: CALL kintaraa.migrate()";
	if (state.migrations > kn_migration_count)
		return "the database was migrated by a newer version than the installed one";
	return state.keyring;
}
