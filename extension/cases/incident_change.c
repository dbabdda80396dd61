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

#include "catalog/pg_type.h"

#include "cases/assignment.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_change.h"
#include "cases/incident_open.h"
#include "cases/incident_row.h"
#include "cases/incident_store.h"
#include "providers/provider.h"
#include "providers/routing_policy.h"
#include "records/record.h"

static void sign(const KnCall *call, KnIncident *incident);
static void hurry_needs(const KnIncident *incident, KnCaseParts *parts);
static void follow_triage_teams(const pg_uuid_t *incident);
static void follow_services(const KnIncident *incident, const KnValue *before,
							const KnCasePolicy *policy);

/* Offers of what is no service yet to teams of which she does not say that they may look. */
static KnStatement withdraw_unnamed = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment a SET status = 'withdrawn', responded_at = "
	"       pg_catalog.clock_timestamp() "
	"  FROM kintaraa.incident i, kintaraa.provider p "
	" WHERE i.id = $1 AND a.incident_bucket = i.id AND a.service = '" KN_TRIAGE "' "
	"   AND a.status = 'pending' AND p.id = a.provider_id "
	"   AND NOT p.provider_type = ANY (COALESCE(NULLIF(i.triage_teams, '{}'), $2)) "
	"RETURNING a.need_id",
	UUIDOID, TEXTARRAYOID);

bool
kn_incident_lock_own(const KnCaller *caller, KnIncident *incident)
{
	KnNeed *needs;
	KnCaseStatus status;
	KnUrgency urgency;
	bytea *client_key = incident->client_key;

	kn_case_lock(&incident->id, &needs);
	if (!kn_incident_status_lock(&incident->id, &status, &urgency) ||
		!kn_incident_load_own(&caller->account, client_key, incident))
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
	kn_incident_intake(&incident->owner, incident->client_key, &intake);
	incident->language = intake.language;
	sign(call, incident);
	kn_incident_update(incident, &intake.subject);
	kn_subject_forget(&intake.subject);
	kn_incident_recount(incident->status, before, incident->urgency);
	kn_need_load_parts(&incident->id, &parts);
	hurry_needs(incident, &parts);
	if (fresh[KN_INCIDENT_TRIAGE_TEAMS].present || fresh[KN_INCIDENT_TRIAGE_TEAMS].cleared)
		follow_triage_teams(&incident->id);
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

/* Those that were asked before she said so. */
static void
follow_triage_teams(const pg_uuid_t *incident)
{
	int types = kn_routing_types(kn_routing_policy(), KN_TRIAGE, KN_URGENT);
	char *names[KN_PROVIDER_TYPES];
	int n = 0;
	KnArgs args = {0};
	KnRows rows;

	for (int type = 1; type <= KN_PROVIDER_TYPES; type++)
		if (types & 1 << type)
			names[n++] = (char *) kn_provider_types[type - 1];
	kn_arg_uuid(&args, incident);
	kn_arg_text_array(&args, names, n);
	kn_run(&withdraw_unnamed, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t id;

		kn_col_uuid(&rows, i, 1, &id);
		kn_need_go_on(incident, &id);
	}
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
