/*-------------------------------------------------------------------------
 *
 * poll.c
 *	  The way of a pull.
 *
 * exchange.c hands pulls over.  A pull is answered from what watch.c remembers
 * or by its door.  If there is nothing new and its caller wants to wait, it is
 * parked without a database connection, until news for its token or the end of
 * its time sends it to the door again.  Those that one piece of news wakes run
 * a few at a time: requests of others need the lane as well.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "database_time.h"
#include "metrics.h"
#include "poll.h"
#include "watch.h"

#define RUNS_MAX 16 /* of one pull: news that is none of its caller's business also wakes */

typedef enum PollState
{
	POLL_RUNNING,
	POLL_PARKED,
	POLL_WOKEN /* waits for its turn to run */
} PollState;

struct Poll
{
	Waiter waiter;
	TAILQ_ENTRY(Poll) link; /* of the parked or of the woken */
	PollState state;
	bool is_turn; /* runs as one of the woken */
	int runs;
	unsigned news; /* when the door was asked */
	int64_t since_ms;
	int64_t ends_ms; /* of its time to wait */
	int64_t parked_at_ms;
	int64_t waited_ms;
	Request *request;    /* borrows until replied */
	struct event *timer; /* owns; NULL for who does not wait */
	char *answer;        /* owns; the last one of the door, without its time */
	size_t answer_len;
	RequestInput input; /* borrows what it points to until the reply */
	char key[];         /* door and query */
};

TAILQ_HEAD(PollList, Poll);

static struct event_base *loop;
static struct PollList parked;
static struct PollList woken;
static long parked_count;
static int turns;
static bool is_closing;
static struct event *turn_timer;

static size_t key_write(char *key, const RequestInput *input);
static bool poll_recall(Poll *poll, bool parks);
static bool poll_ask(Poll *poll);
static void poll_reply(void *owner, const Reply *reply);
static bool poll_again(Poll *poll, const Reply *reply);
static bool poll_park(Poll *poll, Watch *watch);
static void poll_unpark(Poll *poll);
static void poll_wake(Poll *poll);
static void on_wake(Waiter *waiter);
static void on_deadline(evutil_socket_t fd, short what, void *arg);
static void on_turn(evutil_socket_t fd, short what, void *arg);
static void turn_soon(void);
static void turn_over(Poll *poll);
static void poll_finish(Poll *poll, const Reply *reply);
static void poll_finish_empty(Poll *poll);
static void poll_free(Poll *poll);

bool
poll_start(struct event_base *base)
{
	TAILQ_INIT(&parked);
	TAILQ_INIT(&woken);
	loop = base;
	turn_timer = evtimer_new(base, on_turn, NULL);
	return turn_timer != NULL && watch_start(base, on_wake);
}

void
poll_close(void)
{
	Poll *poll;

	is_closing = true;
	while ((poll = TAILQ_FIRST(&parked)) != NULL)
	{
		poll_unpark(poll);
		poll_finish_empty(poll);
	}
	while ((poll = TAILQ_FIRST(&woken)) != NULL)
	{
		TAILQ_REMOVE(&woken, poll, link);
		poll->state = POLL_RUNNING;
		poll_finish_empty(poll);
	}
}

void
poll_stop(void)
{
	watch_stop();
	event_free(turn_timer);
}

bool
poll_run(const RequestInput *input, int wait_seconds, Poll **out)
{
	size_t key_len = key_write(NULL, input);
	Poll *poll = calloc(1, sizeof(*poll) + key_len + 1);

	*out = poll;
	if (poll == NULL)
		return false;
	poll->input = *input;
	poll->ends_ms = clock_ms() + (int64_t) wait_seconds * 1000;
	key_write(poll->key, input);
	if (wait_seconds > 0)
		poll->timer = evtimer_new(loop, on_deadline, poll);
	if (poll_recall(poll, poll->timer != NULL))
		return true;
	if (poll_ask(poll))
		return true;
	*out = NULL;
	poll_free(poll);
	return false;
}

/* Names and values cannot hold what separates them.  Returns the length. */
static size_t
key_write(char *key, const RequestInput *input)
{
	size_t at = strlen(input->door);

	if (key != NULL)
		memcpy(key, input->door, at);
	for (int i = 0; i < input->pair_count; i++)
	{
		const UrlText *texts[2] = {&input->pair[i].name, &input->pair[i].value};

		for (int k = 0; k < 2; k++)
		{
			if (key != NULL)
			{
				key[at] = k == 0 ? '\x01' : '\x02';
				memcpy(key + at + 1, texts[k]->at, texts[k]->len);
			}
			at += texts[k]->len + 1;
		}
	}
	return at;
}

/* Nothing has happened since the same was asked before: answers that, or waits. */
static bool
poll_recall(Poll *poll, bool parks)
{
	const RequestInput *input = &poll->input;
	Watch *watch = watch_find(input->token, input->token_len);
	WatchAnswer answer;
	char *body;

	if (!watch_recall(watch, poll->key, &answer))
		return false;
	body = malloc(answer.len);
	if (body == NULL)
		return false;
	memcpy(body, answer.at, answer.len);
	free(poll->answer);
	poll->answer = body;
	poll->answer_len = answer.len;
	if (parks && poll_park(poll, watch))
		return true;
	metrics_add(METRIC_PULLS_REMEMBERED, 1);
	poll_finish_empty(poll);
	return true;
}

static bool
poll_ask(Poll *poll)
{
	RequestInput input = poll->input;

	poll->state = POLL_RUNNING;
	poll->runs++;
	poll->news = watch_news(watch_find(input.token, input.token_len));
	input.reply = poll_reply;
	input.owner = poll;
	poll->request = request_start(&input, NULL);
	return poll->request != NULL;
}

static void
poll_reply(void *owner, const Reply *reply)
{
	Poll *poll = owner;

	poll->request = NULL;
	poll->waited_ms += reply->waited_ms;
	turn_over(poll);
	if (reply->status != 200 || !watch_is_empty(reply->body, reply->body_len) ||
		!poll_again(poll, reply))
		poll_finish(poll, reply);
}

/* Nothing new: true if it goes on waiting. */
static bool
poll_again(Poll *poll, const Reply *reply)
{
	bool waits = poll->timer != NULL && poll->ends_ms > clock_ms() && !is_closing;
	Watch *watch = watch_remember(&poll->input, poll->key, reply->body, reply->body_len,
								  poll->news, waits);
	size_t untimed = watch_untimed(reply->body);

	if (!waits || untimed == 0)
		return false;
	free(poll->answer);
	poll->answer_len = untimed;
	poll->answer = malloc(untimed);
	if (poll->answer == NULL)
		return false;
	memcpy(poll->answer, reply->body, untimed);
	if (watch != NULL)
		return poll_park(poll, watch);
	/* News came meanwhile, or it cannot be heard: the first is worth another look. */
	watch = watch_find(poll->input.token, poll->input.token_len);
	if (watch_news(watch) == poll->news || poll->runs >= RUNS_MAX)
		return false;
	poll_wake(poll);
	return true;
}

/* False when too many wait. */
static bool
poll_park(Poll *poll, Watch *watch)
{
	int64_t left = poll->ends_ms - clock_ms();
	struct timeval interval = {left / 1000, left % 1000 * 1000};

	if (left <= 0 || poll->timer == NULL || is_closing ||
		parked_count >= config_get()->max_parked || evtimer_add(poll->timer, &interval) != 0)
		return false;
	poll->state = POLL_PARKED;
	poll->parked_at_ms = clock_ms();
	TAILQ_INSERT_TAIL(&parked, poll, link);
	metrics_set(METRIC_PULLS_PARKED, ++parked_count);
	watch_wait(watch, &poll->waiter);
	return true;
}

static void
poll_unpark(Poll *poll)
{
	watch_unwait(&poll->waiter);
	evtimer_del(poll->timer);
	TAILQ_REMOVE(&parked, poll, link);
	metrics_set(METRIC_PULLS_PARKED, --parked_count);
	poll->waited_ms += clock_ms() - poll->parked_at_ms;
	poll->state = POLL_RUNNING;
}

static void
poll_wake(Poll *poll)
{
	poll->state = POLL_WOKEN;
	TAILQ_INSERT_TAIL(&woken, poll, link);
	turn_soon();
}

static void
on_wake(Waiter *waiter)
{
	Poll *poll = (Poll *) waiter;

	poll_unpark(poll);
	poll_wake(poll);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	Poll *poll = arg;

	(void) fd;
	(void) what;
	poll_unpark(poll);
	if (!poll_recall(poll, false))
		poll_wake(poll);
}

static void
turn_soon(void)
{
	const struct timeval now = {0};

	if (turns < LIMIT_WAKES && !TAILQ_EMPTY(&woken) && !evtimer_pending(turn_timer, NULL))
		evtimer_add(turn_timer, &now);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	Poll *poll;

	(void) fd;
	(void) what;
	(void) arg;
	while (turns < LIMIT_WAKES && (poll = TAILQ_FIRST(&woken)) != NULL)
	{
		TAILQ_REMOVE(&woken, poll, link);
		poll->is_turn = true;
		turns++;
		if (!poll_ask(poll))
		{
			turn_over(poll);
			poll_finish_empty(poll);
		}
		else if (request_is_waiting(poll->request))
			turn_over(poll); /* the turns of others do not wait for its budget */
	}
}

static void
turn_over(Poll *poll)
{
	if (!poll->is_turn)
		return;
	poll->is_turn = false;
	turns--;
	turn_soon();
}

/* Its last answer still stands; the time in it is that of now. */
static void
poll_finish_empty(Poll *poll)
{
	char room[LIMIT_ANSWER_BYTES + 64];
	char *text = poll->answer_len <= LIMIT_ANSWER_BYTES ? room : malloc(poll->answer_len + 64);
	Reply reply = {.status = text != NULL ? 200 : 500, .body = text};
	int64_t now_ms;
	time_t second;
	struct tm parts;

	(void) database_time_ms(&now_ms);
	second = (time_t) (now_ms / 1000);
	gmtime_r(&second, &parts);
	if (text != NULL)
	{
		memcpy(text, poll->answer, poll->answer_len);
		reply.body_len = poll->answer_len + strftime(text + poll->answer_len, 40, "%FT%T", &parts);
		reply.body_len += (size_t) snprintf(text + reply.body_len, 20, ".%03dZ\"}",
											(int) (now_ms % 1000));
	}
	poll_finish(poll, &reply);
	if (text != room)
		free(text);
}

static void
poll_finish(Poll *poll, const Reply *reply)
{
	Reply whole = *reply;

	whole.waited_ms = poll->waited_ms;
	poll->input.reply(poll->input.owner, &whole);
	poll_free(poll);
}

void
poll_abandon(Poll *poll)
{
	if (poll->state == POLL_PARKED)
		poll_unpark(poll);
	else if (poll->state == POLL_WOKEN)
		TAILQ_REMOVE(&woken, poll, link);
	if (poll->request != NULL)
		request_abandon(poll->request);
	turn_over(poll);
	poll_free(poll);
}

static void
poll_free(Poll *poll)
{
	if (poll->timer != NULL)
		event_free(poll->timer);
	free(poll->answer);
	free(poll);
}
