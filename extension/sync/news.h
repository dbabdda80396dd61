/*-------------------------------------------------------------------------
 *
 * news.h
 *	  What changed since a cursor, as frames for open sockets.
 *
 * The work depends on what changed, never on how many sockets are open: each
 * changed record is rendered once for each relation that sees it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_NEWS_H
#define KN_SYNC_NEWS_H

#include "base/json.h"
#include "sync/cursor.h"

/* One text for some subscriptions. */
typedef struct KnFrame
{
	int64 tick;   /* the first one that has seen all of it */
	int sequence; /* keeps the order within a tick */
	KnJson json;  /* an object that is still open: the cursor comes last */
	int n;
	int64 *ids; /* of subscriptions */
} KnFrame;

typedef struct KnNews
{
	const pg_uuid_t *gateway;
	int64 only;       /* one subscription, 0 for all of the gateway */
	int64 after;      /* the cursor since which it is news */
	bool has_readers; /* somebody listens at all */
	bool has_expired;
	bool has_pokes;  /* somebody is to be told that there is news, and not what */
	bool only_pokes; /* and nobody else */
	int n;
	int max;
	KnFrame *frames;
	int n_ended;
	int64 *ended; /* subscriptions whose right to news is over */
} KnNews;

/* Needs an SPI connection.  False: more than limit records changed. */
extern bool kn_news_collect(KnNews *news, const KnCursor *since, int limit);
extern KnFrame *kn_news_frame(KnNews *news, const char *type, int64 tick, ArrayType *ids);

/*
 * Hands out the frames in the order of ticks.  A frame's cursor says what its
 * reader has once it has read it: while more of the same tick follows, that is
 * the tick before.
 */
typedef void (*KnFrameOut)(void *arg, int64 tick, const char *text, const int64 *ids, int n);
extern void kn_news_deliver(KnNews *news, KnFrameOut out, void *arg);

#endif
