/*-------------------------------------------------------------------------
 *
 * budget.h
 *	  What an account may read in bulk: work of the database, as time and not as a number.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

typedef enum BudgetVerdict
{
	BUDGET_GRANTED,
	BUDGET_REFUSED, /* too many wait, or it has waited too long */
	BUDGET_CLOSED   /* the gateway is going down */
} BudgetVerdict;

typedef enum ClaimState
{
	CLAIM_NONE,
	CLAIM_WAITING,
	CLAIM_REFUSED, /* and not told yet */
	CLAIM_RUNNING
} ClaimState;

typedef struct Budget Budget;
typedef struct Claim Claim;

/* After BUDGET_GRANTED the claim runs; it may not ask here again before it returns. */
typedef void (*BudgetDecided)(Claim *claim, BudgetVerdict verdict);

/* One reading; owned by the caller, who keeps it until it has paid or left. */
struct Claim
{
	BudgetDecided decided;
	int64_t waited_ms;
	int retry_after; /* seconds, of a refusal */

	/* Private from here. */
	TAILQ_ENTRY(Claim) link; /* of a line or of the refused */
	ClaimState state;
	BudgetVerdict verdict;
	Budget *budget; /* NULL: nobody's */
	int64_t since_ms;
};

bool budget_start(struct event_base *base);

/* Those that wait are refused, and from now on nobody waits. */
void budget_close(void);
void budget_stop(void);

/* True: it may run at once.  False: decided() is called once, later.  account is not 0. */
bool budget_ask(Claim *claim, uint64_t account);

/* It has run and held a database connection for so long, perhaps not at all. */
void budget_pay(Claim *claim, int64_t held_us);

/* Its owner is gone.  True: it had not run, and decided() will not be called. */
bool budget_leave(Claim *claim);

bool budget_is_waiting(const Claim *claim);

#endif
