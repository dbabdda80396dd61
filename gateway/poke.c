/*-------------------------------------------------------------------------
 *
 * poke.c
 *	  Who is to be told that there is news, and when.
 *
 * ws.c notes what happened and sends.  The first news after a quiet time waits
 * a tenth of a second for others to join it; while news keeps coming the wait
 * doubles, up to two seconds.  All that wait equally long are one list, so the
 * first of each is the first to be due.  A crowd is served in slices, as in
 * hub.c.
 *
 *-------------------------------------------------------------------------
 */
#include <time.h>

#include "limits.h"
#include "poke.h"

TAILQ_HEAD(PokeList, Poke);

static struct PokeList lists[POKE_STEPS];
static struct event *due_timer;
static void (*poke_send)(Poke *poke);

static int64_t wait_ms(int step);
static Poke *first_due(int64_t *due_ms);
static void schedule(void);
static void on_due(evutil_socket_t fd, short what, void *arg);
static int64_t now_ms(void);

bool
poke_start(struct event_base *base, void (*send)(Poke *poke))
{
	for (int i = 0; i < POKE_STEPS; i++)
		TAILQ_INIT(&lists[i]);
	poke_send = send;
	due_timer = evtimer_new(base, on_due, NULL);
	return due_timer != NULL;
}

void
poke_stop(void)
{
	event_free(due_timer);
}

void
poke_note(Poke *poke, int64_t cursor)
{
	int64_t now = now_ms();

	if (cursor > poke->cursor)
		poke->cursor = cursor;
	if (poke->is_waiting)
		return;
	if (poke->due_ms + LIMIT_POKE_LAST_MS < now)
		poke->step = 0;
	else if (poke->step < POKE_STEPS - 1)
		poke->step++;
	poke->due_ms = now + wait_ms(poke->step);
	poke->is_waiting = true;
	TAILQ_INSERT_TAIL(&lists[poke->step], poke, link);
	if (!evtimer_pending(due_timer, NULL) || TAILQ_FIRST(&lists[poke->step]) == poke)
		schedule();
}

void
poke_forget(Poke *poke)
{
	if (poke->is_waiting)
		TAILQ_REMOVE(&lists[poke->step], poke, link);
	poke->is_waiting = false;
}

static int64_t
wait_ms(int step)
{
	int64_t wait = (int64_t) LIMIT_POKE_FIRST_MS << step;

	return wait < LIMIT_POKE_LAST_MS ? wait : LIMIT_POKE_LAST_MS;
}

static Poke *
first_due(int64_t *due_ms)
{
	Poke *first = NULL;

	for (int i = 0; i < POKE_STEPS; i++)
	{
		Poke *poke = TAILQ_FIRST(&lists[i]);

		if (poke != NULL && (first == NULL || poke->due_ms < first->due_ms))
			first = poke;
	}
	if (first != NULL)
		*due_ms = first->due_ms;
	return first;
}

/* With nothing to wait for: in the next turn, after the input of others. */
static void
schedule(void)
{
	int64_t due_ms;
	int64_t wait;
	struct timeval interval;

	if (first_due(&due_ms) == NULL)
		return;
	wait = due_ms - now_ms();
	if (wait < 0)
		wait = 0;
	interval = (struct timeval){wait / 1000, wait % 1000 * 1000};
	evtimer_add(due_timer, &interval);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = now_ms();
	int64_t due_ms;
	Poke *poke;

	(void) fd;
	(void) what;
	(void) arg;
	for (int i = 0; i < LIMIT_FAN_OUT_SLICE; i++)
	{
		poke = first_due(&due_ms);
		if (poke == NULL || due_ms > now)
			break;
		poke_forget(poke);
		poke_send(poke);
	}
	schedule();
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
