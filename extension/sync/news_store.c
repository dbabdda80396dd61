/*-------------------------------------------------------------------------
 *
 * news_store.c
 *	  Rows that changed, and the subscriptions that hear of them.
 *
 * Called by news.c.  Every statement takes the whole set at once and enters
 * each table by an index; the arrays it is given are short, which is also what
 * the planner assumes of arrays it does not know.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "sync/news_store.h"

#define FEW 500 /* so few that a plan for any number enters by the index on x */

/* The first tick that has seen x; NULL when none has yet. */
#define FIRST_TICK(x_)                                               \
	"(SELECT k.t FROM kintaraa.tick k WHERE k.t > $3 AND k.t <= $4 " \
	"    AND pg_catalog.pg_visible_in_snapshot(" x_ ", k.snapshot) ORDER BY k.t LIMIT 1)"

/* clang-format off */
#define CHANGES(limit_) \
	"SELECT c.bucket, c.noun, c.id, " FIRST_TICK("c.x") " FROM (" \
	" (SELECT bucket, noun, id, x FROM kintaraa.change WHERE x >= $1 ORDER BY x LIMIT " limit_ ")" \
	" UNION ALL " \
	" (SELECT bucket, noun, id, x FROM kintaraa.change WHERE x = ANY ($2) LIMIT " limit_ ")) c"

#define MEMBERS(limit_) \
	"SELECT m.principal, m.bucket, " FIRST_TICK("m.gx") " FROM (" \
	" (SELECT principal, bucket, gx, relation, revoked FROM kintaraa.member " \
	"   WHERE gx >= $1 ORDER BY gx LIMIT " limit_ ")" \
	" UNION ALL " \
	" (SELECT principal, bucket, gx, relation, revoked FROM kintaraa.member " \
	"   WHERE gx = ANY ($2) LIMIT " limit_ ")) m " \
	" WHERE m.revoked OR m.relation <> 'owner'"
/* clang-format on */

/* Subscriptions of a gateway by principal; $2 and $3 narrow it to one of them. */
#define READERS "s.gateway = $1 AND NOT s.pokes AND s.id BETWEEN $2 AND $3"

/* Computed once for each record: the subscriptions of those whom the survivor barred. */
#define BARRED(bucket_)                                                                 \
	"CROSS JOIN LATERAL (SELECT ARRAY(SELECT s.id FROM kintaraa.barred r "              \
	"    JOIN kintaraa.subscription s ON s.principal = r.principal AND s.gateway = $1 " \
	"   WHERE r.bucket = " bucket_ ") AS ids OFFSET 0) b "

static void set_args(KnArgs *args, const KnNews *news, const KnChangedList *list);
static void arg_bigints(KnArgs *args, const int64 *values, int n);
static void arg_since(KnArgs *args, const KnCursor *since, int64 after);
static KnRows run(KnStatement *statement, const KnNews *news, const KnChangedList *list);

static KnStatement few_changes = KN_FRESH(KN_AS_SYSTEM, CHANGES("501"), XID8OID, XID8ARRAYOID,
										  INT8OID, INT8OID);
static KnStatement many_changes = KN_FRESH(KN_AS_SYSTEM, CHANGES("20001"), XID8OID, XID8ARRAYOID,
										   INT8OID, INT8OID);
static KnStatement few_members = KN_FRESH(KN_AS_SYSTEM, MEMBERS("501"), XID8OID, XID8ARRAYOID,
										  INT8OID, INT8OID);
static KnStatement many_members = KN_FRESH(KN_AS_SYSTEM, MEMBERS("20001"), XID8OID, XID8ARRAYOID,
										   INT8OID, INT8OID);

static KnStatement end_subscriptions = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH gone AS (DELETE FROM kintaraa.subscription d WHERE d.gateway = $1 AND d.id IN ("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.gateway = $1 AND s.expires_at <= pg_catalog.now() "
	"    UNION "
	"    SELECT s.id FROM kintaraa.session e JOIN kintaraa.subscription s ON s.session_id = e.id "
	"     WHERE e.id = ANY ($2) AND e.revoked_at IS NOT NULL AND s.gateway = $1 "
	"    UNION "
	"    SELECT s.id FROM kintaraa.account a JOIN kintaraa.subscription s ON s.principal = a.id "
	"     WHERE a.id = ANY ($3) AND NOT a.is_active AND s.gateway = $1) RETURNING d.id) "
	"SELECT ARRAY(SELECT DISTINCT id FROM gone)",
	UUIDOID, UUIDARRAYOID, UUIDARRAYOID);

/* clang-format off */
/* Who loses one of several ways to see a case has not lost the case. */
static KnStatement scope_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT m.bucket, m.revoked, w.tick, ARRAY("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.principal = m.principal AND " READERS
	"       AND (s.id <> ALL (b.ids) OR (m.revoked AND m.relation IN ('helper', 'reporter'))) "
	"       AND NOT (m.revoked AND EXISTS ("
	"           SELECT FROM kintaraa.subscription o JOIN kintaraa.member n "
	"               ON n.principal = o.principal AND n.bucket = m.bucket AND NOT n.revoked "
	"            WHERE o.gateway = $1 AND o.id = s.id))) "
	"  FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6)) "
	"       AS w (principal, bucket, tick) "
	"  JOIN kintaraa.member m ON m.principal = w.principal AND m.bucket = w.bucket "
	BARRED("m.bucket"),
	UUIDOID, INT8OID, INT8OID, UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID);

static KnStatement assignment_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT a.id, a.status, a.urgency_level, w.tick, ARRAY("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.principal = a.provider_id AND " READERS " AND s.id <> ALL (b.ids)) "
	"  FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5)) AS w (id, tick) "
	"  JOIN kintaraa.assignment a ON a.id = w.id " BARRED("a.incident_bucket"),
	UUIDOID, INT8OID, INT8OID, UUIDARRAYOID, INT8ARRAYOID);

/*
 * A helper is told the name of her own team only; the others the name of the
 * first helper.  A person who is two things to a case is told as the first.
 */
static KnStatement incident_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT i.id, i.client_id, i.status, "
	"       (SELECT pg_catalog.max(c.updated_at) FROM kintaraa.change c WHERE c.bucket = i.id), "
	"       (SELECT p.name FROM kintaraa.assignment a JOIN kintaraa.provider p "
	"            ON p.id = a.provider_id "
	"         WHERE a.incident_bucket = i.id AND a.status = 'accepted' "
	"           AND (r.team IS NULL OR a.provider_id = r.team::uuid) "
	"         ORDER BY a.responded_at, a.id LIMIT 1), w.tick, r.rank, r.ids "
	"  FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5)) AS w (id, tick) "
	"  JOIN kintaraa.incident i ON i.id = w.id AND i.deleted_at IS NULL "
	BARRED("i.id")
	" CROSS JOIN LATERAL ("
	"   SELECT best.rank, best.team, pg_catalog.array_agg(best.id) AS ids FROM ("
	"     SELECT s.id, pg_catalog.min(CASE m.relation WHEN 'owner' THEN 1 "
	"                                   WHEN 'dispatcher' THEN 3 ELSE 2 END) AS rank, "
	"            pg_catalog.min(CASE WHEN m.relation IN ('helper', 'reporter') "
	"                                THEN m.principal::text END) AS team "
	"       FROM kintaraa.member m "
	"       JOIN kintaraa.subscription s ON s.principal = m.principal AND " READERS
	"      WHERE m.bucket = i.id AND NOT m.revoked AND s.id <> ALL (b.ids) "
	"      GROUP BY s.id) best "
	"    GROUP BY best.rank, best.team) r",
	UUIDOID, INT8OID, INT8OID, UUIDARRAYOID, INT8ARRAYOID);
/* clang-format on */

/* clang-format off */
#define NOT_BARRED(bucket_)                                                            \
	"NOT EXISTS (SELECT FROM kintaraa.barred r JOIN kintaraa.subscription o "          \
	"               ON o.principal = r.principal AND o.gateway = $1 AND o.id = s.id " \
	"             WHERE r.bucket = " bucket_ ")"

/*
 * Everybody whose pull could bring something: in scope of a bucket that
 * changed, or with a membership that did.
 */
static KnStatement poke_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"WITH changed AS (SELECT DISTINCT b FROM pg_catalog.unnest($4) AS b), "
	"moved AS (SELECT principal, bucket, revoked FROM kintaraa.member WHERE gx >= $5 "
	"          UNION ALL "
	"          SELECT principal, bucket, revoked FROM kintaraa.member WHERE gx = ANY ($6)), "
	"reached AS (SELECT b AS principal, b AS bucket, false AS revoked FROM changed "
	"            UNION ALL "
	"            SELECT m.principal, m.bucket, false FROM changed "
	"              JOIN kintaraa.member m ON m.bucket = changed.b AND NOT m.revoked "
	"            UNION ALL SELECT principal, bucket, revoked FROM moved) "
	"SELECT ARRAY(SELECT DISTINCT s.id FROM reached w "
	"    JOIN kintaraa.subscription s ON s.gateway = $1 AND s.principal = w.principal AND s.pokes "
	"   WHERE s.id BETWEEN $2 AND $3 AND (w.revoked OR " NOT_BARRED("w.bucket") "))",
	UUIDOID, INT8OID, INT8OID, UUIDARRAYOID, XID8OID, XID8ARRAYOID);
/* clang-format on */

static KnStatement notification_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT n.id, n.class, n.created_at, w.tick, ARRAY("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.principal = n.account_id AND " READERS ") "
	"  FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5)) AS w (id, tick) "
	"  JOIN kintaraa.notification n ON n.id = w.id AND n.read_at IS NULL",
	UUIDOID, INT8OID, INT8OID, UUIDARRAYOID, INT8ARRAYOID);

bool
kn_news_changes(const KnCursor *since, int64 after, int limit, KnChangedList *out)
{
	KnArgs args = {0};
	uint64 n;
	KnRows rows;

	arg_since(&args, since, after);
	n = kn_run(&few_changes, &args);
	if (n > FEW)
		n = kn_run(&many_changes, &args);
	if (n > limit)
		return false;
	rows = kn_rows();
	out->nouns = palloc(sizeof(char *) * Max(n, 1));
	out->buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	out->ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	out->ticks = palloc(sizeof(int64) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		int64 tick = kn_col_bigint(&rows, i, 4, 0);

		if (tick == 0)
			continue;
		kn_col_uuid(&rows, i, 1, &out->buckets[out->n]);
		out->nouns[out->n] = kn_col_text(&rows, i, 2);
		kn_col_uuid(&rows, i, 3, &out->ids[out->n]);
		out->ticks[out->n++] = tick;
	}
	return true;
}

bool
kn_news_members(const KnCursor *since, int64 after, int limit, KnChangedMembers *out)
{
	KnArgs args = {0};
	uint64 n;
	KnRows rows;

	arg_since(&args, since, after);
	n = kn_run(&few_members, &args);
	if (n > FEW)
		n = kn_run(&many_members, &args);
	if (n > limit)
		return false;
	rows = kn_rows();
	out->principals = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	out->buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	out->ticks = palloc(sizeof(int64) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		int64 tick = kn_col_bigint(&rows, i, 3, 0);

		if (tick == 0)
			continue;
		kn_col_uuid(&rows, i, 1, &out->principals[out->n]);
		kn_col_uuid(&rows, i, 2, &out->buckets[out->n]);
		out->ticks[out->n++] = tick;
	}
	return true;
}

static void
arg_since(KnArgs *args, const KnCursor *since, int64 after)
{
	kn_arg_datum(args, since->xmax, false);
	kn_arg_datum(args, since->xip, false);
	kn_arg_bigint(args, after);
	kn_arg_bigint(args, since->newest);
}

void
kn_news_end(KnNews *news, const KnChangedList *sessions, const KnChangedList *accounts)
{
	KnArgs args = {0};
	KnRows rows;
	ArrayType *ids;

	kn_arg_uuid(&args, news->gateway);
	kn_arg_uuid_array(&args, sessions->ids, sessions->n);
	kn_arg_uuid_array(&args, accounts->ids, accounts->n);
	kn_run(&end_subscriptions, &args);
	rows = kn_rows();
	ids = kn_news_ids(&rows, 0, 1);
	if (ids == NULL)
		return;
	news->n_ended = ARR_DIMS(ids)[0];
	news->ended = (int64 *) ARR_DATA_PTR(ids);
}

KnRows
kn_news_scope_readers(const KnNews *news, const KnChangedMembers *members)
{
	KnArgs args = {0};

	if (members->n == 0)
		return (KnRows){0};
	set_args(&args, news, NULL);
	kn_arg_uuid_array(&args, members->principals, members->n);
	kn_arg_uuid_array(&args, members->buckets, members->n);
	arg_bigints(&args, members->ticks, members->n);
	kn_run(&scope_readers, &args);
	return kn_rows();
}

KnRows
kn_news_poke_readers(const KnNews *news, const KnCursor *since, const KnChangedList *all)
{
	KnArgs args = {0};

	set_args(&args, news, NULL);
	kn_arg_uuid_array(&args, all->buckets, all->n);
	kn_arg_datum(&args, since->xmax, false);
	kn_arg_datum(&args, since->xip, false);
	kn_run(&poke_readers, &args);
	return kn_rows();
}

KnRows
kn_news_assignment_readers(const KnNews *news, const KnChangedList *list)
{
	return run(&assignment_readers, news, list);
}

KnRows
kn_news_incident_readers(const KnNews *news, const KnChangedList *list)
{
	return run(&incident_readers, news, list);
}

KnRows
kn_news_notification_readers(const KnNews *news, const KnChangedList *list)
{
	return run(&notification_readers, news, list);
}

static KnRows
run(KnStatement *statement, const KnNews *news, const KnChangedList *list)
{
	KnArgs args = {0};

	if (list->n == 0)
		return (KnRows){0};
	set_args(&args, news, list);
	kn_run(statement, &args);
	return kn_rows();
}

static void
set_args(KnArgs *args, const KnNews *news, const KnChangedList *list)
{
	kn_arg_uuid(args, news->gateway);
	kn_arg_bigint(args, news->only != 0 ? news->only : 0);
	kn_arg_bigint(args, news->only != 0 ? news->only : PG_INT64_MAX);
	if (list == NULL)
		return;
	kn_arg_uuid_array(args, list->ids, list->n);
	arg_bigints(args, list->ticks, list->n);
}

static void
arg_bigints(KnArgs *args, const int64 *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		items[i] = Int64GetDatum(values[i]);
	kn_arg_datum(args,
				 PointerGetDatum(construct_array(items, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
												 TYPALIGN_DOUBLE)),
				 false);
}

ArrayType *
kn_news_ids(const KnRows *rows, uint64 row, int column)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);
	ArrayType *ids;

	if (is_null)
		return NULL;
	ids = DatumGetArrayTypePCopy(value);
	return ArrayGetNItems(ARR_NDIM(ids), ARR_DIMS(ids)) > 0 ? ids : NULL;
}
