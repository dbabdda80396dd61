/*-------------------------------------------------------------------------
 *
 * http.h
 *	  Client connections: accepting, reading requests, writing answers, deadlines.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HTTP_H
#define HTTP_H

#include <event2/event.h>
#include <stdbool.h>

/* fds are listening sockets; takes them */
bool http_start(struct event_base *base, const int *fds, int count);

/* Stops accepting and ends idle connections; requests in flight may finish. */
void http_close(void);

/* Connections that still have a request in flight or an answer to send. */
long http_unfinished(void);

/* The descriptor is not watched: ends the connection, if it is one of ours. */
void http_end_fd(evutil_socket_t fd);

/* Ends everything. */
void http_stop(void);

#endif
