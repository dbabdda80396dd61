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

bool listen_start(struct event_base *base);
void listen_stop(void);

#endif
