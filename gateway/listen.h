/*-------------------------------------------------------------------------
 *
 * listen.h
 *	  The connection that hears of news and reads them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <event2/event.h>
#include <stdbool.h>

#include "hub.h"

/* left: a subscriber must subscribe anew, because the feed was started anew. */
bool listen_start(struct event_base *base, void (*left)(Subscriber *subscriber));
void listen_stop(void);

#endif
