/*-------------------------------------------------------------------------
 *
 * assignment.c
 *	  What a helper may do with an offer: accept, decline, release.
 *
 * Called from SQL (doors assignment_*).  Locks in the order need, offer,
 * provider, incident: one winner, capacity exact, no deadlock.  A helper who
 * lost sees its own row and an empty incident, nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "cases/assignment.h"
#include "cases/assignment_store.h"
#include "cases/bar.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_store.h"
#include "identity/door.h"
#include "identity/page.h"
#include "identity/subject.h"
#include "notify/notify.h"

static const char *const decline_codes[] = {"capacity", "distance", "skills", "language",
											"conflict", "safety", "closed", "other", NULL};

static void lock_offer(KnCall *call, KnAssignment *offer, KnNeed *need, bool all);
static void refuse_closed(KnCall *call, const KnAssignment *offer) pg_attribute_noreturn();
static void answer(KnCall *call, const pg_uuid_t *id);
static void engage(KnNeed *need, const KnAssignment *offer, const pg_uuid_t *by);
static bytea *seal_note(const KnAssignment *offer, const char *note);

/*
 * GET /assignments ?status &limit &after -> {"items","next"}; of the caller's team.
 */
static void
assignment_list(KnCall *call)
{
	static const KnFilter filters[] = {
		{"status", kn_assignment_states}, KN_FILTER_PAGE, KN_FILTER_END};
	char *status = kn_query_text(call->query, "status");
	int limit = kn_page_limit(call);
	KnPage page = kn_page_after(call);
	KnAssignment *items;
	int n;

	kn_filters_check(call->query, filters);
	n = kn_assignment_list(call->caller, status, page.at, &page.id, limit + 1, &items);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (int i = 0; i < Min(n, limit); i++)
	{
		kn_call_shown(call, &items[i].id, 1);
		kn_render_assignment_row(&call->json, &items[i]);
	}
	kn_json_close(&call->json, ']');
	kn_page_next(call, n > limit, n > limit ? items[limit - 1].offered_at : 0,
				 n > limit ? &items[limit - 1].id : NULL);
	kn_json_close(&call->json, '}');
	call->noun = "assignment";
	call->unaudited = n == 0; /* apps ask again and again, and mostly there is nothing */
}
KN_DOOR(assignment_list, assignment_list, KN_ROLE_PROVIDER, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /assignments: a page of the offers and acceptances of the caller's team. Query: "
		"status, limit, after.");

/* The need first, or all of the case, then the offer as it is under the lock. */
static void
lock_offer(KnCall *call, KnAssignment *offer, KnNeed *need, bool all)
{
	pg_uuid_t id;
	KnNeed *needs;

	kn_call_path_uuid(call, 0, &id);
	kn_call_target(call, "assignment", &id);
	if (!kn_assignment_load(call->caller, &id, offer))
		kn_refuse_absent();
	if (all)
		(void) kn_case_lock(&offer->incident, &needs);
	if (!kn_need_lock(&offer->incident, &offer->need, need) || !kn_assignment_read(&id, offer))
		kn_refuse_absent();
}

static void
refuse_closed(KnCall *call, const KnAssignment *offer)
{
	KnJson current;

	kn_json_init(&current);
	kn_render_assignment_row(&current, offer);
	kn_call_extend(call, "current", current.text.data);
	kn_refuse(ERRCODE_KN_ASSIGNMENT_CLOSED, "this offer is no longer open",
			  "Nothing more is to be done for it.");
}

static void
answer(KnCall *call, const pg_uuid_t *id)
{
	KnAssignment now;

	kn_call_flush(call);
	if (!kn_assignment_read(id, &now))
		elog(ERROR, "an assignment vanished");
	kn_render_assignment_row(&call->json, &now);
}

/* POST /assignments/{id}/accept -> the assignment; again by the same team is the same answer. */
static void
assignment_accept(KnCall *call)
{
	KnAssignment offer;
	KnNeed need;

	lock_offer(call, &offer, &need, false);
	if (offer.status == KN_ASSIGNMENT_ACCEPTED)
	{
		kn_render_assignment_row(&call->json, &offer);
		return;
	}
	if (offer.status != KN_ASSIGNMENT_PENDING || !kn_need_is_open(&need))
		refuse_closed(call, &offer);
	if (!kn_assignment_move(&offer.id, KN_ASSIGNMENT_PENDING, KN_ASSIGNMENT_ACCEPTED,
							&call->caller->account, NULL, NULL))
		refuse_closed(call, &offer);
	if (!kn_capacity_take(&offer.provider))
		kn_refuse(ERRCODE_KN_CAPACITY, "the team has as many open cases as it can take",
				  "Complete or release a case, or raise the team's capacity.");
	engage(&need, &offer, &call->caller->account);
	answer(call, &offer.id);
}
KN_DOOR(assignment_accept, assignment_accept, KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED,
		"POST /assignments/{id}/accept: the team takes the case. Path: id.");

static void
engage(KnNeed *need, const KnAssignment *offer, const pg_uuid_t *by)
{
	TimestampTz now = GetCurrentTimestamp();

	kn_assignment_withdraw_pending(&need->bucket, &need->id);
	kn_helper_join(&need->bucket, &offer->provider);
	kn_need_move(need, KN_NEED_ENGAGED);
	need->engaged_at = now;
	need->contacted_at = 0;
	kn_escalation_await_contact(need, kn_case_policy(), now);
	kn_need_save(need);
	kn_incident_follow_needs(&need->bucket);
	kn_notify_owner(&need->bucket);
}

/* POST /assignments/{id}/decline {"reason", "note"?} -> the assignment without its incident. */
static void
assignment_decline(KnCall *call)
{
	static const char *const members[] = {"reason", "note", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	char *reason = kn_in_choice(body, "reason", decline_codes, true);
	char *note = kn_in_text(body, "note", 0, KN_NOTE_MAX, false);
	KnAssignment offer;
	KnNeed need;

	kn_in_only(body, members);
	lock_offer(call, &offer, &need, strcmp(reason, "conflict") == 0);
	if (offer.status == KN_ASSIGNMENT_DECLINED)
	{
		kn_render_assignment_row(&call->json, &offer);
		return;
	}
	if (!kn_assignment_move(&offer.id, KN_ASSIGNMENT_PENDING, KN_ASSIGNMENT_DECLINED,
							&call->caller->account, reason,
							seal_note(&offer, note)))
		refuse_closed(call, &offer);
	if (strcmp(reason, "conflict") == 0)
	{
		kn_case_bar(&offer.incident, &offer.provider);
		(void) kn_need_read(&offer.incident, &offer.need, &need); /* as that has left it */
	}
	if (need.state == KN_NEED_OFFERED &&
		kn_assignment_count_pending(&need.bucket, &need.id) == 0)
		kn_escalation_advance(&need, kn_case_policy(), GetCurrentTimestamp());
	call->fields = "reason";
	answer(call, &offer.id);
}
KN_DOOR(assignment_decline, assignment_decline,
		KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED,
		"POST /assignments/{id}/decline: the team does not. Path: id. Body: reason, note.");

/* Under her own data key, so that it ends with her data. */
static bytea *
seal_note(const KnAssignment *offer, const char *note)
{
	KnSubject subject;
	pg_uuid_t owner;
	bytea *sealed;

	if (note == NULL)
		return NULL;
	kn_incident_owner(&offer->incident, &owner);
	kn_account_subject(&owner, &subject);
	sealed = subject.open ? kn_seal(&subject, "assignment.note", &offer->id, note) : NULL;
	kn_subject_forget(&subject);
	return sealed;
}

/* POST /assignments/{id}/release {"reason"} -> the assignment; the need is searched for anew. */
static void
assignment_release(KnCall *call)
{
	static const char *const members[] = {"reason", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	char *reason = kn_in_text(body, "reason", 1, KN_NOTE_MAX, true);
	KnAssignment offer;
	KnNeed need;

	kn_in_only(body, members);
	lock_offer(call, &offer, &need, false);
	if (offer.status == KN_ASSIGNMENT_RELEASED)
	{
		kn_render_assignment_row(&call->json, &offer);
		return;
	}
	if (offer.status != KN_ASSIGNMENT_ACCEPTED || !kn_need_is_open(&need))
		refuse_closed(call, &offer);
	kn_assignment_move(&offer.id, KN_ASSIGNMENT_ACCEPTED, KN_ASSIGNMENT_RELEASED,
					   &call->caller->account, NULL,
					   seal_note(&offer, reason));
	kn_capacity_give_back(&offer.provider);
	kn_helper_leave(&offer.incident, &offer.provider);
	kn_need_search_anew(&need);
	call->fields = "reason";
	answer(call, &offer.id);
}
KN_DOOR(assignment_release, assignment_release,
		KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED,
		"POST /assignments/{id}/release: the team gives an accepted case back. Path: id. "
		"Body: reason.");

void
kn_need_search_anew(KnNeed *need)
{
	if (kn_need_is_paused(need))
		return; /* she took the case back: nobody is asked */
	kn_need_begin_round(need);
	kn_escalation_advance(need, kn_case_policy(), GetCurrentTimestamp());
	kn_notify_owner(&need->bucket);
}

void
kn_need_clear(const KnNeed *need, KnAssignmentState accepted_to, const pg_uuid_t *by)
{
	KnAssignment accepted;

	kn_assignment_withdraw_pending(&need->bucket, &need->id);
	if (!kn_assignment_accepted(&need->bucket, &need->id, &accepted))
		return;
	kn_assignment_move(&accepted.id, KN_ASSIGNMENT_ACCEPTED, accepted_to, by, NULL, NULL);
	kn_capacity_give_back(&accepted.provider);
	kn_helper_leave(&need->bucket, &accepted.provider);
}

void
kn_need_go_on(const pg_uuid_t *bucket, const pg_uuid_t *id)
{
	KnNeed need;

	if (kn_need_read(bucket, id, &need) && need.state == KN_NEED_OFFERED &&
		kn_assignment_count_pending(bucket, id) == 0)
		kn_escalation_advance(&need, kn_case_policy(), GetCurrentTimestamp());
}

void
kn_need_part(const KnNeed *need, const pg_uuid_t *by)
{
	KnAssignment accepted;

	if (!kn_assignment_accepted(&need->bucket, &need->id, &accepted))
		return;
	kn_assignment_move(&accepted.id, KN_ASSIGNMENT_ACCEPTED, KN_ASSIGNMENT_WITHDRAWN, by, NULL,
					   NULL);
	kn_helper_leave(&need->bucket, &accepted.provider);
}

void
kn_need_close(KnNeed *need, KnNeedState state, const pg_uuid_t *by)
{
	kn_need_clear(need, KN_ASSIGNMENT_WITHDRAWN, by);
	kn_need_move(need, state);
	need->due_at = 0;
	kn_need_save(need);
}

void
kn_render_assignment(KnJson *json, const pg_uuid_t *id)
{
	KnAssignment assignment;

	if (kn_assignment_read(id, &assignment))
		kn_render_assignment_row(json, &assignment);
	else
		kn_json_null(json);
}
