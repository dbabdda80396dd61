/*-------------------------------------------------------------------------
 *
 * assignment_store.c
 *	  Every statement on assignments, and on what an acceptance changes.
 *
 * A team's own assignments are read as the door, under row security; moves
 * touch offers of several teams and run as the system.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "base/spi.h"
#include "cases/assignment_store.h"
#include "cases/case_place.h"
#include "providers/provider.h"
#include "providers/routing_policy.h"

/* clang-format off */
/* The card comes from clear columns: rendering an offer opens no sealed field. */
#define ASSIGNMENT_COLUMNS \
	"a.id, a.provider_id, a.incident_bucket, a.need_id, a.service, a.status, a.urgency_level, " \
	"a.level::int4, a.round::int4, a.offered_at, a.due_at, a.responded_at, a.distance_km::float8, " \
	"c.version, c.updated_at, i.card_time, i.card_language, i.communication_method, " \
	"i.cell_latitude, i.cell_longitude, i.case_number, i.status, n.state = 'paused' "
/* Another team's incident is out of the door's sight before acceptance: the system reads the card. */
#define CARD_FROM \
	"FROM kintaraa.assignment a " \
	"JOIN LATERAL (SELECT CASE WHEN x.occurred_to IS NULL THEN 'unknown' " \
	"                    WHEN x.created_at - x.occurred_to < interval '3 days' THEN '0-3 days' " \
	"                    WHEN x.created_at - x.occurred_to < interval '5 days' THEN '4-5 days' " \
	"                    WHEN x.created_at - x.occurred_to < interval '14 days' THEN '6-14 days' " \
	"                    WHEN x.created_at - x.occurred_to < interval '30 days' THEN '15-30 days' " \
	"                    ELSE 'over 30 days' END AS card_time, " \
	"               o.language AS card_language, x.communication_method, x.cell_latitude, " \
	"               x.cell_longitude, x.case_number, x.status" \
	"          FROM kintaraa.incident x JOIN kintaraa.account o ON o.id = x.owner_id " \
	"         WHERE x.id = a.incident_bucket) i ON true " \
	"JOIN LATERAL (SELECT state FROM kintaraa.need WHERE bucket = a.incident_bucket AND id = a.need_id " \
	"               LIMIT 1) n ON true " \
	"LEFT JOIN " KN_STAMP_OF("a.provider_id", "'assignment'", "a.id") "ON true "
/* clang-format on */

static void
read_assignment(const KnRows *rows, uint64 row, KnAssignment *out);
static bool read_one(KnStatement *statement, const KnArgs *args, KnAssignment *out);

static KnStatement see_own = KN_READ(
	KN_AS_DOOR, "SELECT 1 FROM kintaraa.assignment WHERE id = $1 AND provider_id = $2",
	UUIDOID, UUIDOID);

/* A facility reached by telephone has no staff here: dispatchers answer for it. */
static KnStatement see_by_telephone = KN_READ(
	KN_AS_DISPATCH,
	"SELECT 1 FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE a.id = $1 AND p.by_telephone AND " KN_NOT_BARRED("a.incident_bucket", "$2"),
	UUIDOID, UUIDARRAYOID);

static KnStatement select_one = KN_READ(
	KN_AS_SYSTEM, "SELECT " ASSIGNMENT_COLUMNS CARD_FROM " WHERE a.id = $1", UUIDOID);

static KnStatement select_accepted = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " ASSIGNMENT_COLUMNS CARD_FROM
	" WHERE a.incident_bucket = $1 AND a.need_id = $2 AND a.status = 'accepted'",
	UUIDOID, UUIDOID);

static KnStatement select_many = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " ASSIGNMENT_COLUMNS CARD_FROM
	" WHERE a.provider_id = $1 AND a.id = ANY ($2) AND " KN_NOT_BARRED("a.incident_bucket", "$3"),
	UUIDOID, UUIDARRAYOID, UUIDARRAYOID);

#define NOT_BARRED KN_NOT_BARRED("a.incident_bucket", "$6")

static KnStatement select_list = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " ASSIGNMENT_COLUMNS CARD_FROM
	" WHERE a.provider_id = $1 AND ($2 IS NULL OR a.status = $2) "
	"   AND (a.offered_at, a.id) < ($3, $4) AND " NOT_BARRED
	" ORDER BY a.offered_at DESC, a.id DESC LIMIT $5",
	UUIDOID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID, UUIDARRAYOID);

static KnStatement select_held = KN_READ(
	KN_AS_SYSTEM,
	"SELECT id FROM kintaraa.assignment WHERE incident_bucket = $1 AND need_id = $2 "
	"   AND provider_id = $3 AND " KN_ASSIGNMENT_IS_HELD("assignment"),
	UUIDOID, UUIDOID, UUIDOID);

static KnStatement move_one = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment SET status = $3, responded_at = pg_catalog.clock_timestamp(), "
	"       responded_by = $4, decline_code = $5, note_sealed = COALESCE($6, note_sealed) "
	" WHERE id = $1 AND status = $2",
	UUIDOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, BYTEAOID);

static KnStatement withdraw_pending = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment SET status = 'withdrawn', responded_at = "
	"       pg_catalog.clock_timestamp() "
	" WHERE incident_bucket = $1 AND need_id = $2 AND status = 'pending'",
	UUIDOID, UUIDOID);

static KnStatement expire_pending = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment SET status = 'expired', responded_at = $3 "
	" WHERE incident_bucket = $1 AND need_id = $2 AND status = 'pending' AND due_at <= $3",
	UUIDOID, UUIDOID, TIMESTAMPTZOID);

static KnStatement hurry_pending = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment SET due_at = LEAST(due_at, $3), urgency_level = $4 "
	" WHERE incident_bucket = $1 AND need_id = $2 AND status = 'pending'",
	UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID);

static KnStatement count_pending = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.assignment "
	" WHERE incident_bucket = $1 AND need_id = $2 AND status = 'pending'",
	UUIDOID, UUIDOID);

static KnStatement insert_manual = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, "
	"  urgency_level, level, round, is_manual, due_at, distance_km) "
	"VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, true, $9, $10)",
	UUIDOID, UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID,
	FLOAT8OID);

static KnStatement take_capacity = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider_dispatch SET load = load + 1 WHERE provider_id = $1 AND load < "
	"       capacity",
	UUIDOID);

static KnStatement take_capacity_anyway = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider_dispatch SET load = load + 1 WHERE provider_id = $1",
	UUIDOID);

static KnStatement give_back_capacity = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider_dispatch SET load = load - 1 WHERE provider_id = $1 AND load > 0",
	UUIDOID);

static KnStatement join_bucket = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.member AS m (principal, bucket, relation) VALUES ($2, $1, 'helper') "
	"ON CONFLICT (principal, bucket) DO UPDATE SET revoked = false, relation = 'helper', "
	"   gx = pg_catalog.pg_current_xact_id(), changed_at = pg_catalog.now() WHERE m.revoked",
	UUIDOID, UUIDOID);

static KnStatement leave_bucket = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.member SET revoked = true, gx = pg_catalog.pg_current_xact_id(), "
	"       changed_at = pg_catalog.now() "
	" WHERE principal = $2 AND bucket = $1 AND relation = 'helper' AND NOT revoked "
	"   AND NOT EXISTS (SELECT FROM kintaraa.assignment a WHERE a.incident_bucket = $1 "
	"                    AND a.provider_id = $2 AND a.status = 'accepted')",
	UUIDOID, UUIDOID);

#define TEAM_BARRED "NOT " KN_TEAM_MAY("$2", "p")

static KnStatement select_eligible = KN_READ(
	KN_AS_SYSTEM,
	"SELECT p.is_active AND p.is_verified AND (p.by_telephone OR EXISTS ("
	"         SELECT FROM kintaraa.account s WHERE s.provider_id = p.id AND s.is_active)), "
	"       " TEAM_BARRED " OR EXISTS (SELECT FROM kintaraa.left_team l "
	"                WHERE l.bucket = $2 AND l.provider_id = p.id), "
	"       COALESCE(d.load >= d.capacity, true), p.provider_type, p.latitude, p.longitude, "
	"       i.cell_latitude, i.cell_longitude, i.triage_teams "
	"  FROM kintaraa.provider p LEFT JOIN kintaraa.provider_dispatch d ON d.provider_id = p.id, "
	"       kintaraa.incident i "
	" WHERE p.id = $1 AND i.id = $2",
	UUIDOID, UUIDOID);

static void
read_assignment(const KnRows *rows, uint64 row, KnAssignment *out)
{
	memset(out, 0, sizeof(*out));
	kn_col_uuid(rows, row, 1, &out->id);
	kn_col_uuid(rows, row, 2, &out->provider);
	kn_col_uuid(rows, row, 3, &out->incident);
	kn_col_uuid(rows, row, 4, &out->need);
	out->service = kn_col_text(rows, row, 5);
	out->status = kn_col_assignment_state(rows, row, 6);
	out->urgency = kn_col_text(rows, row, 7);
	out->level = kn_col_int(rows, row, 8, 0);
	out->round = kn_col_int(rows, row, 9, 0);
	out->offered_at = kn_col_time(rows, row, 10);
	out->due_at = kn_col_time(rows, row, 11);
	out->responded_at = kn_col_time(rows, row, 12);
	out->distance_km = kn_col_float(rows, row, 13, NAN);
	out->stamp.version = kn_col_bigint(rows, row, 14, 0);
	out->stamp.updated_at = kn_col_time(rows, row, 15);
	out->time_bucket = kn_col_text(rows, row, 16);
	out->language = kn_col_text(rows, row, 17);
	out->contact = kn_col_text(rows, row, 18);
	out->has_cell = !kn_col_is_null(rows, row, 19);
	out->cell_latitude = kn_col_float(rows, row, 19, 0);
	out->cell_longitude = kn_col_float(rows, row, 20, 0);
	out->case_number = kn_col_text(rows, row, 21);
	out->incident_status = kn_col_case_status(rows, row, 22);
	out->paused = kn_col_bool(rows, row, 23);
}

static bool
read_one(KnStatement *statement, const KnArgs *args, KnAssignment *out)
{
	KnRows rows;

	if (kn_run(statement, args) == 0)
		return false;
	rows = kn_rows();
	read_assignment(&rows, 0, out);
	return true;
}

bool
kn_assignment_read(const pg_uuid_t *id, KnAssignment *out)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	return read_one(&select_one, &args, out);
}

bool
kn_assignment_load(const KnCaller *caller, const pg_uuid_t *id, KnAssignment *out)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	if (caller->has_provider)
	{
		kn_arg_uuid(&args, &caller->provider);
		if (kn_run(&see_own, &args) == 0)
			return false;
	}
	else
	{
		kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
		if (kn_run(&see_by_telephone, &args) == 0)
			return false;
	}
	return kn_assignment_read(id, out);
}

bool
kn_assignment_accepted(const pg_uuid_t *bucket, const pg_uuid_t *need, KnAssignment *out)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, need);
	return read_one(&select_accepted, &args, out);
}

bool
kn_assignment_find(const pg_uuid_t *bucket, const pg_uuid_t *need, const pg_uuid_t *provider,
				   pg_uuid_t *id)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, need);
	kn_arg_uuid(&args, provider);
	if (kn_run(&select_held, &args) == 0)
		return false;
	rows = kn_rows();
	return kn_col_uuid(&rows, 0, 1, id);
}

int
kn_assignment_load_many(const KnCaller *caller, const pg_uuid_t *ids, int n, KnAssignment **out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &caller->provider);
	kn_arg_uuid_array(&args, ids, n);
	kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
	kn_run(&select_many, &args);
	rows = kn_rows();
	*out = palloc0(sizeof(KnAssignment) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		read_assignment(&rows, i, &(*out)[i]);
	return rows.n;
}

int
kn_assignment_list(const KnCaller *caller, const char *status, TimestampTz before_at,
				   const pg_uuid_t *before_id, int limit, KnAssignment **out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &caller->provider);
	kn_arg_text(&args, status);
	kn_arg_before(&args, before_at, before_id);
	kn_arg_int(&args, limit);
	kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
	kn_run(&select_list, &args);
	rows = kn_rows();
	*out = palloc0(sizeof(KnAssignment) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		read_assignment(&rows, i, &(*out)[i]);
	return rows.n;
}

bool
kn_assignment_move(const pg_uuid_t *id, KnAssignmentState from, KnAssignmentState to,
				   const pg_uuid_t *by, const char *decline_code, bytea *note)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_text(&args, kn_assignment_states[from]);
	kn_arg_text(&args, kn_assignment_states[to]);
	kn_arg_uuid(&args, by);
	kn_arg_text(&args, decline_code);
	kn_arg_bytea(&args, note);
	return kn_run(&move_one, &args) == 1;
}

int
kn_assignment_withdraw_pending(const pg_uuid_t *bucket, const pg_uuid_t *need)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, need);
	return kn_run(&withdraw_pending, &args);
}

void
kn_assignment_expire_pending(const KnNeed *need, TimestampTz now)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_arg_time(&args, now);
	kn_run(&expire_pending, &args);
}

void
kn_assignment_hurry(const KnNeed *need)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_arg_time(&args, need->due_at);
	kn_arg_text(&args, kn_urgency_names[need->urgency]);
	kn_run(&hurry_pending, &args);
}

int
kn_assignment_count_pending(const pg_uuid_t *bucket, const pg_uuid_t *need)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, need);
	return kn_run(&count_pending, &args);
}

void
kn_assignment_insert_manual(const KnNeed *need, const pg_uuid_t *provider, const pg_uuid_t *id,
							double distance_km)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_uuid(&args, provider);
	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_arg_text(&args, need->service);
	kn_arg_text(&args, kn_urgency_names[need->urgency]);
	kn_arg_int(&args, need->level);
	kn_arg_int(&args, need->round);
	kn_arg_time(&args, need->due_at);
	kn_arg_float(&args, distance_km, isnan(distance_km));
	kn_run(&insert_manual, &args);
}

static int
run_for(KnStatement *statement, const pg_uuid_t *first, const pg_uuid_t *second)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, first);
	if (second)
		kn_arg_uuid(&args, second);
	return kn_run(statement, &args);
}

bool
kn_capacity_take(const pg_uuid_t *provider)
{
	return run_for(&take_capacity, provider, NULL) == 1;
}

void
kn_capacity_take_anyway(const pg_uuid_t *provider)
{
	run_for(&take_capacity_anyway, provider, NULL);
}

void
kn_capacity_give_back(const pg_uuid_t *provider)
{
	run_for(&give_back_capacity, provider, NULL);
}

void
kn_helper_join(const pg_uuid_t *bucket, const pg_uuid_t *provider)
{
	run_for(&join_bucket, bucket, provider);
}

void
kn_helper_leave(const pg_uuid_t *bucket, const pg_uuid_t *provider)
{
	run_for(&leave_bucket, bucket, provider);
}

void
kn_provider_eligible(const pg_uuid_t *provider, const KnNeed *need, KnEligible *out)
{
	int type;
	int types = 0;
	KnRows rows;

	memset(out, 0, sizeof(*out));
	out->distance_km = NAN;
	if (run_for(&select_eligible, provider, &need->bucket) == 0)
		return;
	rows = kn_rows();
	out->exists = true;
	out->works = kn_col_bool(&rows, 0, 1);
	out->barred = kn_col_bool(&rows, 0, 2);
	out->full = kn_col_bool(&rows, 0, 3);
	type = kn_word_number(kn_provider_types, kn_col_text(&rows, 0, 4));
	if (!kn_col_is_null(&rows, 0, 5) && !kn_col_is_null(&rows, 0, 7))
		out->distance_km =
			kn_distance_km(kn_col_float(&rows, 0, 5, 0), kn_col_float(&rows, 0, 6, 0),
						   kn_col_float(&rows, 0, 7, 0), kn_col_float(&rows, 0, 8, 0));
	/* urgent lifts what is withheld from routine: a person decides here */
	if (strcmp(need->service, KN_TRIAGE) == 0)
		types = kn_triage_types(&rows, 0, 9);
	if (types == 0)
		types = kn_routing_types(kn_routing_policy(), need->service, KN_URGENT);
	out->serves = (types & (1 << type)) != 0;
}
