/*-------------------------------------------------------------------------
 *
 * db_conn.h
 *	  One connection of the pool and the call it carries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DB_CONN_H
#define DB_CONN_H

#include "db.h"
#include "db_link.h"

#define DOORS_MAX 128 /* different doors one connection may prepare */

/* What has come of the group that was sent; the story is in db_conn.c. */
typedef enum GroupState
{
	GROUP_NONE,  /* nothing is under way */
	GROUP_PROBE, /* only asked whether somebody is there */
	GROUP_RESET, /* the settings of the session go first, in a transaction of their own */
	GROUP_SENT,  /* nothing of the door yet */
	GROUP_ROW,   /* its row is here; whether it is committed is not */
	GROUP_FAILED /* an error: nothing of this group will ever be committed */
} GroupState;

typedef struct DbConn
{
	DbLink link;
	TAILQ_ENTRY(DbConn) idle_link;
	Lane lane;
	bool is_idle;  /* in the list of those without work */
	bool is_ready; /* up, and has answered lately */
	GroupState group;
	DbCall *call;      /* borrows from its owner until done; NULL: nobody waits any more */
	const char *door;  /* of the group; lives as long as the process */
	PGresult *result;  /* owns: the row of GROUP_ROW, the error of GROUP_FAILED */
	bool has_prepared; /* this group began with a Parse */
	bool was_prepared_anew;
	bool was_repeated;
	bool is_silent;    /* dropped because it did not answer in time */
	bool is_unsure;    /* committed here, and perhaps nowhere else */
	int commands_done; /* of the group: DEALLOCATE and Parse */
	int64_t sent_ms;
	int64_t heard_ms; /* when the last group ended */
	int prepared_count;
	const char *prepared[DOORS_MAX];
	char name[24];
} DbConn;

typedef struct ConnEvents
{
	void (*up)(DbConn *conn);
	void (*free)(DbConn *conn);                  /* its group is over: more work, or idle */
	void (*down)(DbConn *conn, DbCall *unknown); /* NULL: it carried none */
} ConnEvents;

/* events borrows until conn_stop() */
bool conn_start(DbConn *conn, struct event_base *base, Lane lane, const ConnEvents *events);
void conn_stop(DbConn *conn);

/* False: the call is not sent and cannot happen; the connection is to be dropped. */
bool conn_send(DbConn *conn, DbCall *call);

/* Asks whether the server is there and still takes writes; else the link is dropped. */
void conn_probe(DbConn *conn);

/* How long its group has been under way. */
int64_t conn_busy_ms(const DbConn *conn, int64_t now_ms);

#endif
