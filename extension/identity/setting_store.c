/*-------------------------------------------------------------------------
 *
 * setting_store.c
 *	  The rows of settings and of policies.
 *
 * Called by setting.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/lock.h"
#include "identity/setting_store.h"

static KnStatement list_settings = KN_READ(
	KN_AS_SYSTEM,
	"SELECT name, value, help, updated_at FROM kintaraa.setting WHERE $1 IS NULL OR name = $1 "
	" ORDER BY name",
	TEXTOID);

static KnStatement write_setting = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.setting SET value = $2, updated_by = $3, updated_at = pg_catalog.now() "
	" WHERE name = $1 AND value <> $2",
	TEXTOID, JSONBOID, UUIDOID);

static KnStatement find_policy = KN_READ(
	KN_AS_SYSTEM,
	"SELECT version, body, created_at FROM kintaraa.policy WHERE kind = $1 "
	" ORDER BY version DESC LIMIT 1",
	TEXTOID);

static KnStatement insert_policy = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.policy (kind, version, body, created_by) VALUES ($1, $2, $3, $4) "
	"RETURNING created_at",
	TEXTOID, INT4OID, JSONBOID, UUIDOID);

static KnStatement check_policy = KN_READ(
	KN_AS_SYSTEM,
	"SELECT kintaraa.policy_check($1, $2)",
	TEXTOID, JSONBOID);

KnRows
kn_setting_list(const char *name)
{
	KnArgs args = {0};

	kn_arg_text(&args, name);
	kn_run(&list_settings, &args);
	return kn_rows();
}

void
kn_setting_write(const char *name, Jsonb *value, const pg_uuid_t *by)
{
	KnArgs args = {0};

	kn_arg_text(&args, name);
	kn_arg_datum(&args, JsonbPGetDatum(value), false);
	kn_arg_uuid(&args, by);
	kn_run(&write_setting, &args);
}

bool
kn_policy_find(const char *kind, KnPolicy *out)
{
	KnArgs args = {0};
	KnRows rows;
	bool is_null;

	kn_arg_text(&args, kind);
	if (kn_run(&find_policy, &args) == 0)
		return false;
	rows = kn_rows();
	out->version = kn_col_int(&rows, 0, 1, 0);
	out->body = DatumGetJsonbP(kn_col(&rows, 0, 2, &is_null));
	out->created_at = kn_col_time(&rows, 0, 3);
	return true;
}

void
kn_policy_lock(void)
{
	kn_lock(KN_LOCK_POLICY);
}

void
kn_policy_insert(const char *kind, KnPolicy *policy, const pg_uuid_t *by)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_text(&args, kind);
	kn_arg_int(&args, policy->version);
	kn_arg_datum(&args, JsonbPGetDatum(policy->body), false);
	kn_arg_uuid(&args, by);
	kn_run(&insert_policy, &args);
	rows = kn_rows();
	policy->created_at = kn_col_time(&rows, 0, 1);
}

void
kn_policy_check(const char *kind, Jsonb *body)
{
	KnArgs args = {0};

	kn_arg_text(&args, kind);
	kn_arg_datum(&args, JsonbPGetDatum(body), false);
	kn_run(&check_policy, &args);
}
