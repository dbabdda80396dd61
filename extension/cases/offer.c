/*-------------------------------------------------------------------------
 *
 * offer.c
 *	  Storing offers, for one need or for many.
 *
 * Called by incident_open.c, escalation.c and sweep.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "base/spi.h"
#include "cases/offer.h"

/* In the order of teams, so that two of these never wait for each other. */
static KnStatement insert_offers = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, "
	"  urgency_level, level, round, offered_at, due_at, distance_km, cost_minutes, components, "
	"  policy_version, capped) "
	"SELECT o.id, o.provider, o.bucket, o.need, o.service, 'pending', o.urgency, o.level, o.round, "
	"       $1, o.due, NULLIF(o.km, -1), o.cost, o.components::jsonb, $2, o.capped "
	"  FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), "
	"    pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), "
	"    pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), "
	"    pg_catalog.unnest($12), pg_catalog.unnest($13), pg_catalog.unnest($14), "
	"    pg_catalog.unnest($15)) AS o (id, provider, bucket, need, service, urgency, level, round, "
	"    due, km, cost, components, capped) "
	" ORDER BY o.provider, o.id",
	TIMESTAMPTZOID, INT4OID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID,
	TEXTARRAYOID, BOOLARRAYOID);

void
kn_offers_insert(const KnNeed *needs, const KnStep *steps, int n, TimestampTz now)
{
	int total = 0;
	int at = 0;
	int policy_version = 0;
	pg_uuid_t *ids;
	pg_uuid_t *providers;
	pg_uuid_t *buckets;
	pg_uuid_t *need_ids;
	char **texts[3];    /* service, urgency, components */
	int32 *numbers[2];  /* level, round */
	double *figures[2]; /* km, cost */
	TimestampTz *due;
	Datum *capped;
	ArrayType *array;
	KnArgs args = {0};

	for (int i = 0; i < n; i++)
		total += steps[i].n_offers;
	if (total == 0)
		return;
	ids = palloc(sizeof(pg_uuid_t) * total);
	providers = palloc(sizeof(pg_uuid_t) * total);
	buckets = palloc(sizeof(pg_uuid_t) * total);
	need_ids = palloc(sizeof(pg_uuid_t) * total);
	due = palloc(sizeof(TimestampTz) * total);
	capped = palloc(sizeof(Datum) * total);
	for (int i = 0; i < 3; i++)
		texts[i] = palloc(sizeof(char *) * total);
	for (int i = 0; i < 2; i++)
	{
		numbers[i] = palloc(sizeof(int32) * total);
		figures[i] = palloc(sizeof(double) * total);
	}
	for (int i = 0; i < n; i++)
		for (int o = 0; o < steps[i].n_offers; o++, at++)
		{
			const KnOffer *offer = &steps[i].offers[o];

			ids[at] = offer->id;
			providers[at] = offer->candidate.provider;
			buckets[at] = needs[i].bucket;
			need_ids[at] = needs[i].id;
			texts[0][at] = needs[i].service;
			texts[1][at] = (char *) kn_urgency_names[needs[i].urgency];
			texts[2][at] = kn_candidate_components(&offer->candidate);
			numbers[0][at] = needs[i].level;
			numbers[1][at] = needs[i].round;
			figures[0][at] = offer->candidate.km;
			figures[1][at] = offer->candidate.cost;
			due[at] = needs[i].due_at;
			capped[at] = BoolGetDatum(steps[i].capped);
			policy_version = steps[i].policy_version;
		}
	kn_arg_time(&args, now);
	kn_arg_int(&args, policy_version);
	kn_arg_uuid_array(&args, ids, total);
	kn_arg_uuid_array(&args, providers, total);
	kn_arg_uuid_array(&args, buckets, total);
	kn_arg_uuid_array(&args, need_ids, total);
	kn_arg_text_array(&args, texts[0], total);
	kn_arg_text_array(&args, texts[1], total);
	kn_arg_int_array(&args, numbers[0], total);
	kn_arg_int_array(&args, numbers[1], total);
	kn_arg_time_array(&args, due, total);
	kn_arg_float_array(&args, figures[0], total);
	kn_arg_float_array(&args, figures[1], total);
	kn_arg_text_array(&args, texts[2], total);
	array = construct_array(capped, total, BOOLOID, 1, true, TYPALIGN_CHAR);
	kn_arg_datum(&args, PointerGetDatum(array), false);
	kn_run(&insert_offers, &args);
}
