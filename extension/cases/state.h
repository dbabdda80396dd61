/*-------------------------------------------------------------------------
 *
 * state.h
 *	  The states of needs, assignments and cases, and who may move them.
 *
 * A state is a word in tables and answers and a number everywhere between:
 * the names are looked up where a row is read or an answer written.  A need is
 * moved by kn_need_move(), an assignment by the functions of assignment_store.h,
 * a case by kn_incident_set_status(), and by nothing else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_STATE_H
#define KN_CASES_STATE_H

#include "base/spi.h"

/*
 *	searching ──▶ offered ──▶ engaged ──▶ met        met, unmet and withdrawn are
 *	    │            │         ▲   │                 the end, until somebody asks
 *	    ▼            ▼         │   ▼                 again; from every state before,
 *	    needs_dispatcher ──────┘ stalled             paused, withdrawn and unmet.
 */
typedef enum KnNeedState
{
	KN_NEED_SEARCHING,        /* nobody is asked yet */
	KN_NEED_OFFERED,          /* teams are asked */
	KN_NEED_NEEDS_DISPATCHER, /* people are called, no team is left to ask */
	KN_NEED_ENGAGED,          /* a team has accepted */
	KN_NEED_STALLED,          /* that team was not in touch with her */
	KN_NEED_PAUSED,           /* she took it back, and it can be undone */
	KN_NEED_MET,
	KN_NEED_UNMET,
	KN_NEED_WITHDRAWN
} KnNeedState;

typedef enum KnAssignmentState
{
	KN_ASSIGNMENT_PENDING,
	KN_ASSIGNMENT_ACCEPTED,
	KN_ASSIGNMENT_DECLINED,
	KN_ASSIGNMENT_EXPIRED,
	KN_ASSIGNMENT_WITHDRAWN, /* taken from the team */
	KN_ASSIGNMENT_RELEASED   /* given back, or lost with the team */
} KnAssignmentState;

typedef enum KnCaseStatus
{
	KN_CASE_REVIEW, /* for dispatchers only; new to all others */
	KN_CASE_NEW,
	KN_CASE_ASSIGNED,
	KN_CASE_IN_PROGRESS,
	KN_CASE_COMPLETED,
	KN_CASE_CLOSED
} KnCaseStatus;

/* By number; each ends with NULL. */
extern const char *const kn_need_states[];
extern const char *const kn_assignment_states[];
extern const char *const kn_case_statuses[];

/* Of a column that holds such a word; an error when it holds another. */
extern KnNeedState kn_col_need_state(const KnRows *rows, uint64 row, int column);
extern KnAssignmentState kn_col_assignment_state(const KnRows *rows, uint64 row, int column);
extern KnCaseStatus kn_col_case_status(const KnRows *rows, uint64 row, int column);
/* Of a word that was checked before. */
extern KnCaseStatus kn_case_status_parse(const char *word);

/* Whether a need may go from one state to the other. */
extern bool kn_need_may_move(KnNeedState from, KnNeedState to);
/* Neither met nor unmet nor withdrawn. */
extern bool kn_need_state_is_open(KnNeedState state);
/* Completed or closed. */
extern bool kn_case_is_over(KnCaseStatus status);

/* The same sets in SQL. */
#define KN_NEED_IS_OPEN(need) need ".state NOT IN ('met', 'unmet', 'withdrawn')"
#define KN_NEED_HAS_TEAM(need) need ".state IN ('engaged', 'stalled')"
#define KN_NEED_CALLS_PEOPLE(need) need ".state IN ('needs_dispatcher', 'stalled')"
/* It waits for people; what is paused does when it is due before it ends. */
#define KN_NEED_IS_TASK(need, incident)                                                \
	"(" KN_NEED_CALLS_PEOPLE(need) " OR (" need                                        \
								   ".state = 'paused' AND " need ".due_at < " incident \
								   ".held_until)) "
#define KN_ASSIGNMENT_IS_HELD(assignment) assignment ".status IN ('pending', 'accepted')"
#define KN_CASE_IS_OVER(status) status " IN ('completed', 'closed')"

#endif
