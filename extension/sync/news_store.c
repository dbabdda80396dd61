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
#include "utils/fmgrprotos.h"

#include "access/barred.h"
#include "sync/news_store.h"

/* clang-format off */
/* What was written since the cursor: at most $3 rows of each kind. */
#define CHANGED \
	" (SELECT bucket, noun, id, x FROM kintaraa.change WHERE x >= $1 ORDER BY x LIMIT $3) " \
	" UNION ALL " \
	" (SELECT bucket, noun, id, x FROM kintaraa.change WHERE x = ANY ($2) LIMIT $3)"
#define JOINED \
	" (SELECT principal, bucket, gx, relation, revoked FROM kintaraa.member " \
	"   WHERE gx >= $1 ORDER BY gx LIMIT $3)" \
	" UNION ALL " \
	" (SELECT principal, bucket, gx, relation, revoked FROM kintaraa.member " \
	"   WHERE gx = ANY ($2) LIMIT $3)"

/*
 * Both in one shape.  A row that is to be passed over has no x: it counts
 * against the limit, which what is left out of the rows would not.
 */
#define ROWS(change_, member_) \
	"SELECT c.bucket, c.noun, c.id, CASE WHEN " change_ " THEN c.x END, false " \
	"  FROM (" CHANGED ") c UNION ALL " \
	"SELECT m.bucket, NULL, m.principal, " \
	"       CASE WHEN (m.revoked OR m.relation <> 'owner') AND " member_ " THEN m.gx END, true " \
	"  FROM (" JOINED ") m"

/* For one subscription, $5 of gateway $4: to find who hears of each of the others is what costs. */
#define OF_ONE(principal_) \
	"EXISTS (SELECT FROM kintaraa.subscription s WHERE s.gateway = $4 AND s.id = $5 AND " \
	principal_ ")"
#define ONES_CHANGE \
	OF_ONE("(s.principal = c.bucket OR EXISTS (SELECT FROM kintaraa.member o " \
		   "    WHERE o.principal = s.principal AND o.bucket = c.bucket))")
#define ONES_MEMBER OF_ONE("s.principal = m.principal")
/* clang-format on */

/*
 * Subscriptions of a gateway by principal, $2 narrows it to one of them.  Written so that no
 * index on the id is thought of: it would read all of the gateway for each record.
 */
#define READERS "s.gateway = $1 AND NOT s.pokes AND ($2 IS NULL OR s.id = $2)"

/* clang-format off */
/* Computed once for each record: the subscriptions of those whom the survivor barred. */
#define BARRED(bucket_)                                                                 \
	"CROSS JOIN LATERAL (SELECT ARRAY(SELECT s.id "                                     \
	"    FROM (" KN_BARRED_OF(bucket_) ") r "                                           \
	"    JOIN kintaraa.subscription s ON s.principal = r.principal AND s.gateway = $1) " \
	"   AS ids OFFSET 0) b "
/* clang-format on */

static void set_args(KnArgs *args, const KnNews *news, const KnChangedList *list);
static void arg_bigints(KnArgs *args, const int64 *values, int n);
static uint64 run_since(const KnNews *news, const KnCursor *since, int limit);
static void make_list(KnChangedList *list, uint64 n);
static KnRows read_ticks(const KnNews *news, const KnCursor *since);
static int64 first_tick(const KnRows *ticks, Datum x);
static bool has_seen(const KnRows *ticks, uint64 i, Datum x);
static KnRows run(KnStatement *statement, const KnNews *news, const KnChangedList *list);

static KnStatement of_all = KN_FRESH(KN_AS_SYSTEM, ROWS("true", "true"), XID8OID, XID8ARRAYOID,
									 INT8OID);
static KnStatement of_one = KN_FRESH(KN_AS_SYSTEM, ROWS(ONES_CHANGE, ONES_MEMBER), XID8OID,
									 XID8ARRAYOID, INT8OID, UUIDOID, INT8OID);

static KnStatement ticks_between = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT t, snapshot FROM kintaraa.tick WHERE t > $1 AND t <= $2 ORDER BY t", INT8OID, INT8OID);

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
/* Who loses one of several ways to see a case has not lost it; who is barred is told by his bar. */
static KnStatement scope_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT m.bucket, m.revoked, w.tick, ARRAY("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.principal = m.principal AND " READERS
	"       AND s.id <> ALL (b.ids) "
	"       AND NOT (m.revoked AND EXISTS ("
	"           SELECT FROM kintaraa.subscription o JOIN kintaraa.member n "
	"               ON n.principal = o.principal AND n.bucket = m.bucket AND NOT n.revoked "
	"            WHERE o.gateway = $1 AND o.id = s.id))) "
	"  FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)) "
	"       AS w (principal, bucket, tick) "
	"  JOIN kintaraa.member m ON m.principal = w.principal AND m.bucket = w.bucket "
	BARRED("m.bucket"),
	UUIDOID, INT8OID, UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID);

static KnStatement assignment_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT a.id, a.status, a.urgency_level, w.tick, ARRAY("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.principal = a.provider_id AND " READERS " AND s.id <> ALL (b.ids)) "
	"  FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)) AS w (id, tick) "
	"  JOIN kintaraa.assignment a ON a.id = w.id " BARRED("a.incident_bucket"),
	UUIDOID, INT8OID, UUIDARRAYOID, INT8ARRAYOID);

/*
 * The time is that of the record she reads: what her needs went through would
 * tell when a team refused.  A helper is told the name of her own team only; the others the name of the
 * first helper.  A person who is two things to a case is told as the first.
 */
static KnStatement incident_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT i.id, i.spelling_sealed, i.status, "
	"       (SELECT pg_catalog.max(c.updated_at) FROM kintaraa.change c WHERE c.bucket = i.id "
	"           AND (r.rank = 3 OR c.noun = 'incident')), "
	"       (SELECT p.name FROM kintaraa.assignment a JOIN kintaraa.provider p "
	"            ON p.id = a.provider_id "
	"         WHERE a.incident_bucket = i.id AND a.status = 'accepted' "
	"           AND (r.team IS NULL OR a.provider_id = r.team::uuid) "
	"         ORDER BY a.responded_at, a.id LIMIT 1), w.tick, r.rank, r.ids, i.owner_id "
	"  FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)) AS w (id, tick) "
	"  JOIN kintaraa.incident i ON i.id = w.id AND i.deleted_at IS NULL "
	BARRED("i.id")
	" CROSS JOIN LATERAL ("
	"   SELECT best.rank, best.team, pg_catalog.array_agg(best.id) AS ids FROM ("
	"     SELECT s.id, pg_catalog.min(CASE m.relation WHEN 'owner' THEN 1 "
	"                                   WHEN 'dispatcher' THEN 3 ELSE 2 END) AS rank, "
	"            pg_catalog.min(CASE WHEN m.relation IN ('helper', 'reporter') "
	"                                THEN m.principal::text END) AS team "
	"       FROM kintaraa.member m CROSS JOIN LATERAL (SELECT s.id FROM kintaraa.subscription s "
	"           WHERE s.principal = m.principal AND " READERS " OFFSET 0) s "
	"      WHERE m.bucket = i.id AND NOT m.revoked AND s.id <> ALL (b.ids) "
	"      GROUP BY s.id) best "
	"    GROUP BY best.rank, best.team) r",
	UUIDOID, INT8OID, UUIDARRAYOID, INT8ARRAYOID);
/* clang-format on */

/* clang-format off */
#define NOT_BARRED(bucket_)                                                            \
	KN_NOT_BARRED(bucket_, "ARRAY(SELECT o.principal FROM kintaraa.subscription o " \
						   "  WHERE o.gateway = $1 AND o.id = s.id)")

/*
 * Everybody whose pull could bring something: in scope of a bucket that
 * changed, or with a membership that did.
 */
static KnStatement poke_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"WITH changed AS (SELECT DISTINCT b FROM pg_catalog.unnest($3) AS b), "
	"moved AS (SELECT principal, bucket, revoked FROM kintaraa.member WHERE gx >= $4 "
	"          UNION ALL "
	"          SELECT principal, bucket, revoked FROM kintaraa.member WHERE gx = ANY ($5)), "
	"reached AS (SELECT b AS principal, b AS bucket, false AS revoked FROM changed "
	"            UNION ALL "
	"            SELECT m.principal, m.bucket, false FROM changed "
	"              JOIN kintaraa.member m ON m.bucket = changed.b AND NOT m.revoked "
	"            UNION ALL SELECT principal, bucket, revoked FROM moved) "
	"SELECT ARRAY(SELECT DISTINCT s.id FROM reached w CROSS JOIN LATERAL ("
	"      SELECT s.id FROM kintaraa.subscription s WHERE s.gateway = $1 "
	"         AND s.principal = w.principal AND s.pokes AND ($2 IS NULL OR s.id = $2) OFFSET 0) s "
	"   WHERE " NOT_BARRED("w.bucket")
	" UNION SELECT s.id FROM (" KN_BARRED_SINCE("$4", "$5") ") r "
	"  CROSS JOIN LATERAL (SELECT s.id FROM kintaraa.subscription s WHERE s.gateway = $1 "
	"         AND s.principal = r.principal AND s.pokes AND ($2 IS NULL OR s.id = $2) OFFSET 0) s "
	" WHERE " KN_READER_KNEW ")",
	UUIDOID, INT8OID, UUIDARRAYOID, XID8OID, XID8ARRAYOID);
/* clang-format on */

static KnStatement notification_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT n.id, n.class, n.created_at, w.tick, ARRAY("
	"    SELECT s.id FROM kintaraa.subscription s "
	"     WHERE s.principal = n.account_id AND " READERS ") "
	"  FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)) AS w (id, tick) "
	"  JOIN kintaraa.notification n ON n.id = w.id AND n.read_at IS NULL",
	UUIDOID, INT8OID, UUIDARRAYOID, INT8ARRAYOID);

bool
kn_news_changes(const KnNews *news, const KnCursor *since, int limit, KnChangedList *changes,
				KnChangedList *members)
{
	uint64 n = run_since(news, since, limit);
	KnRows rows;
	KnRows ticks;
	int n_members = 0;

	if (n == 0)
		return true;
	rows = kn_rows();
	for (uint64 i = 0; i < n; i++)
		n_members += kn_col_bool(&rows, i, 5);
	if (n_members > limit || n - n_members > limit)
		return false;
	ticks = read_ticks(news, since);
	make_list(changes, n - n_members);
	make_list(members, n_members);
	for (uint64 i = 0; i < n; i++)
	{
		KnChangedList *list = kn_col_bool(&rows, i, 5) ? members : changes;
		bool is_null;
		Datum x = kn_col(&rows, i, 4, &is_null);
		int64 tick = is_null ? 0 : first_tick(&ticks, x);

		if (tick == 0)
			continue;
		kn_col_uuid(&rows, i, 1, &list->buckets[list->n]);
		list->nouns[list->n] = kn_col_text(&rows, i, 2);
		kn_col_uuid(&rows, i, 3, &list->ids[list->n]);
		list->ticks[list->n++] = tick;
	}
	return true;
}

static void
make_list(KnChangedList *list, uint64 n)
{
	list->nouns = palloc(sizeof(char *) * Max(n, 1));
	list->buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	list->ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	list->ticks = palloc(sizeof(int64) * Max(n, 1));
}

static KnRows
read_ticks(const KnNews *news, const KnCursor *since)
{
	KnArgs args = {0};

	kn_arg_bigint(&args, news->after);
	kn_arg_bigint(&args, since->newest);
	kn_run(&ticks_between, &args);
	return kn_rows();
}

/* The first tick that has seen x, 0 when none has.  What one has seen, all later ones have. */
static int64
first_tick(const KnRows *ticks, Datum x)
{
	uint64 low = 0;
	uint64 high = ticks->n;

	while (low < high)
	{
		uint64 middle = low + (high - low) / 2;

		if (has_seen(ticks, middle, x))
			high = middle;
		else
			low = middle + 1;
	}
	return low < ticks->n ? kn_col_bigint(ticks, low, 1, 0) : 0;
}

static bool
has_seen(const KnRows *ticks, uint64 i, Datum x)
{
	bool is_null;
	Datum snapshot = kn_col(ticks, i, 2, &is_null);

	return DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot, x, snapshot));
}

/* One row more than the limit tells that there are more. */
static uint64
run_since(const KnNews *news, const KnCursor *since, int limit)
{
	KnArgs args = {0};

	kn_arg_datum(&args, since->xmax, false);
	kn_arg_datum(&args, since->xip, false);
	kn_arg_bigint(&args, limit + 1);
	if (news->only == 0)
		return kn_run(&of_all, &args);
	kn_arg_uuid(&args, news->gateway);
	kn_arg_bigint(&args, news->only);
	return kn_run(&of_one, &args);
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
kn_news_scope_readers(const KnNews *news, const KnChangedList *members)
{
	KnArgs args = {0};

	if (members->n == 0)
		return (KnRows){0};
	set_args(&args, news, NULL);
	kn_arg_uuid_array(&args, members->ids, members->n);
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
	kn_arg_datum(args, Int64GetDatum(news->only), news->only == 0);
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
