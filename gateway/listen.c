/*-------------------------------------------------------------------------
 *
 * listen.c
 *	  LISTEN, and one read of the feed per wake.
 *
 * A link of its own, never in a transaction and never in pipeline mode.  The
 * notification only rings the bell: what happened is read with feed_next() from
 * the cursor the hub has reached, so a lost one costs no more than the poll that
 * comes anyway.  Wakes during a read, or while its frames are still being sent,
 * count as one.  A statement that overstays what the server allows it means that
 * nobody is there: the link is dropped.
 *
 * After a lost connection the next one goes on: subscriptions are rows, and one
 * read from the cursor that was reached tells what was missed to all of them.
 * They may be gone (the table does not survive a crash, and no other server has
 * it); then the database says that it does not know this gateway or its cursor,
 * the feed is started anew, and every socket subscribes again with the cursor
 * it has, which takes a statement for each.
 *
 * A read is all or nothing.  Its frames are handed to the hub when every row is
 * understood; from then on they are delivered whatever happens to the link, and
 * what was read before is never read again.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db_link.h"
#include "jansson_prelude.h"
#include "limits.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"

#define STATEMENT_MS 10000

typedef enum FeedStep
{
	FEED_DOWN,
	FEED_FAILED,  /* the server is not ready for us; the poll tries again */
	FEED_LISTEN,  /* LISTEN is running */
	FEED_PREPARE, /* Parse of feed_next is running */
	FEED_START,   /* feed_start is running */
	FEED_NEXT,    /* feed_next is running */
	FEED_QUIET,   /* nothing to do */
	FEED_SENDING  /* its frames are on their way */
} FeedStep;

static DbLink feed_link;
static FeedStep step;
static int64_t step_since_ms;
static bool has_failed; /* the statement that runs */
static bool is_whole;   /* all rows of the read are with the hub */
static bool is_unknown; /* the database has lost our gateway id or cursor */
static bool is_prepared;
static bool is_woken;
static int64_t read_up_to;
static struct event *poll_timer;
static struct event *wake_event;
static char gateway[64];

static void feed_up(void *arg);
static void feed_ready(void *arg);
static void feed_down(void *arg);
static void feed_send(FeedStep next, int is_sent);
static void feed_result(PGresult *result);
static void feed_finished(void);
static void feed_read_ends(void);
static void feed_begin(void);
static void feed_go_on(void);
static bool feed_started(const PGresult *result);
static void feed_rows(const PGresult *result);
static bool feed_row(const PGresult *result, int row);
static Frame *feed_frame(const char *text, size_t len, int64_t cursor);
static int64_t *ids_read(const char *array, size_t *count);
static void feed_read(void);
static void on_hub_drained(void);
static void on_hub_wanted(void);
static void on_hub_distrusted(void);
static void on_poll(evutil_socket_t fd, short what, void *arg);
static void on_wake(evutil_socket_t fd, short what, void *arg);

static const LinkEvents feed_events = {feed_up, feed_ready, feed_down};
static const HubEvents hub_events = {on_hub_drained, on_hub_wanted, on_hub_distrusted};

bool
listen_start(struct event_base *base)
{
	const struct timeval second = {.tv_sec = LIMIT_FEED_POLL_MS / 1000};

	poll_timer = event_new(base, -1, EV_PERSIST, on_poll, NULL);
	wake_event = evtimer_new(base, on_wake, NULL);
	return poll_timer != NULL && wake_event != NULL && evtimer_add(poll_timer, &second) == 0 &&
		   hub_start(base, &hub_events) &&
		   link_start(&feed_link, base, "kintaraa-listen", STATEMENT_MS, false, &feed_events, NULL);
}

void
listen_stop(void)
{
	link_stop(&feed_link);
	event_free(poll_timer);
	event_free(wake_event);
	hub_stop();
}

static void
feed_up(void *arg)
{
	(void) arg;
	is_prepared = false;
	metrics_add(METRIC_FEED_RECONNECTS, 1);
	feed_send(FEED_LISTEN, PQsendQuery(feed_link.conn, "LISTEN kintaraa_tick"));
}

/* A failed send means a broken connection; the link finds out by itself. */
static void
feed_send(FeedStep next, int is_sent)
{
	step = next;
	step_since_ms = clock_ms();
	has_failed = false;
	if (!is_sent)
		link_drop(&feed_link, "send");
	else
		link_flush(&feed_link);
}

static void
feed_ready(void *arg)
{
	PGnotify *notify;

	(void) arg;
	while (step >= FEED_LISTEN && step <= FEED_NEXT && !PQisBusy(feed_link.conn))
	{
		PGresult *result = PQgetResult(feed_link.conn);

		if (result == NULL)
			feed_finished();
		else
			feed_result(result);
		if (feed_link.state != LINK_UP)
			return;
	}
	while ((notify = PQnotifies(feed_link.conn)) != NULL)
	{
		is_woken = true;
		PQfreemem(notify);
	}
	if (is_woken)
		feed_read();
}

/* What was read in full is still delivered: nobody gets part of it again. */
static void
feed_down(void *arg)
{
	(void) arg;
	if (step == FEED_SENDING || step == FEED_NEXT)
	{
		has_failed = has_failed || !is_whole;
		hub_flush();
		feed_read_ends();
	}
	step = FEED_DOWN;
	hub_feed_is_down();
}

static void
feed_result(PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		has_failed = true;
		is_unknown = step == FEED_NEXT && state != NULL && strncmp(state, "KN3", 3) == 0;
		log_line(LEVEL_WARN, "feed_failed", "step=%d sqlstate=%s", step,
				 state != NULL ? state : "-");
	}
	else if (step == FEED_START)
		has_failed = !feed_started(result);
	else if (step == FEED_NEXT)
		feed_rows(result);
	PQclear(result);
}

/* The statement is over: what comes next? */
static void
feed_finished(void)
{
	if (has_failed && step != FEED_NEXT)
	{
		step = FEED_FAILED;
		return;
	}
	switch (step)
	{
		case FEED_LISTEN:
			feed_send(FEED_PREPARE, PQsendPrepare(feed_link.conn, "feed_next",
												  "SELECT subscriptions, frame, cursor FROM "
												  "kintaraa_api.feed_next($1, $2)",
												  0, NULL));
			break;
		case FEED_PREPARE:
			is_prepared = true;
			if (gateway[0] != '\0' && !is_unknown)
				feed_go_on();
			else
				feed_begin();
			break;
		case FEED_NEXT:
			if (hub_is_busy())
				step = FEED_SENDING;
			else
				feed_read_ends();
			break;
		default:
			/* Whatever happened before LISTEN was heard is read now. */
			step = FEED_QUIET;
			is_woken = true;
	}
}

/* Only now everybody has what was read; a read that failed is done again by the poll. */
static void
feed_read_ends(void)
{
	step = FEED_QUIET;
	if (!has_failed)
		hub_read_ends(read_up_to);
	else
	{
		hub_read_failed();
		is_woken = is_woken || is_unknown; /* nobody hears anything until it is started anew */
	}
}

/* The database still has the subscriptions, or says that it does not. */
static void
feed_go_on(void)
{
	hub_resume(gateway);
	log_line(LEVEL_INFO, "feed_up", "gateway=%s resumed=yes", gateway);
	step = FEED_QUIET;
	is_woken = true;
}

/* After LISTEN: what happens from now on is heard. */
static void
feed_begin(void)
{
	static const char *const nothing[5] = {NULL, "{}", "{}", "{}", "{}"};

	is_unknown = false;
	hub_feed_is_down();
	feed_send(FEED_START, PQsendQueryParams(feed_link.conn,
											"SELECT outcome, body FROM "
											"kintaraa_api.feed_start($1,$2,$3,$4,$5)",
											5, NULL, nothing, NULL, NULL, 0));
}

static bool
feed_started(const PGresult *result)
{
	json_t *body;
	const char *id;
	json_t *cursor;
	bool is_fine;

	if (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), "ok") != 0)
		return false;
	body = json_loads(PQgetvalue(result, 0, 1), 0, NULL);
	id = json_string_value(json_object_get(body, "gateway"));
	cursor = json_object_get(body, "cursor");
	is_fine = id != NULL && strlen(id) < sizeof(gateway) && json_is_integer(cursor);
	if (is_fine)
	{
		snprintf(gateway, sizeof(gateway), "%s", id);
		hub_restart(gateway, json_integer_value(cursor));
		log_line(LEVEL_INFO, "feed_up", "gateway=%s cursor=%lld", gateway,
				 (long long) json_integer_value(cursor));
	}
	json_decref(body);
	return is_fine;
}

static void
feed_rows(const PGresult *result)
{
	for (int row = 0; row < PQntuples(result) && !has_failed; row++)
		has_failed = !feed_row(result, row);
	is_whole = !has_failed;
	if (has_failed)
		hub_discard(); /* short of memory: it is read again */
}

/* Text of the array is {1,2,3}; the last row has no array and says how far it got. */
static bool
feed_row(const PGresult *result, int row)
{
	int64_t cursor = strtoll(PQgetvalue(result, row, 2), NULL, 10);
	size_t count = 0;
	int64_t *ids;
	Frame *frame;

	if (PQgetisnull(result, row, 0) || PQgetisnull(result, row, 1))
	{
		if (!PQgetisnull(result, row, 2))
			read_up_to = cursor;
		return true;
	}
	ids = ids_read(PQgetvalue(result, row, 0), &count);
	frame = feed_frame(PQgetvalue(result, row, 1), (size_t) PQgetlength(result, row, 1), cursor);
	if (ids == NULL || frame == NULL)
	{
		free(ids);
		if (frame != NULL)
			frame_release(frame);
		return false;
	}
	return hub_send(frame, ids, count);
}

/* The number that the frame tells is not always that of its row: see docs/events.md. */
static Frame *
feed_frame(const char *text, size_t len, int64_t cursor)
{
	json_t *body = json_loadb(text, len, 0, NULL);
	const char *type = json_string_value(json_object_get(body, "type"));
	Frame *frame =
		frame_chained(text, len, cursor, json_integer_value(json_object_get(body, "cursor")));

	if (frame != NULL)
		frame->ends_session = type != NULL && strcmp(type, "session.ended") == 0;
	json_decref(body);
	return frame;
}

static int64_t *
ids_read(const char *array, size_t *count)
{
	size_t most = 1;
	int64_t *ids;
	char *end;

	for (const char *at = array; *at != '\0'; at++)
		most += *at == ',';
	ids = malloc(most * sizeof(*ids));
	if (ids == NULL)
		return NULL;
	array++;
	while (*count < most)
	{
		ids[*count] = strtoll(array, &end, 10);
		if (end == array)
			break;
		(*count)++;
		array = *end == ',' ? end + 1 : end;
	}
	return ids;
}

static void
feed_read(void)
{
	char after[24];
	const char *const parameters[2] = {gateway, after};

	if (step != FEED_QUIET)
		return;
	if (is_unknown)
	{
		feed_begin();
		return;
	}
	is_woken = false;
	is_whole = false;
	read_up_to = hub_read_begins();
	snprintf(after, sizeof(after), "%lld", (long long) read_up_to);
	metrics_add(METRIC_FEED_CALLS, 1);
	feed_send(FEED_NEXT,
			  PQsendQueryPrepared(feed_link.conn, "feed_next", 2, parameters, NULL, NULL, 0));
}

static void
on_hub_drained(void)
{
	if (step != FEED_SENDING)
		return;
	feed_read_ends();
	if (is_woken)
		feed_read();
}

/* Not at once: many may join in one turn. */
static void
on_hub_wanted(void)
{
	const struct timeval now = {0};

	is_woken = true;
	if (!evtimer_pending(wake_event, NULL))
		evtimer_add(wake_event, &now);
}

/* Done by the next read: a second at most. */
static void
on_hub_distrusted(void)
{
	is_unknown = true;
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	is_woken = true;
	if (step >= FEED_LISTEN && step <= FEED_NEXT &&
		clock_ms() - step_since_ms > STATEMENT_MS + LIMIT_SILENCE_MS)
		link_is_silent(&feed_link);
	else if (step == FEED_FAILED && is_prepared)
		feed_begin();
	else if (step == FEED_FAILED)
		feed_up(NULL);
	else
		feed_read();
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	if (is_woken)
		feed_read();
}
