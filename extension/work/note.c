/*-------------------------------------------------------------------------
 *
 * note.c
 *	  A helper's note on a case.
 *
 * Called by record.c and sync/.  Sealed under her data key, so that it ends
 * with her data; shown to the author's own team and to nobody else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "base/limits.h"
#include "base/spi.h"
#include "identity/subject.h"
#include "keys/random.h"
#include "records/archive.h"
#include "work/note.h"

static void park(KnCall *call, const KnWrite *write, const pg_uuid_t *bucket, KnRecordResult *out);
static void add(KnCall *call, const KnWrite *write, const pg_uuid_t *bucket, const char *text,
				KnRecordResult *out);
static void answer_known(KnCall *call, const KnWrite *write, const KnRows *rows, const char *text,
						 KnRecordResult *out);
static char *spelling_of(const KnCaller *caller, const pg_uuid_t *id, bytea *sealed);

static KnStatement select_case = KN_READ(
	KN_AS_DOOR, "SELECT owner_id FROM kintaraa.incident WHERE id = $1 AND deleted_at IS NULL",
	UUIDOID);

/* Whoever is barred at this moment holds the row; afterwards the case is read as it is then. */
static KnStatement lock_case = KN_WRITE(
	KN_AS_DOOR, "SELECT 1 FROM kintaraa.incident WHERE id = $1 FOR KEY SHARE", UUIDOID);

#define SPELLING "note.spelling"
#define STAMPED "  LEFT JOIN " KN_STAMP_OF("n.bucket", "'note'", "n.id") "ON true "

/* clang-format off */
static KnStatement select_own = KN_READ(
	KN_AS_SYSTEM,
	"SELECT n.bucket, n.id, n.text_sealed, i.owner_id, c.version, c.updated_at "
	"  FROM kintaraa.note n JOIN kintaraa.incident i ON i.id = n.bucket "
	STAMPED
	" WHERE n.author_id = $1 AND n.client_key = $2 AND " KN_NOT_BARRED("n.bucket", "$3"),
	UUIDOID, BYTEAOID, UUIDARRAYOID);
/* clang-format on */

static KnStatement insert_note = KN_WRITE(
	KN_AS_DOOR,
	"INSERT INTO kintaraa.note (bucket, id, provider_id, author_id, client_key, text_sealed, "
	"                           spelling_sealed) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
	UUIDOID, UUIDOID, UUIDOID, UUIDOID, BYTEAOID, BYTEAOID, BYTEAOID);

/* clang-format off */
static KnStatement select_notes = KN_READ(
	KN_AS_DOOR,
	"SELECT n.bucket, n.id, n.text_sealed, i.owner_id, c.version, c.updated_at, n.author_id, "
	"       n.spelling_sealed, n.created_at "
	"  FROM kintaraa.note n JOIN kintaraa.incident i ON i.id = n.bucket "
	STAMPED
	" WHERE n.id = ANY ($1) AND n.provider_id = $2",
	UUIDARRAYOID, UUIDOID);
/* clang-format on */

static KnStatement select_spelling = KN_READ(
	KN_AS_SYSTEM,
	"SELECT spelling_sealed FROM kintaraa.note WHERE id = $1 AND author_id = $2", UUIDOID, UUIDOID);

void
kn_note_apply(KnCall *call, const KnWrite *write, KnRecordResult *out)
{
	char *incident = write->data ? kn_in_text(write->data, "incidentId", 1, 64, false) : NULL;
	char *text = write->data ? kn_in_text(write->data, "text", 0, KN_DESCRIPTION_MAX, false) : NULL;
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t bucket;

	if (write->is_delete || !call->caller->has_provider || incident == NULL || text == NULL ||
		!kn_uuid_parse(incident, &bucket))
	{
		out->status = KN_RECORD_INVALID;
		out->code = write->is_delete ? "append_only" : "no_data";
		return;
	}
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_bytea(&args, kn_client_key(&call->caller->account, "note", write->client_id));
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	if (kn_run(&select_own, &args) > 0)
	{
		rows = kn_rows();
		answer_known(call, write, &rows, text, out);
		return;
	}
	args.n = 0;
	kn_arg_uuid(&args, &bucket);
	/* a case that is lost and one that never was get one answer */
	if (kn_run(&lock_case, &args) == 0 || kn_run(&select_case, &args) == 0)
		park(call, write, &bucket, out);
	else
		add(call, write, &bucket, text, out);
}

static void
park(KnCall *call, const KnWrite *write, const pg_uuid_t *bucket, KnRecordResult *out)
{
	out->status = KN_RECORD_PARKED;
	out->code = "scope";
	out->drop = true;
	/* of a case that it names, there or not: whoever is barred from it reads none of them */
	kn_archive_keep(call, write, bucket, "scope", &out->archive);
	out->has_archive = true;
}

static void
add(KnCall *call, const KnWrite *write, const pg_uuid_t *bucket, const char *text,
	KnRecordResult *out)
{
	KnSubject subject;
	KnArgs args = {0};
	pg_uuid_t owner;
	pg_uuid_t id;
	bytea *spelling;
	KnRows rows = kn_rows();

	kn_col_uuid(&rows, 0, 1, &owner);
	kn_uuid4(id.data);
	kn_account_subject(&call->caller->account, &subject);
	spelling = kn_spelling_seal(&subject, SPELLING, &id,
								write->spelling ? write->spelling : write->client_id);
	kn_subject_forget(&subject);
	kn_account_subject(&owner, &subject);
	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, &id);
	kn_arg_uuid(&args, &call->caller->provider);
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_bytea(&args, kn_client_key(&call->caller->account, "note", write->client_id));
	kn_arg_bytea(&args, kn_seal(&subject, "note.text", &id, text));
	kn_arg_bytea(&args, spelling);
	kn_subject_forget(&subject);
	if (kn_run(&insert_note, &args) != 1)
	{
		out->status = KN_RECORD_RETRY;
		out->code = "busy";
		return;
	}
	kn_call_flush(call);
	kn_change_stamp(bucket, "note", &id, &out->stamp);
	out->status = KN_RECORD_APPLIED;
	out->created = true;
}

static void
answer_known(KnCall *call, const KnWrite *write, const KnRows *rows, const char *text,
			 KnRecordResult *out)
{
	KnSubject subject;
	pg_uuid_t bucket;
	pg_uuid_t id;
	pg_uuid_t owner;
	char *stored;

	kn_col_uuid(rows, 0, 1, &bucket);
	kn_col_uuid(rows, 0, 2, &id);
	kn_col_uuid(rows, 0, 4, &owner);
	out->stamp.version = kn_col_bigint(rows, 0, 5, 0);
	out->stamp.updated_at = kn_col_time(rows, 0, 6);
	kn_account_subject(&owner, &subject);
	stored = kn_unseal(&subject, "note.text", &id, kn_col_bytea(rows, 0, 3));
	kn_subject_forget(&subject);
	if (stored != NULL && strcmp(stored, text) == 0)
	{
		out->status = KN_RECORD_UNCHANGED;
		out->replayed = true;
		return;
	}
	out->status = KN_RECORD_CONFLICT;
	out->code = "append_only";
	kn_archive_keep(call, write, &bucket, "append_only", &out->archive);
	out->has_archive = true;
	kn_change_touch(&bucket, "note", &id);
}

/* Of a note that the caller wrote. */
static char *
spelling_of(const KnCaller *caller, const pg_uuid_t *id, bytea *sealed)
{
	KnSubject subject;
	char *spelling;

	kn_account_subject(&caller->account, &subject);
	spelling = kn_spelling_open(&subject, SPELLING, id, sealed);
	kn_subject_forget(&subject);
	return spelling;
}

const char *
kn_note_id_for(const KnCaller *caller, const pg_uuid_t *id)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	kn_arg_uuid(&args, &caller->account);
	kn_run(&select_spelling, &args);
	rows = kn_rows();
	return rows.n > 0 ? spelling_of(caller, id, kn_col_bytea(&rows, 0, 1)) : kn_uuid_text(id);
}

void
kn_note_render(const KnCaller *caller, const pg_uuid_t *ids, int n, KnNoteOut out, void *arg)
{
	KnArgs args = {0};
	KnRows rows;

	if (n == 0 || !caller->has_provider)
		return;
	kn_arg_uuid_array(&args, ids, n);
	kn_arg_uuid(&args, &caller->provider);
	kn_run(&select_notes, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		KnSubject subject;
		KnJson json;
		pg_uuid_t bucket;
		pg_uuid_t id;
		pg_uuid_t owner;
		pg_uuid_t author;

		kn_col_uuid(&rows, i, 1, &bucket);
		kn_col_uuid(&rows, i, 2, &id);
		kn_col_uuid(&rows, i, 4, &owner);
		kn_col_uuid(&rows, i, 7, &author);
		kn_account_subject(&owner, &subject);
		kn_json_init(&json);
		kn_json_open(&json, '{');
		/* the author's phone knows it by its own id */
		if (kn_uuid_equal(&author, &caller->account))
			kn_json_pair_text(&json, "id", spelling_of(caller, &id, kn_col_bytea(&rows, i, 8)));
		else
			kn_json_pair_uuid(&json, "id", &id);
		kn_json_pair_uuid(&json, "incidentId", &bucket);
		kn_json_pair_uuid(&json, "authorId", &author);
		kn_json_pair_text(&json, "text",
						  kn_unseal(&subject, "note.text", &id, kn_col_bytea(&rows, i, 3)));
		kn_json_pair_time(&json, "createdAt", kn_col_time(&rows, i, 9));
		kn_json_pair_time(&json, "updatedAt", kn_col_time(&rows, i, 6));
		kn_json_pair_int(&json, "serverVersion", kn_col_bigint(&rows, i, 5, 0));
		kn_json_close(&json, '}');
		kn_subject_forget(&subject);
		out(arg, json.text.data, json.text.len);
	}
}
