/*-------------------------------------------------------------------------
 *
 * need_store.c
 *	  Every statement on needs.
 *
 * All run as the system: a need is moved by routing, deadlines and helpers of
 * many teams.  Whoever calls has proven that the caller may see the incident;
 * who was barred from it while he waited for a lock finds nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "access/barred.h"
#include "base/mutant.h"
#include "cases/need.h"
#include "trail/change.h"

#define NEED_BUCKET 1
#define HELPER_BUCKET 10
#define FEW_NEEDS 2 /* up to here a statement for each is faster than one for all */
/* clang-format off */
#define NEED_COLUMNS                                                                                \
	"n.bucket, n.id, n.service, n.state, n.urgency_level, n.level::int4, n.round::int4, n.due_at, " \
	"n.expected_by, n.engaged_at, n.contacted_at, n.created_at, n.escalation "
/* clang-format on */

/* A bucket and its place in the caller's list. */
typedef struct Place
{
	pg_uuid_t bucket;
	int at;
} Place;

static KnCaseParts *parts_of(const Place *places, int n, KnCaseParts *parts, const KnRows *rows,
							 uint64 row, int column);
static int compare_places(const void *a, const void *b);
static void lock_teams_of(const pg_uuid_t *buckets, int n, const pg_uuid_t *teams, int n_teams);
static void read_need(const KnRows *rows, uint64 row, KnNeed *out);
static void insert_all(const KnNeed *needs, int n);
static void read_helper(const KnRows *rows, uint64 row, KnHelper *out);

/* clang-format off */
static KnStatement select_needs = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " NEED_COLUMNS "FROM kintaraa.need n WHERE n.bucket = ANY ($1) ORDER BY n.created_at, n.service",
	UUIDARRAYOID);
/* clang-format on */

static KnStatement select_helpers = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.id, a.provider_id, a.need_id, a.service, a.status, p.provider_type, p.name, "
	"       a.offered_at, a.distance_km::float8, a.incident_bucket "
	"  FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE a.incident_bucket = ANY ($1) ORDER BY a.offered_at, a.id",
	UUIDARRAYOID);

/* clang-format off */
static KnStatement lock_need = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT " NEED_COLUMNS "FROM kintaraa.need n WHERE n.bucket = $1 AND n.id = $2 FOR NO KEY UPDATE",
	UUIDOID, UUIDOID);
/* clang-format on */

/* Whoever holds the first need of a case may add needs to it, and nobody else. */
static KnStatement lock_first = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.need n WHERE n.bucket = $1 ORDER BY n.created_at, n.service LIMIT 1 "
	"   FOR NO KEY UPDATE",
	UUIDOID);

/* clang-format off */
static KnStatement lock_needs = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT " NEED_COLUMNS "FROM kintaraa.need n WHERE n.bucket = $1 ORDER BY n.created_at, n.service "
	"   FOR NO KEY UPDATE",
	UUIDOID);
/* clang-format on */

static KnStatement update_need = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.need SET state = $3, level = $4, round = $5, due_at = $6, expected_by = $7, "
	"       engaged_at = $8, contacted_at = $9, urgency_level = $10, escalation = $11, "
	"       reached_at = CASE WHEN $8 IS NOT NULL THEN reached_at END " /* said of that team */
	" WHERE bucket = $1 AND id = $2",
	UUIDOID, UUIDOID, TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TEXTOID, JSONBOID);

static KnStatement lock_teams = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.provider_dispatch d "
	" WHERE d.provider_id = ANY (ARRAY(SELECT a.provider_id FROM kintaraa.assignment a "
	"                             WHERE a.incident_bucket = ANY ($1) AND a.status = 'accepted' "
	"                            UNION ALL SELECT t FROM pg_catalog.unnest($2) AS t)) "
	" ORDER BY d.provider_id FOR NO KEY UPDATE",
	UUIDARRAYOID, UUIDARRAYOID);

static KnStatement select_cases = KN_READ(
	KN_AS_SYSTEM,
	"SELECT i.id FROM pg_catalog.unnest($2) AS w (client_id) CROSS JOIN LATERAL ("
	"       SELECT id FROM kintaraa.incident WHERE owner_id = $1 AND client_id = w.client_id "
	"        LIMIT 1) i ORDER BY i.id",
	UUIDOID, TEXTARRAYOID);

#define INSERT_NEED                                                                        \
	"INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, level, round, " \
	"                           escalation, due_at, expected_by, created_at) "

static KnStatement insert_one = KN_WRITE(
	KN_AS_SYSTEM, INSERT_NEED "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", UUIDOID,
	UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT4OID, JSONBOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID);

static KnStatement insert_many = KN_WRITE(
	KN_AS_SYSTEM,
	INSERT_NEED
	"SELECT ($1)[i], ($2)[i], ($3)[i], ($4)[i], ($5)[i], ($6)[i], ($7)[i], ($8)[i], ($9)[i], "
	"       ($10)[i], ($11)[i] FROM pg_catalog.generate_series(1, $12) AS i",
	UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
	INT4ARRAYOID, JSONBARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
	INT4OID);

void
kn_need_load_parts(const pg_uuid_t *bucket, KnCaseParts *out)
{
	kn_need_load_many(bucket, 1, out);
}

void
kn_need_load_many(const pg_uuid_t *buckets, int n, KnCaseParts *out)
{
	KnArgs args = {0};
	KnRows needs;
	KnRows helpers;
	Place *places = palloc(sizeof(Place) * Max(n, 1));

	memset(out, 0, sizeof(KnCaseParts) * n);
	for (int i = 0; i < n; i++)
		places[i] = (Place){.bucket = buckets[i], .at = i};
	qsort(places, n, sizeof(Place), compare_places);
	kn_arg_uuid_array(&args, buckets, n);
	kn_run(&select_needs, &args);
	needs = kn_rows();
	kn_run(&select_helpers, &args);
	helpers = kn_rows();
	/* counted first, so that each has its array */
	for (uint64 row = 0; row < needs.n; row++)
		parts_of(places, n, out, &needs, row, NEED_BUCKET)->n_needs++;
	for (uint64 row = 0; row < helpers.n; row++)
		parts_of(places, n, out, &helpers, row, HELPER_BUCKET)->n_helpers++;
	for (int i = 0; i < n; i++)
	{
		out[i].needs = palloc(sizeof(KnNeed) * Max(out[i].n_needs, 1));
		out[i].helpers = palloc(sizeof(KnHelper) * Max(out[i].n_helpers, 1));
		out[i].n_needs = out[i].n_helpers = 0;
	}
	for (uint64 row = 0; row < needs.n; row++)
	{
		KnCaseParts *parts = parts_of(places, n, out, &needs, row, NEED_BUCKET);

		read_need(&needs, row, &parts->needs[parts->n_needs++]);
	}
	for (uint64 row = 0; row < helpers.n; row++)
	{
		KnCaseParts *parts = parts_of(places, n, out, &helpers, row, HELPER_BUCKET);

		read_helper(&helpers, row, &parts->helpers[parts->n_helpers++]);
	}
}

static KnCaseParts *
parts_of(const Place *places, int n, KnCaseParts *parts, const KnRows *rows, uint64 row, int column)
{
	Place wanted = {.at = 0};
	Place *found;

	kn_col_uuid(rows, row, column, &wanted.bucket);
	found = bsearch(&wanted, places, n, sizeof(Place), compare_places);
	if (found == NULL)
		elog(ERROR, "a row of another incident");
	return &parts[found->at];
}

static int
compare_places(const void *a, const void *b)
{
	return memcmp(&((const Place *) a)->bucket, &((const Place *) b)->bucket, UUID_LEN);
}

static void
read_helper(const KnRows *rows, uint64 row, KnHelper *out)
{
	kn_col_uuid(rows, row, 1, &out->assignment);
	kn_col_uuid(rows, row, 2, &out->provider);
	kn_col_uuid(rows, row, 3, &out->need);
	out->service = kn_col_text(rows, row, 4);
	out->status = kn_col_assignment_state(rows, row, 5);
	out->provider_type = kn_col_text(rows, row, 6);
	out->provider_name = kn_col_text(rows, row, 7);
	out->offered_at = kn_col_time(rows, row, 8);
	out->distance_km = kn_col_float(rows, row, 9, NAN);
	kn_col_uuid(rows, row, HELPER_BUCKET, &out->bucket);
}

bool
kn_need_lock(const pg_uuid_t *bucket, const pg_uuid_t *id, KnNeed *out)
{
	if (!kn_need_read(bucket, id, out))
		return false;
	kn_barred_refuse(bucket);
	return true;
}

bool
kn_need_read(const pg_uuid_t *bucket, const pg_uuid_t *id, KnNeed *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, id);
	if (kn_run(&lock_need, &args) == 0)
		return false;
	rows = kn_rows();
	read_need(&rows, 0, out);
	return true;
}

int
kn_case_lock(const pg_uuid_t *bucket, KnNeed **needs)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	if (kn_mutant("no_case_lock"))
	{
		KnArgs only = {0};

		kn_arg_uuid_array(&only, bucket, 1);
		kn_run(&select_needs, &only);
	}
	else
	{
		kn_run(&lock_first, &args);
		kn_run(&lock_needs, &args);
	}
	rows = kn_rows();
	*needs = palloc(sizeof(KnNeed) * Max(rows.n, 1));
	for (uint64 row = 0; row < rows.n; row++)
		read_need(&rows, row, &(*needs)[row]);
	lock_teams_of(bucket, 1, NULL, 0);
	kn_barred_refuse(bucket);
	return rows.n;
}

static void
lock_teams_of(const pg_uuid_t *buckets, int n, const pg_uuid_t *teams, int n_teams)
{
	KnArgs args = {0};

	kn_arg_uuid_array(&args, buckets, n);
	kn_arg_uuid_array(&args, teams, n_teams);
	kn_run(&lock_teams, &args);
}

void
kn_cases_lock(const pg_uuid_t *owner, char *const *client_ids, int n)
{
	pg_uuid_t *buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, owner);
	kn_arg_text_array(&args, client_ids, n);
	kn_run(&select_cases, &args);
	rows = kn_rows();
	n = rows.n;
	for (int i = 0; i < n; i++)
		kn_col_uuid(&rows, i, 1, &buckets[i]);
	kn_cases_lock_all(buckets, n, NULL, 0);
}

void
kn_cases_lock_all(const pg_uuid_t *buckets, int n, const pg_uuid_t *teams, int n_teams)
{
	for (int i = 0; i < n; i++)
	{
		KnArgs args = {0};

		kn_arg_uuid(&args, &buckets[i]);
		kn_run(&lock_first, &args);
		kn_run(&lock_needs, &args);
	}
	lock_teams_of(buckets, n, teams, n_teams);
}

static void
read_need(const KnRows *rows, uint64 row, KnNeed *out)
{
	bool is_null;
	Datum escalation = kn_col(rows, row, 13, &is_null);

	kn_col_uuid(rows, row, 1, &out->bucket);
	kn_col_uuid(rows, row, 2, &out->id);
	out->service = kn_col_text(rows, row, 3);
	out->state = kn_col_need_state(rows, row, 4);
	out->urgency = kn_urgency_parse(kn_col_text(rows, row, 5));
	out->level = kn_col_int(rows, row, 6, 0);
	out->round = kn_col_int(rows, row, 7, 1);
	out->due_at = kn_col_time(rows, row, 8);
	out->expected_by = kn_col_time(rows, row, 9);
	out->engaged_at = kn_col_time(rows, row, 10);
	out->contacted_at = kn_col_time(rows, row, 11);
	out->created_at = kn_col_time(rows, row, 12);
	out->escalation = is_null ? NULL : DatumGetJsonbPCopy(escalation);
}

void
kn_need_save(const KnNeed *need)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_arg_text(&args, kn_need_states[need->state]);
	kn_arg_int(&args, need->level);
	kn_arg_int(&args, need->round);
	kn_arg_time_or_null(&args, need->due_at);
	kn_arg_time_or_null(&args, need->expected_by);
	kn_arg_time_or_null(&args, need->engaged_at);
	kn_arg_time_or_null(&args, need->contacted_at);
	kn_arg_text(&args, kn_urgency_names[need->urgency]);
	kn_arg_datum(&args, JsonbPGetDatum(need->escalation), need->escalation == NULL);
	kn_run(&update_need, &args);
}

void
kn_need_insert(KnNeed *needs, int n)
{
	kn_change_begin_new();
	if (n > FEW_NEEDS)
		insert_all(needs, n);
	for (int i = 0; i < n && n <= FEW_NEEDS; i++)
	{
		const KnNeed *need = &needs[i];
		KnArgs args = {0};

		kn_arg_uuid(&args, &need->bucket);
		kn_arg_uuid(&args, &need->id);
		kn_arg_text(&args, need->service);
		kn_arg_text(&args, kn_need_states[need->state]);
		kn_arg_text(&args, kn_urgency_names[need->urgency]);
		kn_arg_int(&args, need->level);
		kn_arg_int(&args, need->round);
		kn_arg_datum(&args, JsonbPGetDatum(need->escalation), need->escalation == NULL);
		kn_arg_time_or_null(&args, need->due_at);
		kn_arg_time_or_null(&args, need->expected_by);
		kn_arg_time(&args, need->created_at);
		kn_run(&insert_one, &args);
	}
	kn_change_end_new();
}

/* Of a batch: new needs, which all have their escalation. */
static void
insert_all(const KnNeed *needs, int n)
{
	pg_uuid_t *ids[2]; /* bucket, id */
	char **texts[3];   /* service, state, urgency */
	int32 *numbers[2]; /* level, round */
	Datum *escalations = palloc(sizeof(Datum) * n);
	TimestampTz *times[3]; /* due, expected, created */
	KnArgs args = {0};

	for (int i = 0; i < 2; i++)
	{
		ids[i] = palloc(sizeof(pg_uuid_t) * n);
		numbers[i] = palloc(sizeof(int32) * n);
	}
	for (int i = 0; i < 3; i++)
	{
		texts[i] = palloc(sizeof(char *) * n);
		times[i] = palloc(sizeof(TimestampTz) * n);
	}
	for (int i = 0; i < n; i++)
	{
		ids[0][i] = needs[i].bucket;
		ids[1][i] = needs[i].id;
		texts[0][i] = needs[i].service;
		texts[1][i] = (char *) kn_need_states[needs[i].state];
		texts[2][i] = (char *) kn_urgency_names[needs[i].urgency];
		numbers[0][i] = needs[i].level;
		numbers[1][i] = needs[i].round;
		escalations[i] = JsonbPGetDatum(needs[i].escalation);
		times[0][i] = needs[i].due_at;
		times[1][i] = needs[i].expected_by;
		times[2][i] = needs[i].created_at;
	}
	for (int i = 0; i < 2; i++)
		kn_arg_uuid_array(&args, ids[i], n);
	for (int i = 0; i < 3; i++)
	{
		kn_arg_text_array(&args, texts[i], n);
		kn_arg_read_by_index(&args);
	}
	for (int i = 0; i < 2; i++)
		kn_arg_int_array(&args, numbers[i], n);
	kn_arg_array(&args, JSONBOID, escalations, NULL, n);
	kn_arg_read_by_index(&args);
	for (int i = 0; i < 3; i++)
	{
		kn_arg_time_array(&args, times[i], n);
		kn_arg_read_by_index(&args);
	}
	kn_arg_int(&args, n);
	kn_run(&insert_many, &args);
}
