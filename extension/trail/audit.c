/*-------------------------------------------------------------------------
 *
 * audit.c
 *	  The audit entry, written in the caller's own transaction.
 *
 * Called by the door for acts, protected reads and refusals.  Entries are not
 * chained here: a chain needs a lock that would be held over the commit's
 * flush.  seal.c seals them in batches.  No value of any field is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/spi.h"
#include "keys/keystore.h"
#include "trail/audit.h"

static bool is_thread(const KnAuditEntry *entry);
static bytea *pseudonym_of(const KnAuditEntry *entry);
static bool has_table(void);
static void note_keyring(const char *action);

/*
 * After a restore into another server transaction ids begin anew.  An entry
 * written before the worker has seen that belongs to the epoch it will begin.
 */
static KnStatement insert_entry = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.audit "
	"(action, outcome, code, actor, actor_role, noun, target, fields, request, targets, epoch) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $12, "
	"  COALESCE((SELECT CASE WHEN e.system = $10 AND e.database = $11 THEN e.tag "
	"                        ELSE e.tag + 1 END "
	"              FROM kintaraa.epoch e WHERE e.last_tick IS NULL), 1))",
	TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, INT8OID,
	OIDOID, UUIDARRAYOID);

static KnStatement select_staff = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.session s JOIN kintaraa.account a ON a.id = s.account_id "
	" WHERE s.id = $1 AND a.role <> 'survivor'",
	UUIDOID);

void
kn_audit_write(const KnAuditEntry *entry)
{
	KnArgs args = {0};

	kn_arg_text(&args, entry->action);
	kn_arg_text(&args, entry->outcome);
	kn_arg_text(&args, entry->code);
	kn_arg_bytea(&args, pseudonym_of(entry));
	kn_arg_text(&args, entry->actor_role);
	kn_arg_text(&args, entry->noun);
	kn_arg_uuid(&args, is_thread(entry) ? NULL : entry->target);
	kn_arg_text(&args, entry->fields);
	kn_arg_text(&args, entry->request);
	kn_arg_bigint(&args, (int64) GetSystemIdentifier());
	kn_arg_datum(&args, ObjectIdGetDatum(MyDatabaseId), false);
	if (entry->n_targets > 0)
		kn_arg_uuid_array(&args, entry->targets, entry->n_targets);
	else
		kn_arg_datum(&args, (Datum) 0, true);
	kn_run(&insert_entry, &args);
}

/*
 * A survivor's session is no target: its signs of life beside those of cases
 * would tell which cases are hers.  Doors before a caller is proven name it.
 */
static bool
is_thread(const KnAuditEntry *entry)
{
	KnArgs args = {0};

	if (entry->target == NULL || entry->actor_role != NULL || entry->noun == NULL ||
		strcmp(entry->noun, "session") != 0)
		return false;
	kn_arg_uuid(&args, entry->target);
	return kn_run(&select_staff, &args) == 0;
}

static bytea *
pseudonym_of(const KnAuditEntry *entry)
{
	if (entry->actor == NULL || (entry->actor_by_case && entry->target == NULL))
		return NULL;
	return entry->actor_by_case ? kn_pseudonym_of_case(entry->actor, entry->target)
								: kn_pseudonym(entry->actor);
}

PG_FUNCTION_INFO_V1(kn_audit_function_sql);

/* kintaraa.audit_function(action text): for functions written in SQL. */
PGDLLEXPORT Datum
kn_audit_function_sql(PG_FUNCTION_ARGS)
{
	kn_audit_function(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL, NULL);
	PG_RETURN_VOID();
}

void
kn_audit_init(void)
{
	kn_keyring_news = note_keyring;
}

static void
note_keyring(const char *action)
{
	kn_audit_function(action, "keyring", NULL);
}

void
kn_audit_function(const char *action, const char *noun, const pg_uuid_t *target)
{
	KnAuditEntry entry = {.action = action,
						  .outcome = "ok",
						  .actor_role = "database",
						  .noun = noun,
						  .target = target,
						  .fields = GetUserNameFromId(GetSessionUserId(), true)};

	if (!has_table())
		return;
	SPI_connect();
	kn_audit_write(&entry);
	SPI_finish();
}

static bool
has_table(void)
{
	Oid schema = get_namespace_oid("kintaraa", true);
	Oid table = OidIsValid(schema) ? get_relname_relid("audit", schema) : InvalidOid;

	return OidIsValid(table) && get_attnum(table, "targets") != InvalidAttrNumber;
}
