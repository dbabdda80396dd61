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

#include <math.h>

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "cases/need.h"
#include "sync/pull.h"
#include "sync/push.h"
#include "sync/wire.h"
#include "sync/writers.h"

static bool may_report(const KnCall *call);
static bool is_word(const JsonbValue *value, const char *word);
static bool read_seq(JsonbValue *value, int64 *out);
static bool superseded(KnCall *call, KnPush *push, const char *seq_text);
static bool replay(KnCall *call, KnPush *push, int i, const KnApplied *applied);
static int *order_of_ids(const KnPush *push);
static int compare_ids(const void *a, const void *b, void *arg);
static bool is_incident(const KnPush *push, int i);
static void lock_cases(KnCall *call, const KnPush *push, const bool *done);
static void apply_incidents(KnCall *call, KnPush *push, const int *order, const bool *done,
							bool deletes);
static void apply_guarded(KnCall *call, const KnWrite *write, KnRecordResult *result);

/*
 * POST /sync/batch {"device","seq","mode","records":[…]} -> {"results":[…]} in the same order.
 * A seq or mode that cannot be read is as if it were not there: the records are what counts.
 */
static void
sync_batch(KnCall *call)
{
	JsonbContainer *body = kn_in_object(call->body);
	KnPush push = {.atomic = is_word(kn_in_member(body, "mode"), "atomic"),
				   .reports = may_report(call)};
	KnCursor nothing = {0};
	int64 seq = 0;
	bool has_seq = read_seq(kn_in_member(body, "seq"), &seq);

	call->noun = "sync";
	kn_call_device(call, body);
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
	kn_push_read_batch(&push, body);
	kn_push_settle_ids(call, &push);
	kn_push_bases(call, &push, &nothing);
	kn_push_apply(call, &push);
	if (has_seq && call->device != NULL)
		kn_device_seq(call, call->device, seq);
	if (push.atomic)
		kn_push_refuse(call, &push);
	kn_push_results(call, &push);
}
KN_DOOR(sync_batch, sync_batch, KN_ROLE_ANY, KN_DOOR_AUDITED | KN_DOOR_UPLOAD,
		"POST /sync/batch: many records, each with its own result. Body: device, seq, mode, "
		"records.");

/*
 * POST /sync/push ?last_pulled_at, body: the changes of WatermelonDB
 *	  -> {} or experimentalRejectedIds
 *	  A device that names itself gets each record judged by its server_version;
 *	  one that does not gets all or nothing where a pull mends it, as its
 *	  protocol has it.  With ?seq, a number that the device counts up, one held
 *	  up on its way does nothing.
 */
static void
sync_push(KnCall *call)
{
	KnPush push = {.atomic = call->device == NULL, .reports = may_report(call)};
	KnPull pull = {0};

	call->noun = "sync";
	kn_push_read_changes(&push, kn_in_object(call->body));
	if (superseded(call, &push, kn_query_text(call->query, "seq")))
		return;
	kn_push_settle_ids(call, &push);
	kn_pull_since(&pull, call, kn_query_text(call->query, "last_pulled_at"));
	kn_push_bases(call, &push, &pull.since);
	kn_push_apply(call, &push);
	if (push.atomic)
		kn_push_refuse_stale(call, &push);
	kn_json_open(&call->json, '{');
	kn_push_rejected(call, &push);
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_push, sync_push, KN_ROLE_ANY, KN_DOOR_AUDITED | KN_DOOR_UPLOAD,
		"POST /sync/push: the changes of WatermelonDB. Query: last_pulled_at. Body: changes.");

/* As POST /incidents has it. */
static bool
may_report(const KnCall *call)
{
	return (call->caller->role & (KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER)) != 0;
}

static bool
is_word(const JsonbValue *value, const char *word)
{
	return value != NULL && value->type == jbvString &&
		   value->val.string.len == (int) strlen(word) &&
		   strncmp(value->val.string.val, word, value->val.string.len) == 0;
}

static bool
read_seq(JsonbValue *value, int64 *out)
{
	double number;

	if (value == NULL || value->type != jbvNumeric || !kn_number(value, &number) || number < 0 ||
		number > (double) KN_SEQ_MAX || number != floor(number))
		return false;
	*out = (int64) number;
	return true;
}

/* Whoever still waits for this answer keeps its records dirty and counts on from seq. */
static bool
superseded(KnCall *call, KnPush *push, const char *seq_text)
{
	char *end = NULL;
	int64 last;
	int64 seq;

	if (seq_text == NULL || call->device == NULL || kn_mutant("no_seq"))
		return false;
	errno = 0;
	seq = strtoll(seq_text, &end, 10);
	/* what cannot be read guards nothing, and refuses nothing either */
	if (errno != 0 || end == seq_text || *end != '\0' || seq < 0 || seq > KN_SEQ_MAX)
		return false;
	last = kn_device_lock(call, call->device);
	if (seq >= last)
	{
		kn_device_seq(call, call->device, seq);
		return false;
	}
	for (int i = 0; i < push->n; i++)
		push->results[i].status = KN_RECORD_RETRY;
	kn_json_open(&call->json, '{');
	kn_push_rejected(call, push);
	kn_json_pair_bool(&call->json, "superseded", true);
	kn_json_pair_int(&call->json, "seq", last);
	kn_json_close(&call->json, '}');
	return true;
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

		if (done[i] || is_incident(push, i) || replay(call, push, i, &applied[i]))
			continue;
		if (k > 0 && !is_incident(push, order[k - 1]))
			kn_write_follow(&push->writes[i], &push->writes[order[k - 1]],
							&push->results[order[k - 1]]);
		apply_guarded(call, &push->writes[i], &push->results[i]);
	}
	apply_incidents(call, push, order, done, true);
	kn_push_keep(call, push);
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

/* The same content again is a retry: the old outcome stands, and nothing is applied. */
static bool
replay(KnCall *call, KnPush *push, int i, const KnApplied *applied)
{
	KnRecordResult *result = &push->results[i];
	bytea *hash = push->hashes[i];
	const KnWriter *writer;

	if (!applied->known || kn_mutant("no_replay") ||
		VARSIZE_ANY_EXHDR(applied->hash) != VARSIZE_ANY_EXHDR(hash) ||
		memcmp(VARDATA_ANY(applied->hash), VARDATA_ANY(hash), VARSIZE_ANY_EXHDR(hash)) != 0)
		return false;
	result->status = applied->status == KN_RECORD_APPLIED ? KN_RECORD_UNCHANGED : applied->status;
	result->replayed = true;
	/* what stands may be another version by now, and the phone may have passed it */
	writer = kn_writer_of(push->writes[i].noun);
	if (writer->touch != NULL)
		writer->touch(call, &push->writes[i], result);
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
	const pg_uuid_t *me = &call->caller->account;
	Datum *keys = palloc(sizeof(Datum) * Max(push->n, 1));
	int n = 0;

	for (int i = 0; i < push->n; i++)
		if (!done[i] && is_incident(push, i))
			keys[n++] =
				PointerGetDatum(kn_client_key(me, "incident", push->writes[i].client_id));
	if (n > 0 && push->n > 1)
		kn_cases_lock(me, keys, n);
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
	kn_writer_of(writes[0].noun)->apply_many(call, writes, results, n);
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
		kn_writer_of(write->noun)->apply(call, write, result);
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
