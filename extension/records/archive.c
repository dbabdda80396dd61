/*-------------------------------------------------------------------------
 *
 * archive.c
 *	  What a writer lost: sealed under its author's key, for her and a supervisor.
 *
 * Called by the writers of records, cases and work, and by sync/push_keep.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/spi.h"
#include "identity/subject.h"
#include "keys/random.h"
#include "records/archive.h"

const char *const kn_archive_reasons[] = {"version", "no_base", "deleted", "append_only",
										  "unreadable", "scope", "unusable", NULL};

static KnStatement insert_archive = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.archive (id, owner_id, device, bucket, noun, row_id_sealed, "
	"                              payload_sealed, base_version, reason, organisation_id) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
	UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID, BYTEAOID, BYTEAOID, INT8OID, TEXTOID, UUIDOID);

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
	if (subject.open)
	{
		kn_arg_bytea(&args, kn_seal(&subject, "archive.row_id", &entry->id, entry->row_id));
		kn_arg_bytea(&args, kn_seal(&subject, "archive.payload", &entry->id, entry->payload));
	}
	else
	{
		kn_arg_bytea(&args, NULL);
		kn_arg_bytea(&args, NULL);
	}
	kn_arg_datum(&args, Int64GetDatum(entry->base), !entry->has_base);
	kn_arg_text(&args, entry->reason);
	kn_arg_uuid(&args, call->caller->has_organisation ? &call->caller->organisation : NULL);
	kn_subject_forget(&subject);
	kn_run(&insert_archive, &args);
}
