/*-------------------------------------------------------------------------
 *
 * need_store.c
 *	  Every statement on needs.
 *
 * All run as the system: a need is moved by routing, deadlines and helpers of
 * many teams.  Whoever calls has proven that the caller may see the incident.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "cases/need.h"

#define NEED_COLUMNS \
	"n.bucket, n.id, n.service, n.state, n.urgency_level, n.level::int4, n.round::int4, n.due_at, " \
	"n.expected_by, n.engaged_at, n.contacted_at, n.created_at, n.escalation "

static void read_need(const KnRows *rows, uint64 row, KnNeed *out);

static KnStatement select_needs = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " NEED_COLUMNS "FROM kintaraa.need n WHERE n.bucket = $1 ORDER BY n.created_at, n.service",
	UUIDOID);

static KnStatement select_helpers = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.id, a.provider_id, a.need_id, a.service, a.status, p.provider_type, p.name, "
	"       a.offered_at, a.distance_km::float8 "
	"  FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE a.incident_bucket = $1 ORDER BY a.offered_at, a.id",
	UUIDOID);

static KnStatement lock_need = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT " NEED_COLUMNS "FROM kintaraa.need n WHERE n.bucket = $1 AND n.id = $2 FOR NO KEY UPDATE",
	UUIDOID, UUIDOID);

static KnStatement update_need = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.need SET state = $3, level = $4, round = $5, due_at = $6, expected_by = $7, "
	"       engaged_at = $8, contacted_at = $9, urgency_level = $10 "
	" WHERE bucket = $1 AND id = $2",
	UUIDOID, UUIDOID, TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TEXTOID);

static KnStatement insert_need = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, level, round, "
	"                           escalation, due_at, expected_by, created_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
	UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT4OID, JSONBOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID);

void
kn_need_load_parts(const pg_uuid_t *bucket, KnCaseParts *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	kn_run(&select_needs, &args);
	rows = kn_rows();
	out->n_needs = rows.n;
	out->needs = palloc0(sizeof(KnNeed) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		read_need(&rows, i, &out->needs[i]);
	kn_run(&select_helpers, &args);
	rows = kn_rows();
	out->n_helpers = rows.n;
	out->helpers = palloc0(sizeof(KnHelper) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
	{
		KnHelper *helper = &out->helpers[i];

		kn_col_uuid(&rows, i, 1, &helper->assignment);
		kn_col_uuid(&rows, i, 2, &helper->provider);
		kn_col_uuid(&rows, i, 3, &helper->need);
		helper->service = kn_col_text(&rows, i, 4);
		helper->status = kn_col_text(&rows, i, 5);
		helper->provider_type = kn_col_text(&rows, i, 6);
		helper->provider_name = kn_col_text(&rows, i, 7);
		helper->offered_at = kn_col_time(&rows, i, 8);
		helper->distance_km = kn_col_float(&rows, i, 9, NAN);
	}
}

bool
kn_need_lock(const pg_uuid_t *bucket, const pg_uuid_t *id, KnNeed *out)
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

static void
read_need(const KnRows *rows, uint64 row, KnNeed *out)
{
	bool is_null;
	Datum escalation = kn_col(rows, row, 13, &is_null);

	kn_col_uuid(rows, row, 1, &out->bucket);
	kn_col_uuid(rows, row, 2, &out->id);
	out->service = kn_col_text(rows, row, 3);
	out->state = kn_col_text(rows, row, 4);
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
	kn_arg_text(&args, need->state);
	kn_arg_int(&args, need->level);
	kn_arg_int(&args, need->round);
	kn_arg_time_or_null(&args, need->due_at);
	kn_arg_time_or_null(&args, need->expected_by);
	kn_arg_time_or_null(&args, need->engaged_at);
	kn_arg_time_or_null(&args, need->contacted_at);
	kn_arg_text(&args, kn_urgency_names[need->urgency]);
	kn_run(&update_need, &args);
}

void
kn_need_insert(KnNeed *needs, int n)
{
	for (int i = 0; i < n; i++)
	{
		const KnNeed *need = &needs[i];
		KnArgs args = {0};

		kn_arg_uuid(&args, &need->bucket);
		kn_arg_uuid(&args, &need->id);
		kn_arg_text(&args, need->service);
		kn_arg_text(&args, need->state);
		kn_arg_text(&args, kn_urgency_names[need->urgency]);
		kn_arg_int(&args, need->level);
		kn_arg_int(&args, need->round);
		kn_arg_datum(&args, JsonbPGetDatum(need->escalation), need->escalation == NULL);
		kn_arg_time_or_null(&args, need->due_at);
		kn_arg_time_or_null(&args, need->expected_by);
		kn_arg_time(&args, need->created_at);
		kn_run(&insert_need, &args);
	}
}
