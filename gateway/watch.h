/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  Whether there is news for a token, and what its pulls were answered.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WATCH_H
#define WATCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "request.h"

typedef struct Watch Watch;

/* Somebody who wants to hear of the next news; belongs to its owner. */
typedef struct Waiter
{
	TAILQ_ENTRY(Waiter) link;
	Watch *watch; /* NULL: does not wait */
} Waiter;

/* An answer without its last member, the time.  borrows until anything else happens */
typedef struct WatchAnswer
{
	const char *at;
	size_t len;
} WatchAnswer;

/* wake: there is news, or it can no longer be known whether there is. */
bool watch_start(struct event_base *base, void (*wake)(Waiter *waiter));
void watch_stop(void);

/* NULL: nothing is known of this token. */
Watch *watch_find(const char *token, size_t len);

/* Another number after each piece of news; 0 for NULL.  Ask before the pull is sent. */
unsigned watch_news(const Watch *watch);

/* What this pull was answered, if nothing can have happened since. */
bool watch_recall(Watch *watch, const char *key, WatchAnswer *answer);

/*
 * The database has just said that there is nothing new.  Returns the watch if
 * news is heard from now on, with news the number from before; NULL if not.
 * is_eager: also for a token that is seen for the first time.
 */
Watch *watch_remember(const RequestInput *pull, const char *key, const char *body, size_t len,
					  unsigned news, bool is_eager);

/* Is the body an answer to a pull that found nothing?  Bodies end with a NUL. */
bool watch_is_empty(const char *body, size_t len);

/* How much of an empty answer stands before its time; 0: it has none. */
size_t watch_untimed(const char *body);

void watch_wait(Watch *watch, Waiter *waiter);
void watch_unwait(Waiter *waiter);

/* Its bearer has written something: nothing is true any more. */
void watch_distrust(const char *token, size_t len);

#endif
