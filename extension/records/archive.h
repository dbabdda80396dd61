/*-------------------------------------------------------------------------
 *
 * archive.h
 *	  What a writer lost: sealed under its author's key, for her and a supervisor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_ARCHIVE_H
#define KN_RECORDS_ARCHIVE_H

#include "records/record.h"

extern const char *const kn_archive_reasons[]; /* NULL-ended */

/* Keeps a version that did not win; returns its id. */
extern void kn_archive_keep(KnCall *call, const KnWrite *write, const pg_uuid_t *bucket,
							const char *reason, pg_uuid_t *id);

/* An entry of the archive as its parts; the payload is JSON text, NULL of a deletion. */
typedef struct KnArchiveEntry
{
	pg_uuid_t id;
	const pg_uuid_t *bucket;
	const char *noun;
	const char *row_id;
	const char *payload;
	bool has_base;
	int64 base;
	const char *reason;
} KnArchiveEntry;
/* Of two with one id the first is kept. */
extern void kn_archive_store(KnCall *call, const KnArchiveEntry *entry);

#endif
