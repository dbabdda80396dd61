/*-------------------------------------------------------------------------
 *
 * projection.c
 *	  The one renderer of cases: what each relation is shown of them.
 *
 * Called by every door and frame that shows a case.  What a relation may see
 * is decided by the class of a field in the field table; nothing here names a
 * field to hide it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "cases/incident_store.h"
#include "cases/projection.h"

static void render_head(KnJson *json, const KnIncident *incident, KnRelation relation);
static void render_fields(KnJson *json, const KnIncident *incident, KnRelation relation,
						  KnShape shape, const KnCaseParts *parts, const pg_uuid_t *provider);
static void render_own_services(KnJson *json, const KnCaseParts *parts, const pg_uuid_t *provider);
static bool shows(const KnField *field, KnRelation relation, KnShape shape, bool in_person);
static void render_object(KnJson *json, const char *object, const KnIncident *incident,
						  KnRelation relation, KnShape shape, bool in_person);
static void render_needs(KnJson *json, const KnCaseParts *parts, KnRelation relation,
						 const pg_uuid_t *provider);
static void render_helpers(KnJson *json, const KnCaseParts *parts, KnRelation relation,
						   const pg_uuid_t *provider);
static void render_owner_part(KnJson *json, const KnIncident *incident, const char *hotlines);
static void render_missing(KnJson *json, const KnIncident *incident);
static void render_card(KnJson *json, const KnAssignment *assignment);

void
kn_render_incident(KnJson *json, const KnIncident *incident, KnRelation relation, KnShape shape,
				   const KnCaseParts *parts, const pg_uuid_t *provider, const char *hotlines)
{
	KnRelation reads = kn_helper_reads(parts, relation, provider);

	/* of a case that was taken back the centre reads the card, and how to reach her */
	if (relation == KN_DISPATCHER && incident->held_until != 0)
		shape = KN_SHAPE_LIST;
	kn_json_open(json, '{');
	render_head(json, incident, relation);
	render_fields(json, incident, reads, shape, parts, provider);
	render_needs(json, parts, relation, provider);
	render_helpers(json, parts, relation, provider);
	if (relation == KN_OWNER)
		render_owner_part(json, incident, hotlines);
	kn_json_pair_time(json, "createdAt", incident->created_at);
	kn_json_pair_time(json, "updatedAt", incident->stamp.updated_at);
	kn_json_pair_int(json, "serverVersion", incident->stamp.version);
	kn_json_close(json, '}');
}

static void
render_head(KnJson *json, const KnIncident *incident, KnRelation relation)
{
	if (relation == KN_OWNER)
		kn_json_pair_text(json, "id", kn_incident_own_id(incident));
	else
		kn_json_pair_uuid(json, "id", &incident->id);
	kn_json_pair_text(json, "caseNumber", incident->case_number);
	kn_json_pair_text(json, "status", kn_case_status_word(incident->status, relation));
	kn_json_pair_text(json, "anonymity",
					  incident->values[KN_INCIDENT_ANONYMOUS].flag ? "confidential" : "named");
	kn_json_pair_text(json, "reporter", incident->by_provider ? "provider" : "survivor");
	if (incident->held_until != 0 && relation != KN_HELPER)
		kn_json_pair_time(json, "takenBackUntil", incident->held_until);
}

/*
 * Free text never travels in lists of anybody but the owner, and a dispatcher's
 * list holds cards: who looks over hundreds has no need of what happened to one.
 */
static bool
shows(const KnField *field, KnRelation relation, KnShape shape, bool in_person)
{
	if (relation == KN_DISPATCHER && shape == KN_SHAPE_LIST && field->class != KN_CLASS_CARD)
		return false;
	if (relation != KN_OWNER && shape == KN_SHAPE_LIST && field->kind == KN_FIELD_TEXT)
		return false;
	return kn_class_visible(field->class, relation, in_person);
}

static void
render_fields(KnJson *json, const KnIncident *incident, KnRelation relation, KnShape shape,
			  const KnCaseParts *parts, const pg_uuid_t *provider)
{
	bool in_person = kn_helps_in_person(parts, provider);

	for (int i = 0; i < KN_INCIDENT_FIELDS; i++)
	{
		const KnField *field = &kn_incident_fields[i];

		if (field->object != NULL || !shows(field, relation, shape, in_person))
			continue;
		kn_json_key(json, field->key);
		if (i == KN_INCIDENT_URGENCY)
			kn_json_text(json, kn_urgency_names[incident->urgency]);
		else if (i == KN_INCIDENT_SERVICES &&
				 (relation == KN_HELPER || relation == KN_CANDIDATE))
			render_own_services(json, parts, provider);
		else
			kn_field_write(json, field, &incident->values[i]);
	}
	render_object(json, "location", incident, relation, shape, in_person);
	render_object(json, "providerPreferences", incident, relation, shape, in_person);
}

/* What else she asked for would tell whether she goes to the police or looks for a shelter. */
static void
render_own_services(KnJson *json, const KnCaseParts *parts, const pg_uuid_t *provider)
{
	kn_json_open(json, '[');
	for (int i = 0; i < parts->n_needs; i++)
		if (kn_need_visible(&parts->needs[i], parts, KN_HELPER, provider))
			kn_json_text(json, parts->needs[i].service);
	kn_json_close(json, ']');
}

/* A place that may not be shown is the centre of its cell. */
static void
render_object(KnJson *json, const char *object, const KnIncident *incident, KnRelation relation,
			  KnShape shape, bool in_person)
{
	bool place = strcmp(object, "location") == 0;

	kn_json_key(json, object);
	kn_json_open(json, '{');
	for (int i = 0; i < KN_INCIDENT_FIELDS; i++)
	{
		const KnField *field = &kn_incident_fields[i];

		if (field->object == NULL || strcmp(field->object, object) != 0 ||
			!shows(field, relation, shape, in_person))
			continue;
		kn_json_key(json, field->key);
		kn_field_write(json, field, &incident->values[i]);
	}
	if (place && relation != KN_OWNER)
	{
		KnValue cell = {.present = incident->has_cell,
						.number = incident->cell_latitude,
						.second = incident->cell_longitude};

		kn_json_key(json, "cell");
		kn_field_write(json, &kn_incident_fields[KN_INCIDENT_POINT], &cell);
	}
	kn_json_close(json, '}');
}

bool
kn_need_visible(const KnNeed *need, const KnCaseParts *parts, KnRelation relation,
				const pg_uuid_t *provider)
{
	if (relation == KN_DISPATCHER)
		return true;
	if (strcmp(need->service, KN_TRIAGE) == 0)
		return false;
	if (relation == KN_OWNER)
		return true;
	for (int i = 0; i < parts->n_helpers && provider; i++)
		if (kn_uuid_equal(&parts->helpers[i].provider, provider) &&
			kn_uuid_equal(&parts->helpers[i].need, &need->id))
			return true;
	return false;
}

static void
render_needs(KnJson *json, const KnCaseParts *parts, KnRelation relation,
			 const pg_uuid_t *provider)
{
	kn_json_key(json, "needs");
	kn_json_open(json, '[');
	for (int i = 0; i < parts->n_needs; i++)
	{
		const KnNeed *need = &parts->needs[i];
		bool dispatcher = relation == KN_DISPATCHER;

		if (!kn_need_visible(need, parts, relation, provider))
			continue;
		kn_json_open(json, '{');
		if (dispatcher)
			kn_json_pair_uuid(json, "id", &need->id);
		kn_json_pair_text(json, "service", need->service);
		kn_json_pair_text(json, "status", kn_need_state_word(need->state, relation));
		/* the steps in between would tell how many were asked and refused */
		kn_json_pair_time(json, "dueAt", dispatcher ? need->due_at : need->expected_by);
		kn_json_pair_time(json, "expectedBy", need->expected_by);
		if (dispatcher)
		{
			kn_json_pair_text(json, "urgencyLevel", kn_urgency_names[need->urgency]);
			kn_json_pair_int(json, "level", need->level);
		}
		kn_json_close(json, '}');
	}
	kn_json_close(json, ']');
}

const char *
kn_need_state_word(KnNeedState state, KnRelation relation)
{
	if (relation != KN_DISPATCHER)
	{
		if (state == KN_NEED_STALLED)
			state = KN_NEED_ENGAGED;
		else if (state == KN_NEED_OFFERED || state == KN_NEED_NEEDS_DISPATCHER)
			state = KN_NEED_SEARCHING;
	}
	return kn_need_states[state];
}

const char *
kn_case_status_word(KnCaseStatus status, KnRelation relation)
{
	if (status == KN_CASE_REVIEW && relation != KN_DISPATCHER)
		status = KN_CASE_NEW;
	return kn_case_statuses[status];
}

/* To her the accepted ones, to helpers their own, to dispatchers all. */
static void
render_helpers(KnJson *json, const KnCaseParts *parts, KnRelation relation,
			   const pg_uuid_t *provider)
{
	kn_json_key(json, "assignments");
	kn_json_open(json, '[');
	for (int i = 0; i < parts->n_helpers; i++)
	{
		const KnHelper *helper = &parts->helpers[i];
		bool accepted = helper->status == KN_ASSIGNMENT_ACCEPTED;

		if (relation == KN_OWNER && !accepted)
			continue;
		if (relation == KN_HELPER && (!provider || !kn_uuid_equal(&helper->provider, provider)))
			continue;
		kn_json_open(json, '{');
		kn_json_pair_uuid(json, "id", &helper->assignment);
		kn_json_pair_text(json, "service", helper->service);
		kn_json_pair_text(json, "providerType", helper->provider_type);
		kn_json_pair_text(json, "providerName", helper->provider_name);
		kn_json_pair_text(json, "status", kn_assignment_states[helper->status]);
		if (relation == KN_DISPATCHER)
		{
			kn_json_pair_uuid(json, "providerId", &helper->provider);
			kn_json_pair_time(json, "offeredAt", helper->offered_at);
			kn_json_key(json, "distanceKm");
			kn_json_float(json, helper->distance_km, 1);
		}
		kn_json_close(json, '}');
	}
	kn_json_close(json, ']');
}

static void
render_owner_part(KnJson *json, const KnIncident *incident, const char *hotlines)
{
	kn_json_pair_texts(json, "suggestedServices", (char **) incident->suggested,
					   incident->n_suggested);
	render_missing(json, incident);
	kn_json_key(json, "ignored");
	if (incident->ignored)
		kn_json_raw(json, incident->ignored, strlen(incident->ignored));
	else
		kn_json_raw(json, "[]", 2);
	if (hotlines)
	{
		kn_json_key(json, "hotlines");
		kn_json_raw(json, hotlines, strlen(hotlines));
	}
}

/* What would make the report easier to route and to count; nothing is ever required. */
static void
render_missing(KnJson *json, const KnIncident *incident)
{
	static const KnIncidentField wanted[] = {KN_INCIDENT_TYPE, KN_INCIDENT_DATE,
											 KN_INCIDENT_SERVICES};

	kn_json_key(json, "missing");
	kn_json_open(json, '[');
	for (int i = 0; i < lengthof(wanted); i++)
	{
		const KnValue *value = &incident->values[wanted[i]];

		if (!value->present || (wanted[i] == KN_INCIDENT_SERVICES && value->n_items == 0))
			kn_json_text(json, kn_incident_fields[wanted[i]].key);
	}
	if (!incident->has_cell)
		kn_json_text(json, "location");
	kn_json_close(json, ']');
}

const char *
kn_urgency_frame(const char *urgency_level)
{
	switch (kn_urgency_parse(urgency_level))
	{
		case KN_IMMEDIATE:
			return "critical";
		case KN_URGENT:
			return "high";
		default:
			return "medium";
	}
}

void
kn_render_assignment_row(KnJson *json, const KnAssignment *assignment)
{
	bool accepted = assignment->status == KN_ASSIGNMENT_ACCEPTED;
	/* with the case all ends; while it is paused the team keeps the card */
	bool ended = assignment->incident_status == KN_CASE_CLOSED && !assignment->paused;
	bool open = assignment->status == KN_ASSIGNMENT_PENDING || (accepted && !ended);

	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "id", &assignment->id);
	kn_json_key(json, "incidentId");
	/* a case that is not theirs any more has no handle either */
	kn_json_uuid(json, open && !assignment->paused ? &assignment->incident : NULL);
	kn_json_pair_text(json, "service", assignment->service);
	kn_json_pair_text(json, "status", kn_assignment_states[assignment->status]);
	if (accepted && assignment->paused)
		kn_json_pair_bool(json, "paused", true); /* ask the dispatch centre */
	kn_json_pair_text(json, "urgencyLevel", assignment->urgency);
	kn_json_pair_time(json, "offeredAt", assignment->offered_at);
	kn_json_pair_time(json, "dueAt", assignment->due_at);
	kn_json_pair_time(json, "respondedAt", assignment->responded_at);
	kn_json_key(json, "distanceKm");
	kn_json_float(json, open ? assignment->distance_km : NAN, 0);
	kn_json_key(json, "incident");
	if (open)
		render_card(json, assignment);
	else
		kn_json_raw(json, "{}", 2);
	kn_json_pair_time(json, "updatedAt", assignment->stamp.updated_at);
	kn_json_pair_int(json, "serverVersion", assignment->stamp.version);
	kn_json_close(json, '}');
}

static void
render_card(KnJson *json, const KnAssignment *assignment)
{
	bool accepted = assignment->status == KN_ASSIGNMENT_ACCEPTED;
	KnValue cell = {.present = assignment->has_cell,
					.number = assignment->cell_latitude,
					.second = assignment->cell_longitude};

	kn_json_open(json, '{');
	kn_json_pair_text(json, "service", assignment->service);
	kn_json_pair_text(json, "urgencyLevel", assignment->urgency);
	kn_json_pair_text(json, "timeBucket", assignment->time_bucket);
	kn_json_key(json, "cell");
	kn_field_write(json, &kn_incident_fields[KN_INCIDENT_POINT], &cell);
	kn_json_pair_text(json, "language", assignment->language);
	kn_json_pair_text(json, "contact", assignment->contact);
	if (accepted && !assignment->paused)
	{
		kn_json_pair_uuid(json, "id", &assignment->incident);
		kn_json_pair_text(json, "caseNumber", assignment->case_number);
		kn_json_pair_text(json, "status",
						  kn_case_status_word(assignment->incident_status, KN_HELPER));
	}
	kn_json_close(json, '}');
}
