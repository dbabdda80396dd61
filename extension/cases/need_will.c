/*-------------------------------------------------------------------------
 *
 * need_will.c
 *	  What she says about a need: not any more, again, they reached me, they did
 *	  not, another team.
 *
 * Called from SQL (doors need_*).  Her word ends or begins a search at once.  A team
 * that she left is not asked for her case again, for any need, until she says so:
 * kintaraa.left_team, which routing and dispatchers heed.  Needs are locked before
 * the incident, as everywhere.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "cases/assignment.h"
#include "cases/assignment_store.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_store.h"
#include "cases/projection.h"
#include "identity/door.h"

/* How her team loses a need: as one she left, or as one that did not come. */
typedef enum Parting
{
	PART_UNREACHED,
	PART_LEFT,
	PART_ANEW /* it did come, and may be asked again */
} Parting;

static KnNeed *lock_need(KnCall *call, KnIncident *incident, KnRelation *relation);
static bool is_hers_to_ask(const KnIncident *incident);
static void refuse_taken_back(void);
static void require_owner(KnRelation relation);
static void part(const KnIncident *incident, KnNeed *need, Parting parting, const pg_uuid_t *by);
static void withdraw_offers(const pg_uuid_t *bucket, const pg_uuid_t *team);
static bool has_team(const KnNeed *need);
static bool is_meant(KnCall *call, const KnNeed *need);
static void answer(KnCall *call, const KnNeed *need, KnRelation relation);

static KnStatement insert_left = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.left_team (bucket, provider_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	UUIDOID, UUIDOID);

static KnStatement withdraw_left = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment SET status = 'withdrawn', responded_at = "
	"       pg_catalog.clock_timestamp() "
	" WHERE incident_bucket = $1 AND provider_id = $2 AND status = 'pending' RETURNING need_id",
	UUIDOID, UUIDOID);

static KnStatement delete_left = KN_WRITE(
	KN_AS_SYSTEM, "DELETE FROM kintaraa.left_team WHERE bucket = $1", UUIDOID);

static KnStatement mark_reached = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.need SET reached_at = pg_catalog.now() WHERE bucket = $1 AND id = $2 "
	"   AND reached_at IS NULL",
	UUIDOID, UUIDOID);

/* The need of a case that is locked with all its needs. */
static KnNeed *
lock_need(KnCall *call, KnIncident *incident, KnRelation *relation)
{
	KnNeed *needs;
	int n;

	if (call->n_path < 2 || !kn_incident_load(call->caller, call->path[0], incident, relation))
		kn_refuse_absent();
	kn_call_target(call, "incident", &incident->id);
	call->fields = "supportServices";
	n = kn_case_lock(&incident->id, &needs);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(needs[i].service, call->path[1]) != 0)
			continue;
		if (kn_need_is_paused(&needs[i]) && !(*relation == KN_OWNER && is_hers_to_ask(incident)))
			refuse_taken_back();
		return &needs[i];
	}
	kn_refuse_absent();
}

/* What she withdrew, in a case that she neither closed nor took back, she may ask for again. */
static bool
is_hers_to_ask(const KnIncident *incident)
{
	return incident->status != KN_CASE_CLOSED;
}

static void
refuse_taken_back(void)
{
	kn_refuse(ERRCODE_KN_TAKEN_BACK, "this case was taken back",
			  "Undo that first: POST /incidents/{id}/restore.");
}

static void
require_owner(KnRelation relation)
{
	if (relation != KN_OWNER)
		kn_refuse(ERRCODE_KN_ROLE, "only she says that", NULL);
}

static void
answer(KnCall *call, const KnNeed *need, KnRelation relation)
{
	kn_json_open(&call->json, '{');
	kn_json_pair_text(&call->json, "service", need->service);
	kn_json_pair_text(&call->json, "status", kn_need_state_word(need->state, relation));
	kn_json_close(&call->json, '}');
}

/*
 * POST /incidents/{id}/needs/{service}/withdraw -> the need; again is the same answer.
 *	  A need that was met stays so, and its team has nothing of the case any more; one
 *	  that a team has, or that is immediate, is paused: see hold.c.
 */
static void
need_withdraw(KnCall *call)
{
	KnIncident incident;
	KnRelation relation;
	KnAssignment accepted;
	KnNeed *need = lock_need(call, &incident, &relation);

	if (relation == KN_HELPER)
		kn_refuse(ERRCODE_KN_ROLE, "a helper releases, only she withdraws", NULL);
	if (relation != KN_OWNER &&
		(need->state == KN_NEED_MET || need->state == KN_NEED_UNMET))
		kn_refuse(ERRCODE_KN_NEED_CLOSED, "this need has ended already", NULL);
	if (!kn_need_is_open(need))
	{
		/* its team keeps a card until she, or the end of the case, takes it */
		if (kn_assignment_accepted(&need->bucket, &need->id, &accepted))
		{
			kn_need_part(need, &call->caller->account);
			kn_team_left(&need->bucket, &accepted.provider);
		}
	}
	else if (!kn_need_is_paused(need))
	{
		bool is_there = kn_assignment_accepted(&need->bucket, &need->id, &accepted);

		if (relation == KN_OWNER && is_there)
			kn_team_left(&need->bucket, &accepted.provider);
		/* whoever holds her phone can say it, only she can mean it */
		if (relation == KN_OWNER && (is_there || need->urgency == KN_IMMEDIATE))
			kn_need_hold(need, &call->caller->account);
		else
			kn_need_close(need, KN_NEED_WITHDRAWN, &call->caller->account);
		kn_incident_follow_needs(&incident.id);
	}
	answer(call, need, relation);
}
KN_DOOR(need_withdraw, need_withdraw,
		KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED,
		"POST /incidents/{id}/needs/{service}/withdraw: one service is no longer wanted. "
		"Path: id, service.");

/*
 * POST /incidents/{id}/needs/{service}/ask {"teamsAgain"?} -> the need
 *	  Searches anew for a need that has ended, met or not.  With teamsAgain, teams
 *	  that she left may be asked again for this case.
 */
static void
need_ask(KnCall *call)
{
	static const char *const members[] = {"teamsAgain", NULL};
	KnIncident incident;
	KnRelation relation;
	bool again = false;
	KnNeed *need = lock_need(call, &incident, &relation);

	require_owner(relation);
	if (call->body != NULL)
	{
		JsonbContainer *body = kn_in_object(call->body);

		kn_in_only(body, members);
		again = kn_in_bool(body, "teamsAgain", false);
	}
	if (again)
	{
		KnArgs args = {0};

		kn_arg_uuid(&args, &incident.id);
		kn_run(&delete_left, &args);
	}
	if (kn_need_is_paused(need))
	{
		kn_hold_resume(need, GetCurrentTimestamp());
		kn_hold_end_if_empty(&incident.id);
		kn_incident_follow_needs(&incident.id);
	}
	else if (!kn_need_is_open(need))
		part(&incident, need, PART_ANEW, &call->caller->account);
	else if (again && need->state == KN_NEED_NEEDS_DISPATCHER)
		kn_need_search_anew(need);
	answer(call, need, relation);
}
KN_DOOR(need_ask, need_ask, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"POST /incidents/{id}/needs/{service}/ask: a service is wanted again. Path: id, "
		"service. Body: teamsAgain.");

/*
 * POST /incidents/{id}/needs/{service}/unreached {"assignmentId"?} -> the need; others
 * are asked.
 */
static void
need_unreached(KnCall *call)
{
	KnIncident incident;
	KnRelation relation;
	KnNeed *need = lock_need(call, &incident, &relation);

	require_owner(relation);
	if (is_meant(call, need))
		part(&incident, need, PART_UNREACHED, &call->caller->account);
	answer(call, need, relation);
}
KN_DOOR(need_unreached, need_unreached, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"POST /incidents/{id}/needs/{service}/unreached: it was not; others are asked. Path: "
		"id, service.");

/*
 * POST /incidents/{id}/needs/{service}/another-team {"assignmentId"?} -> the need;
 * that team is not asked again.
 */
static void
need_another(KnCall *call)
{
	KnIncident incident;
	KnRelation relation;
	KnNeed *need = lock_need(call, &incident, &relation);

	require_owner(relation);
	if (is_meant(call, need))
		part(&incident, need, PART_LEFT, &call->caller->account);
	answer(call, need, relation);
}
KN_DOOR(need_another, need_another, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"POST /incidents/{id}/needs/{service}/another-team: she leaves the team. Path: id, "
		"service.");

/* POST /incidents/{id}/needs/{service}/reached -> the need: they were in touch with her. */
static void
need_reached(KnCall *call)
{
	KnIncident incident;
	KnRelation relation;
	KnNeed *need = lock_need(call, &incident, &relation);
	KnArgs args = {0};
	bool is_new;

	require_owner(relation);
	if (!has_team(need))
		kn_refuse(ERRCODE_KN_NEED_CLOSED, "no team has this need",
				  "Say it once a team has accepted.");
	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	is_new = kn_run(&mark_reached, &args) == 1;
	if (kn_need_is_open(need) && (is_new || need->state != KN_NEED_ENGAGED))
	{
		kn_need_move(need, KN_NEED_ENGAGED);
		if (need->contacted_at == 0)
			need->contacted_at = GetCurrentTimestamp();
		need->due_at = 0;
		kn_need_save(need);
		kn_incident_follow_needs(&incident.id);
	}
	answer(call, need, relation);
}
KN_DOOR(need_reached, need_reached, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"POST /incidents/{id}/needs/{service}/reached: the team was in touch with her. Path: "
		"id, service.");

static bool
has_team(const KnNeed *need)
{
	return need->state == KN_NEED_ENGAGED || need->state == KN_NEED_STALLED ||
		   need->state == KN_NEED_MET;
}

/* With assignmentId, a word that comes again after its answer was lost spares the next team. */
static bool
is_meant(KnCall *call, const KnNeed *need)
{
	static const char *const members[] = {"assignmentId", NULL};
	KnAssignment accepted;
	pg_uuid_t meant;

	if (call->body == NULL)
		return has_team(need);
	kn_in_only(kn_in_object(call->body), members);
	if (!kn_in_uuid(kn_in_object(call->body), "assignmentId", false, &meant))
		return has_team(need);
	return has_team(need) && kn_assignment_accepted(&need->bucket, &need->id, &accepted) &&
		   kn_uuid_equal(&accepted.id, &meant);
}

/* Her team, when there is one, loses the need; others are asked. */
static void
part(const KnIncident *incident, KnNeed *need, Parting parting, const pg_uuid_t *by)
{
	bool was_open = kn_need_is_open(need);
	KnAssignment accepted;

	kn_incident_require_recent(incident);
	if (kn_assignment_accepted(&need->bucket, &need->id, &accepted))
	{
		kn_assignment_move(&accepted.id, KN_ASSIGNMENT_ACCEPTED,
						   parting == PART_UNREACHED ? KN_ASSIGNMENT_RELEASED
													 : KN_ASSIGNMENT_WITHDRAWN,
						   by, NULL, NULL);
		if (was_open)
			kn_capacity_give_back(&accepted.provider);
		kn_helper_leave(&need->bucket, &accepted.provider);
		if (parting == PART_LEFT)
			kn_team_left(&need->bucket, &accepted.provider);
	}
	if (was_open)
		kn_need_search_anew(need);
	else
	{
		kn_escalation_reopen(need, kn_service_urgency(need->service, incident), kn_case_policy(),
							 GetCurrentTimestamp());
		kn_incident_follow_needs(&incident->id);
	}
}

void
kn_incident_require_recent(const KnIncident *incident)
{
	if (incident->status == KN_CASE_COMPLETED && incident->closed_at != 0 &&
		GetCurrentTimestamp() - incident->closed_at > KN_REOPEN_DAYS * USECS_PER_DAY)
		kn_refuse(ERRCODE_KN_TOO_LONG_AGO, "this case was completed more than 30 days ago",
				  "Make a new report.");
}

void
kn_team_left(const pg_uuid_t *bucket, const pg_uuid_t *team)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, team);
	kn_run(&insert_left, &args);
	withdraw_offers(bucket, team);
}

/* Of what she has not left it for either, it may have been asked already. */
static void
withdraw_offers(const pg_uuid_t *bucket, const pg_uuid_t *team)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, team);
	kn_run(&withdraw_left, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t id;

		kn_col_uuid(&rows, i, 1, &id);
		kn_need_go_on(bucket, &id);
	}
}
