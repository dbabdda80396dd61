/*-------------------------------------------------------------------------
 *
 * change.h
 *	  The change stamp: what every write of a synced row leaves behind.
 *
 * A row trigger remembers which records changed; kn_change_flush() stamps them
 * all with one upsert in key order.  A transaction that would commit with an
 * unstamped change is refused.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_TRAIL_CHANGE_H
#define KN_TRAIL_CHANGE_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct KnStamp
{
	int64 version;
	TimestampTz updated_at;
} KnStamp;

/*
 * The stamp of a record, to be joined as c.  By its whole key, which the LIMIT
 * makes sure of: a plan that was made while the tables were small would read all
 * stamps of a bucket for each of its records.
 */
#define KN_STAMP_OF(bucket_, noun_, id_)                                                  \
	"LATERAL (SELECT * FROM kintaraa.change WHERE bucket = " bucket_ " AND noun = " noun_ \
	" AND id = " id_ " LIMIT 1) c "

extern void kn_change_init(void);
/*
 * Between begin and end triggers tell of rows that are new and have an id that
 * was made for them, so that there can be no stamp yet; an error ends it too.
 */
extern void kn_change_begin_new(void);
extern void kn_change_end_new(void);
/* Also for changes that no trigger sees, such as a touch of an unchanged record. */
extern void kn_change_remember(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id,
							   bool deleted);
/* Sends a record again without a new version: its present state has to reach whoever passed it. */
extern void kn_change_touch(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id);
/* Stamps all that is remembered, as written by writer (may be NULL); how many records. */
extern int kn_change_flush(const pg_uuid_t *writer);
/*
 * Stamps new offers and notices ahead of the flush when much waits, so that however
 * many people are called they are no more than one transaction remembers.  The
 * stamps that a door answers with are none of them.
 */
extern void kn_change_relieve(void);
/* The stamp a flush of this transaction gave to a record; false when it gave none. */
extern bool kn_change_stamp(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id,
							KnStamp *out);

#endif
