/*-------------------------------------------------------------------------
 *
 * db_hosts.h
 *	  The hosts of the connection string, and in which order they are tried.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DB_HOSTS_H
#define DB_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

/* texts as libpq takes them; "" leaves it to libpq */
typedef struct Host
{
	const char *name;
	const char *address;
	const char *port;
} Host;

/* The way of one link through the list. */
typedef struct HostWalk
{
	uint8_t order[LIMIT_HOSTS];
	int at;
	int rounds; /* that found nothing, since the last success */
} HostWalk;

/* False: complaint is one sentence about the connection string. */
bool hosts_start(const char *conninfo, const char **complaint);
void hosts_stop(void);

/* Is there more than one? */
bool hosts_are_many(void);

/* Must the one we connect to take writes? */
bool hosts_need_primary(void);

const Host *hosts_get(int host);

/* A new round: the one that was good last comes first, the others as chance wills. */
void walk_begin(HostWalk *walk);
int walk_host(const HostWalk *walk);

/* To the next one.  False: the round is over, and a new one has begun. */
bool walk_next(HostWalk *walk);

/* How long this host has got to let us in. */
int walk_patience_ms(const HostWalk *walk);

/* True: another one than before. */
bool hosts_are_good_at(int host);
void hosts_are_bad_at(int host);

/* Has another one been found good since? */
bool hosts_have_left(int host);

#endif
