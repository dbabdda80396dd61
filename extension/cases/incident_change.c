/*-------------------------------------------------------------------------
 *
 * incident_change.c
 *	  Her own changes of a report, by whatever way they come.
 *
 * Called by incident.c and incident_record.c.  What helpers and the machine
 * change of a case never conflicts with her words: only an edit of another
 * device of hers does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cases/assignment.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_change.h"
#include "cases/incident_open.h"
#include "cases/incident_row.h"
#include "cases/incident_store.h"
#include "records/record.h"

static void sign(const KnCall *call, KnIncident *incident);
static void hurry_needs(const KnIncident *incident, KnCaseParts *parts);
static void follow_services(const KnIncident *incident, const KnValue *before,
							const KnCasePolicy *policy);

bool
kn_incident_lock_own(const KnCaller *caller, KnIncident *incident)
{
	KnNeed *needs;
	KnCaseStatus status;
	KnUrgency urgency;
	KnRelation relation;
	char *text = incident->client_id;

	kn_case_lock(&incident->id, &needs);
	if (!kn_incident_status_lock(&incident->id, &status, &urgency) ||
		!kn_incident_load(caller, text, incident, &relation) || relation != KN_OWNER)
		return false;
	kn_incident_unseal(incident, KN_OWNER, true);
	return true;
}

bool
kn_incident_edit_conflicts(const KnCall *call, const KnIncident *incident, int64 base)
{
	pg_uuid_t writer;

	kn_call_writer(call, &writer);
	return kn_version_conflicts(base, incident->stamp.version, incident->edited_version,
								incident->edited_foreign_version, incident->has_editor,
								&incident->edited_by, &writer);
}

void
kn_incident_settle(const KnIncident *stored, KnValue *fresh)
{
	KnValue *urgency = &fresh[KN_INCIDENT_URGENCY];

	for (int i = 0; i < KN_INCIDENT_FIELDS; i++)
		fresh[i].cleared = fresh[i].cleared && stored->values[i].present;
	/* a guess errs on the safe side only: it never lowers what stands */
	if (urgency->guessed && stored->urgency >= kn_urgency_parse(urgency->text))
		urgency->present = false;
}

void
kn_incident_settle_new(KnIncident *incident, bool account_is_anonymous)
{
	KnValue *anonymous = &incident->values[KN_INCIDENT_ANONYMOUS];

	if (anonymous->present)
		return;
	anonymous->present = true;
	anonymous->flag = account_is_anonymous;
}

bool
kn_incident_stands(const KnIncident *stored, const KnValue *fresh)
{
	KnJson now;
	KnJson sent;

	kn_json_init(&now);
	kn_json_init(&sent);
	for (int i = 0; i < KN_INCIDENT_FIELDS; i++)
	{
		if (!fresh[i].present && !fresh[i].cleared)
			continue;
		kn_field_write(&now, &kn_incident_fields[i], &stored->values[i]);
		kn_field_write(&sent, &kn_incident_fields[i], &fresh[i]);
	}
	return strcmp(now.text.data, sent.text.data) == 0;
}

void
kn_incident_change(KnCall *call, KnIncident *incident, const KnValue *fresh)
{
	KnUrgency before = incident->urgency;
	KnValue services = incident->values[KN_INCIDENT_SERVICES];
	KnCaseParts parts;
	KnIntake intake;

	for (int i = 0; i < KN_INCIDENT_FIELDS; i++)
		if (fresh[i].present || fresh[i].cleared)
			incident->values[i] = fresh[i];
	incident->n_suggested = 0;
	kn_incident_derive(incident, GetCurrentTimestamp());
	/* a machine raises urgency, only a person lowers it */
	if (!fresh[KN_INCIDENT_URGENCY].present && !fresh[KN_INCIDENT_URGENCY].cleared)
		incident->urgency = Max(incident->urgency, before);
	kn_incident_intake(&incident->owner, incident->client_id, &intake);
	incident->language = intake.language;
	sign(call, incident);
	kn_incident_update(incident, &intake.subject);
	kn_subject_forget(&intake.subject);
	kn_incident_recount(incident->status, before, incident->urgency);
	kn_need_load_parts(&incident->id, &parts);
	hurry_needs(incident, &parts);
	if (fresh[KN_INCIDENT_SERVICES].present || fresh[KN_INCIDENT_SERVICES].cleared ||
		incident->triage)
		follow_services(incident, &services, kn_case_policy());
}

/* As kintaraa.change keeps writers, but of her words only. */
static void
sign(const KnCall *call, KnIncident *incident)
{
	pg_uuid_t writer;

	kn_call_writer(call, &writer);
	if (!incident->has_editor || !kn_uuid_equal(&incident->edited_by, &writer))
		incident->edited_foreign_version = incident->edited_version;
	incident->edited_by = writer;
	incident->has_editor = true;
}

/* More urgent is so at once; less urgent is for what opens later. */
static void
hurry_needs(const KnIncident *incident, KnCaseParts *parts)
{
	for (int i = 0; i < parts->n_needs; i++)
		kn_escalation_hurry(&parts->needs[i],
							kn_service_urgency(parts->needs[i].service, incident),
							kn_case_policy(), GetCurrentTimestamp());
}

/*
 * What she asks for in addition is routed now.  What is open and that she no longer names
 * stays hers to withdraw.
 */
static void
follow_services(const KnIncident *incident, const KnValue *before, const KnCasePolicy *policy)
{
	KnOpening opening;
	TimestampTz now = GetCurrentTimestamp();

	kn_opening_plan_new(incident, before, policy, now, &opening);
	kn_opening_store(&opening, now);
	kn_hold_end_if_empty(&incident->id);
	kn_incident_follow_needs(&incident->id);
}

void
kn_incident_take_back(KnCall *call, const pg_uuid_t *id)
{
	KnNeed *needs;
	int n = kn_case_lock(id, &needs);

	(void) kn_case_hold(id, needs, n, true);
}
