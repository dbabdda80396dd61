/*-------------------------------------------------------------------------
 *
 * poll.h
 *	  Pulls: from memory when nothing happened, and waiting until something does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef POLL_H
#define POLL_H

#include <event2/event.h>
#include <stdbool.h>

#include "request.h"

typedef struct Poll Poll;

bool poll_start(struct event_base *base);

/* Answers all that wait with what they have: nothing new. */
void poll_close(void);
void poll_stop(void);

/*
 * As request_start() without a body, for a door that says whether its answer is
 * empty.  What the input borrows is borrowed until the reply, because the door
 * may be asked more than once.  *poll is set, and then the reply may come before
 * this returns.  False when memory is short.
 */
bool poll_run(const RequestInput *input, int wait_seconds, Poll **poll);

/* The owner is gone. */
void poll_abandon(Poll *poll);

#endif
