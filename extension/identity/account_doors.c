/*-------------------------------------------------------------------------
 *
 * account_doors.c
 *	  Registration, one's own profile, one's own password.
 *
 * Called from SQL (schema kintaraa_api).  Rows are in account_store.c.  An
 * e-mail is not unique: registering with a taken one makes another account and
 * tells nothing.  E-mail and password together are: registering with both of an
 * account is signing in to it.  Nobody changes an own role.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "identity/account_store.h"
#include "identity/attempt.h"
#include "identity/invitation.h"
#include "identity/session.h"
#include "identity/session_store.h"
#include "keys/keystore.h"
#include "keys/normalise.h"

/* A registration as it was asked for. */
typedef struct Wish
{
	KnAccount account;
	KnAttempt attempt;
	char *password;
	char *device;
	char *provider_type;
	bool has_role;
	bool has_code;
	unsigned char code[KN_BLIND_SIZE];
} Wish;

static void make(KnCall *call);
static void read_wish(KnCall *call, Wish *wish);
static bool open_existing(KnCall *call, Wish *wish, const unsigned char *hash, KnOpened *opened);
static void require_survivor(KnCall *call, const Wish *wish, const unsigned char *hash);
static void read_profile(JsonbContainer *body, KnAccount *account, const char *language);
static char *read_name(JsonbContainer *body, const char *key);
static char *read_phone(JsonbContainer *body);
static void insert(KnCall *call, Wish *wish, const unsigned char *hash);
static void take_invitation(KnCall *call, Wish *wish, const unsigned char *hash);
static void show(KnCall *call);
static void change(KnCall *call);
static bool same_profile(const KnAccount *a, const KnAccount *b);
static bool same_text(const char *a, const char *b);
static void require_value(JsonbContainer *body, const char *key);
static void refuse_owned(JsonbContainer *body);
static void answer_user(KnCall *call, const KnAccount *account);
static void change_password(KnCall *call);
static void refuse_twin(KnCall *call, KnAttempt *attempt, const unsigned char *hash);

KN_DOOR(auth_register, make, KN_ROLE_NONE, KN_DOOR_AUDITED,
		"POST /auth/register: makes an account and a session, or signs in. Body: email, "
		"password, firstName, lastName, phone, role, providerType, isAnonymous, language, "
		"invitation, device, deviceToken.");
KN_DOOR(me_get, show, KN_ROLE_ANY, KN_DOOR_READS,
		"GET /me: the caller's own account.");
KN_DOOR(me_update, change, KN_ROLE_ANY, KN_DOOR_AUDITED,
		"PATCH /me: changes the own profile. Body: firstName, lastName, phone, language, "
		"isAnonymous.");
KN_DOOR(me_password, change_password, KN_ROLE_ANY, KN_DOOR_AUDITED,
		"POST /me/password: changes the own password and ends the other sessions. Body: "
		"currentPassword, newPassword.");

static const char *const roles[] = {"survivor", "provider", "dispatcher", "admin", "analyst", NULL};
static const char *const provider_types[] = {"healthcare", "legal", "police", "counseling",
											 "social", "gbv_rescue", "chw", NULL};
static const char *const languages[] = {"en", "sw", NULL};

/* Hashed before anything is locked; the lock makes of six equal requests one account. */
static void
make(KnCall *call)
{
	unsigned char hash[KN_PASSWORD_HASH_SIZE];
	KnOpened opened = {0};
	Wish wish = {0};

	read_wish(call, &wish);
	kn_attempt_hash(call, &wish.attempt, &wish.password, 1, hash);
	kn_account_lock_email(&wish.attempt.email);
	call->outcome = KN_OK;
	if (!open_existing(call, &wish, hash, &opened))
	{
		insert(call, &wish, hash);
		call->outcome = KN_CREATED;
	}
	kn_session_begin(call, &wish.account, &wish.attempt, &opened, wish.device);
}

/*
 * Whoever knows both is she, at any time and whatever role she asked for.  An
 * invitation is for somebody new: with it only the account that it made is opened.
 */
static bool
open_existing(KnCall *call, Wish *wish, const unsigned char *hash, KnOpened *opened)
{
	if (!kn_attempt_open(call, &wish->attempt, hash,
						 wish->has_role ? wish->account.role : KN_ROLE_NONE,
						 wish->has_code ? wish->code : NULL, opened))
		return false;
	if (wish->has_code && !opened->was_invited)
		kn_attempt_refuse_twin(call, &wish->attempt, hash, "password");
	return kn_account_find(&opened->account, true, &wish->account) && wish->account.is_active;
}

static void
read_wish(KnCall *call, Wish *wish)
{
	static const char *const fields[] = {
		"email", "password", "firstName", "lastName", "phone", "role", "providerType",
		"isAnonymous", "language", "invitation", "device", "deviceToken", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	bool swahili = call->language != NULL && strncmp(call->language, "sw", 2) == 0;
	char *role;
	char *code;

	kn_in_only(body, fields);
	kn_attempt_init(call, &wish->attempt, kn_in_text(body, "email", 0, KN_EMAIL_MAX, true),
					kn_session_device_token(body),
					kn_in_member(body, "invitation") == NULL);
	role = kn_in_choice(body, "role", roles, false);
	wish->provider_type = kn_in_choice(body, "providerType", provider_types, false);
	code = kn_in_text(body, "invitation", 0, KN_INVITATION_TEXT_MAX, false);
	wish->has_role = role != NULL;
	wish->has_code = code != NULL;
	wish->account.role = role ? kn_role_parse(role) : KN_ROLE_SURVIVOR;
	if (wish->has_code && !kn_invitation_index(code, wish->code))
		kn_invitation_refuse();
	read_profile(body, &wish->account, swahili ? "sw" : "en");
	wish->device = kn_session_device(call, body);
	wish->password = kn_in_text(body, "password", KN_PASSWORD_MIN, KN_PASSWORD_MAX, true);
	kn_secret_require_strong(wish->password, "password");
}

static void
require_survivor(KnCall *call, const Wish *wish, const unsigned char *hash)
{
	if (wish->account.role != KN_ROLE_SURVIVOR || wish->provider_type != NULL)
		kn_attempt_refuse(call, &wish->attempt, hash, ERRCODE_KN_INVITATION_NEEDED,
						  "this role needs an invitation",
						  "Ask an administrator for an invitation and send its code.");
}

/* Members that are absent leave what is there; null empties a name or a number. */
static void
read_profile(JsonbContainer *body, KnAccount *account, const char *language)
{
	char *chosen = kn_in_choice(body, "language", languages, false);

	if (kn_in_member(body, "firstName") != NULL)
		account->first_name = read_name(body, "firstName");
	if (kn_in_member(body, "lastName") != NULL)
		account->last_name = read_name(body, "lastName");
	if (kn_in_member(body, "phone") != NULL)
		account->phone = read_phone(body);
	account->is_anonymous = kn_in_guard(body, "isAnonymous", account->is_anonymous);
	account->language = chosen ? chosen : pstrdup(language);
}

static char *
read_name(JsonbContainer *body, const char *key)
{
	char *name = kn_in_text(body, key, 0, KN_NAME_MAX, false);

	return name != NULL && *name != '\0' ? name : NULL;
}

static char *
read_phone(JsonbContainer *body)
{
	char *text = kn_in_text(body, "phone", 0, KN_PHONE_MAX, false);
	char *number = palloc(KN_PHONE_MAX + 1);

	if (text == NULL || *text == '\0')
		return NULL;
	if (!kn_normalise_phone(text, "254", number, KN_PHONE_MAX + 1))
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "phone", "the field is not a telephone number",
					   "Send digits, with + and the country in front unless it is Kenyan.");
	return number;
}

static void
insert(KnCall *call, Wish *wish, const unsigned char *hash)
{
	KnAccount *account = &wish->account;

	if (wish->has_code)
		take_invitation(call, wish, hash);
	else
		require_survivor(call, wish, hash);
	kn_attempt_count(&wish->attempt, hash);
	if (!wish->has_code)
		kn_throttle_registered(&wish->attempt.network);
	kn_account_insert(account, &wish->attempt.email, hash);
	if (wish->has_code)
		kn_invitation_taken_by(wish->code, &account->id);
	kn_change_flush(NULL);
	if (account->has_provider)
		kn_account_staff_changed();
	(void) kn_account_find(&account->id, false, account);
}

static void
take_invitation(KnCall *call, Wish *wish, const unsigned char *hash)
{
	KnAccount *account = &wish->account;
	KnInvitation invitation;

	if (!kn_invitation_take(wish->code, &invitation) ||
		(wish->has_role && account->role != invitation.role))
		kn_attempt_refuse(call, &wish->attempt, hash, ERRCODE_KN_INVITATION,
						  "the invitation is not good",
						  "Check the code and the role, or ask for a new invitation.");
	account->role = invitation.role;
	account->has_provider = invitation.has_provider;
	account->provider = invitation.provider;
	account->has_centre = invitation.has_centre;
	account->centre = invitation.centre;
}

static void
answer_user(KnCall *call, const KnAccount *account)
{
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "user");
	kn_account_json(&call->json, account);
	kn_json_close(&call->json, '}');
}

static void
show(KnCall *call)
{
	KnAccount account = {0};

	if (!kn_account_find(&call->caller->account, false, &account))
		kn_refuse_absent();
	answer_user(call, &account);
}

static void
change(KnCall *call)
{
	static const char *const fields[] = {"firstName", "lastName", "phone", "language",
										 "isAnonymous", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	const pg_uuid_t *id = &call->caller->account;
	KnAccount account = {0};
	KnAccount before;

	kn_call_target(call, "account", id);
	refuse_owned(body);
	kn_in_only(body, fields);
	require_value(body, "language");
	if (!kn_account_find(id, true, &account))
		kn_refuse_absent();
	before = account;
	read_profile(body, &account, account.language);
	if (same_profile(&account, &before))
	{
		answer_user(call, &account);
		return;
	}
	kn_call_require_version(call, account.stamp.version);
	kn_account_write_profile(&account);
	kn_call_flush(call);
	(void) kn_change_stamp(id, "account", id, &account.stamp);
	answer_user(call, &account);
}

/* What is stored is what was sent: the answer to the change before got lost. */
static bool
same_profile(const KnAccount *a, const KnAccount *b)
{
	return same_text(a->first_name, b->first_name) && same_text(a->last_name, b->last_name) &&
		   same_text(a->phone, b->phone) && same_text(a->language, b->language) &&
		   a->is_anonymous == b->is_anonymous;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Null empties a field; these are never empty, and null must not make anybody named. */
static void
require_value(JsonbContainer *body, const char *key)
{
	JsonbValue *value = kn_in_member(body, key);

	if (value != NULL && value->type == jbvNull)
		kn_input_error(ERRCODE_KN_FIELD_MISSING, key, "the field cannot be empty",
					   "Send a value, or leave the field out.");
}

static void
refuse_owned(JsonbContainer *body)
{
	static const char *const owned[] = {
		"id", "email", "password", "role", "providerType", "providerId", "centreId", "isActive",
		"createdAt", "updatedAt", "serverVersion", NULL};

	for (int i = 0; owned[i] != NULL; i++)
		if (kn_in_member(body, owned[i]) != NULL)
			ereport(ERROR,
					errcode(ERRCODE_KN_FIELD_OWNED),
					errmsg("the field is not yours to change"),
					errhint("Leave it out."),
					err_generic_string(PG_DIAG_COLUMN_NAME, owned[i]));
}

/*
 * The old password is asked for although the caller is proven: a phone left
 * lying is not she.  Whoever sends the password that is already the account's
 * has changed it before and lost the answer.  Both are tries like at sign-in.
 */
static void
change_password(KnCall *call)
{
	static const char *const fields[] = {"currentPassword", "newPassword", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	const pg_uuid_t *id = &call->caller->account;
	unsigned char hash[2][KN_PASSWORD_HASH_SIZE];
	KnAccount account = {0};
	KnAttempt attempt = {0};
	char *secrets[2];

	kn_call_target(call, "account", id);
	kn_in_only(body, fields);
	secrets[1] = kn_in_text(body, "newPassword", KN_PASSWORD_MIN, KN_PASSWORD_MAX, true);
	kn_secret_require_strong(secrets[1], "newPassword");
	secrets[0] = kn_in_text(body, "currentPassword", 0, KN_PASSWORD_MAX, true);
	if (!kn_account_find(id, false, &account) || account.email == NULL)
		kn_refuse_absent();
	kn_attempt_init(call, &attempt, account.email, NULL, false);
	kn_attempt_hash(call, &attempt, secrets, 2, hash[0]);
	kn_account_lock_email(&attempt.email);
	if (!kn_account_has_password(id, hash[1]))
	{
		if (!kn_account_has_password(id, hash[0]))
			kn_attempt_refuse(call, &attempt, hash[0], ERRCODE_KN_CURRENT_PASSWORD,
							  "the current password is wrong", NULL);
		refuse_twin(call, &attempt, hash[1]);
		kn_attempt_count(&attempt, hash[1]);
		kn_account_set_password(id, hash[1]);
		kn_known_device_end_all(id);
	}
	kn_session_end_others(id, &call->caller->session);
	call->outcome = KN_NONE;
}

static void
refuse_twin(KnCall *call, KnAttempt *attempt, const unsigned char *hash)
{
	KnOpened other;

	if (kn_attempt_open(call, attempt, hash, KN_ROLE_NONE, NULL, &other))
		kn_attempt_refuse_twin(call, attempt, hash, "newPassword");
}
