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
#include "records/column.h"
#include "trail/change.h"

#define NEED_BUCKET 1
#define HELPER_BUCKET 10
#define FEW_NEEDS 2 /* up to here a statement for each is faster than one for all */
#define AT(member_) offsetof(KnNeed, member_)
#define NONE 0

/* See records/column.h. */
/* clang-format off */
#define NEED_COLUMNS(C) \
	C("bucket", "", "", KN_COLUMN_UUID, KN_COLUMN_KEPT, AT(bucket), NONE, NULL) \
	C("id", "", "", KN_COLUMN_UUID, KN_COLUMN_KEPT, AT(id), NONE, NULL) \
	C("service", "", "", KN_COLUMN_TEXT, KN_COLUMN_KEPT, AT(service), NONE, NULL) \
	C("created_at", "", "", KN_COLUMN_TIME, KN_COLUMN_KEPT, AT(created_at), NONE, NULL) \
	C("state", "", "", KN_COLUMN_WORD, KN_COLUMN_CHANGED, AT(state), NONE, kn_need_states) \
	C("urgency_level", "", "", KN_COLUMN_WORD, KN_COLUMN_CHANGED, AT(urgency), NONE, \
	  kn_urgency_names) \
	C("level", "::int4", "", KN_COLUMN_INT, KN_COLUMN_CHANGED, AT(level), NONE, NULL) \
	C("round", "::int4", "", KN_COLUMN_INT, KN_COLUMN_CHANGED, AT(round), NONE, NULL) \
	C("due_at", "", "", KN_COLUMN_TIME, KN_COLUMN_CHANGED, AT(due_at), NONE, NULL) \
	C("expected_by", "", "", KN_COLUMN_TIME, KN_COLUMN_CHANGED, AT(expected_by), NONE, NULL) \
	C("escalation", "", "", KN_COLUMN_JSONB, KN_COLUMN_CHANGED, AT(escalation), NONE, NULL) \
	C("engaged_at", "", "", KN_COLUMN_TIME, KN_COLUMN_LATER, AT(engaged_at), NONE, NULL) \
	C("contacted_at", "", "", KN_COLUMN_TIME, KN_COLUMN_LATER, AT(contacted_at), NONE, NULL)
#define NEED_COLUMN_OF(name_, out_, ...) "n." name_ out_ ", "
/* of row n; what no column is ends the list */
#define NEED_SELECT NEED_COLUMNS(NEED_COLUMN_OF) "1 "

static const KnColumn need_columns[] = {NEED_COLUMNS(KN_COLUMN_ROW)};
/* clang-format on */

static const KnColumns columns = {
	.table = "kintaraa.need",
	.columns = need_columns,
	.n = lengthof(need_columns),
	.n_read = lengthof(need_columns),
};

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
static void prepare(void);
static void read_need(const KnRows *rows, uint64 row, KnNeed *out);
static void insert_all(const KnNeed *needs, int n);
static void read_helper(const KnRows *rows, uint64 row, KnHelper *out);

/* clang-format off */
static KnStatement select_needs = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " NEED_SELECT
	"  FROM kintaraa.need n WHERE n.bucket = ANY ($1) ORDER BY n.created_at, n.service",
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
	"SELECT " NEED_SELECT
	"  FROM kintaraa.need n WHERE n.bucket = $1 AND n.id = $2 FOR NO KEY UPDATE",
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
	"SELECT " NEED_SELECT
	"  FROM kintaraa.need n WHERE n.bucket = $1 ORDER BY n.created_at, n.service "
	"   FOR NO KEY UPDATE",
	UUIDOID);
/* clang-format on */

static KnStatement update_need = {
	.actor = KN_AS_SYSTEM, .writes = true, KN_TYPES(UUIDOID, UUIDOID)};

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
	"SELECT i.id FROM pg_catalog.unnest($2) AS w (client_key) CROSS JOIN LATERAL ("
	"       SELECT id FROM kintaraa.incident WHERE owner_id = $1 AND client_key = w.client_key "
	"        LIMIT 1) i ORDER BY i.id",
	UUIDOID, BYTEAARRAYOID);

static KnStatement insert_one = {.actor = KN_AS_SYSTEM, .writes = true};
static KnStatement insert_many = {.actor = KN_AS_SYSTEM, .writes = true};

static void
prepare(void)
{
	if (update_need.sql != NULL)
		return;
	kn_columns_state(&columns, KN_COLUMNS_NEW, false, kn_columns_insert(&columns, false),
					 &insert_one);
	kn_columns_state(&columns, KN_COLUMNS_NEW, true, kn_columns_insert(&columns, true),
					 &insert_many);
	/* that she was reached was said of the team that was engaged */
	kn_columns_state(&columns, KN_COLUMNS_CHANGE, false,
					 psprintf("%s, reached_at = CASE WHEN $%d IS NOT NULL THEN reached_at END "
							  " WHERE bucket = $1 AND id = $2",
							  kn_columns_update(&columns, 2),
							  kn_columns_parameter(&columns, "engaged_at", 2)),
					 &update_need);
}

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
kn_cases_lock(const pg_uuid_t *owner, Datum *client_keys, int n)
{
	pg_uuid_t *buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, owner);
	kn_arg_array(&args, BYTEAOID, client_keys, NULL, n);
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
	kn_columns_read(&columns, rows, row, out);
}

void
kn_need_save(const KnNeed *need)
{
	KnArgs args = {0};

	prepare();
	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_columns_bind(&columns, KN_COLUMNS_CHANGE, need, &need->id, NULL, &args);
	kn_run(&update_need, &args);
}

void
kn_need_insert(const KnNeed *needs, int n)
{
	prepare();
	kn_change_begin_new();
	if (n > FEW_NEEDS)
		insert_all(needs, n);
	for (int i = 0; i < n && n <= FEW_NEEDS; i++)
	{
		KnArgs args = {0};

		kn_columns_bind(&columns, KN_COLUMNS_NEW, &needs[i], &needs[i].id, NULL, &args);
		kn_run(&insert_one, &args);
	}
	kn_change_end_new();
}

static void
insert_all(const KnNeed *needs, int n)
{
	KnArgs *each = palloc0(sizeof(KnArgs) * n);
	KnArgs args = {0};

	for (int i = 0; i < n; i++)
		kn_columns_bind(&columns, KN_COLUMNS_NEW, &needs[i], &needs[i].id, NULL, &each[i]);
	kn_columns_bind_many(&columns, each, n, &args);
	pfree(each);
	kn_run(&insert_many, &args);
}
