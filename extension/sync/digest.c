/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  What a device should have, in brief: to find out that it has not.
 *
 * Called from SQL (doors sync_digest, sync_manifest).  A digest is, for each
 * noun, the number of records and the exclusive or of the first eight bytes of
 * SHA-256 of "noun/id/serverVersion", ids as the caller knows them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "base/errcodes.h"
#include "base/filter.h"
#include "base/spi.h"
#include "identity/door.h"
#include "sync/wire.h"
#include "trail/change.h"

/* clang-format off */
#define RECORDS \
	"WITH mine AS (SELECT DISTINCT m.bucket FROM kintaraa.member m " \
	"               WHERE m.principal = ANY ($1) AND NOT m.revoked " \
	"                 AND " KN_NOT_BARRED("m.bucket", "$1") "), " \
	"record AS (" \
	"  SELECT 'incident' AS noun, " \
	"         CASE WHEN i.owner_id = $2 THEN COALESCE(i.spelling, i.client_id) ELSE i.id::text END AS id, c.version " \
	"    FROM mine JOIN kintaraa.incident i ON i.id = mine.bucket AND i.deleted_at IS NULL " \
	"   CROSS JOIN " KN_STAMP_OF("i.id", "'incident'", "i.id") \
	"  UNION ALL SELECT 'note', " \
	"         CASE WHEN n.author_id = $2 THEN COALESCE(n.spelling, n.client_id) ELSE n.id::text END, c.version " \
	"    FROM mine JOIN kintaraa.note n ON n.bucket = mine.bucket AND n.provider_id = ANY ($1) " \
	"   CROSS JOIN " KN_STAMP_OF("n.bucket", "'note'", "n.id") \
	"  UNION ALL SELECT 'assignment', a.id::text, c.version " \
	"    FROM kintaraa.assignment a CROSS JOIN " KN_STAMP_OF("a.provider_id", "'assignment'", "a.id") \
	"   WHERE a.provider_id = ANY ($1) AND " KN_NOT_BARRED("a.incident_bucket", "$1") \
	"  UNION ALL SELECT 'notification', n.id::text, c.version " \
	"    FROM kintaraa.notification n CROSS JOIN " \
	KN_STAMP_OF("n.account_id", "'notification'", "n.id") \
	"   WHERE n.account_id = $2 AND " KN_NOT_BARRED("n.bucket", "$1") \
	"  UNION ALL SELECT 'account', c.id::text, c.version FROM kintaraa.change c " \
	"     WHERE c.bucket = $2 AND c.noun = 'account' AND c.id = $2 " \
	"  UNION ALL SELECT p.noun, COALESCE(p.spelling, p.client_id), c.version " \
	"    FROM kintaraa.personal p CROSS JOIN " KN_STAMP_OF("p.owner_id", "p.noun", "p.id") \
	"   WHERE p.owner_id = $2 AND p.deleted_at IS NULL) "
/* clang-format on */

static KnStatement select_digest = KN_READ(
	KN_AS_SYSTEM,
	RECORDS
	"SELECT r.noun, pg_catalog.count(*)::int8, "
	"       pg_catalog.to_hex(pg_catalog.bit_xor((('x' || pg_catalog.substr(pg_catalog.encode("
	"         pg_catalog.sha256(pg_catalog.convert_to(r.noun || '/' || r.id || '/' || r.version, "
	"         'UTF8')), 'hex'), 1, 16))::bit(64))::bigint)) "
	"  FROM record r GROUP BY 1 ORDER BY 1",
	UUIDARRAYOID, UUIDOID);

static KnStatement select_manifest = KN_READ(
	KN_AS_SYSTEM,
	RECORDS
	"SELECT r.id, r.version FROM record r WHERE r.noun = $3 AND ($4 IS NULL OR r.id > $4) "
	" ORDER BY r.id LIMIT $5",
	UUIDARRAYOID, UUIDOID, TEXTOID, TEXTOID, INT4OID);

#define MANIFEST_MAX 2000

static void note_shown(KnCall *call, const KnRows *rows, uint64 n);

/* GET /sync/digest -> {"nouns":{noun:{"count","hash"}}} */
static void
sync_digest(KnCall *call)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_arg_uuid(&args, &call->caller->account);
	kn_run(&select_digest, &args);
	rows = kn_rows();
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "nouns");
	kn_json_open(&call->json, '{');
	for (uint64 i = 0; i < rows.n; i++)
	{
		kn_json_key(&call->json, kn_col_text(&rows, i, 1));
		kn_json_open(&call->json, '{');
		kn_json_pair_int(&call->json, "count", kn_col_bigint(&rows, i, 2, 0));
		kn_json_pair_text(&call->json, "hash", kn_col_text(&rows, i, 3));
		kn_json_close(&call->json, '}');
	}
	kn_json_close(&call->json, '}');
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_digest, sync_digest, KN_ROLE_ANY, KN_DOOR_READS,
		"GET /sync/digest: number and hash of what the caller should have, by noun.");

/* GET /sync/manifest ?noun &after -> {"items":[{"id","serverVersion"}],"next"} */
static void
sync_manifest(KnCall *call)
{
	static const KnFilter filters[] = {{"noun", NULL}, {"after", NULL}, KN_FILTER_END};
	char *noun = kn_query_text(call->query, "noun");
	KnArgs args = {0};
	KnRows rows;
	uint64 n;

	kn_filters_check(call->query, filters);
	if (noun == NULL || kn_wire_by_noun(noun) == NULL)
		kn_input_error(ERRCODE_KN_QUERY, "noun", "the noun is not one that is synced",
					   "Send a noun of the digest.");
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, noun);
	kn_arg_text(&args, kn_query_text(call->query, "after"));
	kn_arg_int(&args, MANIFEST_MAX + 1);
	kn_run(&select_manifest, &args);
	rows = kn_rows();
	n = Min(rows.n, MANIFEST_MAX);
	call->noun = noun;
	note_shown(call, &rows, n);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < n; i++)
	{
		kn_json_open(&call->json, '{');
		kn_json_pair_text(&call->json, "id", kn_col_text(&rows, i, 1));
		kn_json_pair_int(&call->json, "serverVersion", kn_col_bigint(&rows, i, 2, 0));
		kn_json_close(&call->json, '}');
	}
	kn_json_close(&call->json, ']');
	kn_json_pair_text(&call->json, "next", rows.n > n ? kn_col_text(&rows, n - 1, 1) : NULL);
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_manifest, sync_manifest, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /sync/manifest: ids and versions of a noun. Query: noun, after.");

/* Of staff, what is of cases; an id that is no UUID is one that the caller's phone made. */
static void
note_shown(KnCall *call, const KnRows *rows, uint64 n)
{
	static const char *const of_cases[] = {"incident", "note", "assignment", NULL};

	call->unaudited =
		call->caller->role == KN_ROLE_SURVIVOR || !kn_choice_has(of_cases, call->noun);
	for (uint64 i = 0; i < n && !call->unaudited; i++)
	{
		pg_uuid_t id;

		if (kn_uuid_parse(kn_col_text(rows, i, 1), &id))
			kn_call_shown(call, &id, 1);
	}
}
