/*-------------------------------------------------------------------------
 *
 * caller.c
 *	  Who is calling: proven by a token, kept where no SQL can reach it.
 *
 * Called by door.c; read by the functions that row security policies call.
 * Nothing is visible while nobody is proven.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/errcodes.h"
#include "base/json.h"
#include "base/spi.h"
#include "identity/caller.h"
#include "identity/token.h"

static KnCaller caller;
static bool proven = false;

/* Relations that can_see() probes; looked up again after any relation cache reset. */
static Oid member_table = InvalidOid;
static Oid member_index = InvalidOid;
static AttrNumber member_revoked = 0;

static void at_transaction_end(XactEvent event, void *arg);
static void forget_member(Datum arg, Oid relid);
static void find_member(void);
static bool is_member(IndexScanDesc scan, TupleTableSlot *slot, const pg_uuid_t *principal,
					  const pg_uuid_t *bucket);
static void add_principal(const pg_uuid_t *id);

PG_FUNCTION_INFO_V1(kn_can_see);
PG_FUNCTION_INFO_V1(kn_caller_may);
PG_FUNCTION_INFO_V1(kn_me);
PG_FUNCTION_INFO_V1(kn_principals);

static KnStatement find_session = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.role, a.provider_id, p.organisation_id, a.centre_id "
	"  FROM kintaraa.session s "
	"  JOIN kintaraa.account a ON a.id = s.account_id "
	"  LEFT JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE s.id = $1 AND s.account_id = $2 AND s.revoked_at IS NULL "
	"   AND s.expires_at > pg_catalog.now() AND a.is_active",
	UUIDOID, UUIDOID);

static const struct
{
	KnRole role;
	const char *name;
} roles[] = {
	{KN_ROLE_SURVIVOR, "survivor"},
	{KN_ROLE_PROVIDER, "provider"},
	{KN_ROLE_DISPATCHER, "dispatcher"},
	{KN_ROLE_ADMIN, "admin"},
	{KN_ROLE_ANALYST, "analyst"},
};

void
kn_caller_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	CacheRegisterRelcacheCallback(forget_member, (Datum) 0);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		kn_caller_clear();
}

void
kn_caller_clear(void)
{
	proven = false;
	memset(&caller, 0, sizeof(caller));
}

const KnCaller *
kn_caller(void)
{
	return proven ? &caller : NULL;
}

const KnCaller *
kn_caller_prove(const char *token)
{
	KnClaims claims;
	KnArgs args = {0};
	KnRows rows;

	kn_caller_clear();
	if (token == NULL)
		ereport(ERROR,
				errcode(ERRCODE_KN_TOKEN_MISSING),
				errmsg("there is no access token"),
				errhint("Sign in and send the access token as bearer token."));
	kn_token_verify(token, &claims);
	memcpy(caller.account.data, claims.sub, UUID_LEN);
	memcpy(caller.session.data, claims.sid, UUID_LEN);
	kn_arg_uuid(&args, &caller.session);
	kn_arg_uuid(&args, &caller.account);
	if (kn_run(&find_session, &args) != 1)
		ereport(ERROR,
				errcode(ERRCODE_KN_SESSION_ENDED),
				errmsg("the session has ended"),
				errhint("Sign in again."));
	rows = kn_rows();
	caller.role = kn_role_parse(kn_col_text(&rows, 0, 1));
	if (caller.role != kn_role_parse(claims.role))
		ereport(ERROR,
				errcode(ERRCODE_KN_SESSION_ENDED),
				errmsg("the role of the account has changed"),
				errhint("Sign in again."));
	caller.has_provider = kn_col_uuid(&rows, 0, 2, &caller.provider);
	caller.has_organisation = kn_col_uuid(&rows, 0, 3, &caller.organisation);
	caller.has_centre = kn_col_uuid(&rows, 0, 4, &caller.centre);
	caller.expires_at = (TimestampTz) (claims.exp - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
														SECS_PER_DAY) *
						USECS_PER_SEC;
	add_principal(&caller.account);
	if (caller.has_provider)
		add_principal(&caller.provider);
	if (caller.has_organisation)
		add_principal(&caller.organisation);
	if (caller.has_centre)
		add_principal(&caller.centre);
	proven = true;
	return &caller;
}

static void
add_principal(const pg_uuid_t *id)
{
	caller.principals[caller.n_principals++] = *id;
}

const char *
kn_role_name(KnRole role)
{
	for (int i = 0; i < lengthof(roles); i++)
		if (roles[i].role == role)
			return roles[i].name;
	return NULL;
}

KnRole
kn_role_parse(const char *name)
{
	for (int i = 0; name != NULL && i < lengthof(roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].role;
	return KN_ROLE_NONE;
}

/*
 * kintaraa.can_see(bucket uuid) -> boolean
 *	  Whether one of the caller's principals is a member of the bucket; each is
 *	  one of its own.  Probes member's primary key without a plan and outside of
 *	  row security.
 */
PGDLLEXPORT Datum
kn_can_see(PG_FUNCTION_ARGS)
{
	pg_uuid_t *bucket = PG_GETARG_UUID_P(0);
	Relation table;
	Relation index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool sees = false;

	if (!proven)
		PG_RETURN_BOOL(false);
	for (int i = 0; i < caller.n_principals; i++)
		if (kn_uuid_equal(&caller.principals[i], bucket))
			PG_RETURN_BOOL(true);
	find_member();
	table = table_open(member_table, AccessShareLock);
	index = index_open(member_index, AccessShareLock);
	slot = table_slot_create(table, NULL);
	scan = index_beginscan(table, index, GetActiveSnapshot(), 2, 0);
	for (int i = 0; i < caller.n_principals && !sees; i++)
		sees = is_member(scan, slot, &caller.principals[i], bucket);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(table, NoLock);
	PG_RETURN_BOOL(sees);
}

static bool
is_member(IndexScanDesc scan, TupleTableSlot *slot, const pg_uuid_t *principal,
		  const pg_uuid_t *bucket)
{
	ScanKeyData key[2];
	bool found = false;

	ScanKeyInit(&key[0], 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(principal));
	ScanKeyInit(&key[1], 2, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(bucket));
	index_rescan(scan, key, 2, NULL, 0);
	while (!found && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool is_null;
		Datum revoked = slot_getattr(slot, member_revoked, &is_null);

		found = !is_null && !DatumGetBool(revoked);
	}
	return found;
}

static void
find_member(void)
{
	Oid schema;

	if (OidIsValid(member_table))
		return;
	schema = get_namespace_oid("kintaraa", false);
	member_index = get_relname_relid("member_pkey", schema);
	member_table = get_relname_relid("member", schema);
	if (!OidIsValid(member_table) || !OidIsValid(member_index))
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("the tables of kintaraa are not there"),
				errhint("Run CALL kintaraa.migrate()."));
	member_revoked = get_attnum(member_table, "revoked");
}

static void
forget_member(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == member_table || relid == member_index)
		member_table = InvalidOid;
}

/* kintaraa.caller_may(role text) -> boolean: 'dispatch' is dispatchers and administrators. */
PGDLLEXPORT Datum
kn_caller_may(PG_FUNCTION_ARGS)
{
	char *what = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int wanted = strcmp(what, "dispatch") == 0 ? KN_ROLE_DISPATCHER | KN_ROLE_ADMIN
											   : (int) kn_role_parse(what);

	PG_RETURN_BOOL(proven && (caller.role & wanted) != 0);
}

/* kintaraa.me() -> uuid: the proven account, or NULL. */
PGDLLEXPORT Datum
kn_me(PG_FUNCTION_ARGS)
{
	pg_uuid_t *me;

	if (!proven)
		PG_RETURN_NULL();
	me = palloc(sizeof(pg_uuid_t));
	*me = caller.account;
	PG_RETURN_UUID_P(me);
}

/* kintaraa.principals() -> uuid[]: the caller's principals, empty when nobody is proven. */
PGDLLEXPORT Datum
kn_principals(PG_FUNCTION_ARGS)
{
	KnArgs args = {0};

	kn_arg_uuid_array(&args, caller.principals, proven ? caller.n_principals : 0);
	PG_RETURN_DATUM(args.value[0]);
}
