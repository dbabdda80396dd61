/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Tables and their indexes opened by name, for readings without SQL.
 *
 * Called from caller.c, access and routing.  The OIDs are kept until the relation cache says that
 * either relation changed: REINDEX CONCURRENTLY gives an index another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/errcodes.h"
#include "base/index.h"

static KnIndex *listed = NULL;

static void list(KnIndex *index);
static void forget(Datum arg, Oid relation);
static Oid find(const char *name);
static void find_columns(KnIndex *index, Oid table);

/*
 * The lock on the table is taken first: taking it reads the invalidations that
 * are due, and from then on the index stays.
 */
void
kn_index_open(KnIndex *index, Relation *table, Relation *relation)
{
	list(index);
	if (!OidIsValid(index->table_id))
		index->table_id = find(index->table_name);
	*table = table_open(index->table_id, AccessShareLock);
	if (!OidIsValid(index->index_id))
		index->index_id = find(index->index_name);
	*relation = index_open(index->index_id, AccessShareLock);
}

void
kn_index_close(Relation table, Relation relation)
{
	index_close(relation, AccessShareLock);
	table_close(table, AccessShareLock);
}

void
kn_probe_begin(KnProbe *probe, KnIndex *index)
{
	probe->index = index;
	kn_index_open(index, &probe->table, &probe->relation);
	if (index->numbers[0] == InvalidAttrNumber)
		find_columns(index, RelationGetRelid(probe->table));
	memcpy(probe->numbers, index->numbers, sizeof(probe->numbers));
	probe->slot = table_slot_create(probe->table, NULL);
	probe->scan = index_beginscan(probe->table, probe->relation, GetActiveSnapshot(),
								  IndexRelationGetNumberOfKeyAttributes(probe->relation), 0);
}

bool
kn_probe(KnProbe *probe, const pg_uuid_t *const *keys, int n)
{
	ScanKeyData key[INDEX_MAX_KEYS];

	for (int i = 0; i < n; i++)
		ScanKeyInit(&key[i], i + 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(keys[i]));
	/* room was made for all columns of the index; the scan goes by as many as are given */
	probe->scan->numberOfKeys = n;
	index_rescan(probe->scan, key, n, NULL, 0);
	return kn_probe_next(probe);
}

bool
kn_probe_next(KnProbe *probe)
{
	const KnIndex *index = probe->index;

	if (!index_getnext_slot(probe->scan, ForwardScanDirection, probe->slot))
		return false;
	for (int i = 0; i < KN_INDEX_COLUMNS && index->columns[i] != NULL; i++)
		probe->value[i] = slot_getattr(probe->slot, probe->numbers[i], &probe->null[i]);
	return true;
}

void
kn_probe_end(KnProbe *probe)
{
	index_endscan(probe->scan);
	ExecDropSingleTupleTableSlot(probe->slot);
	kn_index_close(probe->table, probe->relation);
}

static void
list(KnIndex *index)
{
	if (index->is_listed)
		return;
	if (listed == NULL)
		CacheRegisterRelcacheCallback(forget, (Datum) 0);
	index->next = listed;
	listed = index;
	index->is_listed = true;
}

static void
forget(Datum arg, Oid relation)
{
	for (KnIndex *index = listed; index; index = index->next)
	{
		if (OidIsValid(relation) && relation != index->table_id && relation != index->index_id)
			continue;
		index->table_id = InvalidOid;
		index->index_id = InvalidOid;
		index->numbers[0] = InvalidAttrNumber;
	}
}

static Oid
find(const char *name)
{
	Oid id = get_relname_relid(name, get_namespace_oid("kintaraa", false));

	if (!OidIsValid(id))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("relation kintaraa.%s is missing", name),
				errhint("Run CALL kintaraa.migrate();"));
	return id;
}

/* Looking up may read an invalidation of the table, and then they are looked up anew next time. */
static void
find_columns(KnIndex *index, Oid table)
{
	AttrNumber numbers[KN_INDEX_COLUMNS] = {0};

	for (int i = 0; i < KN_INDEX_COLUMNS && index->columns[i] != NULL; i++)
	{
		numbers[i] = get_attnum(table, index->columns[i]);
		if (numbers[i] == InvalidAttrNumber)
			ereport(ERROR,
					errcode(ERRCODE_KN_NOT_READY),
					errmsg("column %s of kintaraa.%s is missing", index->columns[i],
						   index->table_name),
					errhint("Run CALL kintaraa.migrate();"));
	}
	memcpy(index->numbers, numbers, sizeof(numbers));
}
