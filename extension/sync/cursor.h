/*-------------------------------------------------------------------------
 *
 * cursor.h
 *	  Cursors: numbers that name a tick.
 *
 * A cursor is milliseconds since 1970 times 1000 plus the tag of the epoch.
 * Any value between two ticks means the older one: snapshots only grow, so
 * rounding down repeats news and never loses any.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_CURSOR_H
#define KN_SYNC_CURSOR_H

#include "base/spi.h"

typedef struct KnCursor
{
	bool known;   /* false: older than what is kept, foreign, or from a lost future */
	Datum xmax;   /* of the tick it names: what it has not seen is x >= xmax ... */
	Datum xip;    /* ... or one of these; valid until SPI_finish */
	int64 newest; /* the newest tick, 0 when there is none */
	bool lags;    /* not known yet: this is a standby, and it will come */
} KnCursor;

/* Needs an SPI connection. */
extern void kn_cursor_resolve(int64 cursor, KnCursor *out);
/* Same, and newest is the newest tick that the snapshot of a reading door sees. */
extern void kn_cursor_resolve_in_snapshot(int64 cursor, KnCursor *out);
/* Same for a moment that we chose ourselves: its tag says nothing. */
extern void kn_cursor_resolve_time(int64 cursor, KnCursor *out);

#endif
