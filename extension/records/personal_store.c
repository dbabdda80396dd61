/*-------------------------------------------------------------------------
 *
 * personal_store.c
 *	  Every statement on what is hers alone.
 *
 * All run as the door, under row security: only her own principal is a member
 * of her bucket.  The sealed body is a JSON object by field name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/mutant.h"
#include "base/spi.h"
#include "identity/subject.h"
#include "records/personal.h"

/* clang-format off */
#define PERSONAL_COLUMNS                                                                             \
	"p.id, p.owner_id, p.noun, p.spelling_sealed, p.body_sealed, p.created_at, "            \
	"p.deleted_at IS NOT NULL, c.version, c.updated_at, c.writer, c.foreign_version "
/* clang-format on */
#define PERSONAL_FROM \
	"FROM kintaraa.personal p LEFT JOIN " KN_STAMP_OF("p.owner_id", "p.noun", "p.id") "ON true "
#define UNREADABLE "_unreadable"
#define SPELLING "personal.spelling"

static void read_rows(const KnRows *rows, const pg_uuid_t *owner, KnPersonal *out);
static void read_body(const char *text, KnPersonal *out);
static bytea *seal_body(const KnPersonal *record, const KnSubject *subject);
static void set_wanted(KnArgs *args, const KnPersonalNoun *noun, const pg_uuid_t *owner,
					   const char *client_id);

static KnStatement select_one = KN_READ(
	KN_AS_DOOR,
	"SELECT " PERSONAL_COLUMNS PERSONAL_FROM
	" WHERE p.owner_id = $1 AND p.noun = $2 AND p.client_key = $3",
	UUIDOID, TEXTOID, BYTEAOID);

static KnStatement select_known = KN_READ(
	KN_AS_DOOR,
	"SELECT 1 FROM kintaraa.personal p "
	" WHERE p.owner_id = $1 AND p.noun = $2 AND p.client_key = $3",
	UUIDOID, TEXTOID, BYTEAOID);

static KnStatement lock_one = KN_WRITE(
	KN_AS_DOOR,
	"SELECT p.id FROM kintaraa.personal p "
	" WHERE p.owner_id = $1 AND p.noun = $2 AND p.client_key = $3 FOR NO KEY UPDATE",
	UUIDOID, TEXTOID, BYTEAOID);

static KnStatement select_set = KN_READ(
	KN_AS_DOOR,
	"SELECT " PERSONAL_COLUMNS PERSONAL_FROM " WHERE p.owner_id = $1 AND p.id = ANY ($2)",
	UUIDOID, UUIDARRAYOID);

static KnStatement select_page = KN_READ(
	KN_AS_DOOR,
	"SELECT " PERSONAL_COLUMNS PERSONAL_FROM
	" WHERE p.owner_id = $1 AND p.noun = $2 AND p.deleted_at IS NULL "
	"   AND (p.created_at, p.id) < ($3, $4) "
	" ORDER BY p.created_at DESC, p.id DESC LIMIT $5",
	UUIDOID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement insert_one = KN_WRITE(
	KN_AS_DOOR,
	"INSERT INTO kintaraa.personal (id, owner_id, noun, client_key, body_sealed, spelling_sealed) "
	"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
	UUIDOID, UUIDOID, TEXTOID, BYTEAOID, BYTEAOID, BYTEAOID);

/* clang-format off */
static KnStatement update_one = KN_WRITE(
	KN_AS_DOOR,
	"UPDATE kintaraa.personal SET body_sealed = $3, deleted_at = NULL WHERE id = $1 AND owner_id = $2",
	UUIDOID, UUIDOID, BYTEAOID);
/* clang-format on */

static KnStatement delete_one = KN_WRITE(
	KN_AS_DOOR,
	"UPDATE kintaraa.personal SET body_sealed = NULL, deleted_at = pg_catalog.now() "
	" WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL",
	UUIDOID, UUIDOID);

static void
read_rows(const KnRows *rows, const pg_uuid_t *owner, KnPersonal *out)
{
	KnRows held = *rows;
	KnSubject subject;

	if (held.n == 0)
		return;
	kn_account_subject(owner, &subject);
	for (uint64 i = 0; i < held.n; i++)
	{
		KnPersonal *record = &out[i];

		memset(record, 0, sizeof(*record));
		kn_col_uuid(&held, i, 1, &record->id);
		kn_col_uuid(&held, i, 2, &record->owner);
		record->noun = kn_personal_noun(kn_col_text(&held, i, 3));
		record->client_id =
			kn_spelling_open(&subject, SPELLING, &record->id, kn_col_bytea(&held, i, 4));
		record->created_at = kn_col_time(&held, i, 6);
		record->deleted = kn_col_bool(&held, i, 7);
		record->stamp.version = kn_col_bigint(&held, i, 8, 0);
		record->stamp.updated_at = kn_col_time(&held, i, 9);
		record->has_writer = kn_col_uuid(&held, i, 10, &record->writer);
		record->foreign_version = kn_col_bigint(&held, i, 11, 0);
		read_body(kn_unseal(&subject, "personal.body", &record->id, kn_col_bytea(&held, i, 5)),
				  record);
	}
	kn_subject_forget(&subject);
}

static void
read_body(const char *text, KnPersonal *out)
{
	static const char *const none[] = {NULL};
	Jsonb *body;
	KnLeftovers left;
	JsonbValue *kept;

	if (text == NULL)
		return;
	body = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	kn_fields_read(out->noun->fields, out->noun->n_fields, &body->root, none, out->values, &left);
	kept = kn_in_member(&body->root, UNREADABLE);
	if (kept != NULL)
	{
		KnJson json;

		kn_json_init(&json);
		kn_json_client(&json, kept);
		out->unreadable = json.text.data;
	}
}

static bytea *
seal_body(const KnPersonal *record, const KnSubject *subject)
{
	KnJson json;

	kn_json_init(&json);
	kn_json_open(&json, '{');
	for (int i = 0; i < record->noun->n_fields; i++)
	{
		if (!record->values[i].present)
			continue;
		kn_json_key(&json, record->noun->fields[i].key);
		kn_field_write(&json, &record->noun->fields[i], &record->values[i]);
	}
	if (record->unreadable)
	{
		kn_json_key(&json, UNREADABLE);
		kn_json_raw(&json, record->unreadable, strlen(record->unreadable));
	}
	kn_json_close(&json, '}');
	return kn_seal(subject, "personal.body", &record->id, json.text.data);
}

static void
set_wanted(KnArgs *args, const KnPersonalNoun *noun, const pg_uuid_t *owner, const char *client_id)
{
	kn_arg_uuid(args, owner);
	kn_arg_text(args, noun->name);
	kn_arg_bytea(args, kn_client_key(owner, noun->name, client_id));
}

char *
kn_personal_spelt(const KnPersonalNoun *noun, const pg_uuid_t *owner, const char *text)
{
	char *folded = kn_client_id_fold(text);
	KnArgs args = {0};

	if (strcmp(folded, text) == 0)
		return folded;
	set_wanted(&args, noun, owner, text);
	return kn_run(&select_known, &args) > 0 ? pstrdup(text) : folded;
}

bool
kn_personal_find(const KnPersonalNoun *noun, const pg_uuid_t *owner, const char *client_id,
				 bool lock, KnPersonal *out)
{
	KnArgs args = {0};
	KnRows rows;

	set_wanted(&args, noun, owner, client_id);
	/* its stamp is read after the lock: the same statement would join the one before the wait */
	if ((lock && !kn_mutant("no_lock") && kn_run(&lock_one, &args) == 0) ||
		kn_run(&select_one, &args) == 0)
		return false;
	rows = kn_rows();
	read_rows(&rows, owner, out);
	return true;
}

int
kn_personal_load(const pg_uuid_t *owner, const pg_uuid_t *ids, int n, KnPersonal **out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, owner);
	kn_arg_uuid_array(&args, ids, n);
	kn_run(&select_set, &args);
	rows = kn_rows();
	*out = palloc(sizeof(KnPersonal) * Max(rows.n, 1));
	read_rows(&rows, owner, *out);
	return rows.n;
}

int
kn_personal_page(const KnPersonalNoun *noun, const pg_uuid_t *owner, TimestampTz before_at,
				 const pg_uuid_t *before_id, int limit, KnPersonal **out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, owner);
	kn_arg_text(&args, noun->name);
	kn_arg_before(&args, before_at, before_id);
	kn_arg_int(&args, limit);
	kn_run(&select_page, &args);
	rows = kn_rows();
	*out = palloc(sizeof(KnPersonal) * Max(rows.n, 1));
	read_rows(&rows, owner, *out);
	return rows.n;
}

bool
kn_personal_insert(const KnPersonal *record)
{
	KnSubject subject;
	KnArgs args = {0};

	kn_account_subject(&record->owner, &subject);
	kn_arg_uuid(&args, &record->id);
	kn_arg_uuid(&args, &record->owner);
	kn_arg_text(&args, record->noun->name);
	kn_arg_bytea(&args, kn_client_key(&record->owner, record->noun->name, record->client_id));
	kn_arg_bytea(&args, seal_body(record, &subject));
	kn_arg_bytea(&args, kn_spelling_seal(&subject, SPELLING, &record->id,
										 record->spelling ? record->spelling : record->client_id));
	kn_subject_forget(&subject);
	return kn_run(&insert_one, &args) == 1;
}

void
kn_personal_update(const KnPersonal *record)
{
	KnSubject subject;
	KnArgs args = {0};

	kn_account_subject(&record->owner, &subject);
	kn_arg_uuid(&args, &record->id);
	kn_arg_uuid(&args, &record->owner);
	kn_arg_bytea(&args, seal_body(record, &subject));
	kn_subject_forget(&subject);
	if (kn_run(&update_one, &args) != 1)
		elog(ERROR, "a record vanished while it was changed");
}

void
kn_personal_delete(const KnPersonal *record)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &record->id);
	kn_arg_uuid(&args, &record->owner);
	kn_run(&delete_one, &args);
}
