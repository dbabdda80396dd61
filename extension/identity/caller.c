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

#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "base/errcodes.h"
#include "base/index.h"
#include "base/json.h"
#include "base/spi.h"
#include "identity/caller.h"
#include "identity/token.h"

static KnCaller caller;
static bool proven = false;

static void at_transaction_end(XactEvent event, void *arg);
static bool read_session(const char **role);
static bool read_account(KnProbe *probe, const char **role);
static void read_organisation(void);
static bool keep_uuid(const KnProbe *probe, int column, pg_uuid_t *out);
static void add_principal(const pg_uuid_t *id);

PG_FUNCTION_INFO_V1(kn_caller_may);
PG_FUNCTION_INFO_V1(kn_me);
PG_FUNCTION_INFO_V1(kn_principals);

/* The order of the columns is that of the constants below. */
static KnIndex session_index = {.table_name = "session",
								.index_name = "session_pkey",
								.columns = {"account_id", "expires_at", "revoked_at"}};
static KnIndex account_index = {.table_name = "account",
								.index_name = "account_pkey",
								.columns = {"is_active", "role", "provider_id", "centre_id"}};
static KnIndex provider_index = {.table_name = "provider",
								 .index_name = "provider_pkey",
								 .columns = {"organisation_id"}};

enum
{
	SESSION_ACCOUNT,
	SESSION_EXPIRES,
	SESSION_REVOKED
};
enum
{
	ACCOUNT_ACTIVE,
	ACCOUNT_ROLE,
	ACCOUNT_PROVIDER,
	ACCOUNT_CENTRE
};

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
	const char *role;

	kn_caller_clear();
	if (token == NULL)
		ereport(ERROR,
				errcode(ERRCODE_KN_TOKEN_MISSING),
				errmsg("there is no access token"),
				errhint("Sign in and send the access token as bearer token."));
	kn_token_verify(token, &claims);
	memcpy(caller.account.data, claims.sub, UUID_LEN);
	memcpy(caller.session.data, claims.sid, UUID_LEN);
	if (!read_session(&role))
		ereport(ERROR,
				errcode(ERRCODE_KN_SESSION_ENDED),
				errmsg("the session has ended"),
				errhint("Sign in again."));
	caller.role = kn_role_parse(role);
	if (caller.role != kn_role_parse(claims.role))
		ereport(ERROR,
				errcode(ERRCODE_KN_SESSION_ENDED),
				errmsg("the role of the account has changed"),
				errhint("Sign in again."));
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

/* The session is alive, its account active; takes over what the account belongs to. */
static bool
read_session(const char **role)
{
	const pg_uuid_t *keys[] = {&caller.session};
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	KnProbe probe;
	bool is_alive;

	kn_probe_begin(&probe, &session_index);
	is_alive = kn_probe(&probe, keys, 1) && probe.null[SESSION_REVOKED] &&
			   DatumGetTimestampTz(probe.value[SESSION_EXPIRES]) > now &&
			   kn_uuid_equal(DatumGetUUIDP(probe.value[SESSION_ACCOUNT]), &caller.account);
	kn_probe_end(&probe);
	if (!is_alive)
		return false;
	kn_probe_begin(&probe, &account_index);
	is_alive = read_account(&probe, role);
	kn_probe_end(&probe);
	if (is_alive && caller.has_provider)
		read_organisation();
	return is_alive;
}

static bool
read_account(KnProbe *probe, const char **role)
{
	const pg_uuid_t *keys[] = {&caller.account};

	if (!kn_probe(probe, keys, 1) || !DatumGetBool(probe->value[ACCOUNT_ACTIVE]))
		return false;
	*role = TextDatumGetCString(probe->value[ACCOUNT_ROLE]);
	caller.has_provider = keep_uuid(probe, ACCOUNT_PROVIDER, &caller.provider);
	caller.has_centre = keep_uuid(probe, ACCOUNT_CENTRE, &caller.centre);
	return true;
}

static void
read_organisation(void)
{
	const pg_uuid_t *keys[] = {&caller.provider};
	KnProbe probe;

	kn_probe_begin(&probe, &provider_index);
	if (kn_probe(&probe, keys, 1))
		caller.has_organisation = keep_uuid(&probe, 0, &caller.organisation);
	kn_probe_end(&probe);
}

static bool
keep_uuid(const KnProbe *probe, int column, pg_uuid_t *out)
{
	if (probe->null[column])
		return false;
	*out = *DatumGetUUIDP(probe->value[column]);
	return true;
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
