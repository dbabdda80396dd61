/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  Every row of a small table of ours, which may not be there.
 *
 * Called while it is open whether code and state are whole: before that no
 * statement can be prepared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/scan.h"

static Oid table_id(const char *name);

bool
kn_scan_exists(const char *name)
{
	return OidIsValid(table_id(name));
}

static Oid
table_id(const char *name)
{
	Oid schema = get_namespace_oid("kintaraa", true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

int
kn_scan_table(const char *name, void (*row)(TupleTableSlot *slot, void *arg), void *arg)
{
	Oid id = table_id(name);
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
	{
		n++;
		if (row != NULL)
			row(slot, arg);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, AccessShareLock);
	return n;
}
