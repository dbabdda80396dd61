/*-------------------------------------------------------------------------
 *
 * loop.h
 *	  What the event loop itself complains of, and memory for when there is none.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LOOP_H
#define LOOP_H

#include <event2/event.h>
#include <stdbool.h>

/* Before anything of libevent: it shall not see when memory is short for a moment. */
void loop_reserve(void);

/* From now on failed(fd) is called, in a turn of its own, for what cannot be watched. */
bool loop_start(struct event_base *base, void (*failed)(evutil_socket_t fd));
/* Before the descriptor is closed: its number may be another's soon. */
void loop_forget(evutil_socket_t fd);
void loop_stop(void);

#endif
