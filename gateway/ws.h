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
	struct bufferevent *bev;       /* takes, but on failure */
	Address counted;               /* takes over its admit_leave(), but on failure */
	const RequestContext *context; /* borrows, as all that follows */
	const char *head;              /* the 101 */
	size_t head_len;
	const char *token;  /* of the address, NUL-terminated; NULL: none */
	const char *joined; /* what the feed said to it */
	size_t joined_len;
	int generation; /* of the feed when it was asked */
} WsOpening;

bool ws_start(struct event_base *base);

/* False when memory is short: then nothing was written and the connection is as before. */
bool ws_open(struct event_base *base, const WsOpening *opening);

/* The descriptor is not watched: ends the socket, if it is one. */
void ws_end_fd(evutil_socket_t fd);

/* Says goodbye (1001) to all. */
void ws_close(void);
long ws_count(void);
void ws_stop(void);

#endif
