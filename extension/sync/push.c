/*-------------------------------------------------------------------------
 *
 * push.c
 *	  Records that devices send, many at a time.
 *
 * Called from SQL (doors sync_batch, sync_push).  Two guards keep a record from
 * taking effect twice: the device's running number, and the keyed hash of what
 * it last sent for each record, base version included.  Nothing permanent is
 * ever refused with an error: a phone would send it for ever.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/errcodes.h"
#include "base/mutant.h"
#include "cases/incident_record.h"
#include "cases/need.h"
#include "cases/personal.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/wire.h"

static bool superseded(KnCall *call, KnPush *push, const char *seq_text);
static void read_batch(KnCall *call, KnPush *push, JsonbContainer *body);
static void read_record(KnPush *push, JsonbContainer *record);
static void read_changes(KnPush *push, JsonbContainer *body);
static char *changed_columns(const KnWrite *write, JsonbContainer *row);
static void read_rows(KnPush *push, const char *table, JsonbContainer *rows, bool deletes);
static void add_write(KnPush *push, const char *table, const KnWrite *write);
static const char *noun_of(const char *name);
static void prepare(KnPush *push, int n);
static bytea *hash_of(const KnWrite *write);
static bool replay(KnCall *call, KnPush *push, int i, const KnApplied *applied);
static int *order_of_ids(const KnPush *push);
static int compare_ids(const void *a, const void *b, void *arg);
static bool is_incident(const KnPush *push, int i);
static void lock_cases(KnCall *call, const KnPush *push, const bool *done);
static void apply_incidents(KnCall *call, KnPush *push, const int *order, const bool *done,
							bool deletes);
static void apply_guarded(KnCall *call, const KnWrite *write, KnRecordResult *result);
static void render_results(KnCall *call, const KnPush *push);
static void refuse_atomic(KnCall *call, const KnPush *push);
static void answer_push(KnCall *call, const KnPush *push);

/*
 * POST /sync/batch {"device","seq","mode","records":[…]} -> {"results":[…]} in the same order.
 */
static void
sync_batch(KnCall *call)
{
	JsonbContainer *body = kn_in_object(call->body);
	static const char *const modes[] = {"records", "atomic", NULL};
	char *mode = kn_in_choice(body, "mode", modes, false);
	char *device = kn_in_text(body, "device", 1, KN_CLIENT_ID_MAX, false);
	KnPush push = {.atomic = mode && strcmp(mode, "atomic") == 0};
	KnCursor nothing = {0};
	int64 seq = 0;
	bool has_seq = kn_in_int(body, "seq", 0, PG_INT32_MAX, false, &seq);

	call->noun = "sync";
	if (device != NULL)
		call->device = device;
	if (has_seq && call->device != NULL && seq < kn_device_lock(call, call->device))
	{
		/* a later one of this device is through: whatever is still dirty comes again */
		kn_json_open(&call->json, '{');
		kn_json_pair_bool(&call->json, "superseded", true);
		kn_json_key(&call->json, "results");
		kn_json_raw(&call->json, "[]", 2);
		kn_json_close(&call->json, '}');
		return;
	}
	read_batch(call, &push, body);
	kn_push_bases(call, &push, &nothing);
	kn_push_apply(call, &push);
	if (has_seq && call->device != NULL)
		kn_device_seq(call, call->device, seq);
	if (push.atomic)
		refuse_atomic(call, &push);
	render_results(call, &push);
}
KN_DOOR(sync_batch, sync_batch, KN_ROLE_ANY, KN_DOOR_AUDITED | KN_DOOR_UPLOAD);

/*
 * POST /sync/push ?last_pulled_at, body: the changes of WatermelonDB
 *	  -> {} or experimentalRejectedIds
 *	  A device that names itself gets each record judged by its server_version;
 *	  one that does not gets all or nothing, as its protocol has it.  With ?seq,
 *	  a number that the device counts up, one held up on its way does nothing.
 */
static void
sync_push(KnCall *call)
{
	KnPush push = {.atomic = call->device == NULL};

	KnPull pull = {0};

	call->noun = "sync";
	read_changes(&push, kn_in_object(call->body));
	if (superseded(call, &push, kn_query_text(call->query, "seq")))
		return;
	kn_pull_since(&pull, call, kn_query_text(call->query, "last_pulled_at"));
	kn_push_bases(call, &push, &pull.since);
	kn_push_apply(call, &push);
	if (push.atomic)
		refuse_atomic(call, &push);
	answer_push(call, &push);
}
KN_DOOR(sync_push, sync_push, KN_ROLE_ANY, KN_DOOR_AUDITED | KN_DOOR_UPLOAD);

/* Whoever still waits for this answer keeps its records dirty and counts on from seq. */
static bool
superseded(KnCall *call, KnPush *push, const char *seq_text)
{
	char *end;
	int64 last;
	int64 seq;

	if (seq_text == NULL || call->device == NULL || kn_mutant("no_seq"))
		return false;
	errno = 0;
	seq = strtoll(seq_text, &end, 10);
	if (errno != 0 || end == seq_text || *end != '\0' || seq < 0)
		kn_input_error(ERRCODE_KN_QUERY, "seq", "seq is not a number",
					   "Send a number that this device counts up.");
	last = kn_device_lock(call, call->device);
	if (seq >= last)
	{
		kn_device_seq(call, call->device, seq);
		return false;
	}
	for (int i = 0; i < push->n; i++)
		if (push->writes[i].noun != NULL)
			push->results[i].status = KN_RECORD_RETRY;
	answer_push(call, push);
	call->json.text.len--;
	call->json.comma = call->json.text.data[call->json.text.len - 1] != '{';
	kn_json_pair_bool(&call->json, "superseded", true);
	kn_json_pair_int(&call->json, "seq", last);
	kn_json_close(&call->json, '}');
	return true;
}

static void
prepare(KnPush *push, int n)
{
	push->writes = palloc0(sizeof(KnWrite) * Max(n, 1));
	push->results = palloc0(sizeof(KnRecordResult) * Max(n, 1));
	push->tables = palloc0(sizeof(char *) * Max(n, 1));
	push->hashes = palloc0(sizeof(bytea *) * Max(n, 1));
}

static void
read_batch(KnCall *call, KnPush *push, JsonbContainer *body)
{
	JsonbValue *records = kn_in_member(body, "records");
	int n;

	if (records == NULL || records->type != jbvBinary ||
		!JsonContainerIsArray(records->val.binary.data))
		kn_input_error(ERRCODE_KN_FIELD_TYPE, "records", "records is not an array",
					   "Send an array of records.");
	n = JsonContainerSize(records->val.binary.data);
	if (n > KN_BATCH_MAX)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, "records", "the batch has too many records",
					   psprintf("Send at most %d records in one batch.", KN_BATCH_MAX));
	prepare(push, n);
	for (int i = 0; i < n; i++)
	{
		JsonbValue *record = getIthJsonbValueFromContainer(records->val.binary.data, i);

		if (record->type != jbvBinary || !JsonContainerIsObject(record->val.binary.data))
			kn_input_error(ERRCODE_KN_FIELD_TYPE, psprintf("records/%d", i),
						   "a record is not an object",
						   "Send a JSON object.");
		read_record(push, record->val.binary.data);
	}
}

/* What makes a record unusable makes its result invalid, not the batch. */
static void
read_record(KnPush *push, JsonbContainer *record)
{
	JsonbValue *table = kn_in_member(record, "table");
	JsonbValue *id = kn_in_member(record, "id");
	JsonbValue *op = kn_in_member(record, "op");
	JsonbValue *data = kn_in_member(record, "data");
	JsonbValue *base = kn_in_member(record, "base");
	JsonbValue *version = NULL;
	const char *name = table && table->type == jbvString
						   ? pnstrdup(table->val.string.val, table->val.string.len)
						   : "";
	KnWrite write = {.noun = noun_of(name)};
	double number;

	write.client_id = id && id->type == jbvString ? pnstrdup(id->val.string.val, id->val.string.len)
												  : "";
	write.is_delete = op && op->type == jbvString && op->val.string.len == 6 &&
					  strncmp(op->val.string.val, "delete", 6) == 0;
	if (data && data->type == jbvBinary && JsonContainerIsObject(data->val.binary.data))
		write.data = data->val.binary.data;
	if (base && base->type == jbvBinary && JsonContainerIsObject(base->val.binary.data))
		version = kn_in_member(base->val.binary.data, "serverVersion");
	if (version && version->type == jbvNumeric && kn_number(version, &number) && number > 0)
	{
		write.has_base = true;
		write.base = (int64) number;
	}
	add_write(push, name, &write);
}

static const char *
noun_of(const char *name)
{
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
		if (strcmp(kn_wire_nouns[i].noun, name) == 0 ||
			strcmp(kn_wire_nouns[i].plural, name) == 0 || strcmp(kn_wire_nouns[i].table, name) == 0)
			return kn_wire_nouns[i].noun;
	return NULL;
}

static void
add_write(KnPush *push, const char *table, const KnWrite *write)
{
	KnRecordResult *result = &push->results[push->n];
	bool writable = write->noun != NULL &&
					(strcmp(write->noun, "incident") == 0 || strcmp(write->noun, "note") == 0 ||
					 kn_personal_noun(write->noun) != NULL);

	push->tables[push->n] = table;
	push->writes[push->n++] = *write;
	if (!writable)
		result->code = "unknown_table";
	else if (!kn_client_id_valid(write->client_id))
		result->code = "id_form";
	else if (!write->is_delete && write->data == NULL)
		result->code = "no_data";
	if (result->code != NULL)
		result->status = KN_RECORD_INVALID;
	else
		push->hashes[push->n - 1] = hash_of(write);
}

static void
read_changes(KnPush *push, JsonbContainer *body)
{
	static const char *const lists[] = {"created", "updated", "deleted"};
	JsonbIterator *it;
	JsonbValue value;
	JsonbIteratorToken token;
	int n = 0;

	for (int pass = 0; pass < 2; pass++)
	{
		char *table = NULL;

		it = JsonbIteratorInit(body);
		while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
				table = pnstrdup(value.val.string.val, value.val.string.len);
			if (token != WJB_VALUE || value.type != jbvBinary ||
				!JsonContainerIsObject(value.val.binary.data))
				continue;
			for (int i = 0; i < lengthof(lists); i++)
			{
				JsonbValue *rows = kn_in_member(value.val.binary.data, lists[i]);

				if (rows == NULL || rows->type != jbvBinary ||
					!JsonContainerIsArray(rows->val.binary.data))
					continue;
				if (pass == 0)
					n += JsonContainerSize(rows->val.binary.data);
				else
					read_rows(push, table, rows->val.binary.data, i == 2);
			}
		}
		if (pass == 0 && n > KN_BATCH_MAX)
			kn_input_error(ERRCODE_KN_FIELD_LENGTH, "changes", "the push has too many records",
						   psprintf("Send at most %d records in one push.", KN_BATCH_MAX));
		if (pass == 0)
			prepare(push, n);
	}
}

/*
 * A report takes what she changed and nothing else: its row also holds what the
 * server wrote, such as an urgency that is not to be lowered by an old copy.
 */
static char *
changed_columns(const KnWrite *write, JsonbContainer *row)
{
	JsonbValue *changed = kn_in_member(row, "_changed");

	if (write->noun == NULL || strcmp(write->noun, "incident") != 0 || !write->has_base ||
		changed == NULL || changed->type != jbvString || changed->val.string.len == 0)
		return NULL;
	return pnstrdup(changed->val.string.val, changed->val.string.len);
}

static void
read_rows(KnPush *push, const char *table, JsonbContainer *rows, bool deletes)
{
	for (uint32 i = 0; i < JsonContainerSize(rows); i++)
	{
		JsonbValue *row = getIthJsonbValueFromContainer(rows, i);
		KnWrite write = {.noun = noun_of(table), .client_id = "", .is_delete = deletes};
		JsonbValue *member;
		double number;

		if (deletes && row->type == jbvString)
			write.client_id = pnstrdup(row->val.string.val, row->val.string.len);
		else if (row->type == jbvBinary && JsonContainerIsObject(row->val.binary.data))
		{
			member = kn_in_member(row->val.binary.data, "id");
			if (member && member->type == jbvString)
				write.client_id = pnstrdup(member->val.string.val, member->val.string.len);
			member = kn_in_member(row->val.binary.data, "server_version");
			write.has_base = member && member->type == jbvNumeric && kn_number(member, &number) &&
							 number > 0;
			write.is_new = !write.has_base && member && member->type == jbvNumeric;
			write.base = write.has_base ? (int64) number : 0;
			write.data = &kn_wire_nest(row->val.binary.data,
									   changed_columns(&write, row->val.binary.data))
							  ->root;
		}
		add_write(push, table, &write);
	}
}

void
kn_push_apply(KnCall *call, KnPush *push)
{
	bool *done = palloc0(sizeof(bool) * Max(push->n, 1));
	int *order = order_of_ids(push);
	KnApplied *applied = palloc0(sizeof(KnApplied) * Max(push->n, 1));

	if (call->device != NULL)
	{
		(void) kn_device_lock(call, call->device);
		kn_applied_find(call, call->device, push, applied);
	}
	for (int i = 0; i < push->n; i++)
		done[i] = push->results[i].status == KN_RECORD_INVALID;
	lock_cases(call, push, done);
	for (int k = 0; k < push->n; k++)
	{
		int i = order[k];

		done[i] = done[i] || (is_incident(push, i) && replay(call, push, i, &applied[i]));
	}
	/* parents first, deletions last */
	apply_incidents(call, push, order, done, false);
	for (int k = 0; k < push->n; k++)
	{
		int i = order[k];

		if (!done[i] && !is_incident(push, i) && !replay(call, push, i, &applied[i]))
			apply_guarded(call, &push->writes[i], &push->results[i]);
	}
	apply_incidents(call, push, order, done, true);
	if (call->device != NULL)
		kn_applied_store(call, call->device, push, applied, push->hashes);
}

/* Two phones that push the same records at once wait for each other, and never in a circle. */
static int *
order_of_ids(const KnPush *push)
{
	int *order = palloc(sizeof(int) * Max(push->n, 1));

	for (int i = 0; i < push->n; i++)
		order[i] = i;
	qsort_arg(order, push->n, sizeof(int), compare_ids, (void *) push);
	return order;
}

/* What has the same id stays in the order sent. */
static int
compare_ids(const void *a, const void *b, void *arg)
{
	const KnPush *push = arg;
	int left = *(const int *) a;
	int right = *(const int *) b;
	int order = strcmp(push->writes[left].client_id, push->writes[right].client_id);

	return order != 0 ? order : left - right;
}

static bool
is_incident(const KnPush *push, int i)
{
	return push->writes[i].noun != NULL && strcmp(push->writes[i].noun, "incident") == 0;
}

static bytea *
hash_of(const KnWrite *write)
{
	KnJson text;

	kn_json_init(&text);
	kn_json_open(&text, '[');
	kn_json_bool(&text, write->is_delete);
	kn_json_int(&text, write->has_base ? write->base : -1);
	if (write->data != NULL)
	{
		JsonbValue whole = {.type = jbvBinary, .val.binary = {.data = write->data}};

		kn_json_client(&text, &whole);
	}
	kn_json_close(&text, ']');
	return kn_record_hash(text.text.data, text.text.len);
}

/* The same content again is a retry: the old outcome stands, and nothing is applied. */
static bool
replay(KnCall *call, KnPush *push, int i, const KnApplied *applied)
{
	KnRecordResult *result = &push->results[i];
	bytea *hash = push->hashes[i];

	if (!applied->known || kn_mutant("no_replay") ||
		VARSIZE_ANY_EXHDR(applied->hash) != VARSIZE_ANY_EXHDR(hash) ||
		memcmp(VARDATA_ANY(applied->hash), VARDATA_ANY(hash), VARSIZE_ANY_EXHDR(hash)) != 0)
		return false;
	result->status = applied->status == KN_RECORD_APPLIED ? KN_RECORD_UNCHANGED : applied->status;
	result->replayed = true;
	/* what stands may be another version by now, and the phone may have passed it */
	kn_record_touch(call, &push->writes[i], result);
	result->stamp = (KnStamp){.version = applied->version};
	push->hashes[i] = NULL; /* as recorded */
	return true;
}

/*
 * All cases a push is about, also those of which it only says again what it
 * said: a replay touches the stamp, and whoever edits that case wants it.  One
 * case after the other would hold the teams of the first while it waits for
 * the second.
 */
static void
lock_cases(KnCall *call, const KnPush *push, const bool *done)
{
	char **ids = palloc(sizeof(char *) * Max(push->n, 1));
	int n = 0;

	for (int i = 0; i < push->n; i++)
		if (!done[i] && is_incident(push, i))
			ids[n++] = (char *) push->writes[i].client_id;
	if (n > 0 && push->n > 1)
		kn_cases_lock(&call->caller->account, ids, n);
}

static void
apply_incidents(KnCall *call, KnPush *push, const int *order, const bool *done, bool deletes)
{
	KnWrite *writes = palloc(sizeof(KnWrite) * Max(push->n, 1));
	KnRecordResult *results = palloc0(sizeof(KnRecordResult) * Max(push->n, 1));
	int *from = palloc(sizeof(int) * Max(push->n, 1));
	int n = 0;

	for (int k = 0; k < push->n; k++)
	{
		int i = order[k];

		if (done[i] || !is_incident(push, i) || push->writes[i].is_delete != deletes)
			continue;
		writes[n] = push->writes[i];
		from[n++] = i;
	}
	if (n == 0)
		return;
	kn_incident_apply_many(call, writes, results, n);
	for (int i = 0; i < n; i++)
		push->results[from[i]] = results[i];
}

/* In its own subtransaction: one record that fails takes no other with it. */
static void
apply_guarded(KnCall *call, const KnWrite *write, KnRecordResult *result)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(memory);
		kn_record_apply(call, write, result);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		if (strncmp(unpack_sql_state(error->sqlerrcode), "KN", 2) != 0)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		memset(result, 0, sizeof(*result));
		result->status = KN_RECORD_INVALID;
		result->code = pstrdup(unpack_sql_state(error->sqlerrcode));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
}

static void
render_results(KnCall *call, const KnPush *push)
{
	KnJson *json = &call->json;

	kn_json_open(json, '{');
	kn_json_key(json, "results");
	kn_json_open(json, '[');
	for (int i = 0; i < push->n; i++)
	{
		const KnRecordResult *result = &push->results[i];

		kn_json_open(json, '{');
		kn_json_pair_text(json, "table", push->tables[i]);
		kn_json_pair_text(json, "id", push->writes[i].client_id);
		kn_json_pair_text(json, "status", kn_record_status_names[result->status]);
		if (result->replayed)
			kn_json_pair_bool(json, "replayed", true);
		if (result->stamp.version != 0)
			kn_json_pair_int(json, "serverVersion", result->stamp.version);
		if (result->stamp.updated_at != 0)
			kn_json_pair_time(json, "updatedAt", result->stamp.updated_at);
		if (result->code)
			kn_json_pair_text(json, "code", result->code);
		if (result->current && result->status != KN_RECORD_APPLIED)
		{
			kn_json_key(json, "current");
			kn_json_raw(json, result->current, strlen(result->current));
		}
		if (result->has_archive)
			kn_json_pair_uuid(json, "archiveId", &result->archive);
		if (result->drop)
			kn_json_pair_bool(json, "drop", true);
		kn_json_close(json, '}');
	}
	kn_json_close(json, ']');
	kn_json_close(json, '}');
}

static void
refuse_atomic(KnCall *call, const KnPush *push)
{
	KnJson conflicts;
	int n = 0;

	kn_json_init(&conflicts);
	kn_json_open(&conflicts, '[');
	for (int i = 0; i < push->n; i++)
	{
		const KnRecordResult *result = &push->results[i];

		if (result->status < KN_RECORD_CONFLICT)
			continue;
		n++;
		kn_json_open(&conflicts, '{');
		kn_json_pair_text(&conflicts, "table", push->tables[i]);
		kn_json_pair_text(&conflicts, "id", push->writes[i].client_id);
		kn_json_pair_text(&conflicts, "status", kn_record_status_names[result->status]);
		kn_json_pair_text(&conflicts, "code", result->code);
		if (result->current)
		{
			kn_json_key(&conflicts, "current");
			kn_json_raw(&conflicts, result->current, strlen(result->current));
		}
		kn_json_close(&conflicts, '}');
	}
	kn_json_close(&conflicts, ']');
	if (n == 0)
		return;
	kn_call_extend(call, "conflicts", conflicts.text.data);
	kn_refuse(ERRCODE_KN_VERSION_CONFLICT, "some records were changed on the server since",
			  "Pull, then push again.");
}

/* Only what may succeed later stays dirty on the phone. */
static void
answer_push(KnCall *call, const KnPush *push)
{
	KnJson *json = &call->json;
	bool any = false;

	for (int i = 0; i < push->n; i++)
		any = any || push->results[i].status == KN_RECORD_RETRY;
	kn_json_open(json, '{');
	if (any)
	{
		kn_json_key(json, "experimentalRejectedIds");
		kn_json_open(json, '{');
		for (int t = 0; t < KN_WIRE_NOUNS; t++)
		{
			kn_json_key(json, kn_wire_nouns[t].table);
			kn_json_open(json, '[');
			for (int i = 0; i < push->n; i++)
				if (push->results[i].status == KN_RECORD_RETRY &&
					strcmp(push->writes[i].noun, kn_wire_nouns[t].noun) == 0)
					kn_json_text(json, push->writes[i].client_id);
			kn_json_close(json, ']');
		}
		kn_json_close(json, '}');
	}
	kn_json_close(json, '}');
}
