/*-------------------------------------------------------------------------
 *
 * push_keep.c
 *	  What was sent and can be no record of ours: kept, sealed, as it came.
 *
 * Called by push.c.  The phone keeps it too, and sends it with every push; the
 * id of the entry is made of what was sent, so that each text is kept once.
 * Names of tables and ids are her app's words: they lie sealed with the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/spi.h"
#include "keys/keystore.h"
#include "records/archive.h"
#include "sync/push.h"

static void entry_of(KnCall *call, KnPush *push, int i, KnArchiveEntry *entry);
static bool *find_kept(const KnArchiveEntry *entries, int n);

static KnStatement select_kept = KN_READ(
	KN_AS_SYSTEM,
	"SELECT w.i FROM pg_catalog.unnest($1) WITH ORDINALITY AS w (id, i) "
	" WHERE EXISTS (SELECT FROM kintaraa.archive a WHERE a.id = w.id)",
	UUIDARRAYOID);

void
kn_push_keep(KnCall *call, KnPush *push)
{
	KnArchiveEntry *entries;
	bool *kept;
	int n = 0;

	for (int i = 0; i < push->n; i++)
		n += push->results[i].status == KN_RECORD_INVALID;
	if (n == 0)
		return;
	entries = palloc0(sizeof(KnArchiveEntry) * n);
	n = 0;
	for (int i = 0; i < push->n; i++)
		if (push->results[i].status == KN_RECORD_INVALID)
			entry_of(call, push, i, &entries[n++]);
	kept = find_kept(entries, n);
	for (int i = 0; i < n; i++)
		if (!kept[i])
			kn_archive_store(call, &entries[i]);
}

static void
entry_of(KnCall *call, KnPush *push, int i, KnArchiveEntry *entry)
{
	const KnWrite *write = &push->writes[i];
	KnRecordResult *result = &push->results[i];
	KnJson payload;
	StringInfoData whole;
	bytea *hash;

	kn_json_init(&payload);
	kn_json_open(&payload, '{');
	kn_json_pair_text(&payload, "table", push->tables[i]->name);
	kn_json_pair_text(&payload, "op", write->is_delete ? "delete" : "upsert");
	kn_json_key(&payload, "sent");
	kn_json_client(&payload, &push->sent[i]);
	kn_json_close(&payload, '}');
	initStringInfo(&whole);
	appendStringInfoString(&whole, kn_uuid_text(&call->caller->account));
	appendBinaryStringInfo(&whole, payload.text.data, payload.text.len);
	hash = kn_record_hash(whole.data, whole.len);
	memcpy(entry->id.data, VARDATA_ANY(hash), UUID_LEN);
	pfree(whole.data);
	entry->bucket = &call->caller->account;
	entry->noun = write->noun ? write->noun : "unknown";
	entry->row_id = kn_client_id_valid(write->client_id) ? write->spelling : "";
	entry->payload = payload.text.data;
	entry->has_base = write->has_base;
	entry->base = write->base;
	entry->reason = "unusable";
	result->has_archive = true;
	result->archive = entry->id;
}

static bool *
find_kept(const KnArchiveEntry *entries, int n)
{
	bool *kept = palloc0(sizeof(bool) * n);
	pg_uuid_t *ids = palloc(sizeof(pg_uuid_t) * n);
	KnArgs args = {0};
	KnRows rows;

	for (int i = 0; i < n; i++)
		ids[i] = entries[i].id;
	kn_arg_uuid_array(&args, ids, n);
	kn_run(&select_kept, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
		kept[kn_col_bigint(&rows, row, 1, 1) - 1] = true;
	return kept;
}
