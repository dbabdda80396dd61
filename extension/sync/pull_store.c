/*-------------------------------------------------------------------------
 *
 * pull_store.c
 *	  Rows that a pull is made of.
 *
 * Called by pull.c.  What is new for a survivor, or for a team, is one range of
 * the stamps by their audience; the cases a team helps with are those of its
 * members that moved.  So a pull costs what it brings, however much others
 * wrote, and however many cases there are.
 *
 * Everything, what is new for a dispatch centre, whose news is nearly all there
 * is, and what is older than the audience of stamps, is read by buckets; where
 * little changed anywhere, by the index on x.  Reads run as the system: scope is
 * in every WHERE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "sync/pull.h"

/* clang-format off */
/* Principals are members of their own buckets without a row. */
#define NOT_BARRED(bucket_) KN_NOT_BARRED(bucket_, "$1")
#define IS_NEW(x_) "(" x_ " >= $2 OR " x_ " = ANY ($3))"
/* clang-format on */

static void add_rows(KnPull *pull, const KnRows *rows);
static void args_since(KnArgs *args, const KnPull *pull);
static void args_page(KnArgs *args, const KnPull *pull);
static void add_lost(KnPull *pull, KnStatement *statement);
static void add_page(KnPull *pull, KnRows rows);

/* clang-format off */
static KnStatement count_since = KN_READ(
	KN_AS_SYSTEM,
	"SELECT pg_catalog.count(*)::int4 FROM ("
	"  (SELECT 1 FROM kintaraa.change WHERE x >= $1 LIMIT $3) UNION ALL "
	"  (SELECT 1 FROM kintaraa.change WHERE x = ANY ($2) LIMIT $3) UNION ALL "
	"  (SELECT 1 FROM kintaraa.member WHERE gx >= $1 LIMIT $3) UNION ALL "
	"  (SELECT 1 FROM kintaraa.member WHERE gx = ANY ($2) LIMIT $3)) AS changed",
	XID8OID, XID8ARRAYOID, INT4OID);

static KnStatement recent = KN_READ(
	KN_AS_SYSTEM,
	"WITH moved AS (SELECT m.bucket, m.revoked FROM kintaraa.member m "
	"                WHERE m.gx >= $2 AND m.principal = ANY ($1) "
	"               UNION ALL SELECT m.bucket, m.revoked FROM kintaraa.member m "
	"                WHERE m.gx = ANY ($3) AND m.principal = ANY ($1)), "
	"changed AS (SELECT c.bucket, c.noun, c.id, c.deleted FROM kintaraa.change c WHERE c.x >= $2 "
	"            UNION ALL SELECT c.bucket, c.noun, c.id, c.deleted FROM kintaraa.change c "
	"             WHERE c.x = ANY ($3)) "
	"SELECT c.bucket, c.noun, c.id, c.deleted FROM changed c "
	" WHERE (c.bucket = ANY ($1) OR EXISTS (SELECT FROM kintaraa.member m "
	"         WHERE m.principal = ANY ($1) AND m.bucket = c.bucket AND NOT m.revoked)) "
	"   AND " NOT_BARRED("c.bucket")
	" UNION "
	"SELECT c.bucket, c.noun, c.id, c.deleted "
	"  FROM (SELECT DISTINCT bucket FROM moved WHERE NOT revoked) g "
	"  JOIN kintaraa.change c ON c.bucket = g.bucket "
	" WHERE " NOT_BARRED("g.bucket"),
	UUIDARRAYOID, XID8OID, XID8ARRAYOID);

static KnStatement recently_lost = KN_READ(
	KN_AS_SYSTEM,
	"SELECT l.bucket FROM ("
	"  SELECT m.bucket FROM kintaraa.member m "
	"   WHERE m.gx >= $2 AND m.principal = ANY ($1) AND m.revoked "
	"  UNION SELECT m.bucket FROM kintaraa.member m "
	"   WHERE m.gx = ANY ($3) AND m.principal = ANY ($1) AND m.revoked) l "
	" WHERE NOT EXISTS (SELECT FROM kintaraa.member k WHERE k.principal = ANY ($1) "
	"                    AND k.bucket = l.bucket AND NOT k.revoked)",
	UUIDARRAYOID, XID8OID, XID8ARRAYOID);

/* Each bucket by its key: a plan that walks all stamps in their order would not end. */
static KnStatement scope = KN_READ(
	KN_AS_SYSTEM,
	"WITH mine AS (SELECT s.bucket, pg_catalog.bool_or(s.fresh) AS fresh FROM ("
	"    SELECT m.bucket, $4 OR " IS_NEW("m.gx") " AS fresh FROM kintaraa.member m "
	"     WHERE m.principal = ANY ($1) AND NOT m.revoked AND m.bucket >= $5 "
	"    UNION ALL SELECT p, $4 FROM pg_catalog.unnest($1) AS p WHERE p >= $5) s GROUP BY 1) "
	"SELECT c.bucket, c.noun, c.id, c.deleted FROM mine CROSS JOIN LATERAL ("
	"    SELECT c.bucket, c.noun, c.id, c.deleted FROM kintaraa.change c "
	"     WHERE c.bucket = mine.bucket AND (mine.fresh OR " IS_NEW("c.x") ") "
	"       AND (c.bucket, c.noun, c.id) > ($5, $6, $7) AND NOT ($4 AND c.deleted) "
	"     ORDER BY c.bucket, c.noun, c.id LIMIT $8) c "
	" WHERE " NOT_BARRED("c.bucket")
	" ORDER BY c.bucket, c.noun, c.id LIMIT $8",
	UUIDARRAYOID, XID8OID, XID8ARRAYOID, BOOLOID, UUIDOID, TEXTOID, UUIDOID, INT4OID);

/*
 * One descent of an index of two columns for each principal and each transaction
 * that the cursor's snapshot had not seen: given an array, a plan takes only the
 * first column from it and reads all that somebody ever had.
 */
#define AMONG(columns_, table_, who_, x_) \
	"pg_catalog.unnest($1) AS p (who) CROSS JOIN LATERAL (SELECT " columns_ " FROM kintaraa." table_ \
	" WHERE " who_ " = p.who AND " x_ " >= $2 OFFSET 0) AS n "
#define AMONG_OPEN(columns_, table_, who_, x_) \
	"pg_catalog.unnest($1) AS p (who) CROSS JOIN pg_catalog.unnest($3) AS w (x) " \
	"CROSS JOIN LATERAL (SELECT " columns_ " FROM kintaraa." table_ \
	" WHERE " who_ " = p.who AND " x_ " = w.x OFFSET 0) AS n "

/*
 * A row without a bucket, the first one, says that some stamp since the cursor
 * has no audience yet.
 */
#define RECORD "bucket, noun, id, deleted"
#define NEWS_OF_AUDIENCE \
	"SELECT c.bucket, c.noun, c.id, c.deleted FROM (" \
	"  SELECT NULL::uuid AS bucket, NULL::text AS noun, NULL::uuid AS id, false AS deleted " \
	"   WHERE EXISTS (SELECT FROM kintaraa.change u WHERE u.audience IS NULL AND u.x >= $2) " \
	"      OR EXISTS (SELECT FROM kintaraa.change u WHERE u.audience IS NULL AND u.x = ANY ($3)) " \
	"  UNION ALL SELECT n.* FROM " AMONG(RECORD, "change", "audience", "x") \
	"  UNION ALL SELECT n.* FROM " AMONG_OPEN(RECORD, "change", "audience", "x")
#define NEWS_PAGE \
	") AS c " \
	" WHERE c.bucket IS NULL OR ((c.bucket, c.noun, c.id) > ($4, $5, $6) " \
	"   AND " NOT_BARRED("c.bucket") ") " \
	" ORDER BY c.bucket NULLS FIRST, c.noun, c.id LIMIT $7"
#define NEWS_TYPES UUIDARRAYOID, XID8OID, XID8ARRAYOID, UUIDOID, TEXTOID, UUIDOID, INT4OID

static KnStatement news_of_person =
	KN_READ(KN_AS_SYSTEM, NEWS_OF_AUDIENCE NEWS_PAGE, NEWS_TYPES);

#define CASE "principal, bucket"
#define MEMBER_OF_NEWS \
	"CROSS JOIN LATERAL (SELECT k.bucket, k.revoked FROM kintaraa.member k " \
	"  WHERE k.principal = n.principal AND k.bucket = n.bucket LIMIT 1) AS m "
#define HELPED(among_, x_) \
	among_("bucket, revoked", "member", "relation IN ('helper', 'reporter') AND principal", x_)

static KnStatement news_of_team = KN_READ(
	KN_AS_SYSTEM,
	NEWS_OF_AUDIENCE
	"  UNION SELECT c.bucket, c.noun, c.id, c.deleted FROM ("
	"    SELECT g.bucket, pg_catalog.bool_or(g.fresh) AS fresh FROM ("
	"      SELECT m.bucket, m.revoked, false FROM " AMONG(CASE, "case_news", "principal", "x")
	MEMBER_OF_NEWS
	"      UNION ALL SELECT m.bucket, m.revoked, false "
	"        FROM " AMONG_OPEN(CASE, "case_news", "principal", "x")
	MEMBER_OF_NEWS
	"      UNION ALL SELECT n.bucket, n.revoked, true FROM " HELPED(AMONG, "gx")
	"      UNION ALL SELECT n.bucket, n.revoked, true FROM " HELPED(AMONG_OPEN, "gx")
	"      ) AS g (bucket, revoked, fresh) WHERE NOT g.revoked GROUP BY 1) AS g "
	"   CROSS JOIN LATERAL (SELECT s.bucket, s.noun, s.id, s.deleted FROM kintaraa.change s "
	"     WHERE s.bucket = g.bucket AND (g.fresh OR " IS_NEW("s.x") ") OFFSET 0) AS c "
	NEWS_PAGE,
	NEWS_TYPES);

/* Cases that the caller's team may see no more. */
static KnStatement left_by_team = KN_READ(
	KN_AS_SYSTEM,
	"SELECT l.bucket FROM (SELECT n.bucket, n.revoked FROM " HELPED(AMONG, "gx")
	"   UNION SELECT n.bucket, n.revoked FROM " HELPED(AMONG_OPEN, "gx") ") AS l "
	" WHERE l.revoked AND NOT EXISTS (SELECT FROM kintaraa.member k WHERE k.principal = ANY ($1) "
	"                                  AND k.bucket = l.bucket AND NOT k.revoked)",
	UUIDARRAYOID, XID8OID, XID8ARRAYOID);

static KnStatement lost = KN_READ(
	KN_AS_SYSTEM,
	"SELECT m.bucket FROM kintaraa.member m "
	" WHERE m.principal = ANY ($1) AND m.revoked AND " IS_NEW("m.gx")
	"   AND NOT EXISTS (SELECT FROM kintaraa.member k WHERE k.principal = ANY ($1) "
	"                    AND k.bucket = m.bucket AND NOT k.revoked)",
	UUIDARRAYOID, XID8OID, XID8ARRAYOID);

/* clang-format on */

static KnStatement select_acked = KN_READ(
	KN_AS_SYSTEM,
	"SELECT acked_tick FROM kintaraa.device WHERE account_id = $1 AND id = $2",
	UUIDOID, TEXTOID);

/* A conflict locks the row even when nothing is to be changed, which costs a transaction id. */
static KnStatement note_acked = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.device AS d (account_id, id, acked_tick) SELECT $1, $2, $3 "
	" WHERE NOT EXISTS (SELECT FROM kintaraa.device o WHERE o.account_id = $1 AND o.id = $2 "
	"         AND (o.acked_tick = $3 OR o.seen_at >= pg_catalog.now() - interval '1 minute')) "
	"ON CONFLICT (account_id, id) DO UPDATE SET acked_tick = EXCLUDED.acked_tick, "
	"   seen_at = pg_catalog.now()",
	UUIDOID, TEXTOID, INT8OID);

static KnStatement current_tag = KN_READ(
	KN_AS_SYSTEM, "SELECT tag::int8 FROM kintaraa.epoch WHERE last_tick IS NULL");

int
kn_pull_count_since(const KnCursor *since, int at_most)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_datum(&args, since->xmax, false);
	kn_arg_datum(&args, since->xip, false);
	kn_arg_int(&args, at_most);
	kn_run(&count_since, &args);
	rows = kn_rows();
	return kn_col_int(&rows, 0, 1, 0);
}

static void
args_since(KnArgs *args, const KnPull *pull)
{
	kn_arg_uuid_array(args, pull->caller->principals, pull->caller->n_principals);
	kn_arg_datum(args, pull->since.xmax, pull->first);
	kn_arg_datum(args, pull->since.xip, pull->first);
}

static void
add_rows(KnPull *pull, const KnRows *rows)
{
	for (uint64 i = 0; i < rows->n; i++)
	{
		pg_uuid_t bucket;
		pg_uuid_t id;

		kn_col_uuid(rows, i, 1, &bucket);
		kn_col_uuid(rows, i, 3, &id);
		kn_pull_add(pull, &bucket, kn_col_text(rows, i, 2), &id, kn_col_bool(rows, i, 4),
					"deleted");
	}
}

static void
add_lost(KnPull *pull, KnStatement *statement)
{
	KnArgs args = {0};
	KnRows rows;

	args_since(&args, pull);
	kn_run(statement, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t bucket;

		kn_col_uuid(&rows, i, 1, &bucket);
		kn_pull_add(pull, &bucket, "incident", &bucket, true, "access");
	}
}

static void
args_page(KnArgs *args, const KnPull *pull)
{
	kn_arg_uuid(args, &pull->page.bucket);
	kn_arg_text(args, pull->page.noun);
	kn_arg_uuid(args, &pull->page.id);
	kn_arg_int(args, pull->limit + 1);
}

static void
add_page(KnPull *pull, KnRows rows)
{
	pull->more = rows.n > (uint64) pull->limit;
	rows.n = Min(rows.n, (uint64) pull->limit);
	add_rows(pull, &rows);
	if (rows.n == 0)
		return;
	kn_col_uuid(&rows, rows.n - 1, 1, &pull->page.bucket);
	strlcpy(pull->page.noun, kn_col_text(&rows, rows.n - 1, 2), sizeof(pull->page.noun));
	kn_col_uuid(&rows, rows.n - 1, 3, &pull->page.id);
}

bool
kn_pull_news(KnPull *pull)
{
	bool is_team = pull->caller->n_principals > 1;
	KnArgs args = {0};
	KnRows rows;

	args_since(&args, pull);
	args_page(&args, pull);
	kn_run(is_team ? &news_of_team : &news_of_person, &args);
	rows = kn_rows();
	if (rows.n > 0 && kn_col_is_null(&rows, 0, 1))
		return false;
	add_page(pull, rows);
	if (is_team && !pull->has_page)
		add_lost(pull, &left_by_team);
	return true;
}

void
kn_pull_recent(KnPull *pull)
{
	KnArgs args = {0};
	KnRows rows;

	args_since(&args, pull);
	kn_run(&recent, &args);
	rows = kn_rows();
	add_rows(pull, &rows);
	add_lost(pull, &recently_lost);
}

void
kn_pull_scope(KnPull *pull)
{
	KnArgs args = {0};

	args_since(&args, pull);
	kn_arg_bool(&args, pull->first);
	args_page(&args, pull);
	kn_run(&scope, &args);
	add_page(pull, kn_rows());
	if (!pull->first && !pull->has_page)
		add_lost(pull, &lost);
}

int64
kn_pull_acked(const KnCaller *caller, const char *device)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &caller->account);
	kn_arg_text(&args, device);
	if (kn_run(&select_acked, &args) == 0)
		return 0;
	rows = kn_rows();
	return kn_col_bigint(&rows, 0, 1, 0);
}

void
kn_pull_note_acked(const KnCaller *caller, const char *device, int64 tick)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &caller->account);
	kn_arg_text(&args, device);
	kn_arg_bigint(&args, tick);
	kn_run(&note_acked, &args);
}

int64
kn_pull_current_tag(void)
{
	KnRows rows;

	if (kn_run0(&current_tag) == 0)
		return 0;
	rows = kn_rows();
	return kn_col_bigint(&rows, 0, 1, 0);
}
