/*-------------------------------------------------------------------------
 *
 * account_store.c
 *	  The rows of accounts: sealed in, opened out.
 *
 * Called by account.c, session.c and admin.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/lock.h"
#include "identity/account_store.h"
#include "keys/keystore.h"
#include "keys/random.h"

static void read_account(const KnRows *rows, KnAccount *out);
static void seal_profile(KnArgs *args, const KnSubject *subject, const KnAccount *account);

static KnStatement find_account = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.id, a.role, a.email_sealed, a.first_name_sealed, a.last_name_sealed, "
	"       a.phone_sealed, a.provider_id, p.provider_type, a.centre_id, a.is_anonymous, "
	"       a.language, a.is_active, a.created_at, k.wrapped, c.version, c.updated_at "
	"  FROM kintaraa.account a "
	"  LEFT JOIN kintaraa.provider p ON p.id = a.provider_id "
	"  LEFT JOIN kintaraa.subject_key k ON k.subject = a.id "
	"  LEFT JOIN kintaraa.change c ON c.bucket = a.id AND c.noun = 'account' AND c.id = a.id "
	" WHERE a.id = $1",
	UUIDOID);

static KnStatement lock_account = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.account WHERE id = $1 FOR NO KEY UPDATE",
	UUIDOID);

static KnStatement insert_key = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.subject_key (subject, wrapped) VALUES ($1, $2)",
	UUIDOID, BYTEAOID);

static KnStatement find_key = KN_READ(
	KN_AS_SYSTEM,
	"SELECT wrapped FROM kintaraa.subject_key WHERE subject = $1",
	UUIDOID);

static KnStatement insert_account = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.account (id, first_name_sealed, last_name_sealed, phone_sealed, "
	"  phone_index, language, is_anonymous, role, email_index, email_sealed, password_hash, "
	"  provider_id, centre_id) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING created_at",
	UUIDOID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID, TEXTOID, BOOLOID, TEXTOID, BYTEAOID, BYTEAOID,
	BYTEAOID, UUIDOID, UUIDOID);

static KnStatement update_profile = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.account SET first_name_sealed = $2, last_name_sealed = $3, "
	"  phone_sealed = $4, phone_index = $5, language = $6, is_anonymous = $7 WHERE id = $1",
	UUIDOID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID, TEXTOID, BOOLOID);

static KnStatement has_password = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.account WHERE id = $1 AND password_hash = $2",
	UUIDOID, BYTEAOID);

static KnStatement set_password = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.account SET password_hash = $2 WHERE id = $1",
	UUIDOID, BYTEAOID);

static KnStatement page = KN_READ(
	KN_AS_SYSTEM,
	"SELECT id, role, is_active, created_at, provider_id FROM kintaraa.account "
	" WHERE ($1 IS NULL OR role = $1) AND (created_at, id) < ($2, $3) "
	" ORDER BY created_at DESC, id DESC LIMIT $4",
	TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement lock_last = {
	.sql = "SELECT role FROM kintaraa.account WHERE role IN ('admin', 'dispatcher') AND is_active "
		   " ORDER BY id FOR NO KEY UPDATE",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement switch_off = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.account SET is_active = false WHERE id = $1 AND is_active",
	UUIDOID);

static KnStatement refresh_dispatch = {
	.sql = "SELECT kintaraa.dispatch_refresh()",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

bool
kn_account_find(const pg_uuid_t *id, bool lock, KnAccount *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	/* two statements: the second sees the stamp of whoever held the lock before */
	if (lock)
		kn_run(&lock_account, &args);
	if (kn_run(&find_account, &args) == 0)
		return false;
	rows = kn_rows();
	read_account(&rows, out);
	return true;
}

static void
read_account(const KnRows *rows, KnAccount *out)
{
	KnSubject subject;

	kn_col_uuid(rows, 0, 1, &out->id);
	kn_subject_open(&subject, &out->id, kn_col_bytea(rows, 0, 14));
	out->role = kn_role_parse(kn_col_text(rows, 0, 2));
	out->email = kn_unseal(&subject, "account.email", &out->id, kn_col_bytea(rows, 0, 3));
	out->first_name = kn_unseal(&subject, "account.first_name", &out->id, kn_col_bytea(rows, 0, 4));
	out->last_name = kn_unseal(&subject, "account.last_name", &out->id, kn_col_bytea(rows, 0, 5));
	out->phone = kn_unseal(&subject, "account.phone", &out->id, kn_col_bytea(rows, 0, 6));
	out->has_provider = kn_col_uuid(rows, 0, 7, &out->provider);
	out->provider_type = kn_col_text(rows, 0, 8);
	out->has_centre = kn_col_uuid(rows, 0, 9, &out->centre);
	out->is_anonymous = kn_col_bool(rows, 0, 10);
	out->language = kn_col_text(rows, 0, 11);
	out->is_active = kn_col_bool(rows, 0, 12);
	out->created_at = kn_col_time(rows, 0, 13);
	out->stamp.version = kn_col_bigint(rows, 0, 15, 0);
	out->stamp.updated_at = kn_col_time(rows, 0, 16);
	kn_subject_forget(&subject);
}

void
kn_account_insert(KnAccount *account, const KnEmail *email, const unsigned char *hash)
{
	unsigned char wrapped[KN_WRAPPED_SIZE];
	KnArgs key_args = {0};
	KnArgs args = {0};
	KnSubject subject;
	KnRows rows;

	kn_uuid4(account->id.data);
	kn_subject_new(&subject, &account->id, wrapped);
	kn_arg_uuid(&key_args, &account->id);
	kn_arg_bytes(&key_args, wrapped, sizeof(wrapped));
	kn_run(&insert_key, &key_args);
	seal_profile(&args, &subject, account);
	kn_arg_text(&args, kn_role_name(account->role));
	kn_arg_bytes(&args, email->index, KN_BLIND_SIZE);
	kn_arg_bytea(&args, kn_seal(&subject, "account.email", &account->id, email->text));
	kn_subject_forget(&subject);
	kn_arg_bytes(&args, hash, KN_PASSWORD_HASH_SIZE);
	kn_arg_uuid(&args, account->has_provider ? &account->provider : NULL);
	kn_arg_uuid(&args, account->has_centre ? &account->centre : NULL);
	kn_run(&insert_account, &args);
	rows = kn_rows();
	account->created_at = kn_col_time(&rows, 0, 1);
}

/* The parameters $1 to $7 that a new account and a changed one have in common. */
static void
seal_profile(KnArgs *args, const KnSubject *subject, const KnAccount *account)
{
	const pg_uuid_t *id = &account->id;
	unsigned char phone_index[KN_BLIND_SIZE];

	if (account->phone != NULL &&
		!kn_blind_index(kn_keystore(), "account.phone", account->phone, strlen(account->phone),
						phone_index))
		elog(ERROR, "could not make a blind index");
	kn_arg_uuid(args, id);
	kn_arg_bytea(args, kn_seal(subject, "account.first_name", id, account->first_name));
	kn_arg_bytea(args, kn_seal(subject, "account.last_name", id, account->last_name));
	kn_arg_bytea(args, kn_seal(subject, "account.phone", id, account->phone));
	kn_arg_bytes(args, account->phone ? phone_index : NULL, KN_BLIND_SIZE);
	kn_arg_text(args, account->language);
	kn_arg_bool(args, account->is_anonymous);
}

void
kn_account_write_profile(const KnAccount *account)
{
	KnArgs key_args = {0};
	KnArgs args = {0};
	KnSubject subject = {0};
	KnRows rows;

	kn_arg_uuid(&key_args, &account->id);
	if (kn_run(&find_key, &key_args) == 1)
	{
		rows = kn_rows();
		kn_subject_open(&subject, &account->id, kn_col_bytea(&rows, 0, 1));
	}
	seal_profile(&args, &subject, account);
	kn_subject_forget(&subject);
	kn_run(&update_profile, &args);
}

void
kn_account_lock_email(const KnEmail *email)
{
	kn_lock_named(KN_LOCK_EMAIL, email->index);
}

bool
kn_account_has_password(const pg_uuid_t *id, const unsigned char *hash)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_bytes(&args, hash, KN_PASSWORD_HASH_SIZE);
	return kn_run(&has_password, &args) == 1;
}

void
kn_account_set_password(const pg_uuid_t *id, const unsigned char *hash)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_bytes(&args, hash, KN_PASSWORD_HASH_SIZE);
	kn_run(&set_password, &args);
}

KnRows
kn_account_page(const char *role, TimestampTz before, const pg_uuid_t *before_id, int limit)
{
	KnArgs args = {0};

	kn_arg_text(&args, role);
	kn_arg_before(&args, before, before_id);
	kn_arg_int(&args, limit);
	kn_run(&page, &args);
	return kn_rows();
}

KnStaffCount
kn_account_lock_last(void)
{
	KnStaffCount count = {0};
	uint64 n = kn_run0(&lock_last);
	KnRows rows = kn_rows();

	for (uint64 i = 0; i < n; i++)
		if (strcmp(kn_col_text(&rows, i, 1), "admin") == 0)
			count.admins++;
		else
			count.dispatchers++;
	return count;
}

void
kn_account_switch_off(const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_run(&switch_off, &args);
}

void
kn_account_staff_changed(void)
{
	kn_run0(&refresh_dispatch);
}
