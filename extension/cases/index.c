/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Tables and their indexes opened by name, for scans without SQL.
 *
 * Called from routing.  The OIDs are kept until the relation cache says that
 * either relation changed: REINDEX CONCURRENTLY gives an index another one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/errcodes.h"
#include "cases/index.h"

static KnIndex *listed = NULL;

static void list(KnIndex *index);
static void forget(Datum arg, Oid relation);
static Oid find(const char *name);

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
