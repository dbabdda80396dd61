/*-------------------------------------------------------------------------
 *
 * routing_trace.c
 *	  Routing as SQL sees it: a ranking with its reasons.
 *
 * Called by DBAs, tests and benches.  It takes the same road as a report.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "providers/provider.h"
#include "providers/routing.h"

PG_FUNCTION_INFO_V1(kn_route_trace);
PG_FUNCTION_INFO_V1(kn_distance_km_sql);

#define TRACE_COLUMNS 10

/* Arguments in the order of sql/40_function_routing.sql. */
enum
{
	ARG_SERVICE,
	ARG_URGENCY,
	ARG_LATITUDE,
	ARG_LONGITUDE,
	ARG_K,
	ARG_RADIUS_FACTOR,
	ARG_REQUIRED_GENDER,
	ARG_PREFERRED_GENDER,
	ARG_REQUIRED_LANGUAGES,
	ARG_PREFERRED_LANGUAGES,
	ARG_REQUIRED_SKILLS,
	ARG_EXCLUDED,
	ARG_AT
};

static const char *const urgencies[] = {"routine", "urgent", "immediate", NULL};

static void read_need(FunctionCallInfo fcinfo, KnRouteNeed *need);
static KnUrgency urgency_argument(FunctionCallInfo fcinfo);
static int gender_argument(FunctionCallInfo fcinfo, int n);
static int64 mask_argument(FunctionCallInfo fcinfo, int n, const char *const *words);
static void read_excluded(FunctionCallInfo fcinfo, KnRouteNeed *need);
static void put_candidate(ReturnSetInfo *result, const KnRoute *route, int at);

Datum
kn_route_trace(PG_FUNCTION_ARGS)
{
	KnRouteNeed need = {0};
	KnRoute route;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARG_SERVICE) || PG_ARGISNULL(ARG_K) || PG_ARGISNULL(ARG_AT))
		return (Datum) 0;
	read_need(fcinfo, &need);
	kn_route(&need, PG_GETARG_INT32(ARG_K), PG_GETARG_TIMESTAMPTZ(ARG_AT), &route);
	for (int i = 0; i < route.n; i++)
		put_candidate((ReturnSetInfo *) fcinfo->resultinfo, &route, i);
	return (Datum) 0;
}

static void
read_need(FunctionCallInfo fcinfo, KnRouteNeed *need)
{
	need->service = text_to_cstring(PG_GETARG_TEXT_PP(ARG_SERVICE));
	need->urgency = urgency_argument(fcinfo);
	need->has_place = !PG_ARGISNULL(ARG_LATITUDE) && !PG_ARGISNULL(ARG_LONGITUDE);
	if (need->has_place)
	{
		need->latitude = PG_GETARG_FLOAT8(ARG_LATITUDE);
		need->longitude = PG_GETARG_FLOAT8(ARG_LONGITUDE);
	}
	if (!PG_ARGISNULL(ARG_RADIUS_FACTOR))
		need->radius_factor = PG_GETARG_FLOAT8(ARG_RADIUS_FACTOR);
	need->required_gender = gender_argument(fcinfo, ARG_REQUIRED_GENDER);
	need->preferred_gender = gender_argument(fcinfo, ARG_PREFERRED_GENDER);
	need->required_langs = mask_argument(fcinfo, ARG_REQUIRED_LANGUAGES, kn_languages);
	need->preferred_langs = mask_argument(fcinfo, ARG_PREFERRED_LANGUAGES, kn_languages);
	need->required_skills = mask_argument(fcinfo, ARG_REQUIRED_SKILLS, kn_skills);
	read_excluded(fcinfo, need);
}

static KnUrgency
urgency_argument(FunctionCallInfo fcinfo)
{
	int number = PG_ARGISNULL(ARG_URGENCY)
					 ? 0
					 : kn_word_number(urgencies, text_to_cstring(PG_GETARG_TEXT_PP(ARG_URGENCY)));

	if (number == 0)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "urgency", "the urgency is unknown",
					   "Give routine, urgent or immediate.");
	return number - 1;
}

static int
gender_argument(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return 0;
	return kn_word_number(kn_genders, text_to_cstring(PG_GETARG_TEXT_PP(n)));
}

static int64
mask_argument(FunctionCallInfo fcinfo, int n, const char *const *words)
{
	Datum *items;
	bool *nulls;
	int count;
	int64 mask = 0;

	if (PG_ARGISNULL(n))
		return 0;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
					  &count);
	for (int i = 0; i < count; i++)
	{
		char *word = nulls[i] ? NULL : TextDatumGetCString(items[i]);

		mask |= kn_word_mask(words, &word, 1);
	}
	return mask;
}

static void
read_excluded(FunctionCallInfo fcinfo, KnRouteNeed *need)
{
	Datum *items;
	bool *nulls;
	int count;
	pg_uuid_t *ids;

	if (PG_ARGISNULL(ARG_EXCLUDED))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_EXCLUDED), UUIDOID, UUID_LEN, false,
					  TYPALIGN_CHAR, &items, &nulls, &count);
	ids = palloc(sizeof(pg_uuid_t) * Max(count, 1));
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			ids[need->n_excluded++] = *DatumGetUUIDP(items[i]);
	need->excluded = ids;
}

static void
put_candidate(ReturnSetInfo *result, const KnRoute *route, int at)
{
	static const char *const reasons[KN_REJECTIONS] = {
		[KN_REJECTED_EXCLUDED] = "excluded",
		[KN_REJECTED_CAPACITY] = "capacity",
		[KN_REJECTED_GENDER] = "gender",
		[KN_REJECTED_LANGUAGE] = "language",
		[KN_REJECTED_SKILL] = "skill",
		[KN_REJECTED_RADIUS] = "radius",
	};
	const KnCandidate *candidate = &route->best[at];
	Datum values[TRACE_COLUMNS];
	bool nulls[TRACE_COLUMNS] = {false};
	KnJson rejected;

	kn_json_init(&rejected);
	kn_json_open(&rejected, '{');
	for (int i = 0; i < KN_REJECTIONS; i++)
		kn_json_pair_int(&rejected, reasons[i], route->rejected[i]);
	kn_json_close(&rejected, '}');
	values[0] = Int32GetDatum(at + 1);
	values[1] = UUIDPGetDatum(&candidate->provider);
	values[2] = CStringGetTextDatum(kn_provider_types[candidate->ptype - 1]);
	values[3] = Float8GetDatum(candidate->km);
	nulls[3] = candidate->km < 0.0;
	values[4] = Float8GetDatum(candidate->cost);
	values[5] = CStringGetTextDatum(kn_candidate_components(candidate));
	values[6] = Int32GetDatum(route->visited);
	values[7] = BoolGetDatum(route->capped);
	values[8] = Int32GetDatum(route->policy_version);
	values[9] = CStringGetTextDatum(rejected.text.data);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
kn_distance_km_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(kn_distance_km(PG_GETARG_FLOAT8(0), PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2),
									PG_GETARG_FLOAT8(3)));
}
