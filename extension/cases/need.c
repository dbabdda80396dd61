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

static KnStatement sum_up = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT COALESCE(pg_catalog.bool_or(n.state IN ('engaged', 'stalled')), false), "
	"       COALESCE(pg_catalog.bool_or(n.state = 'needs_dispatcher'), false), "
	"       COALESCE(pg_catalog.bool_or(n.state IN ('searching', 'offered')), false), "
	"       COALESCE(pg_catalog.bool_or(n.state = 'met'), false), "
	"       EXISTS (SELECT FROM kintaraa.assignment a WHERE a.incident_bucket = $1 "
	"                AND a.status = 'pending' AND a.is_manual) "
	"  FROM kintaraa.need n WHERE n.bucket = $1",
	UUIDOID);

bool
kn_need_is_open(const KnNeed *need)
{
	static const char *const over[] = {"met", "unmet", "withdrawn", NULL};

	return !kn_choice_has(over, need->state);
}

bool
kn_need_is_paused(const KnNeed *need)
{
	return strcmp(need->state, "paused") == 0;
}

bool
kn_helps_in_person(const KnCaseParts *parts, const pg_uuid_t *provider)
{
	static const char *const remote[] = {"counseling", "legal", "financial", NULL};

	for (int i = 0; i < parts->n_helpers && provider; i++)
	{
		const KnHelper *helper = &parts->helpers[i];

		if (kn_uuid_equal(&helper->provider, provider) &&
			strcmp(helper->status, "accepted") == 0 && !kn_choice_has(remote, helper->service))
			return true;
	}
	return false;
}

KnRelation
kn_helper_reads(const KnCaseParts *parts, KnRelation relation, const pg_uuid_t *provider)
{
	if (relation != KN_HELPER)
		return relation;
	for (int i = 0; i < parts->n_helpers && provider; i++)
	{
		const KnHelper *helper = &parts->helpers[i];

		if (!kn_uuid_equal(&helper->provider, provider) || strcmp(helper->status, "accepted") != 0)
			continue;
		for (int j = 0; j < parts->n_needs; j++)
			if (kn_uuid_equal(&parts->needs[j].id, &helper->need) &&
				kn_need_is_open(&parts->needs[j]) && !kn_need_is_paused(&parts->needs[j]))
				return KN_HELPER;
	}
	return KN_CANDIDATE;
}

void
kn_incident_follow_needs(const pg_uuid_t *incident)
{
	KnUrgency urgency;
	char *status = kn_incident_status_lock(incident, &urgency);
	const char *wanted;
	bool over;
	KnArgs args = {0};
	KnRows rows;

	if (status == NULL)
		return;
	over = strcmp(status, "completed") == 0 || strcmp(status, "closed") == 0;
	kn_arg_uuid(&args, incident);
	kn_run(&sum_up, &args);
	rows = kn_rows();
	if (kn_col_bool(&rows, 0, 1))
		wanted = "in_progress";
	else if (kn_col_bool(&rows, 0, 2))
		wanted = "pending_dispatcher_review";
	else if (kn_col_bool(&rows, 0, 5))
		wanted = "assigned";
	else if (kn_col_bool(&rows, 0, 3))
		wanted = "new";
	else if (over)
		return; /* only a need that is open again takes up what people ended */
	else
		wanted = kn_col_bool(&rows, 0, 4) ? "completed" : "new";
	if (strcmp(status, wanted) != 0)
		kn_incident_set_status(incident, status, wanted, "machine", NULL, NULL, NULL);
}
