/*-------------------------------------------------------------------------
 *
 * pull_store.c
 *	  Rows that a pull is made of.
 *
 * Called by pull.c.  When little changed anywhere since the cursor, the index
 * on x leads to it and membership filters; otherwise the caller's own buckets
 * are read by primary key.  Either way the cost does not depend on the size of
 * the tables.  Reads run as the system: scope is in every WHERE.
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

static KnStatement scope = KN_READ(
	KN_AS_SYSTEM,
	"WITH mine AS (SELECT s.bucket, pg_catalog.bool_or(s.fresh) AS fresh FROM ("
	"    SELECT m.bucket, $4 OR " IS_NEW("m.gx") " AS fresh FROM kintaraa.member m "
	"     WHERE m.principal = ANY ($1) AND NOT m.revoked AND m.bucket >= $5 "
	"    UNION ALL SELECT p, $4 FROM pg_catalog.unnest($1) AS p WHERE p >= $5) s GROUP BY 1) "
	"SELECT c.bucket, c.noun, c.id, c.deleted FROM mine JOIN kintaraa.change c "
	"    ON c.bucket = mine.bucket AND (mine.fresh OR " IS_NEW("c.x") ") "
	" WHERE (c.bucket, c.noun, c.id) > ($5, $6, $7) AND NOT ($4 AND c.deleted) "
	"   AND " NOT_BARRED("c.bucket")
	" ORDER BY c.bucket, c.noun, c.id LIMIT $8",
	UUIDARRAYOID, XID8OID, XID8ARRAYOID, BOOLOID, UUIDOID, TEXTOID, UUIDOID, INT4OID);

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

void
kn_pull_recent(KnPull *pull)
{
	KnArgs args = {0};
	KnRows rows;

	args_since(&args, pull);
	kn_run(&recent, &args);
	rows = kn_rows();
	add_rows(pull, &rows);
	kn_run(&recently_lost, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t bucket;

		kn_col_uuid(&rows, i, 1, &bucket);
		kn_pull_add(pull, &bucket, "incident", &bucket, true, "access");
	}
}

void
kn_pull_scope(KnPull *pull)
{
	KnArgs args = {0};
	KnRows rows;

	args_since(&args, pull);
	kn_arg_bool(&args, pull->first);
	kn_arg_uuid(&args, &pull->page.bucket);
	kn_arg_text(&args, pull->page.noun);
	kn_arg_uuid(&args, &pull->page.id);
	kn_arg_int(&args, pull->limit + 1);
	kn_run(&scope, &args);
	rows = kn_rows();
	pull->more = rows.n > (uint64) pull->limit;
	rows.n = Min(rows.n, (uint64) pull->limit);
	add_rows(pull, &rows);
	if (rows.n > 0)
	{
		kn_col_uuid(&rows, rows.n - 1, 1, &pull->page.bucket);
		strlcpy(pull->page.noun, kn_col_text(&rows, rows.n - 1, 2), sizeof(pull->page.noun));
		kn_col_uuid(&rows, rows.n - 1, 3, &pull->page.id);
	}
	if (pull->first || pull->has_page)
		return;
	args.n = 3;
	kn_run(&lost, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t bucket;

		kn_col_uuid(&rows, i, 1, &bucket);
		kn_pull_add(pull, &bucket, "incident", &bucket, true, "access");
	}
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
