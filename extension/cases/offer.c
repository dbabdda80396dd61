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
#include "utils/fmgrprotos.h"

#include "base/spi.h"
#include "cases/offer.h"
#include "trail/change.h"

/*
 * Rows from arrays by index: a scan of unnest() for each of thirteen arrays
 * costs as much again as the rows.
 */
static KnStatement insert_offers = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, "
	"  urgency_level, level, round, offered_at, due_at, distance_km, cost_minutes, components, "
	"  policy_version, capped) "
	"SELECT ($4)[i], ($5)[i], ($6)[i], ($7)[i], ($8)[i], 'pending', ($9)[i], ($11)[i], ($12)[i], "
	"       $1, ($15)[i], NULLIF(($13)[i], -1), ($14)[i], ($10)[i], $2, ($16)[i] "
	"  FROM pg_catalog.generate_series(1, $3) AS i",
	TIMESTAMPTZOID, INT4OID, INT4OID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, JSONBARRAYOID, INT4ARRAYOID, INT4ARRAYOID, FLOAT8ARRAYOID,
	FLOAT8ARRAYOID, TIMESTAMPTZARRAYOID, BOOLARRAYOID);

/* An offer beside the need and the step it belongs to. */
typedef struct Row
{
	const KnNeed *need;
	const KnStep *step;
	const KnOffer *offer;
} Row;

static int collect(const KnNeed *needs, const KnStep *steps, int n, Row **out);
static int compare(const void *a, const void *b);
static bool has_same_terms(const KnOffer *a, const KnOffer *b);
static Datum terms(const KnOffer *offer);

void
kn_offers_insert(const KnNeed *needs, const KnStep *steps, int n, TimestampTz now)
{
	Row *rows;
	int total = collect(needs, steps, n, &rows);
	pg_uuid_t *ids[4]; /* offer, team, bucket, need */
	char **texts[2];   /* service, urgency */
	Datum *components;
	int32 *numbers[2];  /* level, round */
	double *figures[2]; /* km, cost */
	TimestampTz *due;
	bool *capped;
	KnArgs args = {0};

	if (total == 0)
		return;
	for (int i = 0; i < 4; i++)
		ids[i] = palloc(sizeof(pg_uuid_t) * total);
	for (int i = 0; i < 2; i++)
	{
		texts[i] = palloc(sizeof(char *) * total);
		numbers[i] = palloc(sizeof(int32) * total);
		figures[i] = palloc(sizeof(double) * total);
	}
	components = palloc(sizeof(Datum) * total);
	due = palloc(sizeof(TimestampTz) * total);
	capped = palloc(sizeof(bool) * total);
	for (int i = 0; i < total; i++)
	{
		const KnNeed *need = rows[i].need;
		const KnOffer *offer = rows[i].offer;

		ids[0][i] = offer->id;
		ids[1][i] = offer->candidate.provider;
		ids[2][i] = need->bucket;
		ids[3][i] = need->id;
		texts[0][i] = need->service;
		texts[1][i] = (char *) kn_urgency_names[need->urgency];
		components[i] = i > 0 && has_same_terms(offer, rows[i - 1].offer)
							? components[i - 1]
							: terms(offer);
		numbers[0][i] = need->level;
		numbers[1][i] = need->round;
		figures[0][i] = offer->candidate.km;
		figures[1][i] = offer->candidate.cost;
		due[i] = need->due_at;
		capped[i] = rows[i].step->capped;
	}
	kn_arg_time(&args, now);
	kn_arg_int(&args, rows[0].step->policy_version);
	kn_arg_int(&args, total);
	for (int i = 0; i < 4; i++)
		kn_arg_uuid_array(&args, ids[i], total);
	for (int i = 0; i < 2; i++)
	{
		kn_arg_text_array(&args, texts[i], total);
		kn_arg_read_by_index(&args);
	}
	kn_arg_array(&args, JSONBOID, components, NULL, total);
	kn_arg_read_by_index(&args);
	for (int i = 0; i < 2; i++)
		kn_arg_int_array(&args, numbers[i], total);
	for (int i = 0; i < 2; i++)
		kn_arg_float_array(&args, figures[i], total);
	kn_arg_time_array(&args, due, total);
	kn_arg_read_by_index(&args);
	kn_arg_bool_array(&args, capped, total);
	kn_change_begin_new();
	kn_run(&insert_offers, &args);
	kn_change_end_new();
	kn_change_relieve();
}

/* In the order of teams, so that two of these never wait for each other. */
static int
collect(const KnNeed *needs, const KnStep *steps, int n, Row **out)
{
	int total = 0;
	int at = 0;

	for (int i = 0; i < n; i++)
		total += steps[i].n_offers;
	*out = palloc(sizeof(Row) * Max(total, 1));
	for (int i = 0; i < n; i++)
		for (int o = 0; o < steps[i].n_offers; o++)
			(*out)[at++] = (Row){&needs[i], &steps[i], &steps[i].offers[o]};
	qsort(*out, total, sizeof(Row), compare);
	return total;
}

static int
compare(const void *a, const void *b)
{
	const KnOffer *x = ((const Row *) a)->offer;
	const KnOffer *y = ((const Row *) b)->offer;
	int by_team = memcmp(&x->candidate.provider, &y->candidate.provider, UUID_LEN);

	return by_team != 0 ? by_team : memcmp(&x->id, &y->id, UUID_LEN);
}

/* One team, asked for many needs of one place: the terms stand side by side. */
static bool
has_same_terms(const KnOffer *a, const KnOffer *b)
{
	const KnCandidate *x = &a->candidate;
	const KnCandidate *y = &b->candidate;

	return x->travel == y->travel && x->ack == y->ack && x->load == y->load &&
		   x->fairness == y->fairness && x->mismatch == y->mismatch &&
		   x->preparedness == y->preparedness;
}

static Datum
terms(const KnOffer *offer)
{
	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(kn_candidate_components(&offer->candidate)));
}
