/*-------------------------------------------------------------------------
 *
 * turn.c
 *	  Requests that a door sent to wait for their turn.
 *
 * Called by request.c.  Whoever signs in while others guess waits for seconds.
 * She waits here and holds no connection of the database; when her turn comes
 * the same call goes out again with the ticket that the door gave, and only
 * then is she answered.
 *
 *-------------------------------------------------------------------------
 */
#include "turn.h"
#include "limits.h"

static TAILQ_HEAD(TurnList, Turn) turns;
static struct event_base *event_base;
static int turn_count;
static bool is_closing;

static void on_turn(evutil_socket_t fd, short what, void *arg);

bool
turn_start(struct event_base *base)
{
	TAILQ_INIT(&turns);
	event_base = base;
	turn_count = 0;
	is_closing = false;
	return true;
}

void
turn_close(void)
{
	Turn *turn;

	is_closing = true;
	TAILQ_FOREACH(turn, &turns, link)
		event_active(turn->timer, EV_TIMEOUT, 0);
}

bool
turn_wait(Turn *turn, int wait_ms, void (*come)(Turn *turn))
{
	struct timeval wait;

	/* the loop's clock may be behind, and whoever comes early is sent away */
	wait_ms += LIMIT_TURN_LATE_MS;
	wait = (struct timeval){wait_ms / 1000, wait_ms % 1000 * 1000};
	if (is_closing || turn_count >= LIMIT_TURNS_WAITING)
		return false;
	turn->timer = evtimer_new(event_base, on_turn, turn);
	if (turn->timer == NULL)
		return false;
	if (evtimer_add(turn->timer, &wait) != 0)
	{
		event_free(turn->timer);
		turn->timer = NULL;
		return false;
	}
	turn->come = come;
	TAILQ_INSERT_TAIL(&turns, turn, link);
	turn_count++;
	return true;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	Turn *turn = arg;

	(void) fd;
	(void) what;
	turn_leave(turn);
	turn->come(turn);
}

void
turn_leave(Turn *turn)
{
	TAILQ_REMOVE(&turns, turn, link);
	turn_count--;
	event_free(turn->timer);
	turn->timer = NULL;
}
