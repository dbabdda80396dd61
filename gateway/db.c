/*-------------------------------------------------------------------------
 *
 * db.c
 *	  The pool: lanes, their queues and their connections.
 *
 * request.c, keys.c and ws.c call doors.  A call that finds no idle connection
 * waits in the queue of its lane, for a bounded time and in a bounded number.
 * The lane of calls for help may also use idle connections of the normal lane.
 *
 * An answer is given only after the end of the pipeline group, because only
 * then the commit has happened.  If the connection breaks between sending and
 * that moment nobody knows whether it has; reads are then sent once more, all
 * else is answered DB_LOST.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "db.h"
#include "db_link.h"
#include "limits.h"
#include "log.h"
#include "metrics.h"

#define DOORS_MAX 128 /* different doors one connection may prepare */

typedef struct DbConn
{
	DbLink link;
	TAILQ_ENTRY(DbConn) idle_link;
	Lane lane;
	bool is_idle;
	DbCall *call;      /* borrows from its owner until done */
	PGresult *result;  /* owns: the row, or the first error */
	bool has_prepared; /* this group began with a Parse */
	bool was_prepared_anew;
	int commands_done; /* of the group: DEALLOCATE and Parse */
	int prepared_count;
	const char *prepared[DOORS_MAX];
	char name[24];
} DbConn;

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

static const char *const lane_names[LANE_COUNT] = {"sos", "normal", "hash", "file", "report"};

static Pool pools[LANE_COUNT];
static struct CallQueue failed; /* to be told at the end of this turn */
static struct event *failed_event;
static struct event *queue_timer;
static bool is_closing;

static bool pool_start(Pool *pool, Lane lane, struct event_base *base);
static DbConn *idle_take(Lane lane);
static void call_send(DbConn *conn, DbCall *call);
static bool group_send(DbConn *conn, DbCall *call);
static bool is_prepared(const DbConn *conn, const char *door);
static bool prepare_send(DbConn *conn, const char *door, bool is_anew);
static void call_wait(DbCall *call, bool at_head);
static void call_fail(DbCall *call, DbOutcome outcome);
static void conn_up(void *arg);
static void conn_ready(void *arg);
static void conn_down(void *arg);
static bool conn_take_result(DbConn *conn, PGresult *result);
static void conn_has_prepared(DbConn *conn);
static bool conn_repeat(DbConn *conn);
static void conn_answer(DbConn *conn);
static void answer_row(DbAnswer *answer, const PGresult *result);
static void answer_error(DbAnswer *answer, const PGresult *result);
static void conn_is_free(DbConn *conn);
static DbCall *waiting_take(Lane lane);
static void pool_count(Lane lane);
static void on_failed(evutil_socket_t fd, short what, void *arg);
static void on_queue_timer(evutil_socket_t fd, short what, void *arg);
static int64_t now_ms(void);
static int64_t now_us(void);

static const LinkEvents conn_events = {conn_up, conn_ready, conn_down};

bool
db_start(struct event_base *base)
{
	const struct timeval often = {.tv_usec = LIMIT_SWEEP_MS * 1000};

	TAILQ_INIT(&failed);
	is_closing = false;
	failed_event = evtimer_new(base, on_failed, NULL);
	queue_timer = event_new(base, -1, EV_PERSIST, on_queue_timer, NULL);
	if (failed_event == NULL || queue_timer == NULL || evtimer_add(queue_timer, &often) != 0)
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
	{
		DbConn *conn = &pool->conn[i];

		conn->lane = lane;
		snprintf(conn->name, sizeof(conn->name), "kintaraa-%s", lane_names[lane]);
		if (!link_start(&conn->link, base, conn->name, (int) config_get()->lane_ms[lane], true,
						&conn_events, conn))
			return false;
	}
	return true;
}

void
db_close(void)
{
	is_closing = true;
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
			PQclear(conn->result);
			link_stop(&conn->link);
		}
		free(pools[lane].conn);
		pools[lane].conn = NULL;
		pools[lane].conn_count = 0;
	}
	on_failed(-1, 0, NULL);
	event_free(failed_event);
	event_free(queue_timer);
}

void
db_call(DbCall *call)
{
	DbConn *conn;

	call->attempts = 0;
	call->held_us = 0;
	call->deadline_ms = now_ms() + config_get()->queue_ms;
	conn = idle_take(call->lane);
	if (conn != NULL)
		call_send(conn, call);
	else if (is_closing)
		call_fail(call, DB_CLOSED);
	else if (pools[call->lane].waiting_count >= config_get()->queue_limit)
		call_fail(call, DB_FULL);
	else
		call_wait(call, false);
}

bool
db_cancel(DbCall *call)
{
	if (call->state != DB_CALL_WAITING)
		return false;
	TAILQ_REMOVE(&pools[call->lane].waiting, call, link);
	pools[call->lane].waiting_count--;
	pool_count(call->lane);
	call->state = DB_CALL_DONE;
	return true;
}

bool
db_is_up(void)
{
	for (int lane = 0; lane < LANE_COUNT; lane++)
		if (pools[lane].ready_count > 0)
			return true;
	return false;
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
	TAILQ_REMOVE(&pools[conn->lane].idle, conn, idle_link);
	pools[conn->lane].idle_count--;
	conn->is_idle = false;
	pool_count(conn->lane);
	return conn;
}

/*
 * The call belongs to the connection before the first byte leaves: whatever
 * goes wrong from here on finds it there.
 */
static void
call_send(DbConn *conn, DbCall *call)
{
	conn->call = call;
	conn->was_prepared_anew = false;
	call->state = DB_CALL_RUNNING;
	call->attempts++;
	call->sent_us = now_us();
	if (group_send(conn, call))
		return;
	/* Without the end of the group nothing can be committed: not sent. */
	conn->call = NULL;
	call->attempts--;
	call_wait(call, true);
	link_drop(&conn->link, "send");
}

static bool
group_send(DbConn *conn, DbCall *call)
{
	PGconn *pg = conn->link.conn;

	conn->has_prepared = !is_prepared(conn, call->door);
	conn->commands_done = 0;
	if (conn->has_prepared && !prepare_send(conn, call->door, conn->was_prepared_anew))
		return false;
	if (!PQsendQueryPrepared(pg, call->door, DB_PARAMETERS, call->parameter, NULL, NULL, 0) ||
		!PQpipelineSync(pg))
		return false;
	link_flush(&conn->link);
	return true;
}

static bool
is_prepared(const DbConn *conn, const char *door)
{
	for (int i = 0; i < conn->prepared_count; i++)
		if (conn->prepared[i] == door || strcmp(conn->prepared[i], door) == 0)
			return true;
	return false;
}

static bool
prepare_send(DbConn *conn, const char *door, bool is_anew)
{
	char statement[160];
	PGconn *pg = conn->link.conn;

	if (is_anew)
	{
		/* Only after 0A000: the statement is there and of no use. */
		snprintf(statement, sizeof(statement), "DEALLOCATE \"%s\"", door);
		if (!PQsendQueryParams(pg, statement, 0, NULL, NULL, NULL, NULL, 0))
			return false;
	}
	snprintf(statement, sizeof(statement),
			 "SELECT outcome, body FROM kintaraa_api.%s($1,$2,$3,$4,$5)", door);
	return PQsendPrepare(pg, door, statement, 0, NULL) != 0;
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

static void
conn_up(void *arg)
{
	DbConn *conn = arg;

	conn->prepared_count = 0;
	pools[conn->lane].ready_count++;
	conn_is_free(conn);
}

static void
conn_down(void *arg)
{
	DbConn *conn = arg;
	DbCall *call = conn->call;

	pools[conn->lane].ready_count--;
	if (conn->is_idle)
	{
		TAILQ_REMOVE(&pools[conn->lane].idle, conn, idle_link);
		pools[conn->lane].idle_count--;
		conn->is_idle = false;
	}
	pool_count(conn->lane);
	PQclear(conn->result);
	conn->result = NULL;
	conn->call = NULL;
	if (call == NULL)
		return;
	call->held_us += now_us() - call->sent_us;
	if (call->is_read && call->attempts == 1 && !is_closing)
	{
		metrics_add(METRIC_DB_RETRIES, 1);
		call_wait(call, true);
		return;
	}
	metrics_add(METRIC_DB_LOST, 1);
	call_fail(call, DB_LOST);
}

/* Input came: read results up to the end of the group. */
static void
conn_ready(void *arg)
{
	DbConn *conn = arg;
	int nothing = 0;

	while (!PQisBusy(conn->link.conn) && nothing < 2)
	{
		PGresult *result = PQgetResult(conn->link.conn);

		if (result == NULL)
		{
			nothing++;
			continue;
		}
		nothing = 0;
		if (conn_take_result(conn, result))
		{
			conn_answer(conn);
			return;
		}
	}
	if (PQstatus(conn->link.conn) == CONNECTION_BAD)
		link_drop(&conn->link, "lost");
}

/* Takes the result.  True at the end of the group. */
static bool
conn_take_result(DbConn *conn, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	bool is_kept = conn->result == NULL &&
				   (status == PGRES_TUPLES_OK || status == PGRES_FATAL_ERROR);

	if (status == PGRES_COMMAND_OK)
		conn_has_prepared(conn);
	if (is_kept)
		conn->result = result;
	else
		PQclear(result);
	return status == PGRES_PIPELINE_SYNC;
}

/* A prepared statement stays, whatever becomes of the rest of its group. */
static void
conn_has_prepared(DbConn *conn)
{
	conn->commands_done++;
	if (conn->has_prepared && conn->call != NULL && conn->prepared_count < DOORS_MAX &&
		conn->commands_done == (conn->was_prepared_anew ? 2 : 1))
		conn->prepared[conn->prepared_count++] = conn->call->door;
}

static void
conn_answer(DbConn *conn)
{
	DbCall *call = conn->call;
	PGresult *result = conn->result;
	DbAnswer answer = {0};
	bool is_clean = PQtransactionStatus(conn->link.conn) == PQTRANS_IDLE;

	if (call != NULL && conn_repeat(conn))
		return;
	conn->call = NULL;
	conn->result = NULL;
	if (result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK)
		answer_row(&answer, result);
	else
		answer_error(&answer, result);
	if (call != NULL)
	{
		call->state = DB_CALL_DONE;
		call->held_us += now_us() - call->sent_us;
		call->done(call->arg, &answer);
	}
	/* A session that is still in a transaction, or on a server that only reads, is of no use. */
	if (!is_clean || (answer.outcome == DB_ERROR && strcmp(answer.sqlstate, "25006") == 0))
		link_drop(&conn->link, "state");
	else
		conn_is_free(conn);
	PQclear(result);
}

/*
 * The statement is not there (26000: the session was reset behind our back) or
 * its plan no longer fits (0A000): prepares it again, once, and runs it.  In
 * both cases the door itself has not run.
 */
static bool
conn_repeat(DbConn *conn)
{
	const char *state;
	DbCall *call = conn->call;

	if (conn->result == NULL || PQresultStatus(conn->result) != PGRES_FATAL_ERROR ||
		conn->has_prepared)
		return false;
	state = PQresultErrorField(conn->result, PG_DIAG_SQLSTATE);
	if (state == NULL || (strcmp(state, "26000") != 0 && strcmp(state, "0A000") != 0))
		return false;
	for (int i = 0; i < conn->prepared_count; i++)
		if (strcmp(conn->prepared[i], call->door) == 0)
			conn->prepared[i] = conn->prepared[--conn->prepared_count];
	conn->was_prepared_anew = strcmp(state, "0A000") == 0;
	PQclear(conn->result);
	conn->result = NULL;
	if (!group_send(conn, call))
		link_drop(&conn->link, "send");
	return true;
}

static void
answer_row(DbAnswer *answer, const PGresult *result)
{
	if (PQntuples(result) != 1 || PQnfields(result) != 2 || PQgetisnull(result, 0, 0))
	{
		answer_error(answer, NULL);
		return;
	}
	answer->outcome = DB_ROW;
	answer->word = PQgetvalue(result, 0, 0);
	if (!PQgetisnull(result, 0, 1))
	{
		answer->body = PQgetvalue(result, 0, 1);
		answer->body_len = (size_t) PQgetlength(result, 0, 1);
	}
}

/* Any field may be missing, the SQLSTATE included. */
static void
answer_error(DbAnswer *answer, const PGresult *result)
{
	const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

	answer->outcome = DB_ERROR;
	answer->sqlstate = state != NULL && strlen(state) == 5 ? state : "XX000";
	if (result == NULL)
		return;
	answer->message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	answer->hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	answer->column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
}

/* Its own lane first; calls for help before a normal connection goes idle. */
static void
conn_is_free(DbConn *conn)
{
	DbCall *call = waiting_take(conn->lane);

	if (call == NULL && conn->lane == LANE_NORMAL)
		call = waiting_take(LANE_SOS);
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

static DbCall *
waiting_take(Lane lane)
{
	DbCall *call = TAILQ_FIRST(&pools[lane].waiting);

	if (call != NULL)
	{
		TAILQ_REMOVE(&pools[lane].waiting, call, link);
		pools[lane].waiting_count--;
		pool_count(lane);
	}
	return call;
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

/* All calls of a queue wait equally long, so the oldest is the first to be late. */
static void
on_queue_timer(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = now_ms();

	(void) fd;
	(void) what;
	(void) arg;
	for (int lane = 0; lane < LANE_COUNT; lane++)
	{
		DbCall *call;

		while ((call = TAILQ_FIRST(&pools[lane].waiting)) != NULL && call->deadline_ms <= now)
		{
			waiting_take((Lane) lane);
			call_fail(call, DB_LATE);
		}
	}
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Exact, where a tick of the coarse clock is longer than most calls. */
static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
