/*-------------------------------------------------------------------------
 *
 * door.c
 *	  The wrapper around every door: prove, run, stamp, audit, answer.
 *
 * Called from SQL through KN_DOOR.  The body runs in an internal
 * subtransaction: whatever it wrote is undone when it refuses, while the
 * refusal's audit entry commits.  Errors of class KN5xx and all others stay
 * errors.  The caller is cleared on the way out, and by the transaction's end
 * should there be no way out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/rls.h"

#include "base/errcodes.h"
#include "base/guc.h"
#include "base/installed.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "base/shared.h"
#include "base/spi.h"
#include "identity/app_version.h"
#include "identity/door.h"
#include "keys/hash.h"
#include "trail/audit.h"
#include "trail/change.h"

static const char *const outcome_names[] = {"ok", "created", "accepted",
											"none", "conflict", "gone"};

static void read_arguments(FunctionCallInfo fcinfo, KnCall *call);
static char *device_name(char *text);
static char *context_text(Jsonb *context, const char *key);
static void check_isolation(const KnDoor *door);
static void pin_settings(const KnDoor *door);
static void run_body(KnCall *call);
static void check_role(const KnCall *call);
static void check_maintenance(const KnDoor *door);
static void check_standby(const KnDoor *door);
static const char *refusal(KnCall *call, ErrorData *error);
static const char *refusal_outcome(const KnCall *call, int sqlerrcode);
static void aim(KnCall *call);
static bool is_person(const char *noun);
static void write_audit(const KnCall *call, const char *outcome, const char *code);
static Datum make_result(FunctionCallInfo fcinfo, const char *outcome, const StringInfo body);
static void finish_object(KnJson *json);

Datum
kn_door_run(FunctionCallInfo fcinfo, const KnDoor *door)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	KnCall call = {.door = door, .memory = memory};
	const char *outcome;
	ErrorData *error = NULL;

	read_arguments(fcinfo, &call);
	check_isolation(door);
	pin_settings(door);
	kn_caller_clear();
	kn_spi_read_only((door->flags & KN_DOOR_READS) != 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "no SPI connection");
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		run_body(&call);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		kn_spi_read_only(false);
		FlushErrorState();
		/* also for an error: the session would stay in a failed transaction without */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		if (refusal_outcome(&call, error->sqlerrcode) == NULL)
			ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (error == NULL)
		outcome = outcome_names[call.outcome];
	else
		outcome = refusal(&call, error);
	kn_spi_read_only(false);
	SPI_finish();
	MemoryContextSwitchTo(memory);
	kn_caller_clear();
	finish_object(&call.json);
	return make_result(fcinfo, outcome, &call.json.text);
}

static void
run_body(KnCall *call)
{
	const KnDoor *door = call->door;

	check_maintenance(door);
	check_standby(door);
	/* A door that takes reports never asks: what she wrote on an old app comes in. */
	if (!(door->flags & KN_DOOR_UPLOAD) && kn_app_version_is_old(call->app_version))
		kn_refuse(ERRCODE_KN_UPGRADE_REQUIRED, "this version of the app is too old",
				  "Install the current version; what you have written is kept.");
	if (door->roles != KN_ROLE_NONE)
	{
		call->caller = kn_caller_prove(call->token);
		check_role(call);
	}
	/* the answer outlives the SPI connection's memory */
	MemoryContextSwitchTo(call->memory);
	kn_json_init(&call->json);
	door->body(call);
	kn_call_flush(call);
	if ((door->flags & KN_DOOR_AUDITED) && !call->unaudited)
		write_audit(call, outcome_names[call->outcome], NULL);
}

static void
check_role(const KnCall *call)
{
	if ((call->caller->role & call->door->roles) == 0)
		kn_refuse(ERRCODE_KN_ROLE, "this role may not do that", NULL);
}

static void
check_maintenance(const KnDoor *door)
{
	bool writes = (door->flags & KN_DOOR_READS) == 0;

	if (kn_guc_maintenance == KN_MAINTENANCE_OFF ||
		(kn_guc_maintenance == KN_MAINTENANCE_READ_ONLY && !writes) ||
		(kn_guc_maintenance == KN_MAINTENANCE_UPLOAD_ONLY && (door->flags & KN_DOOR_UPLOAD)))
		return;
	kn_refuse(ERRCODE_KN_MAINTENANCE, "the service is under maintenance",
			  "Keep what you have and try again later.");
}

/* Before anything of it is written; the news of a standby say so themselves. */
static void
check_standby(const KnDoor *door)
{
	if (RecoveryInProgress() && (door->flags & KN_DOOR_READS) == 0)
		ereport(ERROR,
				errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				errmsg("this server is a standby and read only"),
				errhint("Go to the primary: target_session_attrs=read-write."));
}

/* Parameters are in the order of the door's signature: token, path, query, body, context. */
static void
read_arguments(FunctionCallInfo fcinfo, KnCall *call)
{
	Jsonb *context = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);

	call->token = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	call->query = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	call->body = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	call->request_id = context_text(context, "requestId");
	call->network = context_text(context, "network");
	call->device = device_name(context_text(context, "device"));
	call->language = context_text(context, "language");
	call->app_version = context_text(context, "appVersion");
	call->if_match = context_text(context, "ifMatch");
	call->idempotency_key = context_text(context, "idempotencyKey");
	call->turn = context_text(context, "turn");
	if (!PG_ARGISNULL(1))
	{
		Datum *items;
		bool *nulls;
		int n;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &items,
						  &nulls, &n);
		for (int i = 0; i < Min(n, KN_PATH_MAX); i++)
			call->path[call->n_path++] = nulls[i] ? "" : TextDatumGetCString(items[i]);
	}
}

static char *
context_text(Jsonb *context, const char *key)
{
	return kn_query_text(context, key);
}

/*
 * A door looks for what others have just committed: twins of its report, the load
 * of a team, the last administrator.  An old snapshot would not show it, and the
 * level cannot be changed any more.
 */
static void
check_isolation(const KnDoor *door)
{
	if ((door->flags & KN_DOOR_READS) == 0 && IsolationUsesXactSnapshot())
		ereport(ERROR,
				errcode(ERRCODE_KN_ISOLATION),
				errmsg("doors that write run in transactions that are read committed"),
				errhint("SET default_transaction_isolation = 'read committed', then call the "
						"door in a new transaction."));
}

/*
 * What a door stands on, and what a session may have set and it must not depend
 * on: an answer means durable, and the net of row security is always there.
 */
static void
pin_settings(const KnDoor *door)
{
	if (kn_shared() == NULL)
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("the library kintaraa is not preloaded"),
				errhint("Add kintaraa to shared_preload_libraries and restart the server."));
	if ((door->flags & KN_DOOR_ALWAYS) == 0)
		kn_installed_require();
	if ((door->flags & KN_DOOR_READS) == 0 && synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	if (!row_security)
		(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}

/* Wrong input stays an error, unless it leaves something that must commit with the answer. */
static const char *
refusal_outcome(const KnCall *call, int sqlerrcode)
{
	char code[6];

	strlcpy(code, unpack_sql_state(sqlerrcode), sizeof(code));
	if (code[0] != 'K' || code[1] != 'N')
		return NULL;
	if (sqlerrcode == ERRCODE_KN_VERSION_STALE)
		return "stale";
	switch (code[2])
	{
		case '0':
			return "malformed";
		case '1':
			return "unknown";
		case '2':
			return "refused";
		case '3':
			return "absent";
		case '4':
			return "conflict";
		case '5':
			return call->after_refusal != NULL ? "invalid" : NULL;
		case '6':
			return "slow_down";
		default:
			return NULL;
	}
}

/* Writes the body of a refusal and its trace; returns the outcome. */
static const char *
refusal(KnCall *call, ErrorData *error)
{
	const char *outcome = refusal_outcome(call, error->sqlerrcode);
	char *code = pstrdup(unpack_sql_state(error->sqlerrcode));

	if (call->after_refusal != NULL)
	{
		call->after_refusal(call);
		kn_change_flush(NULL);
	}
	if (code[2] == '1')
		pg_atomic_fetch_add_u64(&kn_shared()->refused_tokens, 1);
	else if (code[2] != '6')
	{
		aim(call);
		write_audit(call, outcome, code);
	}
	/* the statements above left us in SPI's memory, which ends before the answer is read */
	MemoryContextSwitchTo(call->memory);
	kn_json_init(&call->json);
	kn_json_open(&call->json, '{');
	kn_json_pair_text(&call->json, "code", code);
	kn_json_pair_text(&call->json, "detail", error->message);
	if (error->hint)
		kn_json_pair_text(&call->json, "hint", error->hint);
	if (error->column_name)
		kn_json_pair_text(&call->json, "pointer", psprintf("/%s", error->column_name));
	if (call->extension.data != NULL)
		kn_json_raw(&call->json, call->extension.data, call->extension.len);
	kn_json_close(&call->json, '}');
	return outcome;
}

/* What was asked for is the target of a refusal, whether there is such a thing or not. */
static void
aim(KnCall *call)
{
	call->n_shown = 0;
	if (!call->has_target && call->caller != NULL && call->n_path > 0)
		call->has_target = kn_uuid_parse(call->path[0], &call->target);
}

static bool
is_person(const char *noun)
{
	return noun != NULL && (strcmp(noun, "account") == 0 || strcmp(noun, "session") == 0);
}

static void
write_audit(const KnCall *call, const char *outcome, const char *code)
{
	const KnCaller *caller = kn_caller();
	bool is_survivor = caller && caller->role == KN_ROLE_SURVIVOR;
	/* a survivor's own account or session is no target: it would be a thread from case to case */
	bool has_target = call->has_target && !(is_survivor && is_person(call->noun));
	KnAuditEntry entry = {
		.action = call->door->name,
		.outcome = outcome,
		.code = code,
		.actor = caller ? &caller->account : NULL,
		.actor_by_case = is_survivor,
		.actor_role = caller ? kn_role_name(caller->role) : NULL,
		.noun = call->noun,
		.target = has_target ? &call->target : NULL,
		.n_targets = call->n_shown,
		.targets = call->shown,
		.fields = call->fields,
		/* a client may choose it, and then the same one for two cases */
		.request = is_survivor || caller == NULL ? NULL : call->request_id,
	};

	kn_audit_write(&entry);
}

/* Every answer that is an object tells the server's clock: phones' clocks are wrong. */
static void
finish_object(KnJson *json)
{
	char now[MAXDATELEN];

	if (json->text.len == 0)
		appendStringInfoString(&json->text, "{}");
	if (json->text.data[json->text.len - 1] != '}' || json->text.data[0] != '{')
		return;
	kn_time_text(GetCurrentTimestamp(), now, sizeof(now));
	json->text.len--;
	appendStringInfo(&json->text, "%s\"serverTime\":\"%s\"}", json->text.len > 1 ? "," : "", now);
}

static Datum
make_result(FunctionCallInfo fcinfo, const char *outcome, const StringInfo body)
{
	static TupleDesc desc = NULL;
	Datum values[2];
	bool nulls[2] = {false, false};

	if (desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
		TupleDesc fresh = CreateTemplateTupleDesc(2);

		TupleDescInitEntry(fresh, 1, "outcome", TEXTOID, -1, 0);
		TupleDescInitEntry(fresh, 2, "body", JSONOID, -1, 0);
		kn_fail_if("no_answer");
		/* last: half a description would fail every door from now on */
		desc = BlessTupleDesc(fresh);
		MemoryContextSwitchTo(old);
	}
	values[0] = CStringGetTextDatum(outcome);
	values[1] = PointerGetDatum(cstring_to_text_with_len(body->data, body->len));
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

void
kn_call_flush(KnCall *call)
{
	pg_uuid_t writer;

	if (call->caller == NULL)
	{
		kn_change_flush(NULL);
		return;
	}
	kn_call_writer(call, &writer);
	kn_change_flush(&writer);
}

void
kn_call_device(KnCall *call, JsonbContainer *body)
{
	JsonbValue *value = kn_in_member(body, "device");
	char *name = NULL;

	if (value != NULL && value->type == jbvString)
		name = device_name(pnstrdup(value->val.string.val, value->val.string.len));
	if (name != NULL)
		call->device = name;
}

static char *
device_name(char *text)
{
	if (text == NULL || *text == '\0')
		return NULL;
	text[pg_mbcharcliplen(text, (int) strlen(text), KN_DEVICE_MAX)] = '\0';
	return text;
}

void
kn_call_writer(const KnCall *call, pg_uuid_t *out)
{
	unsigned char digest[32];
	StringInfoData text;

	*out = call->caller->session;
	if (call->device == NULL)
		return;
	initStringInfo(&text);
	appendBinaryStringInfo(&text, (const char *) call->caller->account.data, UUID_LEN);
	appendStringInfoString(&text, call->device);
	kn_sha256(text.data, text.len, digest);
	memcpy(out->data, digest, UUID_LEN);
}

void
kn_call_path_uuid(KnCall *call, int i, pg_uuid_t *out)
{
	if (i >= call->n_path || !kn_uuid_parse(call->path[i], out))
		kn_refuse_absent();
}

void
kn_call_target(KnCall *call, const char *noun, const pg_uuid_t *id)
{
	call->noun = noun;
	call->has_target = true;
	call->target = *id;
}

void
kn_call_shown(KnCall *call, const pg_uuid_t *ids, int n)
{
	MemoryContext old = MemoryContextSwitchTo(call->memory);
	int total = call->n_shown + n;

	if (n > 0)
	{
		call->shown = call->shown ? repalloc(call->shown, sizeof(pg_uuid_t) * total)
								  : palloc(sizeof(pg_uuid_t) * total);
		memcpy(call->shown + call->n_shown, ids, sizeof(pg_uuid_t) * n);
		call->n_shown = total;
	}
	MemoryContextSwitchTo(old);
}

void
kn_call_extend(KnCall *call, const char *key, const char *json)
{
	MemoryContext old = MemoryContextSwitchTo(call->memory);

	if (call->extension.data == NULL)
		initStringInfo(&call->extension);
	else
		appendStringInfoChar(&call->extension, ',');
	escape_json(&call->extension, key);
	appendStringInfo(&call->extension, ":%s", json);
	MemoryContextSwitchTo(old);
}

void
kn_call_require_version(KnCall *call, int64 version)
{
	char *current = psprintf(INT64_FORMAT, version);
	const char *wanted = call->if_match;

	if (wanted == NULL || strcmp(wanted, "*") == 0 || strcmp(wanted, current) == 0 ||
		strcmp(wanted, psprintf("\"%s\"", current)) == 0)
		return;
	kn_call_extend(call, "serverVersion", current);
	kn_refuse(ERRCODE_KN_VERSION_STALE, "the record has changed meanwhile",
			  "Read it again and repeat the change.");
}

void
kn_refuse(int code, const char *message, const char *hint)
{
	ereport(ERROR, errcode(code), errmsg("%s", message), hint ? errhint("%s", hint) : 0);
	pg_unreachable();
}

/* "Absent" and "not yours" are one answer. */
void
kn_refuse_absent(void)
{
	kn_refuse(ERRCODE_KN_ABSENT, "there is no such thing, or it is not for you", NULL);
}
