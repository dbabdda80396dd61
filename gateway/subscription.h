/*-------------------------------------------------------------------------
 *
 * subscription.h
 *	  The database's side of a subscription: asking for one and giving it up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SUBSCRIPTION_H
#define SUBSCRIPTION_H

#include <event2/event.h>
#include <stdbool.h>

#include "body.h"
#include "hub.h"

bool subscription_start(struct event_base *base);
void subscription_stop(void);

/*
 * Body of the door feed_join for the feed as it is now; cursor is JSON.
 * returns new (free with body_free); NULL when memory is short
 */
Body *subscription_body(const char *cursor, bool pokes);

/* Leaves the hub, and tells the database later, for many at once. */
void subscription_leave(Subscriber *subscriber);

#endif
