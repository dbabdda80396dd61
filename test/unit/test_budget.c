/*-------------------------------------------------------------------------
 *
 * test_budget.c
 *	  What an account's budget promises, with a clock that stands still until it is moved.
 *
 *-------------------------------------------------------------------------
 */
/* sources: */
/* libs: event */

#include <time.h>

static int clock_stopped(clockid_t id, struct timespec *now);

#define clock_gettime clock_stopped
#include "gateway/budget.c"
#include "tap.h"

#define MS 1000
#define SECOND 1000000

static Config config;
static int64_t values[METRIC_COUNT];
static int64_t clock_us = SECOND;
static struct event_base *base;

typedef struct Reading
{
	Claim claim;
	int told;
	BudgetVerdict verdict;
} Reading;

static int
clock_stopped(clockid_t id, struct timespec *now)
{
	*now = (struct timespec){clock_us / SECOND, clock_us % SECOND * 1000};
	return 0;
}

const Config *
config_get(void)
{
	return &config;
}

void
metrics_add(Metric metric, int64_t n)
{
	values[metric] += n;
}

void
metrics_set(Metric metric, int64_t n)
{
	values[metric] = n;
}

static void
decided(Claim *claim, BudgetVerdict verdict)
{
	Reading *reading = (Reading *) claim;

	reading->told++;
	reading->verdict = verdict;
}

static bool
ask(Reading *reading, uint64_t account)
{
	*reading = (Reading){.claim.decided = decided};
	return budget_ask(&reading->claim, account);
}

/* Time goes by, and the line is looked at as often as the timer would. */
static void
pass(int64_t micros)
{
	clock_us += micros;
	on_line(-1, 0, NULL);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static bool
spend(uint64_t account, int64_t micros)
{
	Reading reading;

	if (!ask(&reading, account))
		return false;
	budget_pay(&reading.claim, micros);
	return true;
}

static void
start(void)
{
	config = (Config){.read_budget_ms = 2000, .read_share = 4, .read_ms = 30000};
	memset(values, 0, sizeof(values));
	ok(budget_start(base), "it starts");
}

static void
stop(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	budget_stop();
	ok(budget_count == 0 && waiting_count == 0, "nothing is left");
}

static void
test_size_of_the_bucket(void)
{
	Reading first;

	start();
	ok(spend(1, 2000 * MS - 1), "a new account has all of its budget");
	ok(spend(1, 1), "and may go on while the last microsecond is left");
	ok(!ask(&first, 1) && budget_is_waiting(&first.claim), "with nothing left it waits");
	ok(spend(2, MS), "another account does not");
	pass(25);
	ok(first.told == 1 && first.verdict == BUDGET_GRANTED, "4 %% of 25 us are one to spend");
	budget_pay(&first.claim, 1001 * MS);
	pass(75 * SECOND);
	ok(spend(1, 1999 * MS) && spend(1, 2 * MS) && !ask(&first, 1),
	   "it never holds more than the budget");
	ok(budget_leave(&first.claim), "who leaves had not run");
	stop();
}

static void
test_small_earnings_are_not_lost(void)
{
	Reading reading;

	start();
	spend(1, 2001 * MS);
	ok(!ask(&reading, 1), "it owes a millisecond");
	for (int i = 0; i < 25000; i++)
		pass(1);
	ok(reading.told == 0, "after 25 ms it owes nothing and has nothing");
	pass(1);
	ok(reading.told == 1, "a microsecond later it may run");
	budget_pay(&reading.claim, 0);
	stop();
}

static void
test_debt_has_an_end(void)
{
	Reading reading;

	start();
	spend(1, 3600 * (int64_t) SECOND);
	config.read_ms = 3600000;
	ok(!ask(&reading, 1), "it waits");
	pass(50 * SECOND);
	ok(reading.told == 0, "for as long as two seconds take to earn");
	pass(1);
	ok(reading.told == 1, "and no longer");
	budget_pay(&reading.claim, 0);
	stop();
}

static void
test_how_many_run_at_once(void)
{
	Reading running[LIMIT_READS_RUNNING];
	Reading late[2];
	int at_once = 0;

	start();
	for (int i = 0; i < LIMIT_READS_RUNNING; i++)
		at_once += ask(&running[i], 1);
	ok(at_once == LIMIT_READS_RUNNING, "as many run as the limit");
	ok(!ask(&late[0], 1) && !ask(&late[1], 1), "and not one more");
	for (int i = 0; i < LIMIT_READS_RUNNING - 1; i++)
		budget_pay(&running[i].claim, MS);
	pass(MS);
	ok(late[0].told == 0, "who waits runs alone");
	budget_pay(&running[LIMIT_READS_RUNNING - 1].claim, MS);
	ok(late[0].told == 1 && late[1].told == 0, "one at a time");
	budget_pay(&late[0].claim, MS);
	ok(late[1].told == 1, "and then the next");
	budget_pay(&late[1].claim, MS);
	stop();
}

static void
test_length_of_a_line(void)
{
	Reading waiting[LIMIT_READS_WAITING];
	Reading late;
	int held = 0;

	start();
	spend(1, 2000 * MS + 100 * MS);
	for (int i = 0; i < LIMIT_READS_WAITING; i++)
		held += !ask(&waiting[i], 1) && budget_is_waiting(&waiting[i].claim);
	pass(0);
	ok(held == LIMIT_READS_WAITING && values[METRIC_READS_WAITING] == LIMIT_READS_WAITING &&
		   values[METRIC_READS_REFUSED] == 0,
	   "as many wait as the limit");
	ok(!ask(&late, 1) && late.told == 0, "one more is not told in the middle of asking");
	pass(0);
	ok(late.told == 1 && late.verdict == BUDGET_REFUSED && values[METRIC_READS_REFUSED] == 1,
	   "but refused");
	ok(late.claim.retry_after == 3, "100 ms are earned in 2.5 s: %d", late.claim.retry_after);
	ok(!ask(&late, 1) && budget_leave(&late.claim) && !budget_leave(&late.claim),
	   "who leaves before it is told is not told");
	pass(0);
	ok(late.told == 0, "never");
	ok(budget_leave(&waiting[3].claim) && !ask(&late, 1) && budget_is_waiting(&late.claim),
	   "who leaves the line makes room");
	pass(30 * SECOND - MS);
	for (int i = 0; i < LIMIT_READS_WAITING; i++)
		held -= waiting[i].told == 0;
	ok(waiting[0].verdict == BUDGET_GRANTED && held == 1, "the first goes first");
	pass(MS);
	ok(waiting[1].told == 1 && waiting[1].verdict == BUDGET_REFUSED && waiting[3].told == 0 &&
		   late.verdict == BUDGET_REFUSED && late.claim.waited_ms == 30000,
	   "after the longest wait the others are refused");
	budget_pay(&waiting[0].claim, 0);
	stop();
}

static void
test_all_lines_together(void)
{
	static Reading waiting[LIMIT_READS_WAITING_TOTAL];
	Reading late;
	int held = 0;

	start();
	for (int i = 0; i < LIMIT_READS_WAITING_TOTAL; i++)
	{
		uint64_t account = 1 + (uint64_t) i / LIMIT_READS_WAITING;

		if (i % LIMIT_READS_WAITING == 0)
			spend(account, 4000 * MS);
		held += !ask(&waiting[i], account) && budget_is_waiting(&waiting[i].claim);
	}
	ok(held == LIMIT_READS_WAITING_TOTAL, "as many wait in all as the limit");
	spend(1000, 4000 * MS);
	ok(!ask(&late, 1000), "one more does not run");
	pass(0);
	ok(late.told == 1 && late.verdict == BUDGET_REFUSED, "and is refused");
	ok(spend(2000, MS), "an account with a budget runs as ever");
	budget_close();
	ok(!ask(&late, 1000), "at the end");
	pass(0);
	ok(late.verdict == BUDGET_CLOSED, "nobody begins to wait");
	held = 0;
	for (int i = 0; i < LIMIT_READS_WAITING_TOTAL; i++)
		held += waiting[i].told == 1 && waiting[i].verdict == BUDGET_CLOSED;
	ok(held == LIMIT_READS_WAITING_TOTAL, "and all that wait are told");
	stop();
}

static void
test_accounts_remembered(void)
{
	Reading busy;

	start();
	ask(&busy, LIMIT_BUDGETS + 1000);
	for (uint64_t i = 1; i < LIMIT_BUDGETS; i++)
		spend(i, 100 * MS + (int64_t) i);
	ok(values[METRIC_BUDGETS] == LIMIT_BUDGETS, "as many are remembered as the limit");
	spend(LIMIT_BUDGETS, 100 * MS);
	ok(values[METRIC_BUDGETS] == LIMIT_BUDGETS, "and not one more");
	ok(spend(1, MS) && budget_find(1)->balance == (2000 - 1) * (int64_t) MS * PARTS,
	   "the one used least lately is forgotten");
	ok(budget_find(LIMIT_BUDGETS + 1000)->running == 1, "unless it is busy");
	budget_pay(&busy.claim, 0);
	pass(10 * SECOND);
	spend(9999999, MS);
	ok(values[METRIC_BUDGETS] == 1, "those that are full again are forgotten");
	stop();
}

static void
test_no_share_no_limit(void)
{
	start();
	config.read_share = 0;
	ok(spend(1, 4000 * MS) && spend(1, 4000 * MS) && values[METRIC_BUDGETS] == 0,
	   "without a share nobody waits and nobody is remembered");
	stop();
}

int
main(void)
{
	base = event_base_new();
	test_size_of_the_bucket();
	test_small_earnings_are_not_lost();
	test_debt_has_an_end();
	test_how_many_run_at_once();
	test_length_of_a_line();
	test_all_lines_together();
	test_accounts_remembered();
	test_no_share_no_limit();
	event_base_free(base);
	return finish();
}
