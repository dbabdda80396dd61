/*-------------------------------------------------------------------------
 *
 * budget.c
 *	  A bucket of work for each account, and the lines before the empty ones.
 *
 * request.c asks before it calls a door that reads much, and pays afterwards
 * with the time the call held a database connection.  Buckets fill with time.
 * Who finds one empty is not refused: clients that know no 429 are out there,
 * and waiting slows a loop down just as well.  Of those who wait for the same
 * account one runs at a time, so that a debt is known before the next begins.
 *
 * What is forgotten is a full bucket, so forgetting gives nothing away; only
 * when there are too many the one used least lately goes, whatever it owes.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <time.h>

#include "budget.h"
#include "config.h"
#include "limits.h"
#include "metrics.h"

#define BUCKETS 4096
#define PARTS 100 /* balances are in hundredths of a microsecond: a share is in percent */

TAILQ_HEAD(ClaimList, Claim);

struct Budget
{
	LIST_ENTRY(Budget) bucket_link;
	TAILQ_ENTRY(Budget) link;      /* of all; the one used last comes last */
	TAILQ_ENTRY(Budget) line_link; /* of those somebody waits for */
	struct ClaimList line;
	int line_len;
	int running;
	uint64_t account;
	int64_t balance;
	int64_t since_us; /* the balance is that of this moment */
};

TAILQ_HEAD(BudgetList, Budget);

static LIST_HEAD(, Budget) buckets[BUCKETS];
static struct BudgetList budgets;
static struct BudgetList lines;
static struct ClaimList refused; /* to be told at the end of this turn */
static struct event *refused_event;
static struct event *line_timer;
static long budget_count;
static long waiting_count;
static bool is_closing;

static Budget *budget_find(uint64_t account);
static Budget *budget_new(uint64_t account);
static bool room_make(void);
static void budget_forget(Budget *budget);
static void budget_fill(Budget *budget);
static int64_t budget_size(void);
static void budget_release(Budget *budget);
static void claim_run(Claim *claim);
static void claim_wait(Claim *claim);
static void claim_unwait(Claim *claim);
static void claim_refuse(Claim *claim, BudgetVerdict verdict);
static void line_look(void);
static void on_line(evutil_socket_t fd, short what, void *arg);
static void on_refused(evutil_socket_t fd, short what, void *arg);
static int64_t now_us(void);

bool
budget_start(struct event_base *base)
{
	TAILQ_INIT(&budgets);
	TAILQ_INIT(&lines);
	TAILQ_INIT(&refused);
	is_closing = false;
	refused_event = evtimer_new(base, on_refused, NULL);
	line_timer = evtimer_new(base, on_line, NULL);
	return refused_event != NULL && line_timer != NULL;
}

void
budget_close(void)
{
	Budget *budget;

	is_closing = true;
	while ((budget = TAILQ_FIRST(&lines)) != NULL)
	{
		Claim *claim = TAILQ_FIRST(&budget->line);

		claim_unwait(claim);
		claim_refuse(claim, BUDGET_CLOSED);
	}
}

void
budget_stop(void)
{
	while (!TAILQ_EMPTY(&budgets))
		budget_forget(TAILQ_FIRST(&budgets));
	event_free(refused_event);
	event_free(line_timer);
}

bool
budget_ask(Claim *claim, uint64_t account)
{
	Budget *budget = config_get()->read_share > 0 ? budget_find(account) : NULL;

	claim->budget = budget;
	if (budget == NULL)
	{
		/* Nothing is limited, or memory is short: then reading is not what to save on. */
		claim->state = CLAIM_RUNNING;
		return true;
	}
	if (budget->line_len == 0 && budget->running < LIMIT_READS_RUNNING && budget->balance > 0)
	{
		claim_run(claim);
		return true;
	}
	if (is_closing)
		claim_refuse(claim, BUDGET_CLOSED);
	else if (budget->line_len >= LIMIT_READS_WAITING || waiting_count >= LIMIT_READS_WAITING_TOTAL)
		claim_refuse(claim, BUDGET_REFUSED);
	else
		claim_wait(claim);
	return false;
}

/* With the balance of now; NULL when memory is short. */
static Budget *
budget_find(uint64_t account)
{
	Budget *budget;

	LIST_FOREACH(budget, &buckets[account % BUCKETS], bucket_link)
	{
		if (budget->account == account)
			break;
	}
	if (budget == NULL)
		return budget_new(account);
	TAILQ_REMOVE(&budgets, budget, link);
	TAILQ_INSERT_TAIL(&budgets, budget, link);
	budget_fill(budget);
	return budget;
}

static Budget *
budget_new(uint64_t account)
{
	Budget *budget = room_make() ? calloc(1, sizeof(*budget)) : NULL;

	if (budget == NULL)
		return NULL;
	TAILQ_INIT(&budget->line);
	budget->account = account;
	budget->balance = budget_size();
	budget->since_us = now_us();
	LIST_INSERT_HEAD(&buckets[account % BUCKETS], budget, bucket_link);
	TAILQ_INSERT_TAIL(&budgets, budget, link);
	metrics_set(METRIC_BUDGETS, ++budget_count);
	return budget;
}

/* Forgets, from the oldest on, those that are full again, and one that is not if it must be. */
static bool
room_make(void)
{
	Budget *next;

	for (Budget *budget = TAILQ_FIRST(&budgets); budget != NULL; budget = next)
	{
		next = TAILQ_NEXT(budget, link);
		if (budget->running > 0 || budget->line_len > 0)
			continue;
		budget_fill(budget);
		if (budget->balance < budget_size() && budget_count < LIMIT_BUDGETS)
			break;
		budget_forget(budget);
	}
	return budget_count < LIMIT_BUDGETS;
}

static void
budget_forget(Budget *budget)
{
	LIST_REMOVE(budget, bucket_link);
	TAILQ_REMOVE(&budgets, budget, link);
	free(budget);
	metrics_set(METRIC_BUDGETS, --budget_count);
}

static void
budget_fill(Budget *budget)
{
	int64_t now = now_us();

	budget->balance += (now - budget->since_us) * config_get()->read_share;
	budget->since_us = now;
	if (budget->balance > budget_size())
		budget->balance = budget_size();
}

static int64_t
budget_size(void)
{
	return config_get()->read_budget_ms * 1000 * PARTS;
}

static void
claim_run(Claim *claim)
{
	claim->state = CLAIM_RUNNING;
	claim->budget->running++;
}

static void
claim_wait(Claim *claim)
{
	Budget *budget = claim->budget;

	claim->state = CLAIM_WAITING;
	claim->since_ms = now_us() / 1000;
	TAILQ_INSERT_TAIL(&budget->line, claim, link);
	if (budget->line_len++ == 0)
		TAILQ_INSERT_TAIL(&lines, budget, line_link);
	metrics_set(METRIC_READS_WAITING, ++waiting_count);
	metrics_add(METRIC_READS_WAITED, 1);
	line_look();
}

static void
claim_unwait(Claim *claim)
{
	Budget *budget = claim->budget;

	TAILQ_REMOVE(&budget->line, claim, link);
	if (--budget->line_len == 0)
		TAILQ_REMOVE(&lines, budget, line_link);
	metrics_set(METRIC_READS_WAITING, --waiting_count);
	claim->waited_ms = now_us() / 1000 - claim->since_ms;
	claim->state = CLAIM_NONE;
}

/* Told later: whoever is told may ask or leave at once, in the middle of a list. */
static void
claim_refuse(Claim *claim, BudgetVerdict verdict)
{
	const struct timeval now = {0};
	int64_t second = config_get()->read_share * 1000000;
	int64_t debt = claim->budget->balance < 0 ? -claim->budget->balance : 0;

	claim->state = CLAIM_REFUSED;
	claim->verdict = verdict;
	claim->retry_after = (int) (debt / second) + 1;
	claim->budget = NULL;
	TAILQ_INSERT_TAIL(&refused, claim, link);
	evtimer_add(refused_event, &now);
	if (verdict == BUDGET_REFUSED)
		metrics_add(METRIC_READS_REFUSED, 1);
}

void
budget_pay(Claim *claim, int64_t held_us)
{
	Budget *budget = claim->budget;

	claim->state = CLAIM_NONE;
	claim->budget = NULL;
	if (budget == NULL)
		return;
	budget->running--;
	budget_fill(budget);
	budget->balance -= held_us * PARTS;
	/* One reading that took very long must not lock somebody out for a quarter of an hour. */
	if (budget->balance < -budget_size())
		budget->balance = -budget_size();
	budget_release(budget);
}

/* Lets the first of the line go. */
static void
budget_release(Budget *budget)
{
	Claim *claim = TAILQ_FIRST(&budget->line);

	if (claim == NULL || budget->running > 0 || budget->balance <= 0)
		return;
	claim_unwait(claim);
	claim_run(claim);
	claim->decided(claim, BUDGET_GRANTED);
}

bool
budget_leave(Claim *claim)
{
	switch (claim->state)
	{
		case CLAIM_WAITING:
			claim_unwait(claim);
			return true;
		case CLAIM_REFUSED:
			TAILQ_REMOVE(&refused, claim, link);
			claim->state = CLAIM_NONE;
			return true;
		case CLAIM_NONE:
		case CLAIM_RUNNING:
			break;
	}
	return false;
}

bool
budget_is_waiting(const Claim *claim)
{
	return claim->state == CLAIM_WAITING || claim->state == CLAIM_REFUSED;
}

static void
line_look(void)
{
	const struct timeval soon = {.tv_usec = LIMIT_SWEEP_MS * 1000};

	if (!TAILQ_EMPTY(&lines) && !evtimer_pending(line_timer, NULL))
		evtimer_add(line_timer, &soon);
}

/* The first of a line has waited longest. */
static void
on_line(evutil_socket_t fd, short what, void *arg)
{
	int64_t late = now_us() / 1000 - config_get()->read_ms;
	Budget *next;

	(void) fd;
	(void) what;
	(void) arg;
	for (Budget *budget = TAILQ_FIRST(&lines); budget != NULL; budget = next)
	{
		Claim *claim;

		next = TAILQ_NEXT(budget, line_link);
		budget_fill(budget);
		budget_release(budget);
		while ((claim = TAILQ_FIRST(&budget->line)) != NULL && claim->since_ms <= late)
		{
			claim_unwait(claim);
			claim_refuse(claim, BUDGET_REFUSED);
		}
	}
	line_look();
}

static void
on_refused(evutil_socket_t fd, short what, void *arg)
{
	Claim *claim;

	(void) fd;
	(void) what;
	(void) arg;
	while ((claim = TAILQ_FIRST(&refused)) != NULL)
	{
		TAILQ_REMOVE(&refused, claim, link);
		claim->state = CLAIM_NONE;
		claim->decided(claim, claim->verdict);
	}
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
