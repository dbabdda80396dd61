/*-------------------------------------------------------------------------
 *
 * index.h
 *	  Tables and their indexes opened by name, for readings without SQL.
 *
 * Such a reading knows no row security and no grants: only those that are the
 * system's own may use it.  It is for what nearly every call needs, one row by
 * its key, where starting and ending a plan costs five times the row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_INDEX_H
#define KN_BASE_INDEX_H

#include "access/genam.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#define KN_INDEX_COLUMNS 6

/* Names are of schema kintaraa; what they stand for is found at first use. */
typedef struct KnIndex
{
	const char *table_name;
	const char *index_name;
	const char *columns[KN_INDEX_COLUMNS]; /* that a probe reads, then NULL */
	Oid table_id;
	Oid index_id;
	AttrNumber numbers[KN_INDEX_COLUMNS];
	struct KnIndex *next; /* in the list that invalidation walks */
	bool is_listed;
} KnIndex;

extern void kn_index_open(KnIndex *index, Relation *table, Relation *relation);
extern void kn_index_close(Relation table, Relation relation);

/* An index of uuid columns, open to be read by one key after another. */
typedef struct KnProbe
{
	KnIndex *index;
	Relation table;
	Relation relation;
	AttrNumber numbers[KN_INDEX_COLUMNS];
	IndexScanDesc scan;
	struct TupleTableSlot *slot;
	/* of the row found, in the order of the names; good until the next */
	Datum value[KN_INDEX_COLUMNS];
	bool null[KN_INDEX_COLUMNS];
} KnProbe;

extern void kn_probe_begin(KnProbe *probe, KnIndex *index);
/* The row with these n leading key columns that the active snapshot sees; false: there is none. */
extern bool kn_probe(KnProbe *probe, const pg_uuid_t *const *keys, int n);
/* The next row with the same keys. */
extern bool kn_probe_next(KnProbe *probe);
extern void kn_probe_end(KnProbe *probe);

#endif
