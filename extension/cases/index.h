/*-------------------------------------------------------------------------
 *
 * index.h
 *	  Tables and their indexes opened by name, for scans without SQL.
 *
 * Such a scan knows no row security and no grants: only readings that are the
 * system's own may use it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INDEX_H
#define KN_CASES_INDEX_H

#include "utils/relcache.h"

/* Both names are of schema kintaraa; the OIDs are found at first use. */
typedef struct KnIndex
{
	const char *table_name;
	const char *index_name;
	Oid table_id;
	Oid index_id;
	struct KnIndex *next; /* in the list that invalidation walks */
	bool is_listed;
} KnIndex;

extern void kn_index_open(KnIndex *index, Relation *table, Relation *relation);
extern void kn_index_close(Relation table, Relation relation);

#endif
