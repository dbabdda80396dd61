/*-------------------------------------------------------------------------
 *
 * feed_store.h
 *	  Rows of gateways and subscriptions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_FEED_STORE_H
#define KN_SYNC_FEED_STORE_H

#include "base/spi.h"
#include "identity/caller.h"
#include "sync/news.h"

extern void kn_gateway_insert(pg_uuid_t *id);
extern bool kn_gateway_known(const pg_uuid_t *id);
/* Notes that it is alive, and in news what kinds of subscriptions it has. */
extern bool kn_gateway_seen(const pg_uuid_t *id, KnNews *news);
/* One row for each principal of the caller; returns the number of all of them. */
extern int64 kn_subscription_insert(const pg_uuid_t *gateway, const KnCaller *caller,
									TimestampTz expires_at, bool pokes);
extern void kn_subscription_delete(const pg_uuid_t *gateway, Datum *ids, int n);

#endif
