/*-------------------------------------------------------------------------
 *
 * ws.h
 *	  WebSockets of clients.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WS_H
#define WS_H

#include <event2/bufferevent.h>
#include <stdbool.h>

#include "address.h"
#include "hub.h"
#include "request.h"

typedef struct WsOpening
{
	struct bufferevent *bev;       /* takes, but on failure; the 101 is written already */
	Address counted;               /* takes over its admit_leave(), but on failure */
	const RequestContext *context; /* borrows */
	const char *token;             /* of the URL; borrows */
	size_t token_len;              /* 0: none */
} WsOpening;

bool ws_start(struct event_base *base);

bool ws_open(struct event_base *base, const WsOpening *opening);

/* Says goodbye (1001) to all. */
void ws_close(void);
long ws_count(void);
void ws_stop(void);

#endif
