/*-------------------------------------------------------------------------
 *
 * recommendation.c
 *	  Whom a dispatcher might ask: the ranking for each open need, with reasons.
 *
 * Called from SQL (door recommendation_list).  It ranks by the same rules as an
 * offer, but always from the cell: distances shown to people never come from
 * the exact place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "base/filter.h"
#include "cases/escalation.h"
#include "cases/incident_store.h"
#include "identity/door.h"
#include "providers/provider.h"
#include "providers/routing.h"

#define RECOMMENDATIONS 5

static void render_need(KnJson *json, const KnNeed *need, const KnCasePlace *place);
static void route_need(const KnNeed *need, const KnCasePlace *place, KnRoute *out);
static void render_candidate(KnJson *json, const KnCandidate *candidate, const KnRows *names);
static void render_reasons(KnJson *json, const KnCandidate *candidate);
static void render_rejected(KnJson *json, const KnRoute *route);
static void term(KnJson *json, const char *key, double minutes);

static KnStatement select_names = KN_READ(
	KN_AS_DISPATCH,
	"SELECT p.id, p.name, p.by_telephone, d.load, d.capacity "
	"  FROM kintaraa.provider AS p JOIN kintaraa.provider_dispatch AS d ON d.provider_id = p.id "
	" WHERE p.id = ANY ($1)",
	UUIDARRAYOID);

/* GET /incidents/{id}/recommendations -> {"items": one for each open need} */
static void
recommendation_list(KnCall *call)
{
	static const KnFilter none[] = {KN_FILTER_END};
	KnIncident incident;
	KnRelation relation;
	KnCaseParts parts;
	KnCasePlace place;

	kn_filters_check(call->query, none);
	if (call->n_path < 1 ||
		!kn_incident_load(call->caller, call->path[0], &incident, &relation) ||
		relation != KN_DISPATCHER)
		kn_refuse_absent();
	kn_call_target(call, "incident", &incident.id);
	kn_need_load_parts(&incident.id, &parts);
	kn_case_place(&incident.id, &place);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (int i = 0; i < parts.n_needs; i++)
		if (kn_need_is_open(&parts.needs[i]))
			render_need(&call->json, &parts.needs[i], &place);
	kn_json_close(&call->json, ']');
	kn_json_close(&call->json, '}');
}
KN_DOOR(recommendation_list, recommendation_list, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_READS | KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"GET /incidents/{id}/recommendations: the best providers for each open need, with "
		"the minutes that rank them.");

static void
render_need(KnJson *json, const KnNeed *need, const KnCasePlace *place)
{
	KnRoute route;
	KnArgs args = {0};
	KnRows names;
	pg_uuid_t ids[KN_OFFERS_MAX];

	route_need(need, place, &route);
	for (int i = 0; i < route.n; i++)
		ids[i] = route.best[i].provider;
	kn_arg_uuid_array(&args, ids, route.n);
	kn_run(&select_names, &args);
	names = kn_rows();
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "needId", &need->id);
	kn_json_pair_text(json, "service", need->service);
	kn_json_pair_text(json, "status", kn_need_states[need->state]);
	kn_json_pair_text(json, "urgencyLevel", kn_urgency_names[need->urgency]);
	kn_json_pair_int(json, "policyVersion", route.policy_version);
	kn_json_pair_bool(json, "placeKnown", place->has_cell);
	kn_json_pair_bool(json, "complete", !route.capped);
	kn_json_key(json, "candidates");
	kn_json_open(json, '[');
	for (int i = 0; i < route.n; i++)
		render_candidate(json, &route.best[i], &names);
	kn_json_close(json, ']');
	render_rejected(json, &route);
	kn_json_close(json, '}');
}

static void
route_need(const KnNeed *need, const KnCasePlace *place, KnRoute *out)
{
	pg_uuid_t *asked;
	int n = kn_escalation_asked(need, &asked);
	KnRouteNeed wanted;

	/* as far as the second level asks */
	kn_escalation_wanted(need, place, asked, n, 2.0, &wanted);
	kn_route(&wanted, RECOMMENDATIONS, GetCurrentTimestamp(), out);
}

static void
render_candidate(KnJson *json, const KnCandidate *candidate, const KnRows *names)
{
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "providerId", &candidate->provider);
	for (uint64 i = 0; i < names->n; i++)
	{
		pg_uuid_t id;

		kn_col_uuid(names, i, 1, &id);
		if (!kn_uuid_equal(&id, &candidate->provider))
			continue;
		kn_json_pair_text(json, "name", kn_col_text(names, i, 2));
		kn_json_pair_bool(json, "byTelephone", kn_col_bool(names, i, 3));
		kn_json_pair_int(json, "load", kn_col_int(names, i, 4, 0));
		kn_json_pair_int(json, "capacity", kn_col_int(names, i, 5, 0));
	}
	kn_json_pair_text(json, "providerType", kn_provider_types[candidate->ptype - 1]);
	kn_json_key(json, "distanceKm");
	kn_json_float(json, candidate->km < 0.0 ? NAN : candidate->km, 1);
	kn_json_pair_time(json, "lastOfferAt", candidate->last_offer_at);
	kn_json_key(json, "costMinutes");
	kn_json_float(json, candidate->cost, 1);
	kn_json_key(json, "minutes");
	kn_json_open(json, '{');
	term(json, "travel", candidate->travel);
	term(json, "answer", candidate->ack);
	term(json, "load", candidate->load);
	term(json, "fairness", candidate->fairness);
	term(json, "preferences", candidate->mismatch);
	term(json, "preparedness", candidate->preparedness);
	kn_json_close(json, '}');
	render_reasons(json, candidate);
	kn_json_close(json, '}');
}

static void
term(KnJson *json, const char *key, double minutes)
{
	kn_json_key(json, key);
	kn_json_float(json, minutes, 1);
}

/* Codes; clients word them. */
static void
render_reasons(KnJson *json, const KnCandidate *candidate)
{
	kn_json_key(json, "reasons");
	kn_json_open(json, '[');
	if (candidate->km >= 0.0 && candidate->km < 5.0)
		kn_json_text(json, "near");
	if (candidate->load == 0.0)
		kn_json_text(json, "free");
	if (candidate->last_offer_at == 0)
		kn_json_text(json, "never_asked");
	if (candidate->mismatch == 0.0)
		kn_json_text(json, "meets_preferences");
	else
		kn_json_text(json, "misses_preferences");
	kn_json_close(json, ']');
}

static void
render_rejected(KnJson *json, const KnRoute *route)
{
	static const char *const reasons[KN_REJECTIONS] = {
		[KN_REJECTED_EXCLUDED] = "alreadyAskedOrBarred",
		[KN_REJECTED_CAPACITY] = "full",
		[KN_REJECTED_GENDER] = "gender",
		[KN_REJECTED_LANGUAGE] = "language",
		[KN_REJECTED_SKILL] = "skill",
		[KN_REJECTED_RADIUS] = "tooFar"};

	kn_json_key(json, "passedOver");
	kn_json_open(json, '{');
	for (int i = 0; i < KN_REJECTIONS; i++)
		kn_json_pair_int(json, reasons[i], route->rejected[i]);
	kn_json_close(json, '}');
}
