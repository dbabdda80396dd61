/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *	  What dispatchers do: see what waits, give work, take it back.
 *
 * Called from SQL (doors dispatch_queue, dispatch_dashboard, assignment_assign,
 * assignment_reassign), owned by the dispatch role.  Lists show no free text
 * and no person; a barred dispatcher finds nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "access/barred.h"
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
#include "identity/page.h"
#include "identity/subject.h"
#include "keys/random.h"
#include "notify/notify.h"

#define NOT_BARRED KN_NOT_BARRED("i.id", "$1")

static void render_queue_row(KnJson *json, const KnRows *rows, uint64 row);
static void render_counts(KnJson *json, const char *key, const KnRows *rows, int column);
static int64 count_where(const KnRows *rows, int column, const char *value);
static void give_work(KnCall *call, bool take_back);
static void keep_words(const KnIncident *incident, const char *words);
static bool choose_need(const pg_uuid_t *incident, const char *service, const pg_uuid_t *provider,
						bool take_back, KnNeed *out);
static void check_eligible(const KnEligible *eligible);

/*
 * Open needs that wait for a person first, then by urgency and by who waits longest.
 * Of equals ten of one account come before its next ten, so that an account that
 * reports by the hundred hides nobody.
 */
static KnStatement select_queue = KN_READ(
	KN_AS_DISPATCH,
	"SELECT i.id, i.case_number, i.status, n.service, n.state, n.urgency_level, n.level::int4, "
	"       n.due_at, n.created_at, i.cell_latitude, i.cell_longitude, n.id, "
	"       (SELECT pg_catalog.count(*)::int4 FROM kintaraa.assignment a "
	"         WHERE a.incident_bucket = n.bucket AND a.need_id = n.id AND a.status = 'pending') "
	"  FROM kintaraa.need n JOIN kintaraa.incident i ON i.id = n.bucket "
	" WHERE n.due_at IS NOT NULL AND n.state <> 'engaged' "
	"   AND (i.deleted_at IS NULL OR i.held_until IS NOT NULL) "
	"   AND (n.state <> 'paused' OR n.due_at < i.held_until) "
	"   AND ($2 IS NULL OR n.state = $2) AND ($3 IS NULL OR n.urgency_level = $3) "
	"   AND " NOT_BARRED
	" ORDER BY n.state NOT IN ('needs_dispatcher', 'stalled', 'paused'), "
	"          pg_catalog.array_position(ARRAY['immediate', 'urgent', 'routine'], "
	"       n.urgency_level), "
	"          (pg_catalog.row_number() OVER ("
	"             PARTITION BY i.owner_id, n.urgency_level, "
	"                          n.state NOT IN ('needs_dispatcher', 'stalled', 'paused') "
	"             ORDER BY n.created_at, n.id) - 1) / 10, "
	"          n.created_at, n.id "
	" LIMIT $4",
	UUIDARRAYOID, TEXTOID, TEXTOID, INT4OID);

/* clang-format off */
/*
 * The folded counters plus what is not folded yet, less what the caller is
 * barred from: exact without touching any other case.
 */
static KnStatement select_counts = KN_READ(
	KN_AS_SYSTEM,
	"SELECT c.status, c.urgency, pg_catalog.sum(c.n)::bigint "
	"  FROM (SELECT status, urgency, n FROM kintaraa.dispatch_count "
	"        UNION ALL SELECT status, urgency, n FROM kintaraa.dispatch_delta "
	"        UNION ALL SELECT status, urgency_level, -1 FROM kintaraa.incident "
	"                   WHERE deleted_at IS NULL AND id IN (" KN_BARRED_FROM("$1") ")) c "
	" GROUP BY 1, 2",
	UUIDARRAYOID);
/* clang-format on */

/* clang-format off */
static KnStatement select_team_counts = KN_READ(
	KN_AS_DISPATCH,
	"SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE d.dispatchable AND d.load "
	"       < d.capacity), "
	"       pg_catalog.count(*) FILTER (WHERE d.load >= d.capacity), "
	"       (SELECT pg_catalog.count(*) FROM kintaraa.need n WHERE n.due_at IS NOT NULL "
	"           AND " KN_NEED_CALLS_PEOPLE("n") "), "
	"       (SELECT pg_catalog.min(n.created_at) FROM kintaraa.need n WHERE n.due_at IS NOT NULL "
	"           AND " KN_NEED_CALLS_PEOPLE("n") ") "
	"  FROM kintaraa.provider_dispatch d");
/* clang-format on */

/* GET /dispatch/queue ?state &urgency &limit -> {"items"} of open needs. */
static void
dispatch_queue(KnCall *call)
{
	static const char *const states[] = {"searching", "offered", "needs_dispatcher",
										 "stalled", "paused", NULL};
	static const KnFilter filters[] = {
		{"state", states}, {"urgency", kn_urgency_names}, {"limit", NULL}, KN_FILTER_END};
	KnArgs args = {0};
	KnRows rows;

	call->noun = "need";
	kn_filters_check(call->query, filters);
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_arg_text(&args, kn_query_text(call->query, "state"));
	kn_arg_text(&args, kn_query_text(call->query, "urgency"));
	kn_arg_int(&args, kn_page_limit(call));
	kn_run(&select_queue, &args);
	rows = kn_rows();
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t incident;

		if (kn_col_uuid(&rows, i, 1, &incident))
			kn_call_shown(call, &incident, 1);
		render_queue_row(&call->json, &rows, i);
	}
	kn_json_close(&call->json, ']');
	kn_json_close(&call->json, '}');
}
KN_DOOR(dispatch_queue, dispatch_queue, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_READS | KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"GET /dispatch/queue: open needs, those that wait for a person first. Query: state, "
		"urgency, limit.");

static void
render_queue_row(KnJson *json, const KnRows *rows, uint64 row)
{
	pg_uuid_t id;
	KnValue cell = {.present = !kn_col_is_null(rows, row, 10),
					.number = kn_col_float(rows, row, 10, 0),
					.second = kn_col_float(rows, row, 11, 0)};

	kn_col_uuid(rows, row, 1, &id);
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "incidentId", &id);
	kn_col_uuid(rows, row, 12, &id);
	kn_json_pair_uuid(json, "needId", &id);
	kn_json_pair_text(json, "caseNumber", kn_col_text(rows, row, 2));
	kn_json_pair_text(json, "status", kn_col_text(rows, row, 3));
	kn_json_pair_text(json, "service", kn_col_text(rows, row, 4));
	kn_json_pair_text(json, "needStatus", kn_col_text(rows, row, 5));
	kn_json_pair_text(json, "urgencyLevel", kn_col_text(rows, row, 6));
	kn_json_pair_int(json, "level", kn_col_int(rows, row, 7, 0));
	kn_json_pair_int(json, "pendingOffers", kn_col_int(rows, row, 13, 0));
	kn_json_pair_time(json, "dueAt", kn_col_time(rows, row, 8));
	kn_json_pair_time(json, "createdAt", kn_col_time(rows, row, 9));
	kn_json_key(json, "cell");
	kn_field_write(json, &kn_incident_fields[KN_INCIDENT_POINT], &cell);
	kn_json_close(json, '}');
}

/* GET /dispatch/dashboard -> counters. */
static void
dispatch_dashboard(KnCall *call)
{
	KnArgs args = {0};
	KnRows counts;
	KnRows teams;
	int64 total = 0;
	int64 over;
	KnJson *json = &call->json;

	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_run(&select_counts, &args);
	counts = kn_rows();
	kn_run0(&select_team_counts);
	teams = kn_rows();
	for (uint64 i = 0; i < counts.n; i++)
		total += kn_col_bigint(&counts, i, 3, 0);
	over = count_where(&counts, 1, kn_case_statuses[KN_CASE_COMPLETED]) +
		   count_where(&counts, 1, kn_case_statuses[KN_CASE_CLOSED]);
	kn_json_open(json, '{');
	kn_json_pair_int(json, "totalCases", total);
	kn_json_pair_int(json, "activeCases", total - over);
	kn_json_pair_int(json, "pendingDispatcherReview",
					 count_where(&counts, 1, kn_case_statuses[KN_CASE_REVIEW]));
	kn_json_pair_int(json, "needsWaiting", kn_col_bigint(&teams, 0, 4, 0));
	kn_json_pair_time(json, "oldestWaitingSince", kn_col_time(&teams, 0, 5));
	render_counts(json, "casesByStatus", &counts, 1);
	render_counts(json, "casesByUrgency", &counts, 2);
	kn_json_pair_int(json, "totalProviders", kn_col_bigint(&teams, 0, 1, 0));
	kn_json_pair_int(json, "availableProviders", kn_col_bigint(&teams, 0, 2, 0));
	kn_json_pair_int(json, "providersAtCapacity", kn_col_bigint(&teams, 0, 3, 0));
	kn_json_close(json, '}');
}
KN_DOOR(dispatch_dashboard, dispatch_dashboard, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_READS | KN_DOOR_DISPATCH,
		"GET /dispatch/dashboard: maintained counters.");

static int64
count_where(const KnRows *rows, int column, const char *value)
{
	int64 n = 0;

	for (uint64 i = 0; i < rows->n; i++)
		if (strcmp(kn_col_text(rows, i, column), value) == 0)
			n += kn_col_bigint(rows, i, 3, 0);
	return n;
}

static void
render_counts(KnJson *json, const char *key, const KnRows *rows, int column)
{
	const char *const *words = column == 1 ? kn_case_statuses : kn_urgency_names;

	kn_json_key(json, key);
	kn_json_open(json, '{');
	for (const char *const *word = words; *word != NULL; word++)
		kn_json_pair_int(json, *word, count_where(rows, column, *word));
	kn_json_close(json, '}');
}

/* POST /incidents/{id}/assign {"providerId","service"?,"note"?} -> the assignment. */
static void
assignment_assign(KnCall *call)
{
	give_work(call, false);
}
KN_DOOR(assignment_assign, assignment_assign, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"POST /incidents/{id}/assign: a dispatcher offers a need to a team. Path: id. Body: "
		"providerId, service, note.");

/* POST /incidents/{id}/reassign {"providerId","reason","service"?} -> the new assignment. */
static void
assignment_reassign(KnCall *call)
{
	give_work(call, true);
}
KN_DOOR(assignment_reassign, assignment_reassign, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"POST /incidents/{id}/reassign: a dispatcher moves a need to another team. Path: id. "
		"Body: providerId, reason, service.");

static void
give_work(KnCall *call, bool take_back)
{
	static const char *const members[] = {"providerId", "service", "note", "reason", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	char *service = kn_in_text(body, "service", 1, 64, false);
	char *note = kn_in_text(body, "note", 0, KN_NOTE_MAX, false);
	char *reason = kn_in_text(body, "reason", 1, KN_NOTE_MAX, take_back);
	const KnCasePolicy *policy = kn_case_policy();
	KnIncident incident = {.status = KN_CASE_NEW};
	KnRelation relation;
	KnNeed need;
	pg_uuid_t provider;
	pg_uuid_t id;
	KnEligible eligible;
	KnEscalation rules;

	kn_in_only(body, members);
	kn_in_uuid(body, "providerId", true, &provider);
	if (call->n_path < 1 || !kn_incident_load(call->caller, call->path[0], &incident, &relation) ||
		relation != KN_DISPATCHER)
		kn_refuse_absent();
	kn_call_target(call, "incident", &incident.id);
	if (incident.deleted_at != 0)
		kn_refuse(ERRCODE_KN_TAKEN_BACK, "she took this case back",
				  "Ask her by the safe way; when she says so, POST /incidents/{id}/restore.");
	if (!choose_need(&incident.id, service, &provider, take_back, &need))
		kn_refuse(ERRCODE_KN_NEED_CLOSED, "the case has no open need that this team could serve",
				  "Name the service, or a team of a type that serves it.");
	if (kn_assignment_find(&need.bucket, &need.id, &provider, &id))
	{
		/* has it already: the same answer again */
		kn_render_assignment(&call->json, &id);
		return;
	}
	kn_provider_eligible(&provider, &need, &eligible);
	check_eligible(&eligible);
	kn_escalation_read(need.escalation, &rules);
	if (need.engaged_at != 0)
		kn_notify_owner(&need.bucket);
	kn_need_clear(&need, KN_ASSIGNMENT_RELEASED, &call->caller->account);
	kn_uuid4(id.data);
	need.round++;
	kn_need_move(&need, KN_NEED_OFFERED);
	need.engaged_at = 0;
	need.level = Max(need.level, 1);
	need.due_at = kn_due_at(policy, GetCurrentTimestamp(), rules.levels[0].minutes,
							rules.levels[0].working);
	kn_need_save(&need);
	kn_assignment_insert_manual(&need, &provider, &id, eligible.distance_km);
	keep_words(&incident, reason);
	keep_words(&incident, note);
	kn_incident_follow_needs(&need.bucket);
	kn_call_flush(call);
	call->outcome = KN_CREATED;
	kn_render_assignment(&call->json, &id);
}

/* Beside the moves of the case, sealed under her own data key. */
static void
keep_words(const KnIncident *incident, const char *words)
{
	KnSubject subject;
	KnCaseStatus status;
	KnUrgency urgency;

	if (words == NULL || !kn_incident_status_lock(&incident->id, &status, &urgency))
		return;
	kn_account_subject(&incident->owner, &subject);
	kn_incident_set_status(&incident->id, status, status, "dispatcher", &subject, words, NULL);
	kn_subject_forget(&subject);
}

/* A need that waits for a person first; a reassignment may take one that somebody has. */
static bool
choose_need(const pg_uuid_t *incident, const char *service, const pg_uuid_t *provider,
			bool take_back, KnNeed *out)
{
	KnCaseParts parts;
	const KnNeed *best = NULL;
	KnEligible eligible;

	kn_need_load_parts(incident, &parts);
	for (int i = 0; i < parts.n_needs; i++)
	{
		const KnNeed *need = &parts.needs[i];
		bool waits = need->state != KN_NEED_ENGAGED;

		if (kn_need_is_paused(need))
			continue;
		if (!kn_need_is_open(need) || (service && strcmp(need->service, service) != 0) ||
			(!waits && !take_back))
			continue;
		kn_provider_eligible(provider, need, &eligible);
		if (!eligible.serves && !service)
			continue;
		if (best == NULL || need->state == KN_NEED_NEEDS_DISPATCHER)
			best = need;
	}
	/* under its lock: somebody may have accepted it meanwhile */
	return best != NULL && kn_need_lock(incident, &best->id, out) && kn_need_is_open(out) &&
		   !kn_need_is_paused(out) && (take_back || out->state != KN_NEED_ENGAGED);
}

/* Why a team may not have it is not told where it could reveal whom she fears. */
static void
check_eligible(const KnEligible *eligible)
{
	if (!eligible->exists || !eligible->works || eligible->barred || !eligible->serves)
		kn_refuse(ERRCODE_KN_NOT_ELIGIBLE, "this team is not eligible for this need",
				  "Choose one of the recommendations.");
	if (eligible->full)
		kn_refuse(ERRCODE_KN_CAPACITY, "the team has as many open cases as it can take",
				  "Choose another team.");
}
