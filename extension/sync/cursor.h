/*-------------------------------------------------------------------------
 *
 * cursor.h
 *	  Cursors: numbers that name a tick.
 *
 * A cursor is milliseconds since 1970 times 1000 plus the tag of the epoch.
 * Any value between two ticks means the older one: snapshots only grow, so
 * rounding down repeats news and never loses any.
 *
 * What a pull gives belongs to one account: the tag is turned by a number made
 * of the account's id, so that another person's cursor names an epoch that
 * never was, and she is sent everything.  The last three digits still change
 * with the epoch and with nothing else.  Plain ones are those of sockets and of
 * former versions; they are taken as well.
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
	int64 plain;  /* the number that came, without the mark of its account */
} KnCursor;

/* A plain one.  All of these need an SPI connection. */
extern void kn_cursor_resolve(int64 cursor, KnCursor *out);
/* One that somebody sent; another one's is not known. */
extern void kn_cursor_resolve_own(const pg_uuid_t *account, int64 cursor, KnCursor *out);
/* Same, and newest is the newest tick that the snapshot of a reading door sees. */
extern void kn_cursor_resolve_in_snapshot(const pg_uuid_t *account, int64 cursor, KnCursor *out);
/* Same for a moment that we chose ourselves: its tag says nothing. */
extern void kn_cursor_resolve_time(int64 cursor, KnCursor *out);

/* A plain cursor as it is given to an account. */
extern int64 kn_cursor_mark(const pg_uuid_t *account, int64 cursor);

#endif
