/*-------------------------------------------------------------------------
 *
 * audit_list.c
 *	  The trail, page by page, for whoever has to answer for it.
 *
 * Called from SQL (door audit_list).  Pages equal the table: by key, without a
 * silent cap.  Looking at the trail is itself an entry in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "access/barred.h"
#include "base/errcodes.h"
#include "base/filter.h"
#include "base/limits.h"
#include "base/spi.h"
#include "identity/door.h"
#include "keys/keystore.h"

#define OWNER_ACTS_MAX 1000

static void render_owner_acts(KnCall *call, const pg_uuid_t *target);
static void render_actor(KnJson *json, bytea *actor);
static void render_entry(KnJson *json, const KnRows *rows, uint64 row);
static void check_action(const char *action);
static int64 page_key(KnCall *call);

/* clang-format off */
/*
 * What survivors did to their cases is not among these: beside the clock of
 * everybody else's entries it would tell which cases are of one of them.
 */
static KnStatement select_entries = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.n, a.at, a.action, a.outcome, a.code, a.actor, a.actor_role, a.noun, a.target, "
	"       a.fields, a.request, "
	"       ARRAY(SELECT t FROM pg_catalog.unnest(a.targets) AS t "
	"              WHERE t NOT IN (" KN_OF_BARRED_CASES("$7") ")) "
	"  FROM kintaraa.audit a "
	" WHERE a.n < $1 AND ($2 IS NULL OR a.target = $2 OR a.targets @> ARRAY[$2]) "
	"   AND ($3 IS NULL OR a.actor = $3) "
	"   AND ($4 IS NULL OR a.action = $4) AND ($5 IS NULL OR a.outcome = $5) "
	"   AND (a.target IS NULL OR (a.actor_role IS DISTINCT FROM 'survivor' "
	"                             AND a.target NOT IN (" KN_OF_BARRED_CASES("$7") "))) "
	"   AND ($2 IS NULL OR $2 NOT IN (" KN_OF_BARRED_CASES("$7") ")) "
	" ORDER BY a.n DESC LIMIT $6",
	INT8OID, UUIDOID, BYTEAOID, TEXTOID, TEXTOID, INT4OID, UUIDARRAYOID);

/* What a survivor did to one case, by days that are over: the hour would tell of her other cases. */
static KnStatement select_owner_acts = KN_READ(
	KN_AS_SYSTEM,
	"SELECT (a.at AT TIME ZONE 'UTC')::date::text, a.action, a.outcome, a.code, a.actor, "
	"       pg_catalog.count(*)::int4 "
	"  FROM kintaraa.audit a "
	" WHERE a.target = $1 AND a.actor_role = 'survivor' "
	"   AND a.at < pg_catalog.date_trunc('day', pg_catalog.now(), 'UTC') "
	"   AND a.target NOT IN (" KN_OF_BARRED_CASES("$2") ") "
	" GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 DESC, 2, 3, 4, 5 LIMIT " CppAsString2(OWNER_ACTS_MAX),
	UUIDOID, UUIDARRAYOID);
/* clang-format on */

/* What leaves entries: doors, and functions for superusers of the same name as their entry. */
static KnStatement select_action = KN_READ(
	KN_AS_SYSTEM,
	"SELECT pg_catalog.string_agg(p.proname, ', ' ORDER BY p.proname) "
	"         FILTER (WHERE s.nspname = 'kintaraa_api'), "
	"       pg_catalog.bool_or(p.proname = $1) "
	"  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace "
	" WHERE s.nspname IN ('kintaraa', 'kintaraa_api')",
	TEXTOID);

/*
 * GET /admin/audit ?target &account &action &outcome &limit &after
 * -> {"items","next"}, with a target also {"ownerActs"}
 */
static void
audit_list(KnCall *call)
{
	static const char *const outcomes[] = {"ok", "created", "accepted", "none", "conflict", "gone",
										   "malformed", "unknown", "refused", "absent", "stale",
										   "slow_down", NULL};
	static const KnFilter filters[] = {{"target", NULL},
									   {"account", NULL},
									   {"action", NULL},
									   {"outcome", outcomes},
									   KN_FILTER_PAGE,
									   KN_FILTER_END};
	int limit = kn_query_int(call->query, "limit", 1, KN_LIST_MAX, KN_LIST_DEFAULT);
	KnArgs args = {0};
	pg_uuid_t target;
	pg_uuid_t account;
	bool has_target = kn_query_uuid(call->query, "target", &target);
	bool has_account = kn_query_uuid(call->query, "account", &account);
	KnRows rows;
	int64 last = 0;

	call->noun = "audit";
	kn_filters_check(call->query, filters);
	check_action(kn_query_text(call->query, "action"));
	kn_arg_bigint(&args, page_key(call));
	kn_arg_uuid(&args, has_target ? &target : NULL);
	kn_arg_bytea(&args, has_account ? kn_pseudonym(&account) : NULL);
	kn_arg_text(&args, kn_query_text(call->query, "action"));
	kn_arg_text(&args, kn_query_text(call->query, "outcome"));
	kn_arg_int(&args, limit + 1);
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_run(&select_entries, &args);
	rows = kn_rows();
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < Min(rows.n, (uint64) limit); i++)
	{
		render_entry(&call->json, &rows, i);
		last = kn_col_bigint(&rows, i, 1, 0);
	}
	kn_json_close(&call->json, ']');
	kn_json_pair_text(&call->json, "next",
					  rows.n > (uint64) limit ? psprintf(INT64_FORMAT, last) : NULL);
	if (has_target)
		render_owner_acts(call, &target);
	kn_json_close(&call->json, '}');
}
KN_DOOR(audit_list, audit_list, KN_ROLE_ADMIN, KN_DOOR_READS | KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"GET /admin/audit: the trail, newest first. Query: target, account, action, outcome, "
		"limit, after.");

static void
check_action(const char *action)
{
	KnArgs args = {0};
	KnRows rows;

	if (action == NULL)
		return;
	kn_arg_text(&args, action);
	kn_run(&select_action, &args);
	rows = kn_rows();
	if (!kn_col_bool(&rows, 0, 2))
		kn_input_error(ERRCODE_KN_QUERY, "action", "no door and no function has that name",
					   psprintf("Send one of: %s.", kn_col_text(&rows, 0, 1)));
}

static int64
page_key(KnCall *call)
{
	char *text = kn_query_text(call->query, "after");
	char *end;
	int64 key;

	if (text == NULL)
		return PG_INT64_MAX;
	errno = 0;
	key = strtoll(text, &end, 10);
	if (errno != 0 || *text == '\0' || *end != '\0' || key <= 0)
		kn_input_error(ERRCODE_KN_QUERY, "after", "the page key is not one of ours",
					   "Send the next of the page before, or leave it out.");
	return key;
}

static void
render_owner_acts(KnCall *call, const pg_uuid_t *target)
{
	static const char *const keys[] = {"day", "action", "outcome", "code"};
	KnJson *json = &call->json;
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, target);
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_run(&select_owner_acts, &args);
	rows = kn_rows();
	kn_json_key(json, "ownerActs");
	kn_json_open(json, '[');
	for (uint64 i = 0; i < rows.n; i++)
	{
		kn_json_open(json, '{');
		for (int k = 0; k < lengthof(keys); k++)
			kn_json_pair_text(json, keys[k], kn_col_text(&rows, i, 1 + k));
		render_actor(json, kn_col_bytea(&rows, i, 5));
		kn_json_pair_int(json, "count", kn_col_int(&rows, i, 6, 0));
		kn_json_close(json, '}');
	}
	kn_json_close(json, ']');
}

static void
render_actor(KnJson *json, bytea *actor)
{
	char hex[64] = "";

	for (int i = 0; actor && i < Min(VARSIZE_ANY_EXHDR(actor), 16); i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char) VARDATA_ANY(actor)[i]);
	kn_json_pair_text(json, "actor", actor ? hex : NULL);
}

static void
render_entry(KnJson *json, const KnRows *rows, uint64 row)
{
	static const char *const texts[] = {"action", "outcome", "code"};
	pg_uuid_t target;
	bool has_target = kn_col_uuid(rows, row, 9, &target);
	bool is_null;
	ArrayType *targets = DatumGetArrayTypeP(kn_col(rows, row, 12, &is_null));

	kn_json_open(json, '{');
	kn_json_pair_int(json, "n", kn_col_bigint(rows, row, 1, 0));
	kn_json_pair_time(json, "at", kn_col_time(rows, row, 2));
	for (int i = 0; i < lengthof(texts); i++)
		kn_json_pair_text(json, texts[i], kn_col_text(rows, row, 3 + i));
	render_actor(json, kn_col_bytea(rows, row, 6));
	kn_json_pair_text(json, "actorRole", kn_col_text(rows, row, 7));
	kn_json_pair_text(json, "noun", kn_col_text(rows, row, 8));
	kn_json_pair_uuid(json, "target", has_target ? &target : NULL);
	kn_json_key(json, "targets");
	kn_json_open(json, '[');
	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(targets), ARR_DIMS(targets)); i++)
		kn_json_uuid(json, (pg_uuid_t *) ARR_DATA_PTR(targets) + i);
	kn_json_close(json, ']');
	kn_json_pair_text(json, "fields", kn_col_text(rows, row, 10));
	kn_json_pair_text(json, "requestId", kn_col_text(rows, row, 11));
	kn_json_close(json, '}');
}
