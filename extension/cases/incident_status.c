/*-------------------------------------------------------------------------
 *
 * incident_status.c
 *	  People move a case; the table status_rule says who may move it where.
 *
 * Called from SQL (doors incident_status, incident_timeline).  The same state
 * again is a success, a move the table does not name a conflict with what is
 * allowed.  Needs are locked before the incident, as everywhere.
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
#include "cases/vacancy.h"
#include "identity/door.h"
#include "identity/subject.h"
#include "notify/notify.h"

/* Why a case is completed although she did not say that she was reached. */
static const char *const reasons[] = {"helped", "referred", "help_declined",
									  "unreachable", "other", NULL};

static const char *actor_of(KnRelation relation);
static void require_reached(const pg_uuid_t *incident, const pg_uuid_t *team,
							const char *reason);
static bool is_paused(KnCaseStatus status, const KnNeed *needs, int n);
static bool has_open(const KnNeed *needs, int n);
static void part_helpers(const pg_uuid_t *incident);
static void follow_status(const KnIncident *incident, KnCaseStatus from, KnCaseStatus to,
						  KnNeed *needs, int n, KnCall *call, KnRelation relation);
static void mark_contact(KnNeed *needs, int n, const pg_uuid_t *team);
static bool leaves_some(const KnNeed *needs, int n, const pg_uuid_t *team, bool *works);
static bool is_of(const KnNeed *need, const pg_uuid_t *team);
static void finish_work(KnNeed *needs, int n, KnCall *call, const pg_uuid_t *team);
static void reopen(const KnIncident *incident, KnNeed *needs, int n);
static void take_up(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy, TimestampTz now);
static bool require_move(KnCall *call, const KnIncident *incident, KnCaseStatus from,
						 KnCaseStatus to, KnRelation relation);

/* clang-format off */
static KnStatement select_unreached = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.need n JOIN kintaraa.assignment a "
	"    ON a.incident_bucket = n.bucket AND a.need_id = n.id AND a.status = 'accepted' "
	" WHERE n.bucket = $1 AND ($2 IS NULL OR a.provider_id = $2) "
	"   AND " KN_NEED_HAS_TEAM("n") " AND n.reached_at IS NULL LIMIT 1",
	UUIDOID, UUIDOID);
/* clang-format on */

static KnStatement revoke_helpers = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.member SET revoked = true, gx = pg_catalog.pg_current_xact_id(), "
	"       changed_at = pg_catalog.now() "
	" WHERE bucket = $1 AND relation = 'helper' AND NOT revoked",
	UUIDOID);

/* POST /incidents/{id}/status {"status","note"?,"reason"?} -> {"id","status",...} */
static void
incident_status(KnCall *call)
{
	static const char *const members[] = {"status", "note", "reason", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	KnCaseStatus to = kn_case_status_parse(kn_in_choice(body, "status", kn_case_statuses, true));
	char *note = kn_in_text(body, "note", 0, KN_NOTE_MAX, false);
	char *reason = kn_in_choice(body, "reason", reasons, false);
	KnIncident incident;
	KnRelation relation;
	KnNeed *needs;
	KnSubject subject = {0};
	KnUrgency urgency;
	KnCaseStatus from;
	bool is_there;
	bool is_part = false; /* of the case: a helper ends what its team has */
	bool works = true;
	bool moves;
	int n;

	kn_in_only(body, members);
	if (call->n_path < 1 || !kn_incident_load(call->caller, call->path[0], &incident, &relation))
		kn_refuse_absent();
	kn_call_target(call, "incident", &incident.id);
	n = kn_case_lock(&incident.id, &needs);
	is_there = kn_incident_status_lock(&incident.id, &from, &urgency);
	if (relation != KN_OWNER &&
		(is_there ? is_paused(from, needs, n) : incident.held_until != 0))
		kn_refuse(ERRCODE_KN_TAKEN_BACK, "she took this case back",
				  "Ask her by the safe way; when she says so, POST /incidents/{id}/restore.");
	if (!is_there)
		kn_refuse_absent();
	if (from != to && to == KN_CASE_COMPLETED && relation == KN_HELPER)
		is_part = leaves_some(needs, n, &call->caller->provider, &works);
	/* with no work left of its own in a case that goes on it was said before */
	moves = from != to && (works || !is_part) && require_move(call, &incident, from, to, relation);
	if (moves)
	{
		if (to == KN_CASE_COMPLETED)
			require_reached(&incident.id, is_part ? &call->caller->provider : NULL, reason);
		if (relation == KN_OWNER && !kn_case_is_over(to))
			kn_incident_require_recent(&incident);
		if (note)
			kn_account_subject(&incident.owner, &subject);
		kn_incident_set_status(&incident.id, from, is_part ? from : to, actor_of(relation),
							   &subject, note, reason);
		kn_subject_forget(&subject);
		if (relation != KN_OWNER)
			kn_notify_owner(&incident.id);
	}
	if (is_part)
	{
		finish_work(needs, n, call, &call->caller->provider);
		kn_incident_follow_needs(&incident.id);
	}
	else if (moves || from == to)
		follow_status(&incident, from, to, needs, n, call, relation);
	if (!kn_incident_status_lock(&incident.id, &to, &urgency))
		kn_refuse_absent();
	kn_call_flush(call);
	call->fields = "status";
	kn_json_open(&call->json, '{');
	if (relation == KN_OWNER)
		kn_json_pair_text(&call->json, "id", kn_incident_own_id(&incident));
	else
		kn_json_pair_uuid(&call->json, "id", &incident.id);
	kn_json_pair_text(&call->json, "status", kn_case_status_word(to, relation));
	if (kn_change_stamp(&incident.id, "incident", &incident.id, &incident.stamp) ||
		incident.stamp.version)
	{
		kn_json_pair_time(&call->json, "updatedAt", incident.stamp.updated_at);
		kn_json_pair_int(&call->json, "serverVersion", incident.stamp.version);
	}
	kn_json_close(&call->json, '}');
}
KN_DOOR(incident_status, incident_status,
		KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED,
		"POST /incidents/{id}/status: a person moves the case. Path: id. Body: status, note.");

static const char *
actor_of(KnRelation relation)
{
	switch (relation)
	{
		case KN_OWNER:
			return "owner";
		case KN_HELPER:
			return "helper";
		default:
			return "dispatcher";
	}
}

/*
 * False: the case was reopened by this before, and its needs have moved it on
 * since; an answer that was lost is asked for again.
 */
static bool
require_move(KnCall *call, const KnIncident *incident, KnCaseStatus from, KnCaseStatus to,
			 KnRelation relation)
{
	bool allowed;
	char *next = kn_incident_allowed(from, actor_of(relation), to, &allowed);

	if (allowed)
		return true;
	if (kn_incident_was_reopened(&incident->id, to, actor_of(relation)))
		return false;
	kn_call_extend(call, "allowed", next);
	kn_call_extend(call, "current",
				   psprintf("{\"status\":\"%s\"}", kn_case_status_word(from, relation)));
	kn_refuse(ERRCODE_KN_TRANSITION, "the case cannot go from its state to that one",
			  "Send one of the states in allowed.");
}

/* What a person's move of the case means for its needs. */
static void
follow_status(const KnIncident *incident, KnCaseStatus from, KnCaseStatus to, KnNeed *needs,
			  int n, KnCall *call, KnRelation relation)
{
	if (to == KN_CASE_CLOSED)
	{
		/* whoever holds her phone can close it: what is open is paused, and can be undone */
		if (relation == KN_OWNER && has_open(needs, n))
			(void) kn_case_hold(&incident->id, needs, n, false);
		for (int i = 0; i < n && relation != KN_OWNER; i++)
			if (kn_need_is_open(&needs[i]) && !kn_need_is_paused(&needs[i]))
				kn_need_close(&needs[i], KN_NEED_UNMET, &call->caller->account);
		part_helpers(&incident->id);
	}
	else if (to == KN_CASE_COMPLETED)
		finish_work(needs, n, call, NULL);
	else if (to == KN_CASE_IN_PROGRESS)
	{
		if (kn_case_is_over(from))
			reopen(incident, needs, n);
		if (relation == KN_HELPER && call->caller->has_provider)
			mark_contact(needs, n, &call->caller->provider);
	}
}

/* Closed by her while a need was open. */
static bool
is_paused(KnCaseStatus status, const KnNeed *needs, int n)
{
	for (int i = 0; i < n && status == KN_CASE_CLOSED; i++)
		if (kn_need_is_paused(&needs[i]))
			return true;
	return false;
}

static bool
has_open(const KnNeed *needs, int n)
{
	for (int i = 0; i < n; i++)
		if (kn_need_is_open(&needs[i]))
			return true;
	return false;
}

/* That a team wrote of contact is its word; hers, or a reason, is what completes a case. */
static void
require_reached(const pg_uuid_t *incident, const pg_uuid_t *team, const char *reason)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, incident);
	kn_arg_uuid(&args, team);
	if (reason == NULL && kn_run(&select_unreached, &args) > 0)
		kn_refuse(ERRCODE_KN_NOT_REACHED, "she has not said that she was reached",
				  "Send a reason: helped, referred, help_declined, unreachable or other.");
}

/* All access of helpers ends with the case; reopening gives it back. */
static void
part_helpers(const pg_uuid_t *incident)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, incident);
	kn_run(&revoke_helpers, &args);
}

/* A helper who works on the case was in touch with her: the stalled-timer ends. */
static void
mark_contact(KnNeed *needs, int n, const pg_uuid_t *team)
{
	for (int i = 0; i < n; i++)
	{
		KnNeed *need = &needs[i];

		if ((need->state != KN_NEED_ENGAGED && need->state != KN_NEED_STALLED) ||
			need->contacted_at != 0 || !is_of(need, team))
			continue;
		kn_need_move(need, KN_NEED_ENGAGED);
		need->contacted_at = GetCurrentTimestamp();
		need->due_at = 0;
		kn_need_save(need);
	}
}

/* Whether anything goes on that the team has not; and whether the team has something. */
static bool
leaves_some(const KnNeed *needs, int n, const pg_uuid_t *team, bool *works)
{
	bool others = false;

	*works = false;
	for (int i = 0; i < n; i++)
	{
		bool own = is_of(&needs[i], team);

		if (!kn_need_is_open(&needs[i]) || kn_need_is_paused(&needs[i]))
			continue;
		*works = *works || own;
		others = others || !own;
	}
	return others;
}

static bool
is_of(const KnNeed *need, const pg_uuid_t *team)
{
	KnAssignment accepted;

	return kn_assignment_accepted(&need->bucket, &need->id, &accepted) &&
		   kn_uuid_equal(&accepted.provider, team);
}

/*
 * Engaged needs are met and free their team's capacity; the team keeps the case.  Of one team,
 * or all; what nobody has then is unmet.
 */
static void
finish_work(KnNeed *needs, int n, KnCall *call, const pg_uuid_t *team)
{
	for (int i = 0; i < n; i++)
	{
		KnAssignment accepted;

		if (!kn_need_is_open(&needs[i]) || kn_need_is_paused(&needs[i]) ||
			(team != NULL && !is_of(&needs[i], team)))
			continue;
		if (!kn_assignment_accepted(&needs[i].bucket, &needs[i].id, &accepted))
		{
			kn_need_close(&needs[i], KN_NEED_UNMET, &call->caller->account);
			continue;
		}
		kn_capacity_give_back(&accepted.provider);
		kn_need_move(&needs[i], KN_NEED_MET);
		needs[i].due_at = 0;
		kn_need_save(&needs[i]);
	}
}

/*
 * Whoever helped has the case again, and what ended without help is searched
 * for anew; what she withdrew herself is hers to ask for again.  Then the
 * case's status is what its needs say.
 */
static void
reopen(const KnIncident *incident, KnNeed *needs, int n)
{
	const KnCasePolicy *policy = kn_case_policy();
	TimestampTz now = GetCurrentTimestamp();
	bool any = false;

	for (int i = 0; i < n; i++)
	{
		KnUrgency urgency = kn_service_urgency(needs[i].service, incident);

		if (needs[i].state == KN_NEED_MET)
			take_up(&needs[i], urgency, policy, now);
		else if (needs[i].state == KN_NEED_UNMET)
			kn_escalation_reopen(&needs[i], urgency, policy, now);
		any = kn_need_is_open(&needs[i]) || any;
	}
	if (!any)
		kn_refuse(ERRCODE_KN_NOTHING_TO_REOPEN, "the case has no need that could be taken up again",
				  "It opens again when its owner asks for a service in her report.");
	kn_incident_follow_needs(&incident->id);
}

/*
 * Its team takes the capacity again, full or not: the work is there.  Without the
 * team, or when nobody of it can do it any more, others are asked.
 */
static void
take_up(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy, TimestampTz now)
{
	KnAssignment accepted;
	bool is_there = kn_assignment_accepted(&need->bucket, &need->id, &accepted);

	if (!is_there || kn_work_is_vacant(&accepted.id))
	{
		if (is_there)
		{
			kn_assignment_move(&accepted.id, KN_ASSIGNMENT_ACCEPTED, KN_ASSIGNMENT_RELEASED,
							   NULL, NULL, NULL);
			kn_helper_leave(&need->bucket, &accepted.provider);
		}
		kn_escalation_reopen(need, urgency, policy, now);
		return;
	}
	kn_capacity_take_anyway(&accepted.provider);
	kn_helper_join(&need->bucket, &accepted.provider);
	kn_need_move(need, KN_NEED_ENGAGED);
	if (need->contacted_at == 0)
		kn_escalation_await_contact(need, policy, now);
	kn_need_save(need);
}

/* GET /incidents/{id}/timeline -> {"items":[{"at","kind","status"|"service",...}]} */
static void
incident_timeline(KnCall *call)
{
	KnIncident incident;
	KnRelation relation;
	KnCaseParts parts;
	KnRows rows;
	const pg_uuid_t *team = call->caller->has_provider ? &call->caller->provider : NULL;
	const char *shown = "new";

	if (call->n_path < 1 || !kn_incident_load(call->caller, call->path[0], &incident, &relation))
		kn_refuse_absent();
	kn_call_target(call, "incident", &incident.id);
	call->unaudited = relation == KN_OWNER;
	kn_need_load_parts(&incident.id, &parts);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	kn_json_open(&call->json, '{');
	kn_json_pair_time(&call->json, "at", incident.created_at);
	kn_json_pair_text(&call->json, "kind", "reported");
	kn_json_close(&call->json, '}');
	rows = kn_incident_history(&incident.id);
	for (uint64 i = 0; i < rows.n; i++)
	{
		const char *to = kn_case_status_word(kn_col_case_status(&rows, i, 3), relation);

		/* a step that this reader does not see; the machine's tell a helper of other teams */
		if ((strcmp(to, shown) == 0 && kn_col_is_null(&rows, i, 5)) ||
			(relation == KN_HELPER && strcmp(kn_col_text(&rows, i, 4), "machine") == 0))
			continue;
		shown = to;
		kn_json_open(&call->json, '{');
		kn_json_pair_time(&call->json, "at", kn_col_time(&rows, i, 1));
		kn_json_pair_text(&call->json, "kind", "status");
		kn_json_pair_text(&call->json, "status", to);
		kn_json_pair_text(&call->json, "by", kn_col_text(&rows, i, 4));
		if (!kn_col_is_null(&rows, i, 5))
			kn_json_pair_text(&call->json, "reason", kn_col_text(&rows, i, 5));
		kn_json_close(&call->json, '}');
	}
	for (int i = 0; i < parts.n_needs; i++)
	{
		if (parts.needs[i].engaged_at == 0 ||
			!kn_need_visible(&parts.needs[i], &parts, relation, team))
			continue;
		kn_json_open(&call->json, '{');
		kn_json_pair_time(&call->json, "at", parts.needs[i].engaged_at);
		kn_json_pair_text(&call->json, "kind", "engaged");
		kn_json_pair_text(&call->json, "service", parts.needs[i].service);
		kn_json_close(&call->json, '}');
	}
	kn_json_close(&call->json, ']');
	kn_json_close(&call->json, '}');
}
KN_DOOR(incident_timeline, incident_timeline, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /incidents/{id}/timeline: what happened when. Path: id.");
