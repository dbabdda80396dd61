/*-------------------------------------------------------------------------
 *
 * personal_write.c
 *	  Writes what is hers alone.
 *
 * Called by personal.c and sync/writers.c.  A write that loses is archived, and
 * the record is touched, so that the phone that lost hears of the version that
 * stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "base/mutant.h"
#include "keys/random.h"
#include "records/archive.h"
#include "records/personal.h"

static bool insert(KnCall *call, KnPersonal *record, KnRecordResult *out);
static void change(KnCall *call, const KnWrite *write, KnPersonal *stored, KnPersonal *sent,
				   KnRecordResult *out);
static bool stale(KnCall *call, const KnWrite *write, const KnPersonal *stored);
static bool same(const KnPersonal *a, const KnPersonal *b);
static void lose(KnCall *call, const KnWrite *write, const KnPersonal *stored, const char *code,
				 KnRecordResult *out);
static void finish(KnCall *call, const KnPersonal *record, KnRecordResult *out);

void
kn_personal_apply(KnCall *call, const KnWrite *write, KnRecordResult *out)
{
	static const char *const owned[] = {"id", "createdAt", "updatedAt", "serverVersion",
										"serverTime", NULL};
	const KnPersonalNoun *noun = kn_personal_noun(write->noun);
	const pg_uuid_t *owner = &call->caller->account;
	KnPersonal stored;
	KnPersonal sent = {.noun = noun, .owner = *owner};
	KnLeftovers left;
	bool known = kn_personal_find(noun, owner, write->client_id, true, &stored);

	memset(out, 0, sizeof(*out));
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
		change(call, write, &stored, &sent, out);
		return;
	}
	kn_uuid4(sent.id.data);
	(void) kn_client_id_uuid(write->client_id, &sent.id);
	if (insert(call, &sent, out))
		return;
	/* two of her phones at once: the other one was first */
	if (!kn_personal_find(noun, owner, write->client_id, true, &stored))
		elog(ERROR, "a record could not be stored");
	change(call, write, &stored, &sent, out);
}

/* Somebody else may have the id she chose; then the server makes one. */
static bool
insert(KnCall *call, KnPersonal *record, KnRecordResult *out)
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
change(KnCall *call, const KnWrite *write, KnPersonal *stored, KnPersonal *sent,
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
	return !stored->noun->last_wins &&
		   (!write->has_base ||
			kn_version_conflicts(write->base, stored->stamp.version, stored->stamp.version,
								 stored->foreign_version, stored->has_writer, &stored->writer,
								 &writer));
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
kn_personal_touch(KnCall *call, const KnWrite *write, KnRecordResult *out)
{
	const KnPersonalNoun *noun = kn_personal_noun(write->noun);
	KnPersonal stored;

	if (!kn_personal_find(noun, &call->caller->account, write->client_id, false, &stored))
		return;
	kn_change_touch(&stored.owner, noun->name, &stored.id);
	out->stamp = stored.stamp;
	finish(call, &stored, out);
}
