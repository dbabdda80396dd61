/*-------------------------------------------------------------------------
 *
 * need.c
 *	  The states of a need, and what they make of the incident.
 *
 * Called by escalation.c, assignment.c and incident.c.  Locks are always taken
 * in the order need, offer, provider, incident.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/input.h"
#include "cases/incident_store.h"
#include "cases/need.h"

static bool is_at_work(const KnCaseParts *parts, const KnHelper *helper,
					   const pg_uuid_t *provider);
static bool comes_to_her(const KnHelper *helper);

/* clang-format off */
static KnStatement sum_up = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT COALESCE(pg_catalog.bool_or(" KN_NEED_HAS_TEAM("n") "), false), "
	"       COALESCE(pg_catalog.bool_or(n.state = 'needs_dispatcher'), false), "
	"       COALESCE(pg_catalog.bool_or(n.state IN ('searching', 'offered')), false), "
	"       COALESCE(pg_catalog.bool_or(n.state = 'met'), false), "
	"       EXISTS (SELECT FROM kintaraa.assignment a WHERE a.incident_bucket = $1 "
	"                AND a.status = 'pending' AND a.is_manual) "
	"  FROM kintaraa.need n WHERE n.bucket = $1",
	UUIDOID);
/* clang-format on */

bool
kn_need_is_open(const KnNeed *need)
{
	return kn_need_state_is_open(need->state);
}

void
kn_need_move(KnNeed *need, KnNeedState to)
{
	if (!kn_need_may_move(need->state, to))
		elog(ERROR, "a need cannot go from %s to %s", kn_need_states[need->state],
			 kn_need_states[to]);
	need->state = to;
}

void
kn_need_begin_round(KnNeed *need)
{
	kn_need_move(need, KN_NEED_SEARCHING);
	need->level = 0;
	need->round++;
	need->engaged_at = 0;
	need->contacted_at = 0;
}

bool
kn_need_is_paused(const KnNeed *need)
{
	return need->state == KN_NEED_PAUSED;
}

bool
kn_need_is_task(const KnNeed *need)
{
	return need->state == KN_NEED_NEEDS_DISPATCHER || need->state == KN_NEED_STALLED ||
		   (kn_need_is_paused(need) && need->urgency == KN_IMMEDIATE);
}

bool
kn_helps_in_person(const KnCaseParts *parts, const pg_uuid_t *provider)
{
	for (int i = 0; i < parts->n_helpers; i++)
		if (is_at_work(parts, &parts->helpers[i], provider) && comes_to_her(&parts->helpers[i]))
			return true;
	return false;
}

/* The team has accepted, and what it accepted goes on. */
static bool
is_at_work(const KnCaseParts *parts, const KnHelper *helper, const pg_uuid_t *provider)
{
	if (provider == NULL || !kn_uuid_equal(&helper->provider, provider) ||
		helper->status != KN_ASSIGNMENT_ACCEPTED)
		return false;
	for (int i = 0; i < parts->n_needs; i++)
		if (kn_uuid_equal(&parts->needs[i].id, &helper->need))
			return kn_need_is_open(&parts->needs[i]) && !kn_need_is_paused(&parts->needs[i]);
	return false;
}

/* Of what is no service yet it is the team's own kind of work. */
static bool
comes_to_her(const KnHelper *helper)
{
	static const char *const remote[] = {"counseling", "legal", "financial", NULL};
	bool is_triage = strcmp(helper->service, KN_TRIAGE) == 0;

	return !kn_choice_has(remote, is_triage ? helper->provider_type : helper->service);
}

KnRelation
kn_helper_reads(const KnCaseParts *parts, KnRelation relation, const pg_uuid_t *provider)
{
	if (relation != KN_HELPER)
		return relation;
	for (int i = 0; i < parts->n_helpers; i++)
		if (is_at_work(parts, &parts->helpers[i], provider))
			return KN_HELPER;
	return KN_CANDIDATE;
}

void
kn_incident_follow_needs(const pg_uuid_t *incident)
{
	KnUrgency urgency;
	KnCaseStatus status;
	KnCaseStatus wanted;
	KnArgs args = {0};
	KnRows rows;

	if (!kn_incident_status_lock(incident, &status, &urgency))
		return;
	kn_arg_uuid(&args, incident);
	kn_run(&sum_up, &args);
	rows = kn_rows();
	if (kn_col_bool(&rows, 0, 1))
		wanted = KN_CASE_IN_PROGRESS;
	else if (kn_col_bool(&rows, 0, 2))
		wanted = KN_CASE_REVIEW;
	else if (kn_col_bool(&rows, 0, 5))
		wanted = KN_CASE_ASSIGNED;
	else if (kn_col_bool(&rows, 0, 3))
		wanted = KN_CASE_NEW;
	else if (kn_case_is_over(status))
		return; /* only a need that is open again takes up what people ended */
	else
		wanted = kn_col_bool(&rows, 0, 4) ? KN_CASE_COMPLETED : KN_CASE_NEW;
	if (status != wanted)
		kn_incident_set_status(incident, status, wanted, "machine", NULL, NULL, NULL);
}
