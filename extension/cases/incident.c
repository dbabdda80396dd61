/*-------------------------------------------------------------------------
 *
 * incident.c
 *	  A report comes in, and is shown, changed and taken back.
 *
 * Called from SQL (doors incident_*).  A report is never refused for its form.
 * Her id for it is hers alone: the same id with the same payload is a replay,
 * with another payload a conflict, and nobody can learn whether it exists.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datetime.h"

#include "base/errcodes.h"
#include "cases/assignment.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/incident_change.h"
#include "cases/incident_number.h"
#include "cases/incident_open.h"
#include "cases/incident_row.h"
#include "cases/incident_store.h"
#include "cases/projection.h"
#include "identity/door.h"
#include "identity/page.h"
#include "identity/subject.h"
#include "keys/hash.h"
#include "keys/random.h"
#include "records/archive.h"
#include "records/record.h"

static char *client_id_of(KnCall *call, JsonbContainer *body, pg_uuid_t *id, const char **spelling);
static bool insert_with_number(KnIncident *incident, const KnIntake *intake);
static void answer_replay(KnCall *call, const KnIntake *intake, const KnIncident *sent);
static void answer_taken_back(KnCall *call, const pg_uuid_t *id, const char *client_id,
							  bool is_known);
static void show(KnCall *call, KnIncident *incident, KnRelation relation, KnShape shape,
				 const KnCaseParts *parts);
static void show_page(KnCall *call, KnIncident *items, int n, KnRelation relation,
					  const KnCaseParts *parts);
static KnRelation show_one(KnCall *call, KnIncident *incident, KnRelation relation);
static void show_found(KnCall *call, const char *text);
static void conflict_of_payload(KnCall *call, const KnIncident *sent, KnIncident *stored,
								KnRelation relation) pg_attribute_noreturn();
static int find_numbered(KnCall *call, const char *number, const KnIncidentFilter *filter,
						 KnIncident **items, KnRelation *relation);
static void check_filters(KnCall *call);
static KnRelation require_incident(KnCall *call, KnIncident *incident);
static bool find_incident(KnCall *call, KnIncident *incident, KnRelation *relation);
static void answer_late_change(KnCall *call);
static char *find_taken_back(KnCall *call, pg_uuid_t *id);
static bool check_version(KnCall *call, KnWrite *write, const KnIncident *incident);

/*
 * POST /incidents -> created, or ok when it was sent before.
 *	  Body: any JSON object; see docs/http-api.md for the fields it knows.
 */
static void
incident_create(KnCall *call)
{
	JsonbContainer *body = kn_in_object(call->body);
	const KnCasePolicy *policy = kn_case_policy();
	TimestampTz now = GetCurrentTimestamp();
	KnIncident incident = {.owner = call->caller->account, .created_at = now};
	KnLeftovers left;
	KnIntake intake;
	KnOpening opening;
	KnRouteMemo memo = {0};

	incident.client_id = client_id_of(call, body, &incident.id, &incident.spelling);
	kn_incident_read(body, &incident, &left);
	kn_opening_reporter(&incident, call->caller);
	kn_call_writer(call, &incident.edited_by);
	kn_incident_derive(&incident, now);
	incident.client_key = kn_client_key(&incident.owner, "incident", incident.client_id);
	kn_incident_intake(&incident.owner, incident.client_key, &intake);
	if (intake.known)
	{
		answer_replay(call, &intake, &incident);
		return;
	}
	kn_incident_settle_new(&incident, intake.is_anonymous);
	incident.language = intake.language;
	kn_opening_plan(&incident, policy, now, &memo, &opening);
	incident.status = opening.needs_dispatcher ? KN_CASE_REVIEW : KN_CASE_NEW;
	incident.unreadable = left.n_unreadable ? left.unreadable.text.data : NULL;
	if (!insert_with_number(&incident, &intake))
	{
		/* sent twice at once: the other one won */
		kn_incident_intake(&incident.owner, incident.client_key, &intake);
		if (!intake.known)
			elog(ERROR, "no case number was free");
		answer_replay(call, &intake, &incident);
		return;
	}
	kn_opening_store(&opening, now);
	kn_subject_forget(&intake.subject);
	kn_call_flush(call);
	kn_change_stamp(&incident.id, "incident", &incident.id, &incident.stamp);
	kn_call_target(call, "incident", &incident.id);
	call->outcome = KN_CREATED;
	kn_render_incident(&call->json, &incident, KN_OWNER, KN_SHAPE_DETAIL, &opening.parts, NULL,
					   policy->hotlines);
}
KN_DOOR(incident_create, incident_create, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER,
		KN_DOOR_AUDITED | KN_DOOR_UPLOAD,
		"POST /incidents: stores a report, opens and routes its needs. Body: any JSON object.");

/*
 * Her own id for it; a UUID of version 4 becomes the incident's id if nobody
 * has it.  Without one the Idempotency-Key stands for it, so that a client without
 * ids of its own is safe to repeat itself.
 */
static char *
client_id_of(KnCall *call, JsonbContainer *body, pg_uuid_t *id, const char **spelling)
{
	JsonbValue *value = kn_in_member(body, "id");
	char *text;

	kn_uuid4(id->data);
	if (value == NULL || value->type == jbvNull)
	{
		unsigned char digest[32];

		if (call->idempotency_key != NULL)
		{
			kn_sha256(call->idempotency_key, strlen(call->idempotency_key), digest);
			return psprintf("key-%s", kn_uuid_text((pg_uuid_t *) digest));
		}
		return kn_uuid_text(id);
	}
	text = value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : "";
	if (!kn_client_id_valid(text))
		kn_input_error(ERRCODE_KN_ID_FORM, "id", "the id has the wrong form",
					   "Send 1 to 64 characters of A-Z a-z 0-9 _ . - or leave it out.");
	*spelling = text;
	text = kn_incident_spelt(&call->caller->account, text);
	(void) kn_client_id_uuid(text, id);
	return text;
}

/* A number that is taken is drawn again; her id for it gives way only to somebody else's. */
static bool
insert_with_number(KnIncident *incident, const KnIntake *intake)
{
	for (int i = 0; i < KN_CASE_NUMBER_TRIES; i++)
	{
		KnIntake again;

		incident->case_number = kn_case_number(incident->created_at);
		if (kn_incident_insert(incident, &intake->subject))
			return true;
		kn_incident_intake(&incident->owner, incident->client_key, &again);
		if (again.known)
			return false;
		if (kn_incident_exists(&incident->id))
			kn_opening_rename(incident);
	}
	return false;
}

static void
answer_replay(KnCall *call, const KnIntake *intake, const KnIncident *sent)
{
	bool same = kn_incident_hash_matches(intake->created_hash, sent, kn_in_object(call->body));
	KnIncident stored;
	KnRelation relation;

	kn_call_target(call, "incident", &intake->id);
	/* one look decides: between two she may take it back */
	if (!kn_incident_load(call->caller, sent->client_id, &stored, &relation))
		answer_taken_back(call, &intake->id, sent->client_id, same);
	else if (same)
		show_one(call, &stored, relation);
	else
		conflict_of_payload(call, sent, &stored, relation);
}

/* What she wrote for a case that she took back is kept, unless it is there already. */
static void
answer_taken_back(KnCall *call, const pg_uuid_t *id, const char *client_id, bool is_known)
{
	KnRecordResult result = {.status = KN_RECORD_CONFLICT, .code = "deleted"};
	KnWrite write = {
		.noun = "incident", .client_id = client_id, .data = kn_in_object(call->body)};

	if (!is_known)
		kn_archive_keep(call, &write, id, "deleted", &result.archive);
	result.has_archive = !is_known;
	kn_record_answer_conflict(call, &result);
}

/* Both versions: what is stored, as she may see it now, and what was sent. */
static void
conflict_of_payload(KnCall *call, const KnIncident *sent, KnIncident *stored, KnRelation relation)
{
	KnJson current = call->json;
	KnJson yours;

	show_one(call, stored, relation);
	if (call->json.text.len > 0)
		kn_call_extend(call, "current", call->json.text.data);
	call->json = current;
	kn_json_init(&yours);
	kn_json_open(&yours, '{');
	for (int i = 0; i < KN_INCIDENT_FIELDS; i++)
	{
		kn_json_key(&yours, kn_incident_fields[i].object
								? psprintf("%s.%s", kn_incident_fields[i].object,
										   kn_incident_fields[i].key)
								: kn_incident_fields[i].key);
		kn_field_write(&yours, &kn_incident_fields[i], &sent->values[i]);
	}
	kn_json_close(&yours, '}');
	kn_call_extend(call, "yours", yours.text.data);
	kn_refuse(ERRCODE_KN_ID_REUSED, "this id was used for another report",
			  "Send a new id for a new report, or PATCH the one you have.");
}

static void
show_found(KnCall *call, const char *text)
{
	KnIncident incident;
	KnRelation relation;

	if (!kn_incident_load(call->caller, text, &incident, &relation))
		kn_refuse_absent(); /* taken back by her since */
	show_one(call, &incident, relation);
}

/* As what the caller reads it. */
static KnRelation
show_one(KnCall *call, KnIncident *incident, KnRelation relation)
{
	const pg_uuid_t *team = call->caller->has_provider ? &call->caller->provider : NULL;
	KnCaseParts parts;

	kn_need_load_parts(&incident->id, &parts);
	show(call, incident, relation, KN_SHAPE_DETAIL, &parts);
	return kn_helper_reads(&parts, relation, team);
}

/* Opens the sealed fields this reader may see in a detail and writes the answer. */
static void
show(KnCall *call, KnIncident *incident, KnRelation relation, KnShape shape,
	 const KnCaseParts *parts)
{
	const pg_uuid_t *team = call->caller->has_provider ? &call->caller->provider : NULL;

	if (shape == KN_SHAPE_DETAIL)
		kn_incident_unseal(incident, kn_helper_reads(parts, relation, team),
						   kn_helps_in_person(parts, team));
	kn_render_incident(&call->json, incident, relation, shape, parts, team,
					   kn_case_policy()->hotlines);
}

static KnRelation
require_incident(KnCall *call, KnIncident *incident)
{
	KnRelation relation;

	if (!find_incident(call, incident, &relation))
		kn_refuse_absent();
	return relation;
}

static bool
find_incident(KnCall *call, KnIncident *incident, KnRelation *relation)
{
	if (call->n_path < 1 || !kn_incident_load(call->caller, call->path[0], incident, relation))
		return false;
	kn_call_target(call, "incident", &incident->id);
	return true;
}

/* GET /incidents/{id} -> the incident as the caller may see it. */
static void
incident_get(KnCall *call)
{
	KnIncident incident;
	KnRelation relation = require_incident(call, &incident);

	call->unaudited = relation == KN_OWNER;
	relation = show_one(call, &incident, relation);
	if (relation == KN_OWNER || relation == KN_CANDIDATE ||
		incident.values[KN_INCIDENT_ANONYMOUS].flag)
		return;
	/* reopen the object for the members that only a detail of a named report has */
	call->json.text.len--;
	kn_incident_render_people(&call->json, &incident, relation == KN_DISPATCHER);
	kn_json_close(&call->json, '}');
}
KN_DOOR(incident_get, incident_get, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /incidents/{id}: one incident. Path: id.");

/* A list opens what the caller reported herself, with her key read once, and nothing else. */
static void
show_page(KnCall *call, KnIncident *items, int n, KnRelation relation, const KnCaseParts *parts)
{
	const pg_uuid_t *me = &call->caller->account;
	KnSubject subject = {0};

	for (int i = 0; i < n; i++)
	{
		/* a helper's list holds what she reported herself as well */
		bool own = kn_uuid_equal(&items[i].owner, me);

		if (own && !subject.open)
			kn_account_subject(me, &subject);
		if (own)
			kn_incident_unseal_with(&items[i], &subject, KN_OWNER, false);
		show(call, &items[i], own ? KN_OWNER : relation, KN_SHAPE_LIST, &parts[i]);
	}
	kn_subject_forget(&subject);
}

/* GET /incidents ?status &type &urgency &caseNumber &limit &after -> {"items","next"} */
static void
incident_list(KnCall *call)
{
	int limit = kn_page_limit(call);
	KnPage page = kn_page_after(call);
	KnIncidentFilter filter = {
		.status = kn_query_text(call->query, "status"),
		.type = kn_query_text(call->query, "type"),
		.urgency = kn_query_text(call->query, "urgency"),
		.before_at = page.at,
		.before_id = page.id,
		.limit = limit + 1,
	};
	KnRelation relation;
	KnIncident *items;
	char *number = kn_query_text(call->query, "caseNumber");
	pg_uuid_t *buckets;
	KnCaseParts *parts;
	int n;

	check_filters(call);
	n = number ? find_numbered(call, kn_case_number_parse(number), &filter, &items, &relation)
			   : kn_incident_list(call->caller, &filter, &items, &relation);
	buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	parts = palloc(sizeof(KnCaseParts) * Max(n, 1));
	for (int i = 0; i < n; i++)
		buckets[i] = items[i].id;
	kn_need_load_many(buckets, n, parts);
	call->noun = "incident";
	call->unaudited = relation == KN_OWNER;
	if (relation != KN_OWNER)
		kn_call_shown(call, buckets, Min(n, limit));
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	show_page(call, items, Min(n, limit), relation, parts);
	kn_json_close(&call->json, ']');
	kn_page_next(call, n > limit, n > limit ? items[limit - 1].created_at : 0,
				 n > limit ? &items[limit - 1].id : NULL);
	kn_json_close(&call->json, '}');
}
/* The one case of that number, if the caller may see it and it is what else was asked for. */
static int
find_numbered(KnCall *call, const char *number, const KnIncidentFilter *filter, KnIncident **items,
			  KnRelation *relation)
{
	KnRelation *relations;
	const KnIncident *found;
	const KnValue *type;
	pg_uuid_t id;

	*relation = KN_NO_RELATION;
	if (!kn_case_number_find(number, &id) ||
		kn_incident_load_many(call->caller, &id, 1, items, &relations) == 0)
		return 0;
	found = *items;
	*relation = relations[0];
	type = &found->values[KN_INCIDENT_TYPE];
	if ((filter->status &&
		 strcmp(kn_case_status_word(found->status, *relation), filter->status) != 0) ||
		(filter->urgency && strcmp(kn_urgency_names[found->urgency], filter->urgency) != 0) ||
		(filter->type && !(type->present && strcmp(type->text, filter->type) == 0)))
		return 0;
	return 1;
}

/*
 * What a list does not show, its filters do not tell: the type to a dispatcher,
 * an inner state to all others.
 */
static void
check_filters(KnCall *call)
{
	static const KnFilter shared[] = {{"status", kn_case_statuses + 1},
									  {"type", kn_incident_types},
									  {"urgency", kn_urgency_names},
									  {"caseNumber", NULL},
									  KN_FILTER_PAGE,
									  KN_FILTER_END};
	static const KnFilter dispatch[] = {{"status", kn_case_statuses},
										{"urgency", kn_urgency_names},
										{"caseNumber", NULL},
										KN_FILTER_PAGE,
										KN_FILTER_END};
	bool dispatches = (call->caller->role & (KN_ROLE_DISPATCHER | KN_ROLE_ADMIN)) != 0;

	kn_filters_check(call->query, dispatches ? dispatch : shared);
}
KN_DOOR(incident_list, incident_list, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /incidents: a page of what the caller may see. Query: status, type, urgency, "
		"limit, after.");

/*
 * PATCH /incidents/{id} -> the incident; owner only.
 *	  Fields given replace those stored, null empties one; a service that is new
 *	  opens its need.  What cannot be understood is ignored, and kept.
 *	  With serverVersion in the body or If-Match, an older base is a conflict.
 */
static void
incident_update(KnCall *call)
{
	JsonbContainer *body = kn_in_object(call->body);
	KnIncident incident;
	KnIncident fresh = {0};
	KnRelation relation;
	KnLeftovers left;
	KnWrite write = {.noun = "incident", .data = body};
	pg_uuid_t archive;

	if (!find_incident(call, &incident, &relation))
	{
		answer_late_change(call);
		return;
	}
	if (relation != KN_OWNER)
		kn_refuse(ERRCODE_KN_FIELD_OWNED, "only the survivor changes her report", NULL);
	if (!kn_incident_lock_own(call->caller, &incident))
	{
		answer_late_change(call);
		return;
	}
	write.client_id = kn_incident_own_id(&incident);
	kn_incident_read(body, &fresh, &left);
	kn_incident_settle(&incident, fresh.values);
	/* the answer to this very change got lost */
	if (call->if_match != NULL && left.n_unreadable == 0 &&
		kn_incident_stands(&incident, fresh.values))
	{
		incident.ignored = left.ignored.text.data;
		show_one(call, &incident, KN_OWNER);
		return;
	}
	if (!check_version(call, &write, &incident))
		return;
	incident.triage = fresh.triage;
	kn_incident_change(call, &incident, fresh.values);
	if (left.n_unreadable > 0)
		kn_archive_keep(call, &write, &incident.id, "unreadable", &archive);
	kn_call_flush(call);
	require_incident(call, &incident);
	incident.ignored = left.ignored.text.data; /* of this change */
	show_one(call, &incident, KN_OWNER);
}
KN_DOOR(incident_update, incident_update, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER,
		KN_DOOR_AUDITED | KN_DOOR_UPLOAD,
		"PATCH /incidents/{id}: the survivor changes her report. Path: id. Body: the fields "
		"to change, serverVersion.");

/* Her own case that she has taken back, be it while this change waited, keeps the words. */
static void
answer_late_change(KnCall *call)
{
	pg_uuid_t id;
	char *client_id = find_taken_back(call, &id);

	if (client_id == NULL)
		kn_refuse_absent();
	answer_taken_back(call, &id, client_id, false);
}

/* Her own id for a case of hers that she has taken back, or NULL; it is what she acts on. */
static char *
find_taken_back(KnCall *call, pg_uuid_t *id)
{
	const pg_uuid_t *me = &call->caller->account;
	char *client_id = call->n_path > 0 ? kn_incident_spelt(me, call->path[0]) : NULL;
	bytea *key = client_id ? kn_client_key(me, "incident", client_id) : NULL;
	KnIntake intake;

	if (key == NULL || !kn_incident_is_taken_back(me, key))
		return NULL;
	kn_incident_intake(me, key, &intake);
	if (!intake.known)
		return NULL;
	kn_subject_forget(&intake.subject);
	*id = intake.id;
	kn_call_target(call, "incident", id);
	return client_id;
}

/* A version that does not win is kept, and she is told where. */
static bool
check_version(KnCall *call, KnWrite *write, const KnIncident *incident)
{
	KnRecordResult result = {.status = KN_RECORD_CONFLICT, .has_archive = true};

	kn_call_require_version(call, incident->stamp.version);
	write->has_base =
		kn_in_int(write->data, "serverVersion", 0, PG_INT32_MAX, false, &write->base);
	if (!write->has_base || !kn_incident_edit_conflicts(call, incident, write->base))
		return true;
	kn_archive_keep(call, write, &incident->id, "version", &result.archive);
	kn_change_touch(&incident->id, "incident", &incident->id);
	show_found(call, kn_incident_own_id(incident));
	result.current = pstrdup(call->json.text.data);
	kn_json_init(&call->json);
	kn_record_answer_conflict(call, &result);
	return false;
}

/*
 * DELETE /incidents/{id} -> none; hidden at once, open needs are paused, helpers keep
 * what they wrote; again is the same answer.
 */
static void
incident_delete(KnCall *call)
{
	KnIncident incident;
	pg_uuid_t id;

	call->outcome = KN_NONE;
	if (find_taken_back(call, &id) != NULL)
		return;
	if (require_incident(call, &incident) != KN_OWNER)
		kn_refuse(ERRCODE_KN_FIELD_OWNED, "only the survivor takes back her report", NULL);
	kn_incident_take_back(call, &incident.id);
}
KN_DOOR(incident_delete, incident_delete, KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"DELETE /incidents/{id}: the survivor takes her report back. Path: id.");
