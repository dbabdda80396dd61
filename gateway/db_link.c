/*-------------------------------------------------------------------------
 *
 * db_link.c
 *	  The life of one database connection: connecting, up, lost, again.
 *
 * db_conn.c and listen.c own links.  Nothing here blocks: not the connecting, not
 * the sending.  After a loss a link walks through the hosts (db_hosts.c), the last
 * good one first; after each round it pauses, up to two seconds, for ever.  The
 * first that finds a host which was not known as good ends the pauses of all, and
 * calls those that still knock elsewhere.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "db_link.h"
#include "limits.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"

/* A host that vanishes without a word is noticed within these. */
#define LINK_KEEPALIVE_S "5"
#define LINK_KEEPALIVES "3"
#define LINK_USER_TIMEOUT_MS "15000"

static TAILQ_HEAD(, DbLink) links = TAILQ_HEAD_INITIALIZER(links);

static void link_connect(DbLink *link);
static void links_call(int host);
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
	TAILQ_INSERT_TAIL(&links, link, all_link);
	link->timer = evtimer_new(base, on_timer, link);
	if (link->timer == NULL)
		return false;
	walk_begin(&link->walk);
	timer_set(link, 0);
	return true;
}

void
link_stop(DbLink *link)
{
	if (link->base == NULL)
		return;
	link_release(link);
	if (link->timer != NULL)
		event_free(link->timer);
	link->timer = NULL;
	TAILQ_REMOVE(&links, link, all_link);
	link->base = NULL;
}

/*
 * What comes before the setting (dbname) is a default, what comes after it wins.
 * The level of isolation stands here because start-up options beat what was set
 * for the role or the database.
 */
static void
link_connect(DbLink *link)
{
	char options[240];
	const Host *host = hosts_get(link->host = walk_host(&link->walk));
	const char *const words[] = {
		"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
		"target_session_attrs", "dbname", "host", "hostaddr", "port", "application_name",
		"client_encoding", "options", NULL};
	const char *const values[] = {
		LINK_KEEPALIVE_S, LINK_KEEPALIVE_S, LINK_KEEPALIVES, LINK_USER_TIMEOUT_MS,
		hosts_need_primary() ? "read-write" : "", config_get()->database, host->name,
		host->address, host->port, link->name, "UTF8", options, NULL};

	snprintf(options, sizeof(options),
			 "-c statement_timeout=%d -c idle_in_transaction_session_timeout=10000"
			 " -c default_transaction_isolation=read\\ committed -c client_min_messages=warning",
			 link->statement_ms);
	link->state = LINK_CONNECTING;
	link->conn = PQconnectStartParams(words, values, 1);
	timer_set(link, walk_patience_ms(&link->walk));
	if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD)
		link_lost(link, "connect");
	else if (!link_watch(link) || event_add(link->write_event, NULL) != 0)
		link_lost(link, "memory");
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
	else if (event_add(status == PGRES_POLLING_READING ? link->read_event : link->write_event,
					   NULL) != 0)
		link_lost(link, "memory");
}

static void
link_is_up(DbLink *link)
{
	event_del(link->timer);
	if (PQsetnonblocking(link->conn, 1) != 0 ||
		(link->is_pipelined && !PQenterPipelineMode(link->conn)) ||
		event_add(link->read_event, NULL) != 0)
	{
		link_lost(link, "setup");
		return;
	}
	link->state = LINK_UP;
	link->up_since_ms = clock_ms();
	link->walk.rounds = 0;
	metrics_add(METRIC_DB_CONNECTS, 1);
	log_line(LEVEL_INFO, "database_up", "link=%s backend=%d", link->name,
			 PQbackendPID(link->conn));
	if (hosts_are_good_at(link->host))
		links_call(link->host);
	link->events->up(link->arg);
}

/* One has found a host: those that pause or knock at another one come as well. */
static void
links_call(int host)
{
	DbLink *link;

	TAILQ_FOREACH(link, &links, all_link)
	{
		if (link->state == LINK_UP || (link->state == LINK_CONNECTING && link->host == host))
			continue;
		link_release(link);
		walk_begin(&link->walk);
		timer_set(link, 0);
	}
}

/* libpq's own message can hold host and user names, but nothing of a client. */
static void
link_lost(DbLink *link, const char *reason)
{
	bool was_up = link->state == LINK_UP;

	log_often(LEVEL_WARN, "database_down", reason, "link=%s reason=%s error=%s", link->name, reason,
			  log_text(link->conn != NULL ? PQerrorMessage(link->conn) : "no memory"));
	link_release(link);
	/* One that ends as soon as it is there must not make us spin. */
	if (was_up && clock_ms() - link->up_since_ms > 1000)
		link->backoff_ms = 0;
	if (was_up)
		walk_begin(&link->walk);
	else
		hosts_are_bad_at(link->host);
	if (!was_up && walk_next(&link->walk))
		timer_set(link, 0);
	else
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
	loop_forget(link->watched_fd);
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
	loop_forget(link->watched_fd);
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
	if (left > 0 && event_add(link->write_event, NULL) != 0)
	{
		link_lost(link, "memory");
		return false;
	}
	return true;
}

void
link_is_silent(DbLink *link)
{
	if (link->state == LINK_UP)
		hosts_are_bad_at(link->host);
	link_drop(link, "silent");
}

/* A timer that could not be set, for want of memory, would end a link for good. */
void
links_look(void)
{
	DbLink *link;

	TAILQ_FOREACH(link, &links, all_link)
	{
		if (link->state != LINK_UP && !evtimer_pending(link->timer, NULL))
			timer_set(link, 0);
	}
}

void
link_drop(DbLink *link, const char *reason)
{
	if (link->state != LINK_DOWN)
		link_lost(link, reason);
}
