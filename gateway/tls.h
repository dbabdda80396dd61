/*-------------------------------------------------------------------------
 *
 * tls.h
 *	  TLS of client connections, when it is turned on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TLS_H
#define TLS_H

#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdio.h>

/* Reads certificate and key, if they are set.  Says in one sentence why it failed. */
bool tls_start(FILE *complaint);
void tls_stop(void);

/* Reads both files again; what is wrong with them leaves the old ones in force. */
void tls_reload(void);
bool tls_is_on(void);

/* returns new (free with bufferevent_free); takes fd, but on failure */
struct bufferevent *tls_accept(struct event_base *base, evutil_socket_t fd);

void tls_log_failure(struct bufferevent *bev);

/* Says that nothing more will be sent; without TLS nothing happens. */
void tls_goodbye(struct bufferevent *bev);

#endif
