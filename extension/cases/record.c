/*-------------------------------------------------------------------------
 *
 * record.c
 *	  The one writer of records that clients make.
 *
 * Called by personal.c, note.c and sync/.  Versions are compared, never
 * clocks.  A write that loses is archived, and the record is touched, so that
 * the phone that lost hears of the version that stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"

#include "base/errcodes.h"
#include "base/mutant.h"
#include "base/spi.h"
#include "cases/incident_store.h"
#include "cases/note.h"
#include "cases/personal.h"
#include "cases/record.h"
#include "identity/subject.h"
#include "keys/random.h"

static void apply_personal(KnCall *call, const KnWrite *write, const KnPersonalNoun *noun,
						   KnRecordResult *out);
static bool insert_personal(KnCall *call, KnPersonal *record, KnRecordResult *out);
static void change_personal(KnCall *call, const KnWrite *write, KnPersonal *stored,
							KnPersonal *sent, KnRecordResult *out);
static bool stale(KnCall *call, const KnWrite *write, const KnPersonal *stored);
static bool last_write_wins(const char *noun);
static bool same(const KnPersonal *a, const KnPersonal *b);
static void lose(KnCall *call, const KnWrite *write, const KnPersonal *stored, const char *code,
				 KnRecordResult *out);
static void finish(KnCall *call, const KnPersonal *record, KnRecordResult *out);

const char *const kn_record_status_names[] = {"applied", "unchanged", "merged", "conflict",
											  "parked", "retry", "invalid"};
const char *const kn_archive_reasons[] = {"version", "no_base", "deleted", "append_only",
										  "unreadable", "scope", "unusable", NULL};

static KnStatement insert_archive = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.archive (id, owner_id, device, bucket, noun, row_id, payload_sealed, "
	"                              base_version, reason, organisation_id) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
	UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, TEXTOID, UUIDOID);

bool
kn_client_id_valid(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= KN_CLIENT_ID_MAX &&
		   strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

char *
kn_client_id_fold(const char *text)
{
	char *folded = pstrdup(text);
	pg_uuid_t id;

	for (char *at = folded; *at != '\0'; at++)
		*at = pg_ascii_tolower((unsigned char) *at);
	return kn_uuid_parse(folded, &id) ? folded : strcpy(folded, text);
}

bool
kn_client_id_uuid(const char *folded, pg_uuid_t *out)
{
	pg_uuid_t id;

	if (!kn_uuid_parse(folded, &id) || id.data[6] >> 4 != 4 || id.data[8] >> 6 != 2)
		return false;
	*out = id;
	return true;
}

bool
kn_version_conflicts(int64 base, int64 newest, int64 version, int64 foreign_version,
					 bool has_writer, const pg_uuid_t *row_writer, const pg_uuid_t *writer)
{
	bool own = has_writer && kn_uuid_equal(row_writer, writer);

	return base < (own ? foreign_version : version) || (!own && base > newest);
}

void
kn_write_follow(KnWrite *write, const KnWrite *before, const KnRecordResult *result)
{
	if (result->status != KN_RECORD_APPLIED || before->is_delete ||
		strcmp(before->noun, write->noun) != 0 ||
		strcmp(before->client_id, write->client_id) != 0)
		return;
	write->base = write->has_base ? Max(write->base, result->stamp.version) : result->stamp.version;
	write->has_base = true;
}

void
kn_record_apply(KnCall *call, const KnWrite *write, KnRecordResult *out)
{
	const KnPersonalNoun *noun = kn_personal_noun(write->noun);

	memset(out, 0, sizeof(*out));
	if (noun != NULL)
	{
		apply_personal(call, write, noun, out);
		return;
	}
	if (strcmp(write->noun, "note") == 0)
	{
		kn_note_apply(call, write, out);
		return;
	}
	out->status = KN_RECORD_INVALID;
	out->code = "unknown_noun";
}

static void
apply_personal(KnCall *call, const KnWrite *write, const KnPersonalNoun *noun, KnRecordResult *out)
{
	static const char *const owned[] = {"id", "createdAt", "updatedAt", "serverVersion",
										"serverTime", NULL};
	const pg_uuid_t *owner = &call->caller->account;
	KnPersonal stored;
	KnPersonal sent = {.noun = noun, .owner = *owner};
	KnLeftovers left;
	bool known = kn_personal_find(noun, owner, write->client_id, true, &stored);

	if (write->is_delete)
	{
		if (known && !stored.deleted && write->has_base && stale(call, write, &stored))
		{
			lose(call, write, &stored, "version", out);
			return;
		}
		out->status = known && !stored.deleted ? KN_RECORD_APPLIED : KN_RECORD_UNCHANGED;
		if (out->status == KN_RECORD_APPLIED)
			kn_personal_delete(&stored);
		return;
	}
	kn_fields_read(noun->fields, noun->n_fields, write->data, owned, sent.values, &left);
	sent.unreadable = left.n_unreadable ? left.unreadable.text.data : NULL;
	sent.client_id = pstrdup(write->client_id);
	sent.spelling = write->spelling;
	if (known)
	{
		change_personal(call, write, &stored, &sent, out);
		return;
	}
	kn_uuid4(sent.id.data);
	(void) kn_client_id_uuid(write->client_id, &sent.id);
	if (insert_personal(call, &sent, out))
		return;
	/* two of her phones at once: the other one was first */
	if (!kn_personal_find(noun, owner, write->client_id, true, &stored))
		elog(ERROR, "a record could not be stored");
	change_personal(call, write, &stored, &sent, out);
}

/* Somebody else may have the id she chose; then the server makes one. */
static bool
insert_personal(KnCall *call, KnPersonal *record, KnRecordResult *out)
{
	if (!kn_personal_insert(record))
	{
		kn_uuid4(record->id.data);
		if (!kn_personal_insert(record))
			return false;
	}
	out->status = KN_RECORD_APPLIED;
	out->created = true;
	finish(call, record, out);
	return true;
}

static void
change_personal(KnCall *call, const KnWrite *write, KnPersonal *stored, KnPersonal *sent,
				KnRecordResult *out)
{
	/* of which there is one, that one may come back */
	if (stored->deleted && !kn_mutant("no_tombstone") &&
		(!stored->noun->single || (write->has_base && stale(call, write, stored))))
	{
		lose(call, write, stored, "deleted", out);
		out->drop = true;
		return;
	}
	if (!stored->deleted && same(stored, sent))
	{
		if (write->has_base && write->base < stored->stamp.version)
			kn_change_touch(&stored->owner, stored->noun->name, &stored->id);
		out->status = KN_RECORD_UNCHANGED;
		out->stamp = stored->stamp;
		finish(call, stored, out);
		return;
	}
	if (!stored->deleted && stale(call, write, stored))
	{
		lose(call, write, stored, write->has_base ? "version" : "no_base", out);
		return;
	}
	sent->id = stored->id;
	sent->created_at = stored->created_at;
	kn_personal_update(sent);
	out->status = KN_RECORD_APPLIED;
	finish(call, sent, out);
}

static bool
stale(KnCall *call, const KnWrite *write, const KnPersonal *stored)
{
	pg_uuid_t writer;

	kn_call_writer(call, &writer);
	if (kn_mutant("no_conflict"))
		return false;
	if (kn_mutant("plain_version"))
		return !write->has_base || write->base < stored->stamp.version;
	return !last_write_wins(write->noun) &&
		   (!write->has_base ||
			kn_version_conflicts(write->base, stored->stamp.version, stored->stamp.version,
								 stored->foreign_version, stored->has_writer, &stored->writer,
								 &writer));
}

/* Where nothing is lost that anybody would miss; everything else keeps both versions. */
static bool
last_write_wins(const char *noun)
{
	static const char *const harmless[] = {"preference", "mood_entry", NULL};

	return kn_choice_has(harmless, noun);
}

static bool
same(const KnPersonal *a, const KnPersonal *b)
{
	const KnPersonalNoun *noun = a->noun;
	KnJson left;
	KnJson right;

	kn_json_init(&left);
	kn_json_init(&right);
	for (int i = 0; i < noun->n_fields; i++)
	{
		kn_field_write(&left, &noun->fields[i], &a->values[i]);
		kn_field_write(&right, &noun->fields[i], &b->values[i]);
	}
	return strcmp(left.text.data, right.text.data) == 0;
}

static void
lose(KnCall *call, const KnWrite *write, const KnPersonal *stored, const char *code,
	 KnRecordResult *out)
{
	out->status = KN_RECORD_CONFLICT;
	out->code = code;
	if (!kn_mutant("no_archive"))
		kn_archive_keep(call, write, &stored->owner, code, &out->archive);
	out->has_archive = true;
	kn_change_touch(&stored->owner, write->noun, &stored->id);
	out->stamp = stored->stamp;
	finish(call, stored, out);
}

static void
finish(KnCall *call, const KnPersonal *record, KnRecordResult *out)
{
	KnPersonal shown = *record;
	KnJson json;

	kn_call_flush(call);
	(void) kn_change_stamp(&record->owner, record->noun->name, &record->id, &out->stamp);
	shown.stamp = out->stamp;
	if (shown.created_at == 0)
		shown.created_at = GetCurrentTransactionStartTimestamp();
	if (record->deleted)
		return;
	kn_json_init(&json);
	kn_personal_render(&json, &shown);
	out->current = json.text.data;
}

void
kn_record_touch(KnCall *call, const KnWrite *write, KnRecordResult *out)
{
	const KnPersonalNoun *noun = kn_personal_noun(write->noun);
	KnPersonal stored;
	KnIntake intake;

	if (noun != NULL)
	{
		if (!kn_personal_find(noun, &call->caller->account, write->client_id, false, &stored))
			return;
		kn_change_touch(&stored.owner, noun->name, &stored.id);
		out->stamp = stored.stamp;
		finish(call, &stored, out);
		return;
	}
	if (strcmp(write->noun, "incident") != 0)
		return;
	kn_incident_intake(&call->caller->account, write->client_id, &intake);
	kn_subject_forget(&intake.subject);
	if (intake.known)
		kn_change_touch(&intake.id, "incident", &intake.id);
}

void
kn_archive_keep(KnCall *call, const KnWrite *write, const pg_uuid_t *bucket, const char *reason,
				pg_uuid_t *id)
{
	KnArchiveEntry entry = {.bucket = bucket,
							.noun = write->noun,
							.row_id = write->spelling ? write->spelling : write->client_id,
							.has_base = write->has_base,
							.base = write->base,
							.reason = reason};
	KnJson payload;

	kn_uuid4(id->data);
	entry.id = *id;
	if (write->data != NULL)
	{
		JsonbValue whole = {.type = jbvBinary, .val.binary = {.data = write->data}};

		kn_json_init(&payload);
		kn_json_client(&payload, &whole);
		entry.payload = payload.text.data;
	}
	kn_archive_store(call, &entry);
}

void
kn_archive_store(KnCall *call, const KnArchiveEntry *entry)
{
	KnSubject subject;
	KnArgs args = {0};

	kn_account_subject(&call->caller->account, &subject);
	kn_arg_uuid(&args, &entry->id);
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, call->device);
	kn_arg_uuid(&args, entry->bucket);
	kn_arg_text(&args, entry->noun);
	kn_arg_text(&args, entry->row_id);
	kn_arg_bytea(&args, entry->payload && subject.open
							? kn_seal(&subject, "archive.payload", &entry->id, entry->payload)
							: NULL);
	kn_arg_datum(&args, Int64GetDatum(entry->base), !entry->has_base);
	kn_arg_text(&args, entry->reason);
	kn_arg_uuid(&args, call->caller->has_organisation ? &call->caller->organisation : NULL);
	kn_subject_forget(&subject);
	kn_run(&insert_archive, &args);
}

void
kn_record_answer_conflict(KnCall *call, const KnRecordResult *result)
{
	bool gone = result->code != NULL && strcmp(result->code, "deleted") == 0;
	KnJson *json = &call->json;

	call->outcome = gone ? KN_GONE : KN_CONFLICT;
	kn_json_open(json, '{');
	kn_json_pair_text(json, "code", "KN407");
	kn_json_pair_text(json, "detail",
					  gone ? "the record was deleted"
						   : "the record was changed since the version you had");
	kn_json_pair_text(json, "hint",
					  gone ? "What you sent is kept; make a new record with a new id."
						   : "Look at current, then send your change with its serverVersion.");
	if (result->current)
	{
		kn_json_key(json, "current");
		kn_json_raw(json, result->current, strlen(result->current));
	}
	if (result->has_archive)
		kn_json_pair_uuid(json, "archiveId", &result->archive);
	kn_json_close(json, '}');
}
