/*-------------------------------------------------------------------------
 *
 * db.c
 *	  The pool: lanes, their queues and who gets a connection.
 *
 * request.c, keys.c and ws.c call doors.  A call that finds no idle connection
 * waits in the queue of its lane, for a bounded time and in a bounded number.
 * Reports come first: they borrow idle connections of the normal lane, and one
 * that becomes free there takes a waiting report before its own; all but the
 * first connection of the lane, which keeps the helpers who read served.
 *
 * What a connection sends, and when a row is an answer, is told in db_conn.c.
 * This file keeps the deadlines, in one look at all connections ten times a second:
 *
 *	call refused	a reading that finds its queue full is told so a second later
 *	call waiting	its place in the queue ends: DB_LATE, nothing was sent
 *	call running	its caller's time, which began with the sending, ends: DB_SILENT,
 *					nobody knows; the connection goes on by itself
 *	group running	the lane's time and a second: the server's own statement_timeout
 *					should have ended it, so nobody is there: the link is dropped
 *					a second only, once another link has found another primary
 *	connection idle	asked whether it lives, every five seconds; every second while
 *					another has to wait; after each unknown outcome: what broke one
 *					may have broken all
 *
 * A read whose connection broke is sent once more within its time; all else is
 * answered DB_LOST, because it may be committed.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "db.h"
#include "db_conn.h"
#include "db_hosts.h"
#include "limits.h"
#include "metrics.h"

TAILQ_HEAD(CallQueue, DbCall);
TAILQ_HEAD(ConnQueue, DbConn);

typedef struct Pool
{
	struct CallQueue waiting;
	struct ConnQueue idle;
	int64_t waiting_count;
	int64_t idle_count;
	int64_t ready_count;
	int conn_count;
	DbConn *conn; /* owns an array */
} Pool;

static Pool pools[LANE_COUNT];
static struct CallQueue failed;  /* to be told at the end of this turn */
static struct CallQueue refused; /* to be told in LIMIT_REFUSE_MS, the oldest first */
static struct event *failed_event;
static struct event *look_timer;
static bool is_closing;

static bool pool_start(Pool *pool, Lane lane, struct event_base *base);
static DbConn *idle_take(Lane lane);
static void idle_leave(DbConn *conn);
static void call_send(DbConn *conn, DbCall *call);
static void call_wait(DbCall *call, bool at_head);
static bool is_full(const Pool *pool);
static void call_refuse(DbCall *call, int64_t now);
static void refused_tell(int64_t until_ms);
static void call_fail(DbCall *call, DbOutcome outcome);
static void call_unknown(DbCall *call, DbOutcome outcome);
static void conn_is_up(DbConn *conn);
static void conn_is_free(DbConn *conn);
static void conn_is_down(DbConn *conn, DbCall *unknown);
static void ready_set(DbConn *conn, bool is_ready);
static DbCall *work_take(const DbConn *conn);
static DbCall *waiting_take(Lane lane);
static void waiting_leave(DbCall *call);
static void pool_count(Lane lane);
static void on_failed(evutil_socket_t fd, short what, void *arg);
static void on_look(evutil_socket_t fd, short what, void *arg);
static void waiting_look(Pool *pool, int64_t now);
static void conn_look(DbConn *conn, int64_t now);
static int64_t answer_most_ms(const DbConn *conn);
static void idle_probe(int64_t quiet_ms, int64_t now);

static const ConnEvents conn_events = {conn_is_up, conn_is_free, conn_is_down};

bool
db_start(struct event_base *base)
{
	const struct timeval often = {.tv_usec = LIMIT_SWEEP_MS * 1000};

	TAILQ_INIT(&failed);
	TAILQ_INIT(&refused);
	is_closing = false;
	failed_event = evtimer_new(base, on_failed, NULL);
	look_timer = event_new(base, -1, EV_PERSIST, on_look, NULL);
	if (failed_event == NULL || look_timer == NULL || evtimer_add(look_timer, &often) != 0)
		return false;
	for (int lane = 0; lane < LANE_COUNT; lane++)
		if (!pool_start(&pools[lane], (Lane) lane, base))
			return false;
	return true;
}

static bool
pool_start(Pool *pool, Lane lane, struct event_base *base)
{
	TAILQ_INIT(&pool->waiting);
	TAILQ_INIT(&pool->idle);
	pool->conn_count = (int) config_get()->lane_connections[lane];
	pool->conn = calloc((size_t) pool->conn_count, sizeof(DbConn));
	if (pool->conn == NULL)
		return false;
	for (int i = 0; i < pool->conn_count; i++)
		if (!conn_start(&pool->conn[i], base, lane, &conn_events))
			return false;
	return true;
}

void
db_close(void)
{
	is_closing = true;
	refused_tell(INT64_MAX);
	for (int lane = 0; lane < LANE_COUNT; lane++)
	{
		DbCall *call;

		while ((call = waiting_take((Lane) lane)) != NULL)
			call_fail(call, DB_CLOSED);
	}
}

void
db_stop(void)
{
	db_close();
	for (int lane = 0; lane < LANE_COUNT; lane++)
	{
		for (int i = 0; i < pools[lane].conn_count; i++)
		{
			DbConn *conn = &pools[lane].conn[i];

			if (conn->call != NULL)
				call_fail(conn->call, DB_LOST);
			idle_leave(conn); /* whoever is told may ask again */
			conn_stop(conn);
		}
		free(pools[lane].conn);
		pools[lane].conn = NULL;
		pools[lane].conn_count = 0;
	}
	on_failed(-1, 0, NULL);
	event_free(failed_event);
	event_free(look_timer);
}

void
db_call(DbCall *call)
{
	const Config *config = config_get();
	int64_t now = clock_ms();
	bool is_short = call->most_ms > 0 && call->most_ms < config->queue_ms;
	DbConn *conn;

	call->attempts = 0;
	call->refused_sends = 0;
	call->held_us = 0;
	call->answer_by_ms = call->most_ms > 0 ? now + call->most_ms : 0;
	call->queue_by_ms = now + (is_short ? call->most_ms : config->queue_ms);
	conn = idle_take(call->lane);
	if (conn != NULL)
		call_send(conn, call);
	else if (is_closing)
		call_fail(call, DB_CLOSED);
	else if (is_full(&pools[call->lane]))
		call_refuse(call, now);
	else
		call_wait(call, false);
}

static bool
is_full(const Pool *pool)
{
	const Config *config = config_get();

	return pool->waiting_count >=
		   (pool == &pools[LANE_SOS] ? config->sos_queue_limit : config->queue_limit);
}

/*
 * A reading is told a little later.  Who is refused at once asks again at once,
 * and refusing thousands in a second takes the processor from what is served.
 */
static void
call_refuse(DbCall *call, int64_t now)
{
	if (!call->is_read)
	{
		call_fail(call, DB_FULL);
		return;
	}
	call->state = DB_CALL_REFUSED;
	call->queue_by_ms = now + LIMIT_REFUSE_MS;
	TAILQ_INSERT_TAIL(&refused, call, link);
}

bool
db_cancel(DbCall *call)
{
	if (call->state == DB_CALL_REFUSED)
		TAILQ_REMOVE(&refused, call, link);
	else if (call->state == DB_CALL_WAITING)
		waiting_leave(call);
	else
		return false;
	call->state = DB_CALL_DONE;
	return true;
}

/* The one used last comes first: its backend is warm. */
static DbConn *
idle_take(Lane lane)
{
	DbConn *conn = TAILQ_FIRST(&pools[lane].idle);

	if (conn == NULL && lane == LANE_SOS)
		conn = TAILQ_FIRST(&pools[LANE_NORMAL].idle);
	if (conn == NULL)
		return NULL;
	idle_leave(conn);
	pool_count(conn->lane);
	return conn;
}

static void
idle_leave(DbConn *conn)
{
	if (!conn->is_idle)
		return;
	TAILQ_REMOVE(&pools[conn->lane].idle, conn, idle_link);
	pools[conn->lane].idle_count--;
	conn->is_idle = false;
}

/*
 * What waited has its lane's time still before it: the wait for its answer begins here.
 * A call that libpq refuses twice is too large for the memory there is, and would cost
 * one connection after the other.
 */
static void
call_send(DbConn *conn, DbCall *call)
{
	call->state = DB_CALL_RUNNING;
	call->attempts++;
	call->sent_us = clock_us();
	if (call->answer_by_ms == 0)
		call->answer_by_ms =
			clock_ms() + config_get()->lane_ms[call->lane] + LIMIT_ANSWER_MORE_MS;
	if (conn_send(conn, call))
		return;
	call->attempts--;
	if (++call->refused_sends < LIMIT_REFUSED_SENDS)
		call_wait(call, true);
	else
		call_fail(call, DB_LATE);
	link_drop(&conn->link, "send");
	/* one of those without work shall take it, if it lives */
	idle_probe(0, clock_ms());
}

static void
call_wait(DbCall *call, bool at_head)
{
	Pool *pool = &pools[call->lane];

	call->state = DB_CALL_WAITING;
	if (at_head)
		TAILQ_INSERT_HEAD(&pool->waiting, call, link);
	else
		TAILQ_INSERT_TAIL(&pool->waiting, call, link);
	pool->waiting_count++;
	pool_count(call->lane);
}

static void
call_fail(DbCall *call, DbOutcome outcome)
{
	const struct timeval now = {0};

	call->state = DB_CALL_DONE;
	call->early = outcome;
	TAILQ_INSERT_TAIL(&failed, call, link);
	evtimer_add(failed_event, &now);
	if (outcome == DB_FULL || outcome == DB_LATE)
		metrics_lane_refused(call->lane);
}

/* It was sent, and what became of it will not be told. */
static void
call_unknown(DbCall *call, DbOutcome outcome)
{
	int64_t now = clock_ms();

	call->held_us += clock_us() - call->sent_us;
	if (call->is_read && call->attempts == 1 && !is_closing && now < call->answer_by_ms)
	{
		metrics_add(METRIC_DB_RETRIES, 1);
		call->queue_by_ms = call->answer_by_ms;
		call_wait(call, true);
		return;
	}
	metrics_add(METRIC_DB_LOST, 1);
	call_fail(call, outcome);
}

static void
conn_is_up(DbConn *conn)
{
	conn_is_free(conn);
}

static void
conn_is_free(DbConn *conn)
{
	DbCall *call;

	ready_set(conn, true);
	call = work_take(conn);
	if (call != NULL)
	{
		call_send(conn, call);
		return;
	}
	TAILQ_INSERT_HEAD(&pools[conn->lane].idle, conn, idle_link);
	pools[conn->lane].idle_count++;
	conn->is_idle = true;
	pool_count(conn->lane);
}

static void
conn_is_down(DbConn *conn, DbCall *unknown)
{
	bool was_silent = conn->is_silent;

	conn->is_silent = false;
	idle_leave(conn);
	ready_set(conn, false);
	pool_count(conn->lane);
	if (unknown == NULL && !was_silent)
		return;
	if (unknown != NULL)
		call_unknown(unknown, was_silent ? DB_SILENT : DB_LOST);
	idle_probe(0, clock_ms());
}

static void
ready_set(DbConn *conn, bool is_ready)
{
	if (conn->is_ready == is_ready)
		return;
	conn->is_ready = is_ready;
	pools[conn->lane].ready_count += is_ready ? 1 : -1;
	pool_count(conn->lane);
}

static DbCall *
work_take(const DbConn *conn)
{
	bool is_shared = conn->lane == LANE_NORMAL && conn != &pools[LANE_NORMAL].conn[0];
	DbCall *call = is_shared ? waiting_take(LANE_SOS) : NULL;

	if (call == NULL)
		call = waiting_take(conn->lane);
	if (call == NULL && conn->lane == LANE_NORMAL)
		call = waiting_take(LANE_SOS);
	return call;
}

static DbCall *
waiting_take(Lane lane)
{
	DbCall *call = TAILQ_FIRST(&pools[lane].waiting);

	if (call != NULL)
		waiting_leave(call);
	return call;
}

static void
waiting_leave(DbCall *call)
{
	TAILQ_REMOVE(&pools[call->lane].waiting, call, link);
	pools[call->lane].waiting_count--;
	pool_count(call->lane);
}

static void
pool_count(Lane lane)
{
	metrics_lane(lane, pools[lane].waiting_count, pools[lane].idle_count,
				 pools[lane].ready_count);
}

static void
on_failed(evutil_socket_t fd, short what, void *arg)
{
	DbCall *call;

	(void) fd;
	(void) what;
	(void) arg;
	while ((call = TAILQ_FIRST(&failed)) != NULL)
	{
		const DbAnswer answer = {.outcome = call->early};

		TAILQ_REMOVE(&failed, call, link);
		call->done(call->arg, &answer);
	}
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = clock_ms();
	bool is_suspect = false;

	(void) fd;
	(void) what;
	(void) arg;
	links_look();
	refused_tell(now);
	on_failed(-1, 0, NULL);
	for (int lane = 0; lane < LANE_COUNT; lane++)
	{
		waiting_look(&pools[lane], now);
		for (int i = 0; i < pools[lane].conn_count; i++)
		{
			conn_look(&pools[lane].conn[i], now);
			if (conn_busy_ms(&pools[lane].conn[i], now) > LIMIT_SUSPECT_MS)
				is_suspect = true;
		}
	}
	idle_probe(is_suspect ? LIMIT_SUSPECT_MS : LIMIT_PROBE_MS, now);
}

static void
refused_tell(int64_t until_ms)
{
	DbCall *call;

	while ((call = TAILQ_FIRST(&refused)) != NULL && call->queue_by_ms <= until_ms)
	{
		TAILQ_REMOVE(&refused, call, link);
		call_fail(call, DB_FULL);
	}
}

static void
waiting_look(Pool *pool, int64_t now)
{
	DbCall *next;

	for (DbCall *call = TAILQ_FIRST(&pool->waiting); call != NULL; call = next)
	{
		next = TAILQ_NEXT(call, link);
		if (call->queue_by_ms > now)
			continue;
		waiting_leave(call);
		call_fail(call, DB_LATE);
	}
}

static void
conn_look(DbConn *conn, int64_t now)
{
	DbCall *call = conn->call;

	if (conn->group == GROUP_NONE)
		return;
	if (conn_busy_ms(conn, now) > LIMIT_READY_MS)
		ready_set(conn, false);
	if (conn_busy_ms(conn, now) >= answer_most_ms(conn))
	{
		conn->is_silent = true;
		link_is_silent(&conn->link);
	}
	else if (call != NULL && call->answer_by_ms <= now)
	{
		conn->call = NULL;
		call_unknown(call, DB_SILENT);
	}
}

static int64_t
answer_most_ms(const DbConn *conn)
{
	if (hosts_have_left(conn->link.host))
		return LIMIT_SUSPECT_MS;
	if (conn->group == GROUP_PROBE)
		return LIMIT_PROBE_ANSWER_MS;
	return config_get()->lane_ms[conn->lane] + LIMIT_SILENCE_MS;
}

/* Those that were quiet for so long; what waits meanwhile is taken by whoever answers first. */
static void
idle_probe(int64_t quiet_ms, int64_t now)
{
	for (int lane = 0; lane < LANE_COUNT; lane++)
		for (int i = 0; i < pools[lane].conn_count; i++)
		{
			DbConn *conn = &pools[lane].conn[i];

			if (!conn->is_idle || now - conn->heard_ms < quiet_ms)
				continue;
			idle_leave(conn);
			conn_probe(conn);
		}
}
