/*-------------------------------------------------------------------------
 *
 * provider_dispatch.c
 *	  Keeping the narrow row of each provider true.
 *
 * Called by the worker (refresh each minute, fold each second), by pg_cron
 * (recount each night) and by doors that change a profile.  Load is not folded:
 * acceptance and release move it in the statement that decides, and the recount
 * only repairs.  Rows are locked in the order of id, so that none of these can
 * deadlock with another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#include "base/lock.h"
#include "base/spi.h"
#include "providers/provider_dispatch.h"
#include "providers/routing_policy.h"
#include "trail/audit.h"
#include "trail/change.h"

PG_FUNCTION_INFO_V1(kn_dispatch_refresh_sql);
PG_FUNCTION_INFO_V1(kn_dispatch_fold_sql);
PG_FUNCTION_INFO_V1(kn_dispatch_recount_sql);

static int run_alone(int (*work)(void));
static int refresh_now(void);
static int fold_since(Datum bookmark);
static void add_policy(KnArgs *args);

/* clang-format off */
static KnStatement turn_over = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider SET is_available = NOT is_available, available_until = NULL "
	" WHERE available_until <= $1",
	TIMESTAMPTZOID);

/* Only rows that differ are written: the others' pages stay clean, and nobody waits for them. */
#define DERIVE(condition) \
	"WITH wanted AS ( " \
	"  SELECT p.id, p.organisation_id, p.capacity, " \
	"         CASE WHEN p.latitude IS NOT NULL THEN p.longitude END AS longitude, " \
	"         CASE WHEN p.longitude IS NOT NULL THEN p.latitude END AS latitude, " \
	"         kintaraa.provider_number('type', p.provider_type) AS ptype, " \
	"         kintaraa.provider_number('gender', p.gender) AS gender, " \
	"         kintaraa.provider_mask('language', p.languages) AS langs, " \
	"         kintaraa.provider_mask('skill', p.skills) AS skills, " \
	"         p.is_active AND p.is_verified AND p.is_available " \
	"         AND p.latitude IS NOT NULL AND p.longitude IS NOT NULL " \
	"         AND (p.by_telephone OR EXISTS (SELECT FROM kintaraa.account AS a " \
	"                                         WHERE a.provider_id = p.id AND a.is_active)) " \
	"         AND (p.hours IS NULL OR kintaraa.shift_open(p.hours, o.zone, $1)) AS dispatchable " \
	"    FROM kintaraa.provider AS p JOIN kintaraa.organisation AS o ON o.id = p.organisation_id " condition \
	"), changed AS ( " \
	"  SELECT w.* FROM wanted AS w LEFT JOIN kintaraa.provider_dispatch AS d ON d.provider_id = w.id " \
	"   WHERE (d.organisation_id, d.ptype, d.pos[0], d.pos[1], d.dispatchable, d.gender, d.langs, " \
	"          d.skills, d.capacity) IS DISTINCT FROM " \
	"         (w.organisation_id, w.ptype, w.longitude, w.latitude, w.dispatchable, w.gender, w.langs, " \
	"          w.skills, w.capacity)) " \
	"INSERT INTO kintaraa.provider_dispatch AS d " \
	"  (provider_id, organisation_id, ptype, pos, dispatchable, gender, langs, skills, capacity) " \
	"SELECT id, organisation_id, ptype, pg_catalog.point(longitude, latitude), dispatchable, gender, " \
	"       langs, skills, capacity " \
	"  FROM changed ORDER BY id " \
	"ON CONFLICT (provider_id) DO UPDATE SET " \
	"  organisation_id = EXCLUDED.organisation_id, ptype = EXCLUDED.ptype, pos = EXCLUDED.pos, " \
	"  dispatchable = EXCLUDED.dispatchable, gender = EXCLUDED.gender, langs = EXCLUDED.langs, " \
	"  skills = EXCLUDED.skills, capacity = EXCLUDED.capacity"

static KnStatement derive_all = KN_WRITE(KN_AS_SYSTEM, DERIVE(""), TIMESTAMPTZOID);
static KnStatement derive_one = KN_WRITE(KN_AS_SYSTEM, DERIVE("WHERE p.id = $2 "), TIMESTAMPTZOID,
										 UUIDOID);

static KnStatement read_bookmark = {
	.sql = "SELECT snapshot FROM kintaraa.dispatch_bookmark",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement set_bookmark = {
	.sql = "INSERT INTO kintaraa.dispatch_bookmark (snapshot) VALUES (pg_catalog.pg_current_snapshot()) "
		   "ON CONFLICT (is_single) DO NOTHING",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

/*
 * One statement, so that the bookmark is the very snapshot under which the
 * changes are read: an assignment whose stamp commits later is seen next time.
 * It stays where it is for a while when there is nothing to fold, so that a
 * quiet server writes nothing.
 * An offer that expired counts as answered when it was due.  An assignment that
 * changes again later is not counted twice, since answers are taken by their
 * time, after the last one of the provider.
 * Written so that each record and team is looked up by its key: a comparison
 * with x is estimated as a third of the table, and a join of thirds reads all.
 */
static KnStatement fold = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH fresh AS ( "
	"  SELECT a.provider_id, a.offered_at, "
	"         CASE WHEN a.status IN ('accepted', 'declined') THEN a.responded_at "
	"              WHEN a.status = 'expired' THEN a.due_at END AS answered_at "
	"    FROM kintaraa.change AS c CROSS JOIN LATERAL ( "
	"         SELECT * FROM kintaraa.assignment WHERE id = c.id LIMIT 1) AS a "
	"   WHERE c.x >= pg_catalog.pg_snapshot_xmin($1) AND c.noun = 'assignment' AND NOT c.deleted "
	"     AND NOT pg_catalog.pg_visible_in_snapshot(c.x, $1) "
	"), moved AS ( "
	"  UPDATE kintaraa.dispatch_bookmark SET snapshot = pg_catalog.pg_current_snapshot() "
	"   WHERE EXISTS (SELECT FROM fresh) "
	"      OR pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint "
	"         > pg_catalog.pg_snapshot_xmin($1)::text::bigint + 1000 "
	"), locked AS MATERIALIZED ( "
	"  SELECT d.provider_id, d.ptype, d.ack_mean, d.ack_count, d.last_response_at "
	"    FROM (SELECT DISTINCT provider_id FROM fresh ORDER BY provider_id) AS f "
	"         CROSS JOIN LATERAL (SELECT * FROM kintaraa.provider_dispatch AS p "
	"                              WHERE p.provider_id = f.provider_id FOR NO KEY UPDATE) AS d "
	"), sums AS ( "
	"  SELECT l.provider_id, l.ptype, l.ack_mean, l.ack_count, "
	"         pg_catalog.max(f.offered_at) AS last_offer_at, "
	"         pg_catalog.max(f.answered_at) AS last_response_at, "
	"         pg_catalog.count(s.minutes)::integer AS n, "
	"         COALESCE(pg_catalog.sum(s.minutes), 0) AS total "
	"    FROM locked AS l JOIN fresh AS f ON f.provider_id = l.provider_id "
	"         LEFT JOIN LATERAL (SELECT LEAST(GREATEST(EXTRACT(epoch FROM f.answered_at - f.offered_at), 0) "
	"                                         / 60.0, $5)::float8 AS minutes "
	"                             WHERE f.answered_at > COALESCE(l.last_response_at, '-infinity')) AS s ON true "
	"   GROUP BY l.provider_id, l.ptype, l.ack_mean, l.ack_count "
	"), types AS ( "
	"  INSERT INTO kintaraa.dispatch_ack AS t (ptype, total, n) "
	"  SELECT ptype, pg_catalog.sum(total), pg_catalog.sum(n) FROM sums "
	"   GROUP BY ptype HAVING pg_catalog.sum(n) > 0 "
	"  ON CONFLICT (ptype) DO UPDATE SET total = t.total + EXCLUDED.total, n = t.n + EXCLUDED.n "
	"  RETURNING t.ptype, (t.total + $3 * ($2)[t.ptype]) / (t.n + $3) AS mean "
	"), means AS ( "
	"  SELECT s.*, CASE WHEN s.n = 0 THEN s.ack_mean "
	"              WHEN s.ack_count = 0 THEN s.total / s.n "
	"              ELSE s.ack_mean + (s.total / s.n - s.ack_mean) "
	"                   * LEAST(1, s.n / LEAST(s.ack_count + s.n, $4)) END AS mean, "
	"         LEAST(s.ack_count + s.n, $4) AS weight "
	"    FROM sums AS s) "
	"UPDATE kintaraa.provider_dispatch AS d SET "
	"  last_offer_at = GREATEST(d.last_offer_at, m.last_offer_at), "
	"  last_response_at = GREATEST(d.last_response_at, m.last_response_at), "
	"  ack_count = d.ack_count + m.n, ack_mean = m.mean, "
	"  ack_minutes = CASE WHEN m.n = 0 THEN d.ack_minutes "
	"                ELSE (m.weight * m.mean + $3 * t.mean) / (m.weight + $3) END "
	"  FROM means AS m LEFT JOIN types AS t ON t.ptype = m.ptype "
	" WHERE d.provider_id = m.provider_id "
	"   AND d.provider_id = ANY (ARRAY(SELECT provider_id FROM means))",
	PG_SNAPSHOTOID, FLOAT8ARRAYOID, FLOAT8OID, FLOAT8OID, FLOAT8OID);

#define OPEN_LOAD \
	"(SELECT pg_catalog.count(*) FROM kintaraa.assignment AS a " \
	"   JOIN kintaraa.need AS n ON n.bucket = a.incident_bucket AND n.id = a.need_id " \
	"  WHERE a.provider_id = d.provider_id AND a.status = 'accepted' " \
	"    AND n.state NOT IN ('met', 'unmet', 'withdrawn'))"

/*
 * Rows that look wrong are locked first and counted again by the next
 * statement, whose snapshot sees every acceptance that the locks waited for.
 */
static KnStatement lock_miscounted = {
	.sql = "SELECT d.provider_id FROM kintaraa.provider_dispatch AS d "
		   " WHERE d.load <> COALESCE((SELECT c.n FROM ( "
		   "         SELECT a.provider_id, pg_catalog.count(*) AS n FROM kintaraa.assignment AS a "
		   "           JOIN kintaraa.need AS n ON n.bucket = a.incident_bucket AND n.id = a.need_id "
		   "          WHERE a.status = 'accepted' AND n.state NOT IN ('met', 'unmet', 'withdrawn') "
		   "          GROUP BY a.provider_id) AS c WHERE c.provider_id = d.provider_id), 0) "
		   " ORDER BY d.provider_id FOR NO KEY UPDATE",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement count_again = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.provider_dispatch AS d SET load = " OPEN_LOAD
	" WHERE d.provider_id = ANY ($1) AND d.load <> " OPEN_LOAD,
	UUIDARRAYOID);
/* clang-format on */

int
kn_dispatch_refresh(TimestampTz now)
{
	KnArgs args = {0};

	kn_arg_time(&args, now);
	kn_run(&turn_over, &args);
	return (int) kn_run(&derive_all, &args);
}

int
kn_dispatch_refresh_one(const pg_uuid_t *provider, TimestampTz now)
{
	KnArgs args = {0};

	kn_arg_time(&args, now);
	kn_arg_uuid(&args, provider);
	return (int) kn_run(&derive_one, &args);
}

int
kn_dispatch_fold(void)
{
	KnRows rows;
	bool is_null;

	/* not the row: that would take a transaction id each second of a quiet night */
	kn_lock(KN_LOCK_ROUTING);
	if (kn_run0(&read_bookmark) == 0)
	{
		kn_run0(&set_bookmark);
		return 0;
	}
	rows = kn_rows();
	return fold_since(kn_col(&rows, 0, 1, &is_null));
}

static int
fold_since(Datum bookmark)
{
	KnArgs args = {0};

	kn_arg_datum(&args, bookmark, false);
	add_policy(&args);
	return (int) kn_run(&fold, &args);
}

/* Means by type, weight of that mean, memory and longest answer. */
static void
add_policy(KnArgs *args)
{
	const KnRoutingPolicy *policy = kn_routing_policy();

	kn_arg_float_array(args, &policy->prior_minutes[1], KN_PROVIDER_TYPES);
	kn_arg_float(args, policy->prior_weight, false);
	kn_arg_float(args, policy->memory, false);
	kn_arg_float(args, policy->longest_minutes, false);
}

int
kn_dispatch_recount(void)
{
	KnArgs args = {0};
	uint64 n = kn_run0(&lock_miscounted);
	KnRows rows = kn_rows();
	pg_uuid_t *providers = palloc(sizeof(pg_uuid_t) * Max(n, 1));

	if (n == 0)
		return 0;
	for (uint64 i = 0; i < n; i++)
		kn_col_uuid(&rows, i, 1, &providers[i]);
	kn_arg_uuid_array(&args, providers, n);
	return (int) kn_run(&count_again, &args);
}

Datum
kn_dispatch_refresh_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(run_alone(refresh_now));
}

static int
refresh_now(void)
{
	return kn_dispatch_refresh(GetCurrentTimestamp());
}

Datum
kn_dispatch_fold_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(run_alone(kn_dispatch_fold));
}

Datum
kn_dispatch_recount_sql(PG_FUNCTION_ARGS)
{
	kn_audit_function("dispatch_recount", NULL, NULL);
	PG_RETURN_INT32(run_alone(kn_dispatch_recount));
}

static int
run_alone(int (*work)(void))
{
	int changed;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI does not connect");
	changed = work();
	kn_change_flush(NULL);
	SPI_finish();
	return changed;
}
