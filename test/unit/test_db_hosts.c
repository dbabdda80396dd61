/*-------------------------------------------------------------------------
 *
 * test_db_hosts.c
 *	  In which order hosts are tried, and what is no list of hosts.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/db_hosts.c */
/* libs: pq */

#include "gateway/db_hosts.h"
#include "tap.h"

static const char *why;

static bool
begins(const char *conninfo)
{
	hosts_stop();
	return hosts_start(conninfo, &why);
}

/* Does a round visit every one of the hosts once? */
static bool
visits_all(HostWalk *walk, int count)
{
	unsigned seen = 0;

	for (int i = 0; i < count; i++)
	{
		seen |= 1u << walk_host(walk);
		if (walk_next(walk) != (i < count - 1))
			return false;
	}
	return seen == (1u << count) - 1;
}

static void
test_lists(void)
{
	char many[200] = "host=a";

	ok(begins("dbname=x") && !hosts_are_many() && *hosts_get(0)->name == '\0',
	   "without hosts libpq decides");
	ok(!hosts_need_primary(), "and which server it is, is not asked");
	ok(begins("host=a,b,c port=5") && hosts_are_many() && strcmp(hosts_get(2)->name, "c") == 0 &&
		   strcmp(hosts_get(2)->port, "5") == 0,
	   "one port is for all");
	ok(hosts_need_primary(), "one of several must take writes");
	ok(begins("host=a,b port=5,6 hostaddr=::1,127.0.0.1") &&
		   strcmp(hosts_get(1)->address, "127.0.0.1") == 0 && strcmp(hosts_get(1)->port, "6") == 0,
	   "names, addresses and ports go together");
	ok(begins("host=a,b target_session_attrs=any") && !hosts_need_primary(),
	   "unless the setting says otherwise");
	ok(begins("postgresql://u:p@a:1,b:2/x") && strcmp(hosts_get(1)->port, "2") == 0,
	   "an address as a URI");
	ok(!begins("host=a,b port=1,2,3"), "three ports for two hosts are refused");
	ok(!begins("host=a,b hostaddr=::1"), "one address for two hosts is refused");
	ok(!begins("is=nothing"), "what libpq does not know is refused");
	for (int i = 1; i < LIMIT_HOSTS; i++)
		strcat(many, ",a");
	ok(begins(many), "sixteen hosts are taken");
	strcat(many, ",a");
	ok(!begins(many), "one more is refused");
}

static void
test_walk(void)
{
	HostWalk walk = {0};
	unsigned first = 0;
	bool is_whole = true;
	bool is_first = true;

	begins("host=a,b,c");
	for (int i = 0; i < 200; i++)
	{
		walk_begin(&walk);
		first |= 1u << walk_host(&walk);
		is_whole = is_whole && visits_all(&walk, 3);
	}
	ok(is_whole, "a round visits every host once");
	ok(first == 7, "any may come first");
	ok(hosts_are_good_at(1) && !hosts_are_good_at(1), "a good host is news once");
	for (int i = 0; i < 200; i++)
	{
		walk_begin(&walk);
		is_first = is_first && walk_host(&walk) == 1 && visits_all(&walk, 3);
	}
	ok(is_first, "the last good one comes first");
	hosts_are_bad_at(0);
	ok(!hosts_are_good_at(1), "that another is bad changes nothing");
	hosts_are_bad_at(1);
	ok(hosts_are_good_at(1), "one that failed is no longer good");
}

static void
test_patience(void)
{
	HostWalk walk = {0};

	begins("host=a,b");
	ok(walk_patience_ms(&walk) == LIMIT_HOST_MS, "the first round gives a second");
	walk.rounds = 1;
	ok(walk_patience_ms(&walk) == 2 * LIMIT_HOST_MS, "the next one more");
	walk.rounds = 1000;
	ok(walk_patience_ms(&walk) == LIMIT_HOST_LAST_MS, "but not for ever more");
	walk.rounds = 0x7fffffff;
	ok(walk_patience_ms(&walk) == LIMIT_HOST_LAST_MS, "nor less after years");
	walk.at = 1;
	ok(!walk_next(&walk) && walk.rounds == 0x7fffffff, "and rounds are not counted without an end");
	begins("host=a");
	ok(walk_patience_ms(&walk) == LIMIT_CONNECT_MS, "the only host has longer");
}

int
main(void)
{
	srand(1);
	test_lists();
	test_walk();
	test_patience();
	hosts_stop();
	return finish();
}
