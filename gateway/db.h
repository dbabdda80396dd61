/*-------------------------------------------------------------------------
 *
 * db.h
 *	  Calls of doors over a pool of database connections with lanes.
 *
 * One call is one statement is one transaction.  A connection carries one call
 * at a time: a second one behind a slow first would wait for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DB_H
#define DB_H

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lane.h"

#define DB_PARAMETERS 5

typedef enum DbOutcome
{
	DB_ROW,    /* outcome and body of the door, committed */
	DB_ERROR,  /* PostgreSQL said no, nothing is changed */
	DB_LOST,   /* the connection broke after sending: nobody knows */
	DB_SILENT, /* no answer in time after sending, or none that is sure: nobody knows */
	DB_FULL,   /* the lane's queue is full, nothing was sent */
	DB_LATE,   /* no connection became free in time or none could take it, nothing was sent */
	DB_CLOSED  /* the gateway is going down, nothing was sent */
} DbOutcome;

/* borrows: everything lives until done() returns */
typedef struct DbAnswer
{
	DbOutcome outcome;
	const char *word; /* DB_ROW: the door's outcome */
	const char *body; /* DB_ROW: NULL for SQL NULL */
	size_t body_len;
	const char *sqlstate; /* DB_ERROR: five characters, "XX000" when there was none */
	const char *message;  /* DB_ERROR: these three may be NULL */
	const char *hint;
	const char *column;
} DbAnswer;

typedef void (*DbDone)(void *arg, const DbAnswer *answer);

typedef enum DbCallState
{
	DB_CALL_NEW,
	DB_CALL_WAITING,
	DB_CALL_REFUSED, /* to be told in a moment */
	DB_CALL_RUNNING,
	DB_CALL_DONE
} DbCallState;

/*
 * Owned by the caller, who keeps it and what it points to until done(), or
 * until db_cancel() said true.
 */
typedef struct DbCall
{
	Lane lane;
	bool is_read; /* may be sent twice */
	const char *door;
	const char *parameter[DB_PARAMETERS];
	int most_ms; /* wait no longer than this for an answer; 0: as the lane does */
	DbDone done;
	void *arg;
	int64_t held_us; /* so far: a connection was its own, whatever became of it */

	/* Private from here. */
	TAILQ_ENTRY(DbCall) link;
	DbCallState state;
	DbOutcome early;
	int64_t queue_by_ms;
	int64_t answer_by_ms; /* 0: to be set when it is sent */
	int64_t sent_us;
	int attempts;
	int refused_sends; /* of which nothing left */
} DbCall;

bool db_start(struct event_base *base);

/* Calls that wait are answered DB_CLOSED; calls that run may finish. */
void db_close(void);
void db_stop(void);

/* done() is called exactly once, and never before db_call() returned. */
void db_call(DbCall *call);

/* True: the call had not been sent and done() will not be called. */
bool db_cancel(DbCall *call);

#endif
