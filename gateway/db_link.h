/*-------------------------------------------------------------------------
 *
 * db_link.h
 *	  One database connection on the event loop: it connects by itself, again and
 *	  again, and tells when something came.
 *
 * Used by db.c and listen.c, which add what they talk about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DB_LINK_H
#define DB_LINK_H

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "db_hosts.h"

typedef enum LinkState
{
	LINK_DOWN, /* waits to try again */
	LINK_CONNECTING,
	LINK_UP
} LinkState;

typedef struct DbLink DbLink;

typedef struct LinkEvents
{
	void (*up)(void *arg);    /* connected; send what you need */
	void (*ready)(void *arg); /* input was consumed: look for results and notifications */
	void (*down)(void *arg);  /* was up and is lost; the connection is gone already */
} LinkEvents;

struct DbLink
{
	TAILQ_ENTRY(DbLink) all_link;
	PGconn *conn; /* owns; NULL while LINK_DOWN */
	LinkState state;
	HostWalk walk;
	int host; /* that is tried, or was reached */
	bool is_pipelined;
	bool wants_write;
	int statement_ms;
	int backoff_ms;
	int64_t up_since_ms;
	int watched_fd;
	const char *name; /* for the log and pg_stat_activity */
	const LinkEvents *events;
	void *arg;
	struct event_base *base;
	struct event *read_event;
	struct event *write_event;
	struct event *timer;
};

/* Starts connecting.  events and name borrow until link_stop(). */
bool link_start(DbLink *link, struct event_base *base, const char *name, int statement_ms,
				bool is_pipelined, const LinkEvents *events, void *arg);
void link_stop(DbLink *link);

/* Sends what libpq has gathered, later if the socket is full. */
bool link_flush(DbLink *link);

/* Nobody answers there: as link_drop(), and the host is no longer known as good. */
void link_is_silent(DbLink *link);

/* To be called now and then: nothing is left that waits for nothing. */
void links_look(void);

/* Ends the connection; down() is called, and it connects anew. */
void link_drop(DbLink *link, const char *reason);

#endif
