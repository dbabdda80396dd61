/*-------------------------------------------------------------------------
 *
 * session.c
 *	  A session: one sign-in on one device, kept alive by refresh tokens.
 *
 * Called from SQL (schema kintaraa_api) and by account.c.  A refresh token is
 * session, generation and MAC, so nothing of it is stored, and phones that send
 * the same one four times at once get the same next one four times.  Use of one
 * that is older than the last two and than a minute ends the session: somebody
 * else has it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "base/errcodes.h"
#include "base/filter.h"
#include "base/limits.h"
#include "identity/account_store.h"
#include "identity/session.h"
#include "identity/session_store.h"
#include "identity/token.h"
#include "keys/keystore.h"
#include "keys/random.h"

#define REFRESH_TEXT_MAX 256

static void login(KnCall *call);
static char *optional_text(JsonbContainer *body, const char *key);
static void refresh(KnCall *call);
static void renew(KnCall *call, KnSession *session, uint64 generation);
static void refuse_refresh(void) pg_attribute_noreturn();
static void end_reused(KnCall *call);
static void logout(KnCall *call);
static bool session_of_refresh(const char *text, pg_uuid_t *session, uint64 *generation);
static bool session_of_token(const char *token, pg_uuid_t *session);
static void list(KnCall *call);
static void end_own(KnCall *call);
static void write_tokens(KnJson *json, const pg_uuid_t *account, KnRole role,
						 const pg_uuid_t *session, uint64 generation);

KN_DOOR(auth_login, login, KN_ROLE_NONE, KN_DOOR_AUDITED,
		"POST /auth/login: starts a session. Body: email, password, device, deviceToken, "
		"role.");
KN_DOOR(auth_refresh, refresh, KN_ROLE_NONE, 0,
		"POST /auth/refresh: the next pair of tokens. Body: refresh.");
KN_DOOR(auth_logout, logout, KN_ROLE_NONE, KN_DOOR_AUDITED,
		"POST /auth/logout: ends the session of the refresh token, or of the access token. "
		"Body: refresh.");
KN_DOOR(session_list, list, KN_ROLE_ANY, KN_DOOR_READS,
		"GET /me/sessions: the caller's own live sessions.");
KN_DOOR(session_revoke, end_own, KN_ROLE_ANY, KN_DOOR_AUDITED,
		"DELETE /me/sessions/{id}: ends one of the caller's own sessions. Path: id.");

static void
login(KnCall *call)
{
	JsonbContainer *body = kn_in_object(call->body);
	char *device = kn_session_device(call, body);
	unsigned char hash[KN_PASSWORD_HASH_SIZE];
	KnAccount account = {0};
	KnAttempt attempt = {0};
	KnOpened opened = {0};
	char *password;
	char *role = optional_text(body, "role");

	kn_attempt_init(call, &attempt, kn_in_text(body, "email", 0, KN_EMAIL_MAX, true),
					kn_session_device_token(body), false);
	password = kn_in_text(body, "password", 0, KN_PASSWORD_MAX, true);
	kn_attempt_hash(call, &attempt, &password, 1, hash);
	if (!kn_attempt_open(call, &attempt, hash, role ? kn_role_parse(role) : KN_ROLE_NONE, NULL,
						 &opened))
		kn_attempt_refuse(call, &attempt, hash, ERRCODE_KN_CREDENTIALS,
						  "e-mail or password is wrong", NULL);
	/* locked, so that a deactivation meanwhile ends this session as well */
	if (!kn_account_find(&opened.account, true, &account) || !account.is_active)
		kn_refuse(ERRCODE_KN_CREDENTIALS, "e-mail or password is wrong", NULL);
	kn_session_begin(call, &account, &attempt, &opened, device);
}

char *
kn_session_device_token(JsonbContainer *body)
{
	return optional_text(body, "deviceToken");
}

/* A wish that is no text is none; who has the right password is not sent away for it. */
static char *
optional_text(JsonbContainer *body, const char *key)
{
	JsonbValue *value = kn_in_member(body, key);

	return value == NULL || value->type != jbvString
			   ? NULL
			   : pnstrdup(value->val.string.val, value->val.string.len);
}

char *
kn_session_device(KnCall *call, JsonbContainer *body)
{
	kn_call_device(call, body);
	return call->device;
}

void
kn_session_begin(KnCall *call, const KnAccount *account, const KnAttempt *attempt,
				 const KnOpened *opened, const char *device)
{
	KnJson *json = &call->json;
	pg_uuid_t session;

	kn_uuid4(session.data);
	kn_session_make_room(&account->id);
	kn_session_insert(&session, &account->id, account->role, device);
	if (device != NULL)
		kn_device_seen(&account->id, device);
	kn_call_target(call, "session", &session);
	kn_json_open(json, '{');
	kn_json_key(json, "user");
	kn_account_json(json, account);
	write_tokens(json, &account->id, account->role, &session, 0);
	kn_json_pair_text(json, "deviceToken",
					  kn_known_device_token(attempt->is_known ? &attempt->device : NULL,
											&account->id, &session));
	kn_json_pair_bool(json, "otherAccounts", opened->has_others);
	kn_json_close(json, '}');
}

static void
write_tokens(KnJson *json, const pg_uuid_t *account, KnRole role, const pg_uuid_t *session,
			 uint64 generation)
{
	char text[KN_REFRESH_SIZE];

	if (!kn_refresh_make(kn_keystore(), session->data, generation, text, sizeof(text)))
		elog(ERROR, "could not make a refresh token");
	kn_json_key(json, "tokens");
	kn_json_open(json, '{');
	kn_json_pair_text(json, "access", kn_token_make(account, session, kn_role_name(role)));
	kn_json_pair_text(json, "refresh", text);
	kn_json_pair_int(json, "expiresIn", KN_ACCESS_SECONDS);
	kn_json_close(json, '}');
}

static void
refresh(KnCall *call)
{
	JsonbContainer *body = kn_in_object(call->body);
	char *text = kn_in_text(body, "refresh", 0, REFRESH_TEXT_MAX, true);
	KnSession session;
	pg_uuid_t id;
	uint64 generation;

	if (!session_of_refresh(text, &id, &generation))
		refuse_refresh();
	kn_call_target(call, "session", &id);
	if (!kn_session_lock(&id, &session) || !session.is_alive)
		refuse_refresh();
	renew(call, &session, generation);
	kn_json_open(&call->json, '{');
	write_tokens(&call->json, &session.account, session.role, &id, session.generation);
	kn_json_close(&call->json, '}');
}

/*
 * A token stays good until the one that followed it has been used: the answer
 * may have been lost.  Those that were current a moment ago are good as well,
 * for phones that send several at once.
 *
 * A generation above ours is genuine all the same: the database was restored
 * from a backup that is older than the phone's token.
 */
static void
renew(KnCall *call, KnSession *session, uint64 generation)
{
	uint64 current = (uint64) session->generation;

	if (generation < current && current - generation <= (uint64) Max(session->n_recent, 1))
		return;
	if (generation < current)
	{
		call->refusal_state = MemoryContextAlloc(call->memory, sizeof(pg_uuid_t));
		memcpy(call->refusal_state, &session->id, sizeof(pg_uuid_t));
		call->after_refusal = end_reused;
		refuse_refresh();
	}
	session->generation = generation + 1;
	kn_session_rotate(session);
	if (session->device != NULL)
		kn_device_seen(&session->account, session->device);
}

static void
refuse_refresh(void)
{
	kn_refuse(ERRCODE_KN_REFRESH_TOKEN, "the refresh token is not good any more", "Sign in again.");
}

/*
 * An old token in somebody's hands: the thief and she cannot be told apart, so both sign in
 * anew.
 */
static void
end_reused(KnCall *call)
{
	(void) kn_session_end(call->refusal_state);
}

static bool
session_of_refresh(const char *text, pg_uuid_t *session, uint64 *generation)
{
	return kn_refresh_check(kn_keystore(), text, strlen(text), session->data, generation);
}

/* What is not a token of ours has nothing to end: signing out always succeeds. */
static void
logout(KnCall *call)
{
	JsonbContainer *body = kn_in_is_object(call->body) ? &call->body->root : NULL;
	char *text = kn_in_text(body, "refresh", 0, REFRESH_TEXT_MAX, false);
	pg_uuid_t id;
	uint64 generation;

	call->outcome = KN_NONE;
	call->unaudited = true;
	if (!(text != NULL && session_of_refresh(text, &id, &generation)) &&
		!session_of_token(call->token, &id))
		return;
	kn_call_target(call, "session", &id);
	call->unaudited = !kn_session_end(&id);
}

static bool
session_of_token(const char *token, pg_uuid_t *session)
{
	KnClaims claims;

	if (token == NULL || kn_jws_verify(kn_keystore(), token, strlen(token), (int64) time(NULL),
									   KN_SKEW_SECONDS, &claims) != KN_JWS_OK)
		return false;
	memcpy(session->data, claims.sid, UUID_LEN);
	return true;
}

static void
list(KnCall *call)
{
	KnJson *json = &call->json;
	static const KnFilter none[] = {KN_FILTER_END};
	KnRows rows = kn_session_list(&call->caller->account);

	kn_filters_check(call->query, none);
	kn_json_open(json, '{');
	kn_json_key(json, "items");
	kn_json_open(json, '[');
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t id;

		kn_col_uuid(&rows, i, 1, &id);
		kn_json_open(json, '{');
		kn_json_pair_uuid(json, "id", &id);
		kn_json_pair_text(json, "device", kn_col_text(&rows, i, 2));
		kn_json_pair_bool(json, "isCurrent", kn_uuid_equal(&id, &call->caller->session));
		kn_json_pair_time(json, "createdAt", kn_col_time(&rows, i, 3));
		kn_json_pair_time(json, "refreshedAt", kn_col_time(&rows, i, 4));
		kn_json_pair_time(json, "expiresAt", kn_col_time(&rows, i, 5));
		kn_json_close(json, '}');
	}
	kn_json_close(json, ']');
	kn_json_pair_text(json, "next", NULL);
	kn_json_close(json, '}');
}

static void
end_own(KnCall *call)
{
	pg_uuid_t id;

	kn_call_path_uuid(call, 0, &id);
	kn_call_target(call, "session", &id);
	if (!kn_session_is_of(&id, &call->caller->account))
		kn_refuse_absent();
	(void) kn_session_end(&id);
	kn_known_device_end(&id);
	call->outcome = KN_NONE;
}
