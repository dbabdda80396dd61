/*-------------------------------------------------------------------------
 *
 * turn.h
 *	  Requests that a door sent to wait for their turn.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TURN_H
#define TURN_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

/* Ours for the time of the wait; owned by the caller. */
typedef struct Turn
{
	TAILQ_ENTRY(Turn) link;
	struct event *timer; /* NULL: it does not wait */
	void (*come)(struct Turn *turn);
} Turn;

#define TURN_TICKET_SIZE 256

bool turn_start(struct event_base *base);

/* All turns come now; those who wait would wait longer than the gateway lives. */
void turn_close(void);

/* come is called after the wait, never from here.  False when too many wait. */
bool turn_wait(Turn *turn, int wait_ms, void (*come)(Turn *turn));
/* Before turn is freed. */
void turn_leave(Turn *turn);

#endif
