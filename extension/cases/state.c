/*-------------------------------------------------------------------------
 *
 * state.c
 *	  The states of needs, assignments and cases: their words and their moves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cases/state.h"

static int parse(const char *const *words, const char *word);

const char *const kn_need_states[] = {
	[KN_NEED_SEARCHING] = "searching",
	[KN_NEED_OFFERED] = "offered",
	[KN_NEED_NEEDS_DISPATCHER] = "needs_dispatcher",
	[KN_NEED_ENGAGED] = "engaged",
	[KN_NEED_STALLED] = "stalled",
	[KN_NEED_PAUSED] = "paused",
	[KN_NEED_MET] = "met",
	[KN_NEED_UNMET] = "unmet",
	[KN_NEED_WITHDRAWN] = "withdrawn",
	[KN_NEED_WITHDRAWN + 1] = NULL,
};

const char *const kn_assignment_states[] = {
	[KN_ASSIGNMENT_PENDING] = "pending",
	[KN_ASSIGNMENT_ACCEPTED] = "accepted",
	[KN_ASSIGNMENT_DECLINED] = "declined",
	[KN_ASSIGNMENT_EXPIRED] = "expired",
	[KN_ASSIGNMENT_WITHDRAWN] = "withdrawn",
	[KN_ASSIGNMENT_RELEASED] = "released",
	[KN_ASSIGNMENT_RELEASED + 1] = NULL,
};

const char *const kn_case_statuses[] = {
	[KN_CASE_REVIEW] = "pending_dispatcher_review",
	[KN_CASE_NEW] = "new",
	[KN_CASE_ASSIGNED] = "assigned",
	[KN_CASE_IN_PROGRESS] = "in_progress",
	[KN_CASE_COMPLETED] = "completed",
	[KN_CASE_CLOSED] = "closed",
	[KN_CASE_CLOSED + 1] = NULL,
};

#define TO(state) (1 << (state))
/* Whatever happens to her case: teams are lost, she takes it back, it ends without help. */
#define ALWAYS \
	(TO(KN_NEED_SEARCHING) | TO(KN_NEED_PAUSED) | TO(KN_NEED_UNMET) | TO(KN_NEED_WITHDRAWN))
#define ASKS (TO(KN_NEED_OFFERED) | TO(KN_NEED_NEEDS_DISPATCHER))

static const int moves[] = {
	[KN_NEED_SEARCHING] = ALWAYS | ASKS,
	[KN_NEED_OFFERED] = ALWAYS | ASKS | TO(KN_NEED_ENGAGED),
	[KN_NEED_NEEDS_DISPATCHER] = ALWAYS | ASKS | TO(KN_NEED_ENGAGED),
	[KN_NEED_ENGAGED] =
		ALWAYS | TO(KN_NEED_OFFERED) | TO(KN_NEED_ENGAGED) | TO(KN_NEED_STALLED) | TO(KN_NEED_MET),
	[KN_NEED_STALLED] =
		ALWAYS | TO(KN_NEED_OFFERED) | TO(KN_NEED_ENGAGED) | TO(KN_NEED_STALLED) | TO(KN_NEED_MET),
	[KN_NEED_PAUSED] = TO(KN_NEED_SEARCHING) | TO(KN_NEED_ENGAGED) | TO(KN_NEED_PAUSED) |
					   TO(KN_NEED_WITHDRAWN),
	/* whoever met it takes it up again, or others are asked */
	[KN_NEED_MET] = TO(KN_NEED_SEARCHING) | TO(KN_NEED_ENGAGED),
	[KN_NEED_UNMET] = TO(KN_NEED_SEARCHING),
	[KN_NEED_WITHDRAWN] = TO(KN_NEED_SEARCHING),
};

bool
kn_need_may_move(KnNeedState from, KnNeedState to)
{
	return (moves[from] & TO(to)) != 0;
}

bool
kn_need_state_is_open(KnNeedState state)
{
	return state != KN_NEED_MET && state != KN_NEED_UNMET && state != KN_NEED_WITHDRAWN;
}

bool
kn_case_is_over(KnCaseStatus status)
{
	return status == KN_CASE_COMPLETED || status == KN_CASE_CLOSED;
}

KnNeedState
kn_col_need_state(const KnRows *rows, uint64 row, int column)
{
	return parse(kn_need_states, kn_col_text(rows, row, column));
}

KnAssignmentState
kn_col_assignment_state(const KnRows *rows, uint64 row, int column)
{
	return parse(kn_assignment_states, kn_col_text(rows, row, column));
}

KnCaseStatus
kn_col_case_status(const KnRows *rows, uint64 row, int column)
{
	return parse(kn_case_statuses, kn_col_text(rows, row, column));
}

KnCaseStatus
kn_case_status_parse(const char *word)
{
	return parse(kn_case_statuses, word);
}

static int
parse(const char *const *words, const char *word)
{
	for (int i = 0; word != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	elog(ERROR, "%s is no state", word ? word : "NULL");
}
