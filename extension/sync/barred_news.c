/*-------------------------------------------------------------------------
 *
 * barred_news.c
 *	  That a case is gone for somebody who was barred from it.
 *
 * Called by pull.c and news.c.  A bar is news once, to those who knew of the
 * case; from then on nothing of it is, whatever becomes of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "sync/news_store.h"
#include "sync/pull.h"

/* clang-format off */
static KnStatement select_lost = KN_READ(
	KN_AS_SYSTEM,
	"WITH lost AS (SELECT DISTINCT r.bucket FROM (" KN_BARRED_SINCE("$2", "$3") ") r "
	"               WHERE r.principal = ANY ($1) AND " KN_KNEW_CASE("= ANY ($1)") ") "
	"SELECT l.bucket, 'incident', l.bucket FROM lost l "
	"UNION ALL SELECT a.provider_id, 'assignment', a.id FROM lost l "
	"  JOIN kintaraa.assignment a ON a.incident_bucket = l.bucket AND a.provider_id = ANY ($1) "
	"UNION ALL SELECT n.bucket, 'note', n.id FROM lost l "
	"  JOIN kintaraa.note n ON n.bucket = l.bucket AND n.provider_id = ANY ($1)",
	UUIDARRAYOID, XID8OID, XID8ARRAYOID);

static KnStatement barred_readers = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT r.bucket, pg_catalog.array_agg(DISTINCT s.id) "
	"  FROM (" KN_BARRED_SINCE("$3", "$4") ") r "
	"  CROSS JOIN LATERAL (SELECT s.id FROM kintaraa.subscription s WHERE s.gateway = $1 "
	"     AND s.principal = r.principal AND NOT s.pokes AND ($2 IS NULL OR s.id = $2) OFFSET 0) s "
	" WHERE " KN_READER_KNEW " GROUP BY r.bucket",
	UUIDOID, INT8OID, XID8OID, XID8ARRAYOID);
/* clang-format on */

void
kn_pull_barred(KnPull *pull)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid_array(&args, pull->caller->principals, pull->caller->n_principals);
	kn_arg_datum(&args, pull->since.xmax, false);
	kn_arg_datum(&args, pull->since.xip, false);
	kn_run(&select_lost, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t bucket;
		pg_uuid_t id;

		kn_col_uuid(&rows, i, 1, &bucket);
		kn_col_uuid(&rows, i, 3, &id);
		kn_pull_add(pull, &bucket, kn_col_text(&rows, i, 2), &id, true, "access");
	}
}

void
kn_news_tell_barred(KnNews *news, const KnCursor *since)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, news->gateway);
	kn_arg_datum(&args, Int64GetDatum(news->only), news->only == 0);
	kn_arg_datum(&args, since->xmax, false);
	kn_arg_datum(&args, since->xip, false);
	kn_run(&barred_readers, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		ArrayType *ids = kn_news_ids(&rows, i, 2);
		pg_uuid_t incident;
		KnFrame *frame;

		if (ids == NULL || !kn_col_uuid(&rows, i, 1, &incident))
			continue;
		frame = kn_news_frame(news, "scope.changed", since->newest, ids);
		kn_json_pair_uuid(&frame->json, "incidentId", &incident);
		kn_json_pair_text(&frame->json, "access", "revoked");
	}
}
