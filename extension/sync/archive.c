/*-------------------------------------------------------------------------
 *
 * archive.c
 *	  What was sent and did not win, for its author and for supervisors.
 *
 * Called from SQL (door archive_list).  Authors read back their own words;
 * administrators see what was parked because its author had lost the case.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "base/spi.h"
#include "identity/door.h"
#include "identity/page.h"
#include "identity/subject.h"
#include "records/archive.h"
#include "records/record.h"

#define NOT_BARRED KN_NOT_BARRED("a.bucket", "$7")

static KnStatement select_page = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.id, a.owner_id, a.noun, a.row_id_sealed, a.reason, a.base_version, a.at, "
	"       a.payload_sealed "
	"  FROM kintaraa.archive a "
	" WHERE (($2 AND a.reason = 'scope') OR a.owner_id = $1) "
	"   AND ($3 IS NULL OR a.reason = $3) AND (a.at, a.id) < ($4, $5) "
	"   AND " NOT_BARRED
	" ORDER BY a.at DESC, a.id DESC LIMIT $6",
	UUIDOID, BOOLOID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID, UUIDARRAYOID);

static void render(KnJson *json, const KnRows *rows, uint64 row);

/* GET /sync/archive ?reason &limit &after -> {"items","next"} */
static void
archive_list(KnCall *call)
{
	static const KnFilter filters[] = {
		{"reason", kn_archive_reasons}, KN_FILTER_PAGE, KN_FILTER_END};
	int limit = kn_page_limit(call);
	KnPage page = kn_page_after(call);
	bool supervises = call->caller->role == KN_ROLE_ADMIN;
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t last = {0};
	TimestampTz last_at = 0;

	call->noun = "archive";
	kn_filters_check(call->query, filters);
	call->unaudited = !supervises;
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_bool(&args, supervises);
	kn_arg_text(&args, kn_query_text(call->query, "reason"));
	kn_arg_before(&args, page.at, &page.id);
	kn_arg_int(&args, limit + 1);
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_run(&select_page, &args);
	rows = kn_rows();
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < Min(rows.n, (uint64) limit); i++)
	{
		render(&call->json, &rows, i);
		kn_col_uuid(&rows, i, 1, &last);
		if (supervises)
			kn_call_shown(call, &last, 1);
		last_at = kn_col_time(&rows, i, 7);
	}
	kn_json_close(&call->json, ']');
	kn_page_next(call, rows.n > (uint64) limit, last_at, &last);
	kn_json_close(&call->json, '}');
}
KN_DOOR(archive_list, archive_list, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /sync/archive: what was sent and did not win. Query: reason, limit, after.");

static void
render(KnJson *json, const KnRows *rows, uint64 row)
{
	KnSubject subject;
	pg_uuid_t id;
	pg_uuid_t owner;
	char *payload;
	char *row_id;

	kn_col_uuid(rows, row, 1, &id);
	kn_col_uuid(rows, row, 2, &owner);
	kn_account_subject(&owner, &subject);
	payload = kn_unseal(&subject, "archive.payload", &id, kn_col_bytea(rows, row, 8));
	row_id = kn_unseal(&subject, "archive.row_id", &id, kn_col_bytea(rows, row, 4));
	kn_subject_forget(&subject);
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "archiveId", &id);
	kn_json_pair_text(json, "noun", kn_col_text(rows, row, 3));
	kn_json_pair_text(json, "id", row_id ? row_id : "");
	kn_json_pair_text(json, "reason", kn_col_text(rows, row, 5));
	kn_json_key(json, "baseVersion");
	if (kn_col_is_null(rows, row, 6))
		kn_json_null(json);
	else
		kn_json_int(json, kn_col_bigint(rows, row, 6, 0));
	kn_json_pair_time(json, "at", kn_col_time(rows, row, 7));
	kn_json_key(json, "data");
	if (payload)
		kn_json_raw(json, payload, strlen(payload));
	else
		kn_json_null(json);
	kn_json_close(json, '}');
}
