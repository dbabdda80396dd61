/*-------------------------------------------------------------------------
 *
 * admin.c
 *	  What administrators do with accounts: list them, switch them off.
 *
 * Called from SQL (schema kintaraa_api).  Who a survivor is stays closed to
 * administrators: of her account they see that it exists.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/errcodes.h"
#include "base/filter.h"
#include "base/limits.h"
#include "identity/account_store.h"
#include "identity/door.h"
#include "identity/known_device.h"
#include "identity/session_store.h"

static void list(KnCall *call);
static bool read_cursor(KnCall *call, TimestampTz *before, pg_uuid_t *before_id);
static void write_row(KnJson *json, const KnRows *rows, uint64 row);
static void write_staff(KnJson *json, const pg_uuid_t *id);
static void deactivate(KnCall *call);

KN_DOOR(account_list, list, KN_ROLE_ADMIN, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /admin/accounts: a page of accounts, newest first. Query: role, limit, after.");
KN_DOOR(account_deactivate, deactivate, KN_ROLE_ADMIN, KN_DOOR_AUDITED,
		"POST /admin/accounts/{id}/deactivate: switches an account off and ends its "
		"sessions. Path: id.");

static void
list(KnCall *call)
{
	static const char *const roles[] = {"survivor", "provider", "dispatcher", "admin", "analyst",
										NULL};
	static const KnFilter filters[] = {{"role", roles}, KN_FILTER_PAGE, KN_FILTER_END};
	KnJson *json = &call->json;
	int limit = kn_query_int(call->query, "limit", 1, KN_LIST_MAX, KN_LIST_DEFAULT);
	char *role = kn_query_text(call->query, "role");
	TimestampTz before = 0;
	pg_uuid_t before_id;
	bool goes_on = read_cursor(call, &before, &before_id);
	KnRows rows;
	char *next = NULL;

	kn_filters_check(call->query, filters);
	call->noun = "account";
	rows = kn_account_page(role, before, goes_on ? &before_id : NULL, limit + 1);
	kn_json_open(json, '{');
	kn_json_key(json, "items");
	kn_json_open(json, '[');
	for (uint64 i = 0; i < Min(rows.n, (uint64) limit); i++)
		write_row(json, &rows, i);
	kn_json_close(json, ']');
	if (rows.n > (uint64) limit)
	{
		kn_col_uuid(&rows, limit - 1, 1, &before_id);
		next = psprintf(INT64_FORMAT ".%s", kn_col_time(&rows, limit - 1, 4),
						kn_uuid_text(&before_id));
	}
	kn_json_pair_text(json, "next", next);
	kn_json_close(json, '}');
}

/* The last row of the page before: microseconds of its creation, and its id. */
static bool
read_cursor(KnCall *call, TimestampTz *before, pg_uuid_t *before_id)
{
	char *text = kn_query_text(call->query, "after");
	char *end;

	if (text == NULL)
		return false;
	errno = 0;
	*before = strtoi64(text, &end, 10);
	if (errno != 0 || end == text || *end != '.' || !IS_VALID_TIMESTAMP(*before) || *before == 0 ||
		!kn_uuid_parse(end + 1, before_id))
		kn_input_error(ERRCODE_KN_QUERY, "after", "a query parameter is not a place in this list",
					   "Send what next was in the page before.");
	return true;
}

static void
write_row(KnJson *json, const KnRows *rows, uint64 row)
{
	char *role = kn_col_text(rows, row, 2);
	pg_uuid_t id;
	pg_uuid_t provider;

	kn_col_uuid(rows, row, 1, &id);
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "id", &id);
	kn_json_pair_text(json, "role", role);
	kn_json_pair_bool(json, "isActive", kn_col_bool(rows, row, 3));
	kn_json_pair_time(json, "createdAt", kn_col_time(rows, row, 4));
	if (kn_role_parse(role) != KN_ROLE_SURVIVOR)
	{
		if (kn_col_uuid(rows, row, 5, &provider))
			kn_json_pair_uuid(json, "providerId", &provider);
		write_staff(json, &id);
	}
	kn_json_close(json, '}');
}

static void
write_staff(KnJson *json, const pg_uuid_t *id)
{
	KnAccount account = {0};

	if (!kn_account_find(id, false, &account))
		return;
	kn_json_pair_text(json, "email", account.email);
	kn_json_pair_text(json, "firstName", account.first_name);
	kn_json_pair_text(json, "lastName", account.last_name);
}

/*
 * What the account was the last to work on is searched for anew by a trigger, in
 * this transaction: identity knows no case.
 * The administrators and dispatchers are locked and counted first: two who switch
 * each other off at once must not leave the installation without any.  For
 * dispatchers a trigger sees to it in psql as well.
 */
static void
deactivate(KnCall *call)
{
	KnAccount account = {0};
	KnStaffCount left;
	pg_uuid_t id;

	kn_call_path_uuid(call, 0, &id);
	kn_call_target(call, "account", &id);
	call->outcome = KN_NONE;
	if (kn_uuid_equal(&id, &call->caller->account))
		kn_refuse(ERRCODE_KN_OWN_ACCOUNT, "nobody deactivates the own account",
				  "Ask another administrator.");
	left = kn_account_lock_last();
	if (!kn_account_find(&id, true, &account))
		kn_refuse_absent();
	if (!account.is_active)
		return;
	if (account.role == KN_ROLE_ADMIN && left.admins < 2)
		kn_refuse(ERRCODE_KN_LAST_ADMIN, "the last administrator stays",
				  "Invite another administrator first.");
	if (account.role == KN_ROLE_DISPATCHER && left.dispatchers < 2)
		kn_refuse(ERRCODE_KN_LAST_ADMIN, "the last dispatcher stays",
				  "Invite another dispatcher first.");
	kn_account_switch_off(&id);
	kn_session_end_others(&id, NULL);
	kn_known_device_end_all(&id);
}
