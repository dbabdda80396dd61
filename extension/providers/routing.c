/*-------------------------------------------------------------------------
 *
 * routing.c
 *	  Where to: the best providers for one need, with the reasons.
 *
 * Called from assignment, escalation and recommendation.  Rows come from
 * routing_scan.c in the order of a lower bound, weights from routing_policy.c.
 *
 * The ranking is exact.  Every term of the cost is at least zero, so a provider
 * costs at least its travel and the quickest acknowledgement of its type (or,
 * without a place, its own acknowledgement).  Once k are found, whatever lies so
 * far away that those two exceed the k-th cost cannot be among the best, and
 * kn_planar_reach() says how far the index has to be read for that.  Only the
 * cap can end the scan earlier, and says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/snapmgr.h"

#include "providers/routing.h"
#include "providers/routing_policy.h"
#include "providers/routing_scan.h"

/* Costs are whole multiples of this, so that a tie is a tie on every machine. */
#define COST_STEP 1e-6

typedef struct Ranking
{
	const KnRouteNeed *need;
	const KnRoutingPolicy *policy;
	const KnRoutingWeights *weights;
	bool has_place;
	int types; /* bit t for type number t */
	double radius_km;
	int k;
	TimestampTz now;
	int n_excluded;
	pg_uuid_t *excluded;                     /* sorted */
	double least_ack[KN_PROVIDER_TYPES + 1]; /* by type, minutes */
	KnScan scan;
	KnRoute *out;
} Ranking;

static bool has_usable_place(const KnRouteNeed *need);
static void sort_excluded(Ranking *ranking);
static int compare_ids(const void *a, const void *b);
static void begin_scan(Ranking *ranking);
static void scan_all(Ranking *ranking);
static void consider(Ranking *ranking, const KnDispatchRow *row);
static int rejection(const Ranking *ranking, const KnDispatchRow *row, double km);
static bool is_excluded(const Ranking *ranking, const pg_uuid_t *id);
static void price(const Ranking *ranking, const KnDispatchRow *row, double km,
				  KnCandidate *candidate);
static double fairness(const Ranking *ranking, const KnDispatchRow *row);
static double mismatch(const Ranking *ranking, const KnDispatchRow *row);
static int compare(const KnCandidate *a, const KnCandidate *b);
static void keep(Ranking *ranking, const KnCandidate *candidate);
static void lower_limits(Ranking *ranking);
static double reach_of(const Ranking *ranking, int ptype, double cost);
static bool ends_stream(const Ranking *ranking, const KnDispatchRow *row, double ack);

void
kn_route(const KnRouteNeed *need, int k, TimestampTz now, KnRoute *out)
{
	const KnRoutingPolicy *policy = kn_routing_policy();
	double factor = need->radius_factor > 0.0 ? need->radius_factor : 1.0;
	Ranking ranking = {.need = need, .policy = policy, .now = now, .out = out};

	memset(out, 0, sizeof(*out));
	out->policy_version = policy->version;
	ranking.k = Min(k, KN_OFFERS_MAX);
	ranking.types = need->types ? need->types & ~policy->never[need->urgency]
								: kn_routing_types(policy, need->service, need->urgency);
	if (ranking.k < 1 || ranking.types == 0)
		return;
	ranking.weights = &policy->weights[need->urgency];
	ranking.has_place = has_usable_place(need);
	ranking.radius_km = policy->radius_km[need->urgency] * factor;
	sort_excluded(&ranking);
	begin_scan(&ranking);
	scan_all(&ranking);
	kn_scan_end(&ranking.scan);
}

static void
begin_scan(Ranking *ranking)
{
	const KnRouteNeed *need = ranking->need;
	KnScan *scan = &ranking->scan;

	if (!ranking->has_place)
	{
		kn_scan_anywhere(scan, ranking->types, ranking->policy->prior_minutes);
		return;
	}
	kn_scan_least_ack(ranking->types, ranking->policy->prior_minutes, ranking->least_ack);
	kn_scan_near(scan, ranking->types, need->latitude, need->longitude);
	for (int ptype = 1; ptype <= KN_PROVIDER_TYPES; ptype++)
		scan->limit[ptype] = kn_planar_reach(need->latitude, ranking->radius_km);
}

/* An index asked for the neighbours of no number would answer anything. */
static bool
has_usable_place(const KnRouteNeed *need)
{
	return need->has_place && fabs(need->latitude) <= 90.0 && fabs(need->longitude) <= 180.0;
}

static void
sort_excluded(Ranking *ranking)
{
	const KnRouteNeed *need = ranking->need;

	if (need->n_excluded == 0)
		return;
	ranking->n_excluded = need->n_excluded;
	ranking->excluded = palloc(sizeof(pg_uuid_t) * need->n_excluded);
	memcpy(ranking->excluded, need->excluded, sizeof(pg_uuid_t) * need->n_excluded);
	qsort(ranking->excluded, ranking->n_excluded, sizeof(pg_uuid_t), compare_ids);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

static void
scan_all(Ranking *ranking)
{
	KnDispatchRow row;

	while (kn_scan_next(&ranking->scan, &row))
	{
		if (ranking->out->visited >= ranking->policy->cap)
		{
			ranking->out->capped = true;
			return;
		}
		ranking->out->visited++;
		consider(ranking, &row);
	}
}

static void
consider(Ranking *ranking, const KnDispatchRow *row)
{
	const KnRouteNeed *need = ranking->need;
	KnCandidate candidate;
	double km = -1.0;
	int reason;

	if (ranking->has_place)
		km = kn_distance_km(need->latitude, need->longitude, row->latitude, row->longitude);
	reason = rejection(ranking, row, km);
	if (reason < KN_REJECTIONS)
	{
		ranking->out->rejected[reason]++;
		return;
	}
	price(ranking, row, km, &candidate);
	keep(ranking, &candidate);
	if (!ranking->has_place && ends_stream(ranking, row, candidate.ack))
		kn_scan_drop_stream(&ranking->scan);
}

/* The first hard filter that the row fails; KN_REJECTIONS when it passes all. */
static int
rejection(const Ranking *ranking, const KnDispatchRow *row, double km)
{
	const KnRouteNeed *need = ranking->need;

	if (km > ranking->radius_km)
		return KN_REJECTED_RADIUS;
	if (row->load >= row->capacity)
		return KN_REJECTED_CAPACITY;
	if (need->required_gender != 0 && row->gender != need->required_gender)
		return KN_REJECTED_GENDER;
	if (need->required_langs != 0 && (row->langs & need->required_langs) == 0)
		return KN_REJECTED_LANGUAGE;
	if ((row->skills & need->required_skills) != need->required_skills)
		return KN_REJECTED_SKILL;
	if (is_excluded(ranking, &row->provider) || is_excluded(ranking, &row->organisation))
		return KN_REJECTED_EXCLUDED;
	return KN_REJECTIONS;
}

static bool
is_excluded(const Ranking *ranking, const pg_uuid_t *id)
{
	return ranking->n_excluded > 0 && bsearch(id, ranking->excluded, ranking->n_excluded,
											  sizeof(pg_uuid_t), compare_ids) != NULL;
}

static void
price(const Ranking *ranking, const KnDispatchRow *row, double km, KnCandidate *candidate)
{
	const KnRoutingPolicy *policy = ranking->policy;
	const KnRoutingWeights *weights = ranking->weights;
	double share = (double) row->load / row->capacity;
	double ack = row->has_ack ? row->ack_minutes : policy->prior_minutes[row->ptype];
	double travel = policy->base_minutes + km * policy->detour / policy->speed_kmh * 60.0;

	candidate->provider = row->provider;
	candidate->organisation = row->organisation;
	candidate->ptype = row->ptype;
	candidate->km = km;
	candidate->last_offer_at = row->last_offer_at;
	candidate->travel = ranking->has_place ? weights->travel * travel : 0.0;
	candidate->ack = weights->ack * ack;
	candidate->load = weights->load * policy->load_minutes * share * share;
	candidate->fairness = weights->fairness * fairness(ranking, row);
	candidate->mismatch = weights->mismatch * mismatch(ranking, row);
	candidate->preparedness = 0.0;
	candidate->cost = candidate->travel + candidate->ack + candidate->load + candidate->fairness +
					  candidate->mismatch + candidate->preparedness;
	candidate->cost = rint(candidate->cost / COST_STEP) * COST_STEP;
}

/* A clock that was set back does not make an offer weigh more than a fresh one. */
static double
fairness(const Ranking *ranking, const KnDispatchRow *row)
{
	const KnRoutingPolicy *policy = ranking->policy;
	double hours;

	if (row->last_offer_at == 0)
		return 0.0;
	hours = Max(0, ranking->now - row->last_offer_at) / (double) USECS_PER_HOUR;
	return policy->fairness_minutes * exp(-hours / policy->fairness_hours);
}

static double
mismatch(const Ranking *ranking, const KnDispatchRow *row)
{
	const KnRouteNeed *need = ranking->need;
	int unmet = 0;

	if (need->preferred_gender != 0 && row->gender != need->preferred_gender)
		unmet++;
	if (need->preferred_langs != 0 && (row->langs & need->preferred_langs) == 0)
		unmet++;
	return unmet * ranking->policy->mismatch_minutes;
}

/* Cheaper, then longest idle (never offered is 0 and idlest), then id. */
static int
compare(const KnCandidate *a, const KnCandidate *b)
{
	if (a->cost != b->cost)
		return a->cost < b->cost ? -1 : 1;
	if (a->last_offer_at != b->last_offer_at)
	{
		if (a->last_offer_at == 0 || b->last_offer_at == 0)
			return a->last_offer_at == 0 ? -1 : 1;
		return a->last_offer_at < b->last_offer_at ? -1 : 1;
	}
	return compare_ids(&a->provider, &b->provider);
}

static void
keep(Ranking *ranking, const KnCandidate *candidate)
{
	KnRoute *out = ranking->out;
	int at = out->n;

	if (out->n == ranking->k)
	{
		if (compare(candidate, &out->best[out->n - 1]) > 0)
			return;
		at--;
	}
	else
		out->n++;
	for (; at > 0 && compare(candidate, &out->best[at - 1]) < 0; at--)
		out->best[at] = out->best[at - 1];
	out->best[at] = *candidate;
	if (out->n == ranking->k)
		lower_limits(ranking);
}

/* How far rows can still matter, one step of rounding and equal costs included. */
static void
lower_limits(Ranking *ranking)
{
	double cost = ranking->out->best[ranking->k - 1].cost + COST_STEP;
	double *limit = ranking->scan.limit;

	for (int ptype = 1; ptype <= KN_PROVIDER_TYPES; ptype++)
		if (ranking->types & 1 << ptype)
			limit[ptype] = ranking->has_place ? reach_of(ranking, ptype, cost)
											  : cost / ranking->weights->ack;
}

/* In planar degrees; no provider of the type that lies further away costs less. */
static double
reach_of(const Ranking *ranking, int ptype, double cost)
{
	const KnRoutingPolicy *policy = ranking->policy;
	const KnRoutingWeights *weights = ranking->weights;
	double travel = (cost - weights->ack * ranking->least_ack[ptype]) / weights->travel;
	double km = (travel - policy->base_minutes) * policy->speed_kmh / (60.0 * policy->detour);

	return kn_planar_reach(ranking->need->latitude, Max(0.0, Min(km, ranking->radius_km)));
}

/*
 * Without a place, hundreds of idle providers share one acknowledgement and so
 * one bound.  They come in the order of id, so once the k-th has never been
 * offered anything, costs no more than acknowledgement alone and has a lower
 * id, no later row of the same stream can displace it.
 */
static bool
ends_stream(const Ranking *ranking, const KnDispatchRow *row, double ack)
{
	const KnCandidate *last = &ranking->out->best[ranking->k - 1];

	return ranking->out->n == ranking->k && last->last_offer_at == 0 &&
		   last->cost <= rint(ack / COST_STEP) * COST_STEP &&
		   compare_ids(&last->provider, &row->provider) <= 0;
}

char *
kn_candidate_components(const KnCandidate *candidate)
{
	KnJson json;

	kn_json_init(&json);
	kn_json_open(&json, '{');
	kn_json_key(&json, "travel");
	kn_json_float(&json, candidate->travel, 3);
	kn_json_key(&json, "ack");
	kn_json_float(&json, candidate->ack, 3);
	kn_json_key(&json, "load");
	kn_json_float(&json, candidate->load, 3);
	kn_json_key(&json, "fairness");
	kn_json_float(&json, candidate->fairness, 3);
	kn_json_key(&json, "mismatch");
	kn_json_float(&json, candidate->mismatch, 3);
	kn_json_key(&json, "preparedness");
	kn_json_float(&json, candidate->preparedness, 3);
	kn_json_close(&json, '}');
	return json.text.data;
}

bool
kn_service_known(const char *service)
{
	return kn_routing_types(kn_routing_policy(), service, KN_IMMEDIATE) != 0;
}
