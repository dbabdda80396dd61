/*-------------------------------------------------------------------------
 *
 * db_link.c
 *	  The life of one database connection: connecting, up, lost, again.
 *
 * db.c and listen.c own links.  Nothing here blocks: not the connecting, not the
 * sending.  After a loss it tries at once, then with growing pauses up to two
 * seconds, for ever.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "db_link.h"
#include "limits.h"
#include "log.h"
#include "metrics.h"

static void link_connect(DbLink *link);
static void link_poll(DbLink *link);
static void link_is_up(DbLink *link);
static void link_lost(DbLink *link, const char *reason);
static void link_release(DbLink *link);
static void link_retry_later(DbLink *link);
static bool link_watch(DbLink *link);
static void timer_set(DbLink *link, int ms);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

bool
link_start(DbLink *link, struct event_base *base, const char *name, int statement_ms,
		   bool is_pipelined, const LinkEvents *events, void *arg)
{
	memset(link, 0, sizeof(*link));
	link->base = base;
	link->name = name;
	link->statement_ms = statement_ms;
	link->is_pipelined = is_pipelined;
	link->events = events;
	link->arg = arg;
	link->watched_fd = -1;
	link->timer = evtimer_new(base, on_timer, link);
	if (link->timer == NULL)
		return false;
	timer_set(link, 0);
	return true;
}

void
link_stop(DbLink *link)
{
	link_release(link);
	if (link->timer != NULL)
		event_free(link->timer);
	link->timer = NULL;
}

/* The setting comes first, so that ours win over the same words in it. */
static void
link_connect(DbLink *link)
{
	char options[160];
	const char *const words[] = {"dbname", "application_name", "client_encoding", "options", NULL};
	const char *const values[] = {config_get()->database, link->name, "UTF8", options, NULL};

	snprintf(options, sizeof(options),
			 "-c statement_timeout=%d -c idle_in_transaction_session_timeout=10000",
			 link->statement_ms);
	link->state = LINK_CONNECTING;
	link->conn = PQconnectStartParams(words, values, 1);
	timer_set(link, LIMIT_CONNECT_MS);
	if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD)
		link_lost(link, "connect");
	else if (!link_watch(link))
		link_lost(link, "memory");
	else
		event_add(link->write_event, NULL);
}

/* The socket may have changed between two polls: another host, another try. */
static void
link_poll(DbLink *link)
{
	PostgresPollingStatusType status = PQconnectPoll(link->conn);

	if (status == PGRES_POLLING_FAILED)
	{
		link_lost(link, "connect");
		return;
	}
	if (!link_watch(link))
	{
		link_lost(link, "memory");
		return;
	}
	event_del(link->read_event);
	event_del(link->write_event);
	if (status == PGRES_POLLING_OK)
		link_is_up(link);
	else
		event_add(status == PGRES_POLLING_READING ? link->read_event : link->write_event, NULL);
}

static void
link_is_up(DbLink *link)
{
	event_del(link->timer);
	if (PQsetnonblocking(link->conn, 1) != 0 ||
		(link->is_pipelined && !PQenterPipelineMode(link->conn)))
	{
		link_lost(link, "setup");
		return;
	}
	link->state = LINK_UP;
	link->up_since = time(NULL);
	event_add(link->read_event, NULL);
	metrics_add(METRIC_DB_CONNECTS, 1);
	log_line(LEVEL_INFO, "database_up", "link=%s backend=%d", link->name,
			 PQbackendPID(link->conn));
	link->events->up(link->arg);
}

/* libpq's own message can hold host and user names, but nothing of a client. */
static void
link_lost(DbLink *link, const char *reason)
{
	bool was_up = link->state == LINK_UP;

	log_line(LEVEL_WARN, "database_down", "link=%s reason=%s error=%s", link->name, reason,
			 log_text(link->conn != NULL ? PQerrorMessage(link->conn) : "no memory"));
	link_release(link);
	/* One that ends as soon as it is there must not make us spin. */
	if (was_up && time(NULL) - link->up_since > 1)
		link->backoff_ms = 0;
	link_retry_later(link);
	if (was_up)
		link->events->down(link->arg);
}

static void
link_release(DbLink *link)
{
	if (link->read_event != NULL)
		event_free(link->read_event);
	if (link->write_event != NULL)
		event_free(link->write_event);
	link->read_event = link->write_event = NULL;
	link->watched_fd = -1;
	link->wants_write = false;
	PQfinish(link->conn);
	link->conn = NULL;
	link->state = LINK_DOWN;
}

static void
link_retry_later(DbLink *link)
{
	int pause = link->backoff_ms;

	/* A quarter more or less, so that many links do not knock together. */
	if (pause > 0)
		pause += rand() % (pause / 2 + 1) - pause / 4;
	link->backoff_ms = link->backoff_ms == 0 ? LIMIT_BACKOFF_FIRST_MS : link->backoff_ms * 2;
	if (link->backoff_ms > LIMIT_BACKOFF_LAST_MS)
		link->backoff_ms = LIMIT_BACKOFF_LAST_MS;
	timer_set(link, pause < LIMIT_BACKOFF_LAST_MS ? pause : LIMIT_BACKOFF_LAST_MS);
}

/* Events for the socket of now. */
static bool
link_watch(DbLink *link)
{
	int fd = PQsocket(link->conn);

	if (fd == link->watched_fd && link->read_event != NULL)
		return true;
	if (link->read_event != NULL)
		event_free(link->read_event);
	if (link->write_event != NULL)
		event_free(link->write_event);
	link->watched_fd = fd;
	link->read_event = event_new(link->base, fd, EV_READ | EV_PERSIST, on_readable, link);
	link->write_event = event_new(link->base, fd, EV_WRITE, on_writable, link);
	return link->read_event != NULL && link->write_event != NULL;
}

static void
timer_set(DbLink *link, int ms)
{
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(link->timer, &wait);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	DbLink *link = arg;

	(void) fd;
	(void) what;
	if (link->state == LINK_CONNECTING)
		link_lost(link, "timeout");
	else if (link->state == LINK_DOWN)
		link_connect(link);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	DbLink *link = arg;

	(void) fd;
	(void) what;
	if (link->state == LINK_CONNECTING)
		link_poll(link);
	else if (!PQconsumeInput(link->conn))
		link_lost(link, "read");
	else if (!link->wants_write || link_flush(link))
		link->events->ready(link->arg);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	DbLink *link = arg;

	(void) fd;
	(void) what;
	if (link->state == LINK_CONNECTING)
		link_poll(link);
	else
		link_flush(link);
}

bool
link_flush(DbLink *link)
{
	int left = PQflush(link->conn);

	if (left < 0)
	{
		link_lost(link, "write");
		return false;
	}
	link->wants_write = left > 0;
	if (left > 0)
		event_add(link->write_event, NULL);
	return true;
}

void
link_drop(DbLink *link, const char *reason)
{
	if (link->state != LINK_DOWN)
		link_lost(link, reason);
}
