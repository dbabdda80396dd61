/*-------------------------------------------------------------------------
 *
 * invitation.c
 *	  Invitations: how somebody becomes more than a survivor.
 *
 * Called from SQL and by account.c.  Rows are in invitation_store.c.  The first
 * administrator is invited with kintaraa.invite() in psql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "utils/builtins.h"

#include "base/errcodes.h"
#include "base/installed.h"
#include "base/limits.h"
#include "identity/account_store.h"
#include "identity/door.h"
#include "identity/invitation.h"
#include "identity/invitation_store.h"
#include "keys/blind.h"
#include "keys/keystore.h"
#include "keys/random.h"
#include "trail/audit.h"
#include "trail/change.h"

#define CODE_BITS 128
#define CODE_CHARS ((CODE_BITS + 4) / 5)
#define GROUP 5
#define CODE_TEXT (CODE_CHARS + CODE_CHARS / GROUP + 1)
#define TEXTS_MAX 32 /* languages or skills of a team */
#define TEXT_MAX 40  /* characters of one of them */

/* Crockford's base 32: no letter that is read as another one. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void invite(KnCall *call);
static void place(KnCall *call, JsonbContainer *body, KnInvitation *invitation);
static void make_team(JsonbContainer *team, pg_uuid_t *id);
static int texts(JsonbContainer *object, const char *key, char ***out);
static void team_organisation(JsonbContainer *object, KnTeam *team);
static void answer(KnCall *call, const KnInvitation *invitation, const char *code);
static bool find_same(KnCall *call, KnInvitation *invitation, char *code);
static void request_index(const KnCall *call, unsigned char index[KN_BLIND_SIZE]);
static void code_of(const pg_uuid_t *id, char *text, unsigned char index[KN_BLIND_SIZE]);
static bool canonical(const char *typed, char *code);
static void index_of(const char *code, unsigned char index[KN_BLIND_SIZE]);

KN_DOOR(invitation_create, invite, KN_ROLE_ADMIN, KN_DOOR_AUDITED,
		"POST /admin/invitations: a code that makes somebody a member of staff. Body: role, "
		"providerId, provider, expiresInDays.");
PG_FUNCTION_INFO_V1(kn_invite_sql);

static const char *const roles[] = {"provider", "dispatcher", "admin", "analyst", NULL};
static const char *const provider_types[] = {"healthcare", "legal", "police", "counseling",
											 "social", "gbv_rescue", "chw", NULL};
static const char *const genders[] = {"male", "female", NULL};

static void
invite(KnCall *call)
{
	static const char *const fields[] = {"role", "providerId", "provider", "expiresInDays", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	unsigned char index[KN_BLIND_SIZE];
	KnInvitation invitation = {0};
	char code[CODE_TEXT];
	unsigned char request[KN_BLIND_SIZE];
	int64 days = KN_INVITATION_DAYS;

	kn_in_only(body, fields);
	invitation.role = kn_role_parse(kn_in_choice(body, "role", roles, true));
	(void) kn_in_int(body, "expiresInDays", 1, KN_INVITATION_DAYS_MAX, false, &days);
	call->outcome = KN_CREATED;
	if (!find_same(call, &invitation, code))
	{
		place(call, body, &invitation);
		kn_uuid4(invitation.id.data);
		code_of(&invitation.id, code, index);
		request_index(call, request);
		kn_invitation_insert(&invitation, index, request, &call->caller->account, (int) days);
	}
	kn_call_target(call, "invitation", &invitation.id);
	answer(call, &invitation, code);
	OPENSSL_cleanse(code, sizeof(code));
}

/*
 * The same request again is answered with the same code: with an Idempotency-Key
 * for a day, without one while the code waits and for KN_REPLAY_SECONDS.
 */
static bool
find_same(KnCall *call, KnInvitation *invitation, char *code)
{
	unsigned char request[KN_BLIND_SIZE];
	unsigned char stored[KN_BLIND_SIZE];
	unsigned char index[KN_BLIND_SIZE];
	KnAccount inviting = {0};
	bool has_key = call->idempotency_key != NULL;

	/* one at a time of each who invites */
	(void) kn_account_find(&call->caller->account, true, &inviting);
	request_index(call, request);
	if (!kn_invitation_find(request, has_key, invitation, stored))
		return false;
	code_of(&invitation->id, code, index);
	return memcmp(index, stored, KN_BLIND_SIZE) == 0;
}

static void
request_index(const KnCall *call, unsigned char index[KN_BLIND_SIZE])
{
	const char *key = call->idempotency_key;
	StringInfoData text;

	initStringInfo(&text);
	appendBinaryStringInfo(&text, (const char *) call->caller->account.data, UUID_LEN);
	appendStringInfo(&text, "%s\n", key ? key : "");
	(void) JsonbToCString(&text, &call->body->root, VARSIZE(call->body));
	if (!kn_blind_index(kn_keystore(), "invitation.request", text.data, text.len, index))
		elog(ERROR, "could not make a blind index");
}

static void
answer(KnCall *call, const KnInvitation *invitation, const char *code)
{
	KnJson *json = &call->json;

	kn_json_open(json, '{');
	kn_json_key(json, "invitation");
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "id", &invitation->id);
	kn_json_pair_text(json, "role", kn_role_name(invitation->role));
	kn_json_pair_uuid(json, "providerId", invitation->has_provider ? &invitation->provider : NULL);
	kn_json_pair_time(json, "expiresAt", invitation->expires_at);
	kn_json_close(json, '}');
	kn_json_pair_text(json, "code", code);
	kn_json_close(json, '}');
}

/* Where the invited person will belong: a team, or the administrator's own centre. */
static void
place(KnCall *call, JsonbContainer *body, KnInvitation *invitation)
{
	JsonbContainer *team = kn_in_nested(body, "provider");

	invitation->has_provider = kn_in_uuid(body, "providerId", false, &invitation->provider);
	if (invitation->role != KN_ROLE_PROVIDER)
	{
		if (invitation->has_provider || team != NULL)
			kn_input_error(ERRCODE_KN_FIELD_VALUE, "role", "this role belongs to no team",
						   "Leave out providerId and provider.");
		invitation->has_centre = invitation->role != KN_ROLE_ANALYST;
		invitation->centre = call->caller->centre;
		return;
	}
	if (invitation->has_provider == (team != NULL))
		kn_input_error(ERRCODE_KN_FIELD_MISSING, "providerId",
					   "the team is missing, or there are two",
					   "Send providerId of a team, or provider to make a new one.");
	if (team != NULL)
		make_team(team, &invitation->provider);
	else if (!kn_team_exists(&invitation->provider))
		kn_refuse_absent();
	invitation->has_provider = true;
}

static void
make_team(JsonbContainer *object, pg_uuid_t *id)
{
	static const char *const fields[] = {
		"name", "providerType", "organisationId", "organisation", "adminArea", "gender",
		"latitude", "longitude", "capacity", "languages", "skills", NULL};
	KnTeam team = {.capacity = 10};
	int64 capacity;

	kn_in_only(object, fields);
	team.name = kn_in_text(object, "name", 1, KN_ADDRESS_MAX, true);
	team.provider_type = kn_in_choice(object, "providerType", provider_types, true);
	team.admin_area = kn_in_text(object, "adminArea", 0, KN_NAME_MAX, false);
	team.gender = kn_in_choice(object, "gender", genders, false);
	team.has_place = kn_in_float(object, "latitude", -90, 90, false, &team.latitude);
	if (kn_in_float(object, "longitude", -180, 180, team.has_place, &team.longitude) !=
		team.has_place)
		kn_input_error(ERRCODE_KN_FIELD_MISSING, "latitude", "a place needs both numbers",
					   "Send latitude and longitude, or neither.");
	if (kn_in_int(object, "capacity", 0, 10000, false, &capacity))
		team.capacity = (int) capacity;
	team.n_languages = texts(object, "languages", &team.languages);
	team.n_skills = texts(object, "skills", &team.skills);
	team_organisation(object, &team);
	kn_team_insert(&team);
	*id = team.id;
}

static int
texts(JsonbContainer *object, const char *key, char ***out)
{
	int n = kn_in_texts(object, key, TEXTS_MAX, TEXT_MAX, out);

	return Max(n, 0);
}

/* A team that names no organisation is one of its own. */
static void
team_organisation(JsonbContainer *object, KnTeam *team)
{
	char *name = kn_in_text(object, "organisation", 1, KN_ADDRESS_MAX, false);

	if (kn_in_uuid(object, "organisationId", false, &team->organisation))
	{
		if (!kn_organisation_exists(&team->organisation))
			kn_refuse_absent();
	}
	else
		kn_organisation_insert(&team->organisation, name ? name : team->name);
}

/*
 * A keyed hash of the invitation's random id: it can be told again and lies
 * nowhere.  In groups, so that it can be read out over the telephone.
 */
static void
code_of(const pg_uuid_t *id, char *text, unsigned char index[KN_BLIND_SIZE])
{
	unsigned char random[CODE_BITS / 8 + 1] = {0};
	char code[CODE_CHARS + 1] = {0};

	StaticAssertStmt(CODE_BITS / 8 == KN_BLIND_SIZE, "a blind index makes the code");
	if (!kn_blind_index(kn_keystore(), "invitation.text", (const char *) id->data, UUID_LEN,
						random))
		elog(ERROR, "could not make a blind index");
	for (int i = 0; i < CODE_CHARS; i++)
	{
		int bit = i * 5;
		int pair = random[bit / 8] << 8 | random[bit / 8 + 1];

		code[i] = alphabet[pair >> (11 - bit % 8) & 31];
		if (i > 0 && i % GROUP == 0 && i < CODE_CHARS - 1)
			*text++ = '-';
		*text++ = code[i];
	}
	*text = '\0';
	index_of(code, index);
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(code, sizeof(code));
}

static void
index_of(const char *code, unsigned char index[KN_BLIND_SIZE])
{
	if (!kn_blind_index(kn_keystore(), "invitation.code", code, CODE_CHARS, index))
		elog(ERROR, "could not make a blind index");
}

bool
kn_invitation_index(const char *typed, unsigned char index[KN_BLIND_SIZE])
{
	char code[CODE_CHARS + 1] = {0};
	bool fits = canonical(typed, code);

	if (fits)
		index_of(code, index);
	OPENSSL_cleanse(code, sizeof(code));
	return fits;
}

/* Case, hyphens and blanks do not matter, nor do O for 0 and I or L for 1. */
static bool
canonical(const char *typed, char *code)
{
	int n = 0;

	for (; *typed != '\0'; typed++)
	{
		char c = pg_ascii_toupper((unsigned char) *typed);

		if (c == '-' || c == ' ')
			continue;
		if (c == 'O')
			c = '0';
		if (c == 'I' || c == 'L')
			c = '1';
		if (n == CODE_CHARS || strchr(alphabet, c) == NULL)
			return false;
		code[n++] = c;
	}
	return n == CODE_CHARS;
}

void
kn_invitation_refuse(void)
{
	kn_refuse(ERRCODE_KN_INVITATION, "the invitation is not good",
			  "Check the code and the role, or ask for a new invitation.");
}

/*
 * kintaraa.invite(role text, provider uuid) -> text: the code.  For the DBA; the
 * first administrator comes in by it.
 */
PGDLLEXPORT Datum
kn_invite_sql(PG_FUNCTION_ARGS)
{
	KnInvitation invitation = {0};
	KnAuditEntry entry = {.action = "invite", .outcome = "ok", .noun = "invitation"};
	unsigned char index[KN_BLIND_SIZE];
	char code[CODE_TEXT];

	if (PG_ARGISNULL(0))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("role must not be null"));
	invitation.role = kn_role_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	invitation.has_provider = !PG_ARGISNULL(1);
	if (invitation.has_provider)
		invitation.provider = *PG_GETARG_UUID_P(1);
	if (invitation.role == KN_ROLE_NONE || invitation.role == KN_ROLE_SURVIVOR ||
		invitation.has_provider != (invitation.role == KN_ROLE_PROVIDER))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("role and provider do not go together"),
				errhint("Use provider with the id of a team, or dispatcher, admin or analyst "
						"alone."));
	kn_installed_require();
	SPI_connect();
	invitation.has_centre = (invitation.role & (KN_ROLE_ADMIN | KN_ROLE_DISPATCHER)) != 0;
	if (invitation.has_centre && !kn_centre_first(&invitation.centre))
		ereport(ERROR, errcode(ERRCODE_NO_DATA_FOUND), errmsg("there is no dispatch centre"));
	kn_uuid4(invitation.id.data);
	code_of(&invitation.id, code, index);
	kn_invitation_insert(&invitation, index, NULL, NULL, KN_INVITATION_DAYS);
	entry.target = &invitation.id;
	kn_audit_write(&entry);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(code));
}
