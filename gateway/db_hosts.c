/*-------------------------------------------------------------------------
 *
 * db_hosts.c
 *	  The hosts of the connection string, and in which order they are tried.
 *
 * libpq would walk the list by itself, but always from its beginning, and a host
 * that takes the connection and then says nothing would hide all after it.  So
 * each try of a link (db_link.c) is at one host, for a second; longer in later
 * rounds, for a server that is slow and not dead.  All links of the process share
 * which host was good last.  Because they walk in different orders, one of many
 * soon finds the primary, and calls the others.
 *
 *-------------------------------------------------------------------------
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "db_hosts.h"

/* After these a host has got the longest patience: nobody may be there for years. */
#define ROUNDS_COUNTED (LIMIT_HOST_LAST_MS / LIMIT_HOST_MS)

static Host hosts[LIMIT_HOSTS];
static int host_count;
static int good = -1;
static bool needs_primary;
static char *names; /* owns these three, cut into pieces */
static char *addresses;
static char *ports;

static void option_read(const PQconninfoOption *option);
static char *value_of(const PQconninfoOption *option);
static bool lists_cut(const char **complaint);
static char *piece_take(char **list);
static int pieces(const char *list);

bool
hosts_start(const char *conninfo, const char **complaint)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

	*complaint = "is no connection string as libpq reads them";
	if (options == NULL)
		return false;
	needs_primary = false;
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
		option_read(option);
	PQconninfoFree(options);
	good = -1;
	return lists_cut(complaint);
}

void
hosts_stop(void)
{
	free(names);
	free(addresses);
	free(ports);
	names = addresses = ports = NULL;
	host_count = 0;
}

static void
option_read(const PQconninfoOption *option)
{
	if (strcmp(option->keyword, "host") == 0)
		names = value_of(option);
	else if (strcmp(option->keyword, "hostaddr") == 0)
		addresses = value_of(option);
	else if (strcmp(option->keyword, "port") == 0)
		ports = value_of(option);
	else if (strcmp(option->keyword, "target_session_attrs") == 0)
		needs_primary = option->val == NULL || strcmp(option->val, "read-write") == 0 ||
						strcmp(option->val, "primary") == 0;
}

static char *
value_of(const PQconninfoOption *option)
{
	const char *value = option->val;

	if (value == NULL && option->envvar != NULL)
		value = getenv(option->envvar);
	return strdup(value != NULL ? value : "");
}

/* host and hostaddr are lists of one length; port is one for all, or as many. */
static bool
lists_cut(const char **complaint)
{
	char *next_name = names;
	char *next_address = addresses;
	char *next_port = ports;
	bool is_one_port;

	if (names == NULL || addresses == NULL || ports == NULL)
		return false;
	host_count = pieces(*addresses != '\0' ? addresses : names);
	is_one_port = pieces(ports) == 1;
	*complaint = "has more hosts than sixteen";
	if (host_count > LIMIT_HOSTS)
		return false;
	*complaint = "has lists of hosts, addresses and ports of different lengths";
	if ((*addresses != '\0' && *names != '\0' && pieces(names) != host_count) ||
		(!is_one_port && pieces(ports) != host_count))
		return false;
	for (int i = 0; i < host_count; i++)
	{
		hosts[i].name = piece_take(&next_name);
		hosts[i].address = piece_take(&next_address);
		hosts[i].port = is_one_port ? ports : piece_take(&next_port);
	}
	return true;
}

static char *
piece_take(char **list)
{
	char *piece = *list;
	char *comma = strchr(piece, ',');

	if (comma == NULL)
		*list = piece + strlen(piece);
	else
	{
		*comma = '\0';
		*list = comma + 1;
	}
	return piece;
}

static int
pieces(const char *list)
{
	int count = 1;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

bool
hosts_are_many(void)
{
	return host_count > 1;
}

bool
hosts_need_primary(void)
{
	return needs_primary && host_count > 1;
}

const Host *
hosts_get(int host)
{
	return &hosts[host];
}

void
walk_begin(HostWalk *walk)
{
	walk->at = 0;
	for (int i = 0; i < host_count; i++)
	{
		int other = rand() % (i + 1);

		walk->order[i] = walk->order[other];
		walk->order[other] = (uint8_t) i;
	}
	for (int i = 0; i < host_count && good >= 0; i++)
		if (walk->order[i] == good)
		{
			walk->order[i] = walk->order[0];
			walk->order[0] = (uint8_t) good;
		}
}

int
walk_host(const HostWalk *walk)
{
	return walk->order[walk->at];
}

bool
walk_next(HostWalk *walk)
{
	if (++walk->at < host_count)
		return true;
	if (walk->rounds < ROUNDS_COUNTED)
		walk->rounds++;
	walk_begin(walk);
	return false;
}

int
walk_patience_ms(const HostWalk *walk)
{
	if (host_count <= 1)
		return LIMIT_CONNECT_MS;
	return walk->rounds < ROUNDS_COUNTED ? LIMIT_HOST_MS * (walk->rounds + 1) : LIMIT_HOST_LAST_MS;
}

bool
hosts_are_good_at(int host)
{
	bool is_other = good != host;

	good = host;
	return is_other;
}

void
hosts_are_bad_at(int host)
{
	if (good == host)
		good = -1;
}

bool
hosts_have_left(int host)
{
	return hosts_need_primary() && good >= 0 && good != host;
}
