/*-------------------------------------------------------------------------
 *
 * incident_open.c
 *	  What a new report sets in motion: its needs and their first offers.
 *
 * Called by incident.c.  Routing reads before anything is written, so that the
 * rows of a report go in with few statements and no row of a provider is held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/limits.h"
#include "cases/assignment.h"
#include "cases/hold.h"
#include "cases/incident_open.h"
#include "cases/incident_store.h"
#include "cases/offer.h"
#include "catalog/pg_type.h"
#include "keys/random.h"

static int wanted(const KnIncident *incident, const char **services);
static const KnNeed *find_need(const KnCaseParts *parts, const char *service);
static bool names(const KnValue *services, const char *service);
static void ask_again(const KnIncident *incident, const KnNeed *old, bool was_named,
					  const KnCasePolicy *policy, TimestampTz now);
static void plan_need(const KnIncident *incident, const char *service, const KnCasePlace *place,
					  const KnCasePolicy *policy, TimestampTz now, KnRouteMemo *memo, KnNeed *need,
					  KnStep *step);
static void begin_need(const KnIncident *incident, const char *service, const KnCasePolicy *policy,
					   TimestampTz now, KnNeed *need);
static void place_of(const KnIncident *incident, KnCasePlace *out);

void
kn_opening_reporter(KnIncident *incident, const KnCaller *caller)
{
	incident->by_provider = caller->role == KN_ROLE_PROVIDER;
	incident->reporter_team = caller->provider;
}

void
kn_opening_plan(KnIncident *incident, const KnCasePolicy *policy, TimestampTz now,
				KnRouteMemo *memo, KnOpening *out)
{
	const char *services[KN_SERVICES_MAX + 1];
	int n = wanted(incident, services);
	KnCasePlace place;

	place_of(incident, &place);
	memset(out, 0, sizeof(*out));
	out->incident = incident;
	out->parts.n_needs = n;
	out->parts.needs = palloc0(sizeof(KnNeed) * n);
	out->steps = palloc0(sizeof(KnStep) * n);
	for (int i = 0; i < n; i++)
	{
		plan_need(incident, services[i], &place, policy, now, memo, &out->parts.needs[i],
				  &out->steps[i]);
		out->needs_dispatcher = out->needs_dispatcher || out->steps[i].calls_people;
	}
}

/* What she asks for; triage where she names nothing, or something that nobody understood. */
static int
wanted(const KnIncident *incident, const char **services)
{
	const KnValue *asked = &incident->values[KN_INCIDENT_SERVICES];
	bool triage = incident->triage || asked->n_items == 0;

	for (int i = 0; i < asked->n_items; i++)
	{
		services[i] = asked->items[i];
		triage = triage && strcmp(services[i], KN_TRIAGE) != 0;
	}
	if (triage)
		services[asked->n_items] = KN_TRIAGE;
	return asked->n_items + triage;
}

void
kn_opening_plan_new(const KnIncident *incident, const KnValue *before, const KnCasePolicy *policy,
					TimestampTz now, KnOpening *out)
{
	const KnValue *asked = &incident->values[KN_INCIDENT_SERVICES];
	const char *services[KN_SERVICES_MAX + 1];
	/* naming nothing any more asks for nothing new */
	int n = asked->n_items || incident->triage ? wanted(incident, services) : 0;
	KnCaseParts known;
	KnRouteMemo memo = {0};
	KnCasePlace place;
	TimestampTz latest = now;

	kn_need_load_parts(&incident->id, &known);
	kn_case_place(&incident->id, &place);
	for (int i = 0; i < known.n_needs; i++)
	{
		latest = Max(latest, known.needs[i].created_at + 1);
		if (known.needs[i].state == KN_NEED_MET && names(before, known.needs[i].service) &&
			!names(asked, known.needs[i].service))
			kn_need_part(&known.needs[i], &incident->owner);
	}
	memset(out, 0, sizeof(*out));
	out->incident = incident;
	out->parts.needs = palloc0(sizeof(KnNeed) * lengthof(services));
	out->steps = palloc0(sizeof(KnStep) * lengthof(services));
	for (int i = 0; i < n; i++)
	{
		const KnNeed *old = find_need(&known, services[i]);
		int at = out->parts.n_needs;

		if (old != NULL)
		{
			ask_again(incident, old, names(before, services[i]), policy, now);
			continue;
		}
		plan_need(incident, services[i], &place, policy, now, &memo, &out->parts.needs[at],
				  &out->steps[at]);
		/* the first need stays the first when the clock was set back: see kn_case_lock */
		out->parts.needs[at].created_at = latest;
		out->parts.n_needs++;
	}
}

static bool
names(const KnValue *services, const char *service)
{
	for (int i = 0; i < services->n_items; i++)
		if (strcmp(services->items[i], service) == 0)
			return true;
	return false;
}

/* A need that is there, named again; what was met only when it was not named until now. */
static void
ask_again(const KnIncident *incident, const KnNeed *old, bool was_named,
		  const KnCasePolicy *policy, TimestampTz now)
{
	bool is_met = old->state == KN_NEED_MET;
	bool is_triage = strcmp(old->service, KN_TRIAGE) == 0;
	KnNeed need;

	if (kn_need_is_paused(old))
	{
		if (kn_need_lock(&incident->id, &old->id, &need))
			kn_hold_resume(&need, now);
		return;
	}
	if (kn_need_is_open(old) || is_triage || (is_met && was_named) ||
		!kn_need_lock(&incident->id, &old->id, &need))
		return;
	if (is_met)
		kn_need_part(&need, &incident->owner);
	kn_escalation_reopen(&need, kn_service_urgency(need.service, incident), policy, now);
}

static const KnNeed *
find_need(const KnCaseParts *parts, const char *service)
{
	for (int i = 0; i < parts->n_needs; i++)
		if (strcmp(parts->needs[i].service, service) == 0)
			return &parts->needs[i];
	return NULL;
}

static void
plan_need(const KnIncident *incident, const char *service, const KnCasePlace *place,
		  const KnCasePolicy *policy, TimestampTz now, KnRouteMemo *memo, KnNeed *need,
		  KnStep *step)
{
	begin_need(incident, service, policy, now, need);
	kn_escalation_next(need, place, NULL, 0, policy, now, memo, step);
}

static void
begin_need(const KnIncident *incident, const char *service, const KnCasePolicy *policy,
		   TimestampTz now, KnNeed *need)
{
	need->bucket = incident->id;
	kn_uuid4(need->id.data);
	need->service = pstrdup(service);
	need->state = KN_NEED_SEARCHING;
	need->urgency = kn_service_urgency(service, incident);
	need->round = 1;
	need->created_at = now;
	need->escalation = policy->parts[need->urgency];
	need->expected_by = kn_escalation_promise(need, policy, now);
}

int
kn_opening_defer(const KnIncident *incident, const KnCasePolicy *policy, TimestampTz now,
				 KnNeed *needs)
{
	const char *services[KN_SERVICES_MAX + 1];
	int n = wanted(incident, services);

	for (int i = 0; i < n; i++)
	{
		begin_need(incident, services[i], policy, now, &needs[i]);
		needs[i].due_at = now; /* the worker's next sweep routes it */
	}
	return n;
}

/* Of a new report, for which nobody can be barred yet. */
static void
place_of(const KnIncident *incident, KnCasePlace *out)
{
	const KnValue *gender = &incident->values[KN_INCIDENT_GENDER];

	memset(out, 0, sizeof(*out));
	out->has_cell = incident->has_cell;
	out->cell_latitude = incident->cell_latitude;
	out->cell_longitude = incident->cell_longitude;
	out->preferred_gender = gender->present ? gender->text : NULL;
	out->language = incident->language;
	if (incident->by_provider)
	{
		out->barred = palloc(sizeof(pg_uuid_t));
		out->barred[out->n_barred++] = incident->reporter_team;
	}
}

void
kn_opening_store(KnOpening *opening, TimestampTz now)
{
	KnCaseParts *parts = &opening->parts;

	for (int i = 0; i < parts->n_needs; i++)
		parts->needs[i].bucket = opening->incident->id;
	kn_need_insert(parts->needs, parts->n_needs);
	kn_offers_insert(parts->needs, opening->steps, parts->n_needs, now);
	for (int i = 0; i < parts->n_needs; i++)
		kn_escalation_call(&parts->needs[i], &opening->steps[i]);
}

void
kn_opening_store_many(KnOpening *openings, int n, TimestampTz now)
{
	int total = 0;
	int at = 0;
	KnNeed *needs;
	KnStep *steps;

	for (int i = 0; i < n; i++)
		total += openings[i].parts.n_needs;
	needs = palloc(sizeof(KnNeed) * Max(total, 1));
	steps = palloc(sizeof(KnStep) * Max(total, 1));
	for (int i = 0; i < n; at += openings[i++].parts.n_needs)
	{
		memcpy(needs + at, openings[i].parts.needs, sizeof(KnNeed) * openings[i].parts.n_needs);
		memcpy(steps + at, openings[i].steps, sizeof(KnStep) * openings[i].parts.n_needs);
	}
	kn_need_insert(needs, total);
	kn_offers_insert(needs, steps, total, now);
	for (int i = 0; i < total; i++)
		kn_escalation_call(&needs[i], &steps[i]);
	for (int i = 0; i < n; i++)
		if (openings[i].needs_dispatcher)
			kn_incident_follow_needs(&openings[i].incident->id);
}

void
kn_opening_rename(KnIncident *incident)
{
	kn_uuid4(incident->id.data);
}
