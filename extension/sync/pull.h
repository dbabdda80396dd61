/*-------------------------------------------------------------------------
 *
 * pull.h
 *	  What changed since a cursor, for one caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_PULL_H
#define KN_SYNC_PULL_H

#include "identity/door.h"
#include "sync/cursor.h"

/* A record that is to be sent, or sent as removed. */
typedef struct KnPullItem
{
	pg_uuid_t bucket;
	char noun[32];
	pg_uuid_t id;
	bool removed;
	const char *reason; /* of a removal: deleted or access */
} KnPullItem;

/* Where a first sync stopped: the tick it began with and the last record of the page. */
typedef struct KnPullPage
{
	int64 tick;
	pg_uuid_t bucket;
	char noun[32];
	pg_uuid_t id;
} KnPullPage;

typedef struct KnPull
{
	const KnCaller *caller;
	bool first;  /* everything, without tombstones */
	bool resync; /* the cursor that came is of no use here */
	KnCursor since;
	int64 since_tick; /* the cursor as understood */
	bool has_page;
	KnPullPage page;
	int limit;
	/* the result */
	int64 cursor;
	bool more;
	int n;
	int max;
	KnPullItem *items;
	int n_shown; /* cases, offers and notes that were rendered, for the trail */
	pg_uuid_t *shown;
} KnPull;

/* since: a cursor, an ISO time, milliseconds, or NULL for everything.  Raises KN508. */
extern void kn_pull_since(KnPull *pull, KnCall *call, const char *since);
/* Fills the items in the order (bucket, noun, id), each record once. */
extern void kn_pull_collect(KnPull *pull);

/*
 * Hands out each record as its JSON object, and each removal as its id as the
 * caller knows it.
 */
typedef struct KnPullOut
{
	void (*record)(void *arg, const char *noun, const char *json, int len);
	void (*removed)(void *arg, const char *noun, const char *id, const char *reason);
	void *arg;
} KnPullOut;
extern void kn_pull_render(KnPull *pull, const KnPullOut *out);

extern char *kn_pull_page_text(const KnPull *pull); /* NULL on the last page */
extern KnPullPage kn_pull_page_parse(const char *text);

/* pull_item.c */
extern void kn_pull_add(KnPull *pull, const pg_uuid_t *bucket, const char *noun,
						const pg_uuid_t *id, bool removed, const char *reason);
/* In the order (bucket, noun, id), each record once. */
extern void kn_pull_sort(KnPull *pull);

/* pull_store.c, and barred_news.c */
extern int kn_pull_count_since(const KnCursor *since, int at_most);
/* What is new for who is in no dispatch centre; false when stamps lack what it reads by. */
extern bool kn_pull_news(KnPull *pull);
extern void kn_pull_recent(KnPull *pull);
extern void kn_pull_scope(KnPull *pull);
/* Cases from which the caller was barred since the cursor, and what he has of them, as removed. */
extern void kn_pull_barred(KnPull *pull);
/* The oldest tick this device has shown to have; 0 when it never did. */
extern int64 kn_pull_acked(const KnCaller *caller, const char *device);
extern void kn_pull_note_acked(const KnCaller *caller, const char *device, int64 tick);
extern int64 kn_pull_current_tag(void);

#endif
