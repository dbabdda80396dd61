/*-------------------------------------------------------------------------
 *
 * push_store.c
 *	  What devices sent last: guards against taking effect twice.
 *
 * Called by push.c.  A hash, an outcome and a version per record; never a
 * payload and never an answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/mutant.h"
#include "base/spi.h"
#include "sync/push.h"

/* What is to be remembered of one record. */
typedef struct Sent
{
	const KnWrite *write;
	const KnRecordResult *result;
	bytea *hash;
	bool known; /* from an earlier push of this device */
	int at;
} Sent;

static Datum key_of(KnCall *call, const KnWrite *write, const char *id);
static int keep_last(Sent *sent, int n);
static int compare(const void *a, const void *b);
static int compare_in_order(const void *a, const void *b);
static void store(KnCall *call, const char *device, KnStatement *statement, const Sent *sent, int n,
				  bool known);

static KnStatement lock_device = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.device AS d (account_id, id, last_seq) VALUES ($1, $2, -1) "
	"ON CONFLICT (account_id, id) DO UPDATE SET seen_at = pg_catalog.now() RETURNING d.last_seq",
	UUIDOID, TEXTOID);

static KnStatement set_seq = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.device SET last_seq = $3 WHERE account_id = $1 AND id = $2 AND last_seq < $3",
	UUIDOID, TEXTOID, INT8OID);

/*
 * Fresh: what the push before this one, on which it waited, has left.  The LIMIT
 * keeps the planner from reading all that a device ever sent for each record.
 */
static KnStatement select_applied = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT i, a.hash, a.version, a.outcome FROM pg_catalog.generate_series(1, $5) AS i "
	" CROSS JOIN LATERAL (SELECT p.hash, p.version, p.outcome FROM kintaraa.applied p "
	"   WHERE p.account_id = $1 AND p.device = $2 AND p.noun = ($3)[i] AND p.client_key = ($4)[i] "
	"   LIMIT 1) a",
	UUIDOID, TEXTOID, TEXTARRAYOID, BYTEAARRAYOID, INT4OID);

#define INSERT_APPLIED                                                                         \
	"INSERT INTO kintaraa.applied AS a (account_id, device, noun, client_key, hash, version, " \
	"                                   outcome) "                                             \
	"SELECT $1, $2, ($3)[i], ($4)[i], ($5)[i], ($6)[i], ($7)[i] "                              \
	"  FROM pg_catalog.generate_series(1, $8) AS i "
#define APPLIED_TYPES                                                                         \
	UUIDOID, TEXTOID, TEXTARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, INT8ARRAYOID, TEXTARRAYOID, \
		INT4OID

/* Nobody else writes for a device that is locked: what was not found is not there. */
static KnStatement insert_applied = KN_WRITE(KN_AS_SYSTEM, INSERT_APPLIED, APPLIED_TYPES);

static KnStatement upsert_applied = KN_WRITE(
	KN_AS_SYSTEM,
	INSERT_APPLIED "ON CONFLICT (account_id, device, noun, client_key) DO UPDATE "
				   "   SET hash = EXCLUDED.hash, version = EXCLUDED.version, "
				   "       outcome = EXCLUDED.outcome, at = pg_catalog.now()",
	APPLIED_TYPES);

/* Of a report its own edits count: what helpers and the machine change of it are not her words. */
/* clang-format off */
static KnStatement select_seen = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT w.i, CASE WHEN c.x < $4 AND c.x <> ALL ($5) THEN c.version "
	"                 ELSE COALESCE(r.version, c.version) END, "
	"       COALESCE(r.writer, c.writer) = $6 "
	"  FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY AS w (noun, key, i) "
	" CROSS JOIN LATERAL ("
	"    SELECT i.id, i.id AS bucket, i.edited_by AS writer, i.edited_version AS version "
	"      FROM kintaraa.incident i "
	"     WHERE i.owner_id = $1 AND i.client_key = w.key AND w.noun = 'incident' "
	"    UNION ALL SELECT p.id, p.owner_id, NULL, NULL FROM kintaraa.personal p "
	"     WHERE p.owner_id = $1 AND p.noun = w.noun AND p.client_key = w.key) r "
	" CROSS JOIN " KN_STAMP_OF("r.bucket", "w.noun", "r.id")
	" WHERE (c.x < $4 AND c.x <> ALL ($5)) OR COALESCE(r.writer, c.writer) = $6",
	UUIDOID, TEXTARRAYOID, BYTEAARRAYOID, XID8OID, XID8ARRAYOID, UUIDOID);
/* clang-format on */

/* Records that are known by the very spelling, though it folds to another id. */
static KnStatement select_spelt = KN_READ(
	KN_AS_SYSTEM,
	"SELECT w.i "
	"  FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) "
	"       WITH ORDINALITY AS w (noun, key, i) "
	" WHERE EXISTS (SELECT FROM kintaraa.incident i "
	"                WHERE i.owner_id = $1 AND i.client_key = w.key AND w.noun = 'incident') "
	"    OR EXISTS (SELECT FROM kintaraa.note n "
	"                WHERE n.author_id = $1 AND n.client_key = w.key AND w.noun = 'note') "
	"    OR EXISTS (SELECT FROM kintaraa.personal p "
	"                WHERE p.owner_id = $1 AND p.noun = w.noun AND p.client_key = w.key)",
	UUIDOID, TEXTARRAYOID, BYTEAARRAYOID);

static Datum
key_of(KnCall *call, const KnWrite *write, const char *id)
{
	return PointerGetDatum(
		kn_client_key(&call->caller->account, write->noun ? write->noun : "", id));
}

void
kn_push_settle_ids(KnCall *call, KnPush *push)
{
	char **nouns = palloc(sizeof(char *) * Max(push->n, 1));
	Datum *keys = palloc(sizeof(Datum) * Max(push->n, 1));
	int *from = palloc(sizeof(int) * Max(push->n, 1));
	KnArgs args = {0};
	KnRows rows;
	int n = 0;

	for (int i = 0; i < push->n; i++)
	{
		const KnWrite *write = &push->writes[i];

		if (write->noun == NULL || strcmp(write->spelling, write->client_id) == 0)
			continue;
		nouns[n] = (char *) write->noun;
		keys[n] = key_of(call, write, write->spelling);
		from[n++] = i;
	}
	if (n == 0)
		return;
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text_array(&args, nouns, n);
	kn_arg_array(&args, BYTEAOID, keys, NULL, n);
	kn_run(&select_spelt, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
	{
		KnWrite *write = &push->writes[from[kn_col_bigint(&rows, row, 1, 1) - 1]];

		write->client_id = write->spelling;
	}
}

void
kn_push_bases(KnCall *call, KnPush *push, const KnCursor *since)
{
	char **nouns = palloc(sizeof(char *) * Max(push->n, 1));
	Datum *keys = palloc(sizeof(Datum) * Max(push->n, 1));
	int *from = palloc(sizeof(int) * Max(push->n, 1));
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t writer;
	int n = 0;

	for (int i = 0; i < push->n; i++)
	{
		if (push->writes[i].has_base || push->writes[i].noun == NULL)
			continue;
		nouns[n] = (char *) push->writes[i].noun;
		keys[n] = key_of(call, &push->writes[i], push->writes[i].client_id);
		from[n++] = i;
	}
	if (n == 0 || kn_mutant("no_bases"))
		return;
	if (call->device != NULL)
		(void) kn_device_lock(call, call->device);
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text_array(&args, nouns, n);
	kn_arg_array(&args, BYTEAOID, keys, NULL, n);
	kn_arg_datum(&args, since->xmax, !since->known);
	kn_arg_datum(&args, since->xip, !since->known);
	kn_call_writer(call, &writer);
	kn_arg_uuid(&args, &writer);
	kn_run(&select_seen, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
	{
		KnWrite *write = &push->writes[from[kn_col_bigint(&rows, row, 1, 1) - 1]];

		if (write->is_new && !kn_col_bool(&rows, row, 3))
			continue;
		write->has_base = true;
		write->base = kn_col_bigint(&rows, row, 2, 0);
	}
	/* A deletion carries no version: what she had not seen is not hers to delete yet. */
	for (int i = 0; i < n && since->known; i++)
		if (push->writes[from[i]].is_delete && strcmp(nouns[i], "incident") != 0)
			push->writes[from[i]].has_base = true;
}

int64
kn_device_lock(KnCall *call, const char *device)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, device);
	kn_run(&lock_device, &args);
	rows = kn_rows();
	return kn_col_bigint(&rows, 0, 1, -1);
}

void
kn_device_seq(KnCall *call, const char *device, int64 seq)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, device);
	kn_arg_bigint(&args, seq);
	kn_run(&set_seq, &args);
}

void
kn_applied_find(KnCall *call, const char *device, const KnPush *push, KnApplied *out)
{
	char **nouns = palloc(sizeof(char *) * Max(push->n, 1));
	Datum *keys = palloc(sizeof(Datum) * Max(push->n, 1));
	KnArgs args = {0};
	KnRows rows;

	memset(out, 0, sizeof(KnApplied) * push->n);
	for (int i = 0; i < push->n; i++)
	{
		nouns[i] = push->writes[i].noun ? (char *) push->writes[i].noun : "";
		keys[i] = key_of(call, &push->writes[i], push->writes[i].client_id);
	}
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, device);
	kn_arg_text_array(&args, nouns, push->n);
	kn_arg_read_by_index(&args);
	kn_arg_array(&args, BYTEAOID, keys, NULL, push->n);
	kn_arg_read_by_index(&args);
	kn_arg_int(&args, push->n);
	kn_run(&select_applied, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
	{
		KnApplied *applied = &out[kn_col_int(&rows, row, 1, 1) - 1];
		char *outcome = kn_col_text(&rows, row, 4);

		applied->known = true;
		applied->hash = kn_col_bytea(&rows, row, 2);
		applied->version = kn_col_bigint(&rows, row, 3, 0);
		for (int s = 0; s <= KN_RECORD_INVALID; s++)
			if (strcmp(kn_record_status_names[s], outcome) == 0)
				applied->status = (KnRecordStatus) s;
	}
}

void
kn_applied_store(KnCall *call, const char *device, const KnPush *push, const KnApplied *before,
				 bytea **hashes)
{
	Sent *sent = palloc(sizeof(Sent) * Max(push->n, 1));
	int n = 0;

	for (int i = 0; i < push->n; i++)
	{
		if (push->results[i].status >= KN_RECORD_RETRY || hashes[i] == NULL)
			continue;
		sent[n++] = (Sent){.write = &push->writes[i],
						   .result = &push->results[i],
						   .hash = hashes[i],
						   .known = before[i].known,
						   .at = i};
	}
	n = keep_last(sent, n);
	store(call, device, &insert_applied, sent, n, false);
	store(call, device, &upsert_applied, sent, n, true);
}

/* Of two for one record in a push the later one counts. */
static int
keep_last(Sent *sent, int n)
{
	int kept = 0;

	qsort(sent, n, sizeof(Sent), compare_in_order);
	for (int i = 0; i < n; i++)
	{
		if (kept > 0 && compare(&sent[kept - 1], &sent[i]) == 0)
			kept--;
		sent[kept++] = sent[i];
	}
	return kept;
}

static int
compare(const void *a, const void *b)
{
	const KnWrite *x = ((const Sent *) a)->write;
	const KnWrite *y = ((const Sent *) b)->write;
	int by_noun = strcmp(x->noun, y->noun);

	return by_noun != 0 ? by_noun : strcmp(x->client_id, y->client_id);
}

static int
compare_in_order(const void *a, const void *b)
{
	int order = compare(a, b);

	return order != 0 ? order : ((const Sent *) a)->at - ((const Sent *) b)->at;
}

/* Those that were known before, or the others. */
static void
store(KnCall *call, const char *device, KnStatement *statement, const Sent *sent, int n, bool known)
{
	Datum *columns[5]; /* noun, key, hash, version, outcome */
	static const Oid types[] = {TEXTOID, BYTEAOID, BYTEAOID, INT8OID, TEXTOID};
	KnArgs args = {0};
	int taken = 0;

	for (int i = 0; i < lengthof(columns); i++)
		columns[i] = palloc(sizeof(Datum) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		const KnRecordResult *result = sent[i].result;

		if (sent[i].known != known)
			continue;
		columns[0][taken] = CStringGetTextDatum(sent[i].write->noun);
		columns[1][taken] = key_of(call, sent[i].write, sent[i].write->client_id);
		columns[2][taken] = PointerGetDatum(sent[i].hash);
		columns[3][taken] = Int64GetDatum(result->stamp.version);
		columns[4][taken] = CStringGetTextDatum(kn_record_status_names[result->status]);
		taken++;
	}
	if (taken == 0)
		return;
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, device);
	for (int i = 0; i < lengthof(columns); i++)
	{
		kn_arg_array(&args, types[i], columns[i], NULL, taken);
		kn_arg_read_by_index(&args);
	}
	kn_arg_int(&args, taken);
	kn_run(statement, &args);
}
