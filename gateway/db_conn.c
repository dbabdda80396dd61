/*-------------------------------------------------------------------------
 *
 * db_conn.c
 *	  One connection of the pool: what it sends, and what came of it.
 *
 * db.c decides who gets a connection; this file speaks with PostgreSQL.  A call
 * is one pipeline group, [DEALLOCATE] [Parse] Execute Sync, and the commit
 * happens at Sync, after the row.  So the row is not yet an answer:
 *
 *	SENT --row--> ROW --error--> FAILED      what COMMIT raised: a deferred trigger,
 *	SENT --error--> FAILED                   a serialization failure, a guard of ours
 *	ROW or FAILED --end of the group--> the answer
 *
 * The first error stands, a row never comes after one.  A connection that breaks
 * before the end of its group leaves the outcome unknown, whatever came before.
 * So does a commit that stopped waiting for its standby, which the server tells by
 * a warning alone.  Whatever libpq tells that is not expected here counts as an error.
 *
 * A session that was reset behind our back (26000), or whose transactions are not
 * read committed (KN904), is put right by a group of its own before the door is
 * tried once more: the level of a transaction is settled by its first statement.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "db_conn.h"
#include "db_hosts.h"
#include "limits.h"
#include "log.h"

#define RESET_SESSION "SET default_transaction_isolation = 'read committed'"

static const char *const lane_names[LANE_COUNT] = {"sos", "normal", "hash", "file", "report"};

/* Why a call is sent once more. */
typedef enum Repeat
{
	REPEAT_NOT,
	REPEAT_MISSING,  /* its statement is not there */
	REPEAT_UNFIT,    /* its plan no longer fits */
	REPEAT_ISOLATION /* the door has refused the isolation level */
} Repeat;

static const ConnEvents *conn_events;

static bool group_send(DbConn *conn, DbCall *call);
static bool is_prepared(const DbConn *conn, const char *door);
static bool prepare_send(DbConn *conn, const char *door);
static void conn_up(void *arg);
static void on_notice(void *arg, const PGresult *notice);
static void conn_ready(void *arg);
static void conn_down(void *arg);
static bool conn_take_result(DbConn *conn, PGresult *result);
static void group_take(DbConn *conn, PGresult *result);
static void group_has_failed(DbConn *conn, PGresult *error);
static void conn_has_prepared(DbConn *conn);
static bool conn_repeat(DbConn *conn);
static Repeat repeat_of(const DbConn *conn);
static void prepared_forget(DbConn *conn, const char *door);
static void conn_answer(DbConn *conn);
static void call_answer(DbCall *call, GroupState group, bool is_unsure, const PGresult *result);
static bool is_of_libpq(const PGresult *result);
static bool is_known_standby(const DbConn *conn);
static bool takes_writes(const DbConn *conn);
static void answer_row(DbAnswer *answer, const PGresult *result);
static void answer_error(DbAnswer *answer, const PGresult *result);
static const char *error_state(const PGresult *result);

static const LinkEvents link_events = {conn_up, conn_ready, conn_down};

bool
conn_start(DbConn *conn, struct event_base *base, Lane lane, const ConnEvents *events)
{
	conn_events = events;
	conn->lane = lane;
	snprintf(conn->name, sizeof(conn->name), "kintaraa-%s", lane_names[lane]);
	return link_start(&conn->link, base, conn->name, (int) config_get()->lane_ms[lane], true,
					  &link_events, conn);
}

void
conn_stop(DbConn *conn)
{
	PQclear(conn->result);
	conn->result = NULL;
	link_stop(&conn->link);
}

/*
 * The call belongs to the connection before the first byte leaves: whatever
 * goes wrong from here on finds it there.  Without the Sync at the end of the
 * group nothing can be committed, so a send that libpq refuses is not sent.
 */
bool
conn_send(DbConn *conn, DbCall *call)
{
	conn->call = call;
	conn->door = call->door;
	conn->was_prepared_anew = false;
	conn->was_repeated = false;
	if (group_send(conn, call))
		return true;
	conn->call = NULL;
	conn->group = GROUP_NONE;
	return false;
}

static bool
group_send(DbConn *conn, DbCall *call)
{
	PGconn *pg = conn->link.conn;

	conn->group = conn->group == GROUP_RESET ? GROUP_RESET : GROUP_SENT;
	conn->is_unsure = false;
	conn->sent_ms = clock_ms();
	conn->has_prepared = !is_prepared(conn, call->door);
	conn->commands_done = 0;
	if (conn->has_prepared && !prepare_send(conn, call->door))
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
prepare_send(DbConn *conn, const char *door)
{
	char statement[160];
	PGconn *pg = conn->link.conn;

	if (conn->was_prepared_anew)
	{
		/* The statement is there and of no use. */
		snprintf(statement, sizeof(statement), "DEALLOCATE \"%s\"", door);
		if (!PQsendQueryParams(pg, statement, 0, NULL, NULL, NULL, NULL, 0))
			return false;
	}
	snprintf(statement, sizeof(statement),
			 "SELECT outcome, body FROM kintaraa_api.%s($1,$2,$3,$4,$5)", door);
	return PQsendPrepare(pg, door, statement, 0, NULL) != 0;
}

/* A Sync by itself costs the server next to nothing. */
void
conn_probe(DbConn *conn)
{
	conn->group = GROUP_PROBE;
	conn->sent_ms = clock_ms();
	if (!PQpipelineSync(conn->link.conn))
		link_drop(&conn->link, "send");
	else
		link_flush(&conn->link);
}

int64_t
conn_busy_ms(const DbConn *conn, int64_t now_ms)
{
	return conn->group == GROUP_NONE ? 0 : now_ms - conn->sent_ms;
}

static void
conn_up(void *arg)
{
	DbConn *conn = arg;

	conn->prepared_count = 0;
	conn->group = GROUP_NONE;
	conn->is_silent = false;
	conn->is_unsure = false;
	conn->heard_ms = clock_ms();
	PQsetNoticeReceiver(conn->link.conn, on_notice, conn);
	conn_events->up(conn);
}

/*
 * Whoever cancels the wait for the synchronous standby leaves a commit that this
 * server has and no other may ever have.  All other notices are nobody's.
 */
static void
on_notice(void *arg, const PGresult *notice)
{
	DbConn *conn = arg;
	const char *teller = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);

	if (teller == NULL || strcmp(teller, "SyncRepWaitForLSN") != 0)
		return;
	conn->is_unsure = true;
	log_line(LEVEL_WARN, "commit_alone", "link=%s", conn->name);
}

static void
conn_down(void *arg)
{
	DbConn *conn = arg;
	DbCall *call = conn->call;

	PQclear(conn->result);
	conn->result = NULL;
	conn->call = NULL;
	conn->group = GROUP_NONE;
	conn_events->down(conn, call);
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

/* Takes the result.  True at the end of the door's group, or of a probe. */
static bool
conn_take_result(DbConn *conn, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
	{
		group_take(conn, result);
		return false;
	}
	PQclear(result);
	if (conn->group != GROUP_RESET)
		return true;
	conn->group = GROUP_SENT;
	return false;
}

static void
group_take(DbConn *conn, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	if (conn->group == GROUP_RESET)
		PQclear(result); /* should it have failed, the door says so */
	else if (status == PGRES_TUPLES_OK && conn->group == GROUP_SENT)
	{
		conn->group = GROUP_ROW;
		conn->result = result;
	}
	else if (status == PGRES_COMMAND_OK && conn->group == GROUP_SENT)
	{
		PQclear(result);
		conn_has_prepared(conn);
	}
	else
		group_has_failed(conn, result);
}

/* The first error stands; it takes the place of a row. */
static void
group_has_failed(DbConn *conn, PGresult *error)
{
	if (conn->group == GROUP_FAILED)
		PQclear(error);
	else
	{
		PQclear(conn->result);
		conn->result = error;
	}
	conn->group = GROUP_FAILED;
}

/* A prepared statement stays, whatever becomes of the rest of its group. */
static void
conn_has_prepared(DbConn *conn)
{
	conn->commands_done++;
	if (conn->has_prepared && conn->prepared_count < DOORS_MAX &&
		conn->commands_done == (conn->was_prepared_anew ? 2 : 1))
		conn->prepared[conn->prepared_count++] = conn->door;
}

/* done() may ask for the next call at once, and must find this connection at rest. */
static void
conn_answer(DbConn *conn)
{
	DbCall *call = conn->call;
	PGresult *result = conn->result;
	GroupState group = conn->group;
	bool is_usable = PQtransactionStatus(conn->link.conn) == PQTRANS_IDLE;

	if (group == GROUP_FAILED && is_of_libpq(result))
	{
		link_drop(&conn->link, "result");
		return;
	}
	if (group == GROUP_FAILED && call != NULL && conn_repeat(conn))
		return;
	if (group == GROUP_PROBE)
		is_usable = is_usable && takes_writes(conn);
	else if (group == GROUP_FAILED)
		is_usable = is_usable &&
					(strcmp(error_state(result), "25006") != 0 || is_known_standby(conn));
	conn->call = NULL;
	conn->result = NULL;
	conn->group = GROUP_NONE;
	conn->heard_ms = clock_ms();
	if (call != NULL)
		call_answer(call, group, conn->is_unsure, result);
	PQclear(result);
	/* A session that is still in a transaction, or that only reads and should not, is of no use. */
	if (is_usable)
		conn_events->free(conn);
	else
		link_drop(&conn->link, "state");
}

static void
call_answer(DbCall *call, GroupState group, bool is_unsure, const PGresult *result)
{
	DbAnswer answer = {0};

	if (is_unsure)
		answer.outcome = DB_SILENT;
	else if (group == GROUP_ROW)
		answer_row(&answer, result);
	else
		answer_error(&answer, result);
	call->state = DB_CALL_DONE;
	call->held_us += clock_us() - call->sent_us;
	call->done(call->arg, &answer);
}

/* What was not told by the server, such as short memory here, tells nothing of the commit. */
static bool
is_of_libpq(const PGresult *result)
{
	return PQresultStatus(result) != PGRES_FATAL_ERROR ||
		   PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
}

/* Where there is no other server to go to, a new session would read as this one does. */
static bool
is_known_standby(const DbConn *conn)
{
	const char *value = PQparameterStatus(conn->link.conn, "in_hot_standby");

	return !hosts_need_primary() && value != NULL && strcmp(value, "on") == 0;
}

/* The server tells by itself when one of these changes. */
static bool
takes_writes(const DbConn *conn)
{
	static const char *const flags[] = {"in_hot_standby", "default_transaction_read_only"};

	if (!hosts_need_primary())
		return true;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
	{
		const char *value = PQparameterStatus(conn->link.conn, flags[i]);

		if (value != NULL && strcmp(value, "on") == 0)
			return false;
	}
	return true;
}

/*
 * Sends the call once more when the door itself cannot have done anything.
 * True: the answer will come, or the connection is lost and the call told so.
 */
static bool
conn_repeat(DbConn *conn)
{
	Repeat repeat = repeat_of(conn);
	PGconn *pg = conn->link.conn;
	bool is_reset = repeat == REPEAT_MISSING || repeat == REPEAT_ISOLATION;

	if (repeat == REPEAT_NOT)
		return false;
	conn->was_repeated = true;
	conn->was_prepared_anew = repeat == REPEAT_UNFIT;
	PQclear(conn->result);
	conn->result = NULL;
	if (repeat != REPEAT_ISOLATION)
		prepared_forget(conn, conn->door);
	conn->group = is_reset ? GROUP_RESET : GROUP_SENT;
	if ((is_reset && (!PQsendQueryParams(pg, RESET_SESSION, 0, NULL, NULL, NULL, NULL, 0) ||
					  !PQpipelineSync(pg))) ||
		!group_send(conn, conn->call))
		link_drop(&conn->link, "send");
	return true;
}

/*
 * 0A000 has many meanings; that a plan no longer fits is told by one function
 * of the server alone.
 */
static Repeat
repeat_of(const DbConn *conn)
{
	const char *state = error_state(conn->result);
	const char *teller = PQresultErrorField(conn->result, PG_DIAG_SOURCE_FUNCTION);

	if (conn->was_repeated)
		return REPEAT_NOT;
	if (strcmp(state, "KN904") == 0)
		return REPEAT_ISOLATION;
	if (conn->has_prepared)
		return REPEAT_NOT;
	if (strcmp(state, "26000") == 0)
		return REPEAT_MISSING;
	if (strcmp(state, "0A000") == 0 && teller != NULL &&
		strcmp(teller, "RevalidateCachedQuery") == 0)
		return REPEAT_UNFIT;
	return REPEAT_NOT;
}

static void
prepared_forget(DbConn *conn, const char *door)
{
	for (int i = 0; i < conn->prepared_count; i++)
		if (strcmp(conn->prepared[i], door) == 0)
			conn->prepared[i] = conn->prepared[--conn->prepared_count];
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
	answer->outcome = DB_ERROR;
	answer->sqlstate = error_state(result);
	if (result == NULL)
		return;
	answer->message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	answer->hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	answer->column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
}

static const char *
error_state(const PGresult *result)
{
	const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state != NULL && strlen(state) == 5 ? state : "XX000";
}
