/*-------------------------------------------------------------------------
 *
 * change.c
 *	  The change stamp: what every write of a synced row leaves behind.
 *
 * Fed by the row trigger kintaraa.change_remember on every synced table,
 * flushed by the door as its last step.  Entries remember the subtransaction
 * they were made in, so a rollback forgets exactly what it undoes.  x is the
 * top-level transaction id: inside a savepoint the row's own xmin would be the
 * subtransaction's and cursors would skip it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/errcodes.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "base/shared.h"
#include "base/spi.h"
#include "trail/change.h"

#define NOUN_MAX 32

typedef struct Change
{
	pg_uuid_t bucket;
	pg_uuid_t id;
	pg_uuid_t audience; /* whose news it is */
	bool has_audience;  /* it is known without a look at the report */
	char noun[NOUN_MAX];
	bool deleted;
	bool is_new;  /* a row that was just made, with an id of its own: it has no stamp */
	int level;    /* nesting level of the transaction that made it */
	int flushed;  /* nesting level in which it was stamped, 0 when it was not */
	int sequence; /* later entries of a record have the last word */
} Change;

typedef struct Stamped
{
	Change change;
	KnStamp stamp;
} Stamped;

static Change *pending = NULL;
static int n_pending = 0;
static int max_pending = 0;
static Stamped *stamped = NULL;
static int n_stamped = 0;
static int max_stamped = 0;
static bool wrote_stamps = false;
static bool are_new = false;

static void remember(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id, bool deleted,
					 const pg_uuid_t *audience);
static void find_audiences(Change *changes, int n);
static void move_helpers(const Change *changes, int n);
static bool lies_at_home(const Change *change);
static const pg_uuid_t *audience_of(HeapTuple row, TupleDesc desc, char **args,
									const pg_uuid_t *bucket);
static void at_transaction_end(XactEvent event, void *arg);
static void at_subtransaction_end(SubXactEvent event, SubTransactionId mine,
								  SubTransactionId parent, void *arg);
static void forget_from(int level);
static void hand_over(int parent);
static int compare(const void *a, const void *b);
static int compare_in_order(const void *a, const void *b);
static int flush(const pg_uuid_t *writer, bool unasked_only);
static bool is_unasked(const Change *change);
static int sort_and_merge(Change **out, bool unasked_only);
static void arg_changes(KnArgs *args, const Change *changes, int n);
static void arg_audiences(KnArgs *args, const Change *changes, int n);
static void mark_flushed(bool unasked_only);
static int new_last(Change *changes, int n);
static void stamp(const pg_uuid_t *writer, const Change *changes, int n);
static void keep_stamps(void);
static void forget_older_half(void);
static void *grow(void *items, Size each, int *max);

PG_FUNCTION_INFO_V1(kn_change_remember_trigger);
PG_FUNCTION_INFO_V1(kn_change_flush_sql);

/* clang-format off */
#define OWNER_OF(bucket_) "(SELECT i.owner_id FROM kintaraa.incident i WHERE i.id = " bucket_ ")"
#define FIRST_STAMP(source_) \
	"INSERT INTO kintaraa.change AS c " \
	"(bucket, noun, id, deleted, writer, x, version, foreign_version, updated_at, audience) " \
	"SELECT u.bucket, u.noun, u.id, u.deleted, $5, pg_catalog.pg_current_xact_id(), 1, 0, " \
	"       pg_catalog.date_trunc('milliseconds', pg_catalog.clock_timestamp()), " \
	"       COALESCE(u.audience, " OWNER_OF("u.bucket") ", u.bucket) " \
	"  FROM (" source_ ") AS u (bucket, noun, id, deleted, audience) "
/*
 * foreign_version is the highest version that somebody other than the present
 * writer wrote: it tells a device's own unseen writes from foreign ones.
 */
#define STAMP(source_) \
	FIRST_STAMP(source_) \
	"ON CONFLICT (bucket, noun, id) DO UPDATE SET " \
	"  x = EXCLUDED.x, version = c.version + 1, writer = EXCLUDED.writer, " \
	"  foreign_version = CASE WHEN c.writer IS NOT DISTINCT FROM EXCLUDED.writer " \
	"                         THEN c.foreign_version ELSE c.version END, " \
	"  deleted = EXCLUDED.deleted, audience = COALESCE(c.audience, EXCLUDED.audience), " \
	"  updated_at = GREATEST(EXCLUDED.updated_at, c.updated_at + interval '1 millisecond') "
#define ITEMS \
	"SELECT ($1)[i], ($2)[i], ($3)[i], ($4)[i], ($6)[i] " \
	"  FROM pg_catalog.generate_series(1, $7) AS i"
#define ITEM_TYPES \
	UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID, BOOLARRAYOID, UUIDOID, UUIDARRAYOID, INT4OID
#define RETURNING "RETURNING bucket, noun, id, version, updated_at"
/* clang-format on */

/* Cheaper by more than a quarter than looking for a stamp that cannot be there. */
static KnStatement stamp_new =
	KN_WRITE(KN_AS_SYSTEM, FIRST_STAMP(ITEMS) RETURNING, ITEM_TYPES);

static KnStatement stamp_all = KN_WRITE(KN_AS_SYSTEM, STAMP(ITEMS) RETURNING, ITEM_TYPES);

/* Most acts change one record, and then the arrays cost more than the row. */
static KnStatement stamp_one =
	KN_WRITE(KN_AS_SYSTEM, STAMP("SELECT $1, $2, $3, $4, $6") RETURNING, UUIDOID, TEXTOID, UUIDOID,
			 BOOLOID, UUIDOID, UUIDOID);

/* clang-format off */
static KnStatement touch_one = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.change SET x = pg_catalog.pg_current_xact_id(), "
	"       audience = COALESCE(audience, " OWNER_OF("bucket") ", bucket) "
	" WHERE bucket = $1 AND noun = $2 AND id = $3",
	UUIDOID, TEXTOID, UUIDOID);
/* clang-format on */

/*
 * For those who help with a case.  A team may have thousands, and a pull must not
 * look at each.  Nothing but flushes writes these rows, in the order of their
 * keys: memberships are held by whoever leaves a case while she waits for it.
 */
static KnStatement move_cases = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.case_news AS n (principal, bucket, x) "
	"SELECT m.principal, m.bucket, pg_catalog.pg_current_xact_id() FROM kintaraa.member m "
	" WHERE m.bucket = ANY ($1) AND m.relation IN ('helper', 'reporter') AND NOT m.revoked "
	" ORDER BY m.bucket, m.principal "
	"ON CONFLICT (principal, bucket) DO UPDATE SET x = EXCLUDED.x WHERE n.x <> EXCLUDED.x",
	UUIDARRAYOID);

void
kn_change_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

void
kn_change_begin_new(void)
{
	are_new = true;
}

void
kn_change_end_new(void)
{
	are_new = false;
}

void
kn_change_remember(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id, bool deleted)
{
	remember(bucket, noun, id, deleted, NULL);
}

static void
remember(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id, bool deleted,
		 const pg_uuid_t *audience)
{
	Change *change;

	if (n_pending >= KN_STAMPS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("one transaction changes more than %d records", KN_STAMPS_MAX),
				errhint("Split it, or call kintaraa.change_flush() in between."));
	if (n_pending == max_pending)
		pending = grow(pending, sizeof(Change), &max_pending);
	change = &pending[n_pending++];
	change->bucket = *bucket;
	change->id = *id;
	change->has_audience = audience != NULL;
	if (audience != NULL)
		change->audience = *audience;
	strlcpy(change->noun, noun, NOUN_MAX);
	change->deleted = deleted;
	change->is_new = are_new;
	change->level = GetCurrentTransactionNestLevel();
	change->flushed = 0;
	change->sequence = n_pending;
}

void
kn_change_touch(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id)
{
	Change touched = {.bucket = *bucket};
	KnArgs args = {0};

	if (kn_mutant("no_touch"))
		return;
	kn_arg_uuid(&args, bucket);
	kn_arg_text(&args, noun);
	kn_arg_uuid(&args, id);
	move_helpers(&touched, 1);
	kn_run(&touch_one, &args);
	wrote_stamps = true;
}

int
kn_change_flush(const pg_uuid_t *writer)
{
	return flush(writer, false);
}

void
kn_change_relieve(void)
{
	if (n_pending > KN_STAMPS_MAX / 2)
		flush(NULL, true);
}

static int
flush(const pg_uuid_t *writer, bool unasked_only)
{
	Change *changes;
	int n = sort_and_merge(&changes, unasked_only);
	int n_new;

	find_audiences(changes, n);
	n_new = new_last(changes, n);

	if (n == 0)
		return 0;
	move_helpers(changes, n);
	if (n > n_new)
		stamp(writer, changes, n - n_new);
	if (n_new > 0)
	{
		KnArgs args = {0};

		arg_changes(&args, changes + n - n_new, n_new);
		kn_arg_uuid(&args, writer);
		arg_audiences(&args, changes + n - n_new, n_new);
		kn_run(&stamp_new, &args);
		if (!unasked_only)
			keep_stamps();
	}
	mark_flushed(unasked_only);
	wrote_stamps = true;
	return n;
}

/*
 * A row just made in the bucket of a person or a team: an offer, a notice.  No
 * answer tells its stamp, and to write that waits for nobody and touches no case.
 */
static bool
is_unasked(const Change *change)
{
	return change->is_new && lies_at_home(change);
}

/* A report tells whose it is, and what lies beside it in its bucket is the same person's news. */
static void
find_audiences(Change *changes, int n)
{
	for (int i = 0; i < n; i++)
	{
		Change *last = i > 0 ? &changes[i - 1] : NULL;

		if (last == NULL || changes[i].has_audience || !last->has_audience ||
			!kn_uuid_equal(&last->bucket, &changes[i].bucket))
			continue;
		changes[i].has_audience = true;
		changes[i].audience = last->audience;
	}
}

/* With a report that is new nobody helps yet. */
static void
move_helpers(const Change *changes, int n)
{
	pg_uuid_t *buckets = palloc(sizeof(pg_uuid_t) * n);
	const Change *report = NULL;
	KnArgs args = {0};
	int n_buckets = 0;

	for (int i = 0; i < n; i++)
	{
		if (changes[i].is_new && strcmp(changes[i].noun, "incident") == 0)
			report = &changes[i];
		if (lies_at_home(&changes[i]) ||
			(report && kn_uuid_equal(&report->bucket, &changes[i].bucket)) ||
			(n_buckets > 0 && kn_uuid_equal(&buckets[n_buckets - 1], &changes[i].bucket)))
			continue;
		buckets[n_buckets++] = changes[i].bucket;
	}
	if (n_buckets == 0)
		return;
	kn_arg_uuid_array(&args, buckets, n_buckets);
	kn_run(&move_cases, &args);
}

/* In the bucket of a person, a team or an organisation, which nobody helps with. */
static bool
lies_at_home(const Change *change)
{
	return change->has_audience && kn_uuid_equal(&change->audience, &change->bucket);
}

/* Moves those that are new behind the others, which stay in the order of their keys; how many. */
static int
new_last(Change *changes, int n)
{
	Change *those = palloc(sizeof(Change) * Max(n, 1));
	int n_new = 0;

	for (int i = 0; i < n; i++)
	{
		if (changes[i].is_new)
			those[n_new++] = changes[i];
		else
			changes[i - n_new] = changes[i];
	}
	memcpy(changes + n - n_new, those, sizeof(Change) * n_new);
	return n_new;
}

static void
stamp(const pg_uuid_t *writer, const Change *changes, int n)
{
	KnArgs args = {0};

	if (n == 1)
	{
		kn_arg_uuid(&args, &changes->bucket);
		kn_arg_text(&args, changes->noun);
		kn_arg_uuid(&args, &changes->id);
		kn_arg_bool(&args, changes->deleted);
	}
	else
		arg_changes(&args, changes, n);
	kn_arg_uuid(&args, writer);
	if (n > 1)
		arg_audiences(&args, changes, n);
	else
		kn_arg_uuid(&args, changes->has_audience ? &changes->audience : NULL);
	kn_run(n == 1 ? &stamp_one : &stamp_all, &args);
	keep_stamps();
}

static void
arg_changes(KnArgs *args, const Change *changes, int n)
{
	pg_uuid_t *buckets = palloc(sizeof(pg_uuid_t) * n);
	pg_uuid_t *ids = palloc(sizeof(pg_uuid_t) * n);
	char **nouns = palloc(sizeof(char *) * n);
	bool *deleted = palloc(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
	{
		buckets[i] = changes[i].bucket;
		ids[i] = changes[i].id;
		nouns[i] = (char *) changes[i].noun;
		deleted[i] = changes[i].deleted;
	}
	kn_arg_uuid_array(args, buckets, n);
	kn_arg_text_array(args, nouns, n);
	kn_arg_read_by_index(args);
	kn_arg_uuid_array(args, ids, n);
	kn_arg_bool_array(args, deleted, n);
}

static void
arg_audiences(KnArgs *args, const Change *changes, int n)
{
	Datum *audiences = palloc(sizeof(Datum) * n);
	bool *nulls = palloc(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
	{
		audiences[i] = UUIDPGetDatum(&changes[i].audience);
		nulls[i] = !changes[i].has_audience;
	}
	kn_arg_array(args, UUIDOID, audiences, nulls, n);
	kn_arg_int(args, n);
}

/* Key order makes concurrent flushes free of deadlocks; the last word on a record stays. */
static int
sort_and_merge(Change **out, bool unasked_only)
{
	Change *all = palloc(sizeof(Change) * Max(n_pending, 1));
	int n = 0;
	int kept = 0;

	for (int i = 0; i < n_pending; i++)
		if (pending[i].flushed == 0 && (!unasked_only || is_unasked(&pending[i])))
			all[n++] = pending[i];
	qsort(all, n, sizeof(Change), compare_in_order);
	for (int i = 0; i < n; i++)
	{
		if (kept > 0 && compare(&all[kept - 1], &all[i]) == 0)
		{
			all[kept - 1].deleted = all[i].deleted;
			all[kept - 1].is_new |= all[i].is_new;
		}
		else
			all[kept++] = all[i];
	}
	*out = all;
	return kept;
}

/* What an outer transaction changed is stamped for good only when this one ends well. */
static void
mark_flushed(bool unasked_only)
{
	int level = GetCurrentTransactionNestLevel();
	int kept = 0;

	for (int i = 0; i < n_pending; i++)
	{
		bool is_stamped = !unasked_only || is_unasked(&pending[i]);

		if (is_stamped && pending[i].level >= level)
			continue;
		pending[kept] = pending[i];
		if (is_stamped && pending[kept].flushed == 0)
			pending[kept].flushed = level;
		kept++;
	}
	n_pending = kept;
}

static int
compare(const void *a, const void *b)
{
	const Change *left = a;
	const Change *right = b;
	int order = memcmp(&left->bucket, &right->bucket, UUID_LEN);

	if (order == 0)
		order = strcmp(left->noun, right->noun);
	if (order == 0)
		order = memcmp(&left->id, &right->id, UUID_LEN);
	return order;
}

static int
compare_in_order(const void *a, const void *b)
{
	int order = compare(a, b);

	return order != 0 ? order : ((const Change *) a)->sequence - ((const Change *) b)->sequence;
}

static void
keep_stamps(void)
{
	KnRows rows = kn_rows();

	for (uint64 i = 0; i < rows.n; i++)
	{
		Stamped *at;

		if (n_stamped == KN_STAMPS_MAX)
			forget_older_half();
		if (n_stamped == max_stamped)
			stamped = grow(stamped, sizeof(Stamped), &max_stamped);
		at = &stamped[n_stamped++];
		at->change.level = GetCurrentTransactionNestLevel();
		kn_col_uuid(&rows, i, 1, &at->change.bucket);
		strlcpy(at->change.noun, kn_col_text(&rows, i, 2), NOUN_MAX);
		kn_col_uuid(&rows, i, 3, &at->change.id);
		at->stamp.version = kn_col_bigint(&rows, i, 4, 0);
		at->stamp.updated_at = kn_col_time(&rows, i, 5);
	}
}

/* Nobody asks for a stamp but whoever has just flushed, and no flush makes that many. */
static void
forget_older_half(void)
{
	n_stamped = KN_STAMPS_MAX / 2;
	memmove(stamped, stamped + KN_STAMPS_MAX - n_stamped, sizeof(Stamped) * n_stamped);
}

/* For the life of the backend.  When memory is short the items stay as they are, and max too. */
static void *
grow(void *items, Size each, int *max)
{
	int wanted = Max(64, *max * 2);

	kn_fail_if("no_room");
	items = items ? repalloc(items, each * wanted)
				  : MemoryContextAlloc(TopMemoryContext, each * wanted);
	*max = wanted;
	return items;
}

bool
kn_change_stamp(const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id, KnStamp *out)
{
	Change wanted = {.bucket = *bucket, .id = *id};

	strlcpy(wanted.noun, noun, NOUN_MAX);
	for (int i = n_stamped - 1; i >= 0; i--)
	{
		if (compare(&stamped[i].change, &wanted) == 0)
		{
			*out = stamped[i].stamp;
			return true;
		}
	}
	return false;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			if (n_pending > 0)
				ereport(ERROR,
						errcode(ERRCODE_KN_UNSTAMPED),
						errmsg("changed records have no stamp"),
						errhint("Call SELECT kintaraa.change_flush() as the last statement."));
			break;
		case XACT_EVENT_COMMIT:
			if (wrote_stamps)
				kn_shared_wake_worker();
			/* FALLTHROUGH */
		default:
			n_pending = 0;
			n_stamped = 0;
			are_new = false;
			wrote_stamps = false;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	are_new = false;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_from(level);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		hand_over(level - 1);
}

/* What was changed there is as it was; what was only stamped there has to be stamped again. */
static void
forget_from(int level)
{
	int kept = 0;

	for (int i = 0; i < n_pending; i++)
	{
		if (pending[i].level >= level)
			continue;
		pending[kept] = pending[i];
		if (pending[kept].flushed >= level)
			pending[kept].flushed = 0;
		kept++;
	}
	n_pending = kept;
	while (n_stamped > 0 && stamped[n_stamped - 1].change.level >= level)
		n_stamped--;
}

static void
hand_over(int parent)
{
	int kept = 0;

	for (int i = 0; i < n_pending; i++)
	{
		pending[i].level = Min(pending[i].level, parent);
		pending[i].flushed = Min(pending[i].flushed, parent);
		if (pending[i].flushed == 0 || pending[i].flushed > pending[i].level)
			pending[kept++] = pending[i];
	}
	n_pending = kept;
	for (int i = n_stamped - 1; i >= 0 && stamped[i].change.level > parent; i--)
		stamped[i].change.level = parent;
}

/*
 * kintaraa.change_remember(noun, bucket column, id column [, deleted column]):
 *	  AFTER ROW trigger.  A noun that begins with @ names the column that holds
 *	  it; a row whose deleted column is not null counts as deleted.
 */
PGDLLEXPORT Datum
kn_change_remember_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc desc;
	HeapTuple row;
	char **args;
	bool null_bucket;
	bool null_id;
	bool is_there = true; /* the deleted column is null */
	char *noun;
	Datum bucket;
	Datum id;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) || data->tg_trigger->tgnargs < 3)
		elog(ERROR, "change_remember is an AFTER ROW trigger with three or four arguments");
	desc = RelationGetDescr(data->tg_relation);
	args = data->tg_trigger->tgargs;
	row = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
	bucket = SPI_getbinval(row, desc, SPI_fnumber(desc, args[1]), &null_bucket);
	id = SPI_getbinval(row, desc, SPI_fnumber(desc, args[2]), &null_id);
	if (null_bucket || null_id)
		elog(ERROR, "a synced row has no bucket or no id");
	if (data->tg_trigger->tgnargs > 3)
		(void) SPI_getbinval(row, desc, SPI_fnumber(desc, args[3]), &is_there);
	noun = args[0][0] == '@' ? SPI_getvalue(row, desc, SPI_fnumber(desc, args[0] + 1)) : args[0];
	remember(DatumGetUUIDP(bucket), noun, DatumGetUUIDP(id),
			 TRIGGER_FIRED_BY_DELETE(data->tg_event) || !is_there,
			 audience_of(row, desc, args, DatumGetUUIDP(bucket)));
	PG_RETURN_POINTER(NULL);
}

/* NULL: it lies in the bucket of a report, whose owner is not known here. */
static const pg_uuid_t *
audience_of(HeapTuple row, TupleDesc desc, char **args, const pg_uuid_t *bucket)
{
	static const char *const principals[] = {"owner_id", "account_id", "provider_id",
											 "organisation_id"};
	int column;
	bool is_null;
	Datum owner;

	for (int i = 0; i < lengthof(principals); i++)
		if (strcmp(args[1], principals[i]) == 0)
			return bucket;
	if (strcmp(args[0], "account") == 0)
		return bucket;
	column = SPI_fnumber(desc, "owner_id");
	if (column <= 0)
		return NULL;
	owner = SPI_getbinval(row, desc, column, &is_null);
	return is_null ? NULL : DatumGetUUIDP(owner);
}

/* kintaraa.change_flush() -> integer: how many records it stamped; for writers in psql. */
PGDLLEXPORT Datum
kn_change_flush_sql(PG_FUNCTION_ARGS)
{
	int n;

	SPI_connect();
	n = kn_change_flush(NULL);
	SPI_finish();
	PG_RETURN_INT32(n);
}
