/*-------------------------------------------------------------------------
 *
 * news_store.h
 *	  Rows that changed, and the subscriptions that hear of them.
 *
 * Rows returned stay readable until SPI_finish.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_NEWS_STORE_H
#define KN_SYNC_NEWS_STORE_H

#include "utils/array.h"

#include "access/barred.h"
#include "sync/news.h"

typedef struct KnChangedList
{
	int n;
	int max;
	char **nouns;       /* NULL when all are of one; of memberships each is NULL */
	pg_uuid_t *buckets; /* NULL likewise */
	pg_uuid_t *ids;
	int64 *ticks;
} KnChangedList;

/*
 * Records, and memberships with the principal as id.  False when more than limit
 * rows of either changed.  Of one subscription: only what it may hear of.
 */
extern bool kn_news_changes(const KnNews *news, const KnCursor *since, int limit,
							KnChangedList *changes, KnChangedList *members);

/* Deletes subscriptions whose session ended, whose account is closed or whose time is over. */
extern void kn_news_end(KnNews *news, const KnChangedList *sessions, const KnChangedList *accounts);

/* bucket, revoked, tick, ids */
extern KnRows kn_news_scope_readers(const KnNews *news, const KnChangedList *members);
/* id, status, urgency_level, tick, ids */
extern KnRows kn_news_assignment_readers(const KnNews *news, const KnChangedList *list);
/* id, client_id, status, updated_at, assigned provider, tick, rank, ids */
extern KnRows kn_news_incident_readers(const KnNews *news, const KnChangedList *list);
/* id, class, created_at, tick, ids */
extern KnRows kn_news_notification_readers(const KnNews *news, const KnChangedList *list);

/* One row: ids */
extern KnRows kn_news_poke_readers(const KnNews *news, const KnCursor *since,
								   const KnChangedList *all);

/* The subscriptions of a row, NULL when there are none. */
extern ArrayType *kn_news_ids(const KnRows *rows, uint64 row, int column);

/* Whether subscription s of gateway $1 knew of the case of bar r. */
#define KN_READER_KNEW                                                                  \
	"EXISTS (SELECT FROM kintaraa.subscription o WHERE o.gateway = $1 AND o.id = s.id " \
	"           AND " KN_KNEW_CASE("= o.principal") ") "

/* Tells those who were barred since the cursor that the case is gone for them. */
extern void kn_news_tell_barred(KnNews *news, const KnCursor *since);

#endif
