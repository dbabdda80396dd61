/*-------------------------------------------------------------------------
 *
 * sweep.c
 *	  What is due for a need happens by itself: first routing of a batch's needs,
 *	  offers that expire, escalation, helpers who were never in touch.
 *
 * Called by the worker; incident_record.c asks how old the backlog is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "base/guc.h"
#include "base/lock.h"
#include "base/shared.h"
#include "cases/assignment_store.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_store.h"
#include "cases/sweep.h"
#include "trail/change.h"

#define ESCALATION_PART 8

static int route_backlog(int at_most, const KnCasePolicy *policy, TimestampTz now);
static void read_waiting(const KnRows *rows, uint64 row, KnNeed *need, KnCasePlace *place);
static void note_backlog(TimestampTz since);
static void move_needs(const KnNeed *needs, int n);
static void sweep_need(const pg_uuid_t *bucket, const pg_uuid_t *id, TimestampTz now);

PG_FUNCTION_INFO_V1(kn_need_sweep);

/* clang-format off */
static KnStatement select_waiting = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT n.bucket, n.id, n.service, n.urgency_level, n.round::int4, n.escalation, n.due_at, "
	KN_PLACE_COLUMNS
	"  FROM kintaraa.need n JOIN kintaraa.incident i ON i.id = n.bucket " KN_PLACE_FROM
	" WHERE n.due_at <= $1 AND n.state = 'searching' AND n.level = 0 "
	" ORDER BY n.due_at LIMIT $2 FOR NO KEY UPDATE OF n SKIP LOCKED",
	TIMESTAMPTZOID, INT4OID);
/* clang-format on */

static KnStatement update_needs = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.need n SET state = u.state, level = u.level, due_at = u.due "
	"  FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
	"    pg_catalog.unnest($4), pg_catalog.unnest($5)) AS u (bucket, id, state, level, due) "
	" WHERE n.bucket = u.bucket AND n.id = u.id",
	UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID);

/* What waits for its first routing is route_backlog's, which does many at once. */
static KnStatement select_due = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT bucket, id FROM kintaraa.need "
	" WHERE due_at <= $1 AND NOT (state = 'searching' AND level = 0) "
	" ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
	TIMESTAMPTZOID, INT4OID);

/*
 * kintaraa.need_sweep(at_most integer) -> integer
 *	  Moves on every need that is due; the worker calls it ten times a second.
 *	  Correct after a restart and a clock step.  One sweeps at a time, since a
 *	  sweep holds many cases in the order in which they are due: another one
 *	  returns 0 at once.  Escalating one by one takes far longer than the first
 *	  routing of many, and news waits for it: an eighth of at_most is taken, and
 *	  at_most returned when more may wait.
 */
PGDLLEXPORT Datum
kn_need_sweep(PG_FUNCTION_ARGS)
{
	KnArgs args = {0};
	TimestampTz now = GetCurrentTimestamp();
	KnRows rows;
	pg_uuid_t *buckets;
	pg_uuid_t *ids;
	int at_most = PG_GETARG_INT32(0);
	int few = Max(at_most / ESCALATION_PART, 1);
	int waiting;
	int n;

	if (!kn_try_lock(KN_LOCK_SWEEP))
		PG_RETURN_INT32(0);
	SPI_connect();
	kn_spi_read_only(false);
	waiting = route_backlog(at_most, kn_case_policy(), now);
	kn_arg_time(&args, now);
	kn_arg_int(&args, few);
	kn_run(&select_due, &args);
	rows = kn_rows();
	n = rows.n;
	buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		kn_col_uuid(&rows, i, 1, &buckets[i]);
		kn_col_uuid(&rows, i, 2, &ids[i]);
	}
	for (int i = 0; i < n; i++)
		sweep_need(&buckets[i], &ids[i], now);
	kn_change_flush(NULL);
	SPI_finish();
	PG_RETURN_INT32(n == few ? at_most : Max(n, waiting));
}

/*
 * Makes the first offers of needs that came in batches and wait for them; returns how many it took.
 * A fixed number of statements for all: one reads, one moves the needs, one stores the offers.
 */
static int
route_backlog(int at_most, const KnCasePolicy *policy, TimestampTz now)
{
	KnArgs args = {0};
	KnRouteMemo memo = {0};
	KnRows rows;
	KnNeed *needs;
	KnStep *steps;
	int n;

	kn_arg_time(&args, now);
	kn_arg_int(&args, at_most);
	kn_run(&select_waiting, &args);
	rows = kn_rows();
	n = rows.n;
	if (n == 0)
	{
		note_backlog(0);
		return 0;
	}
	needs = palloc0(sizeof(KnNeed) * n);
	steps = palloc0(sizeof(KnStep) * n);
	for (int i = 0; i < n; i++)
	{
		KnCasePlace place;

		read_waiting(&rows, i, &needs[i], &place);
		if (i == n - 1)
			note_backlog(n == at_most ? needs[i].due_at : 0);
		kn_escalation_next(&needs[i], &place, NULL, 0, policy, now, &memo, &steps[i]);
	}
	move_needs(needs, n);
	kn_offers_insert(needs, steps, n, now);
	for (int i = 0; i < n; i++)
	{
		if (!steps[i].calls_people)
			continue;
		kn_escalation_call(&needs[i], &steps[i]);
		kn_incident_follow_needs(&needs[i].bucket);
	}
	return n;
}

/* What is left has waited at most as long as what was taken last. */
static void
note_backlog(TimestampTz since)
{
	KnShared *shared = kn_shared();

	if (shared != NULL)
		pg_atomic_write_u64(&shared->waiting_since, (uint64) since);
}

bool
kn_backlog_is_old(void)
{
	KnShared *shared = kn_shared();
	TimestampTz since = shared ? (TimestampTz) pg_atomic_read_u64(&shared->waiting_since) : 0;

	return since != 0 &&
		   TimestampDifferenceExceeds(since, GetCurrentTimestamp(), kn_guc_routing_wait);
}

static void
read_waiting(const KnRows *rows, uint64 row, KnNeed *need, KnCasePlace *place)
{
	bool is_null;
	Datum value;

	kn_col_uuid(rows, row, 1, &need->bucket);
	kn_col_uuid(rows, row, 2, &need->id);
	need->service = kn_col_text(rows, row, 3);
	need->state = KN_NEED_SEARCHING;
	need->urgency = kn_urgency_parse(kn_col_text(rows, row, 4));
	need->round = kn_col_int(rows, row, 5, 1);
	value = kn_col(rows, row, 6, &is_null);
	need->escalation = is_null ? NULL : DatumGetJsonbP(value);
	need->due_at = kn_col_time(rows, row, 7);
	kn_case_place_read(rows, row, 8, place);
}

static void
move_needs(const KnNeed *needs, int n)
{
	pg_uuid_t *buckets = palloc(sizeof(pg_uuid_t) * n);
	pg_uuid_t *ids = palloc(sizeof(pg_uuid_t) * n);
	char **states = palloc(sizeof(char *) * n);
	int32 *levels = palloc(sizeof(int32) * n);
	TimestampTz *due = palloc(sizeof(TimestampTz) * n);
	KnArgs args = {0};

	for (int i = 0; i < n; i++)
	{
		buckets[i] = needs[i].bucket;
		ids[i] = needs[i].id;
		states[i] = (char *) kn_need_states[needs[i].state];
		levels[i] = needs[i].level;
		due[i] = needs[i].due_at;
	}
	kn_arg_uuid_array(&args, buckets, n);
	kn_arg_uuid_array(&args, ids, n);
	kn_arg_text_array(&args, states, n);
	kn_arg_int_array(&args, levels, n);
	kn_arg_time_array(&args, due, n);
	kn_run(&update_needs, &args);
}

static void
sweep_need(const pg_uuid_t *bucket, const pg_uuid_t *id, TimestampTz now)
{
	KnNeed need;

	if (!kn_need_lock(bucket, id, &need) || need.due_at == 0 || need.due_at > now)
		return;
	if (kn_need_is_paused(&need))
	{
		kn_hold_remind(&need, now);
		return;
	}
	if (need.state == KN_NEED_ENGAGED)
	{
		/* accepted, but nobody was in touch with her: acceptance is not help */
		if (need.contacted_at != 0)
			need.due_at = 0;
		else
		{
			KnEscalation rules;

			kn_escalation_read(need.escalation, &rules);
			kn_need_move(&need, KN_NEED_STALLED);
			while (need.level < rules.n_levels &&
				   rules.levels[need.level].who == KN_ASK_PROVIDERS)
				need.level++;
			kn_escalation_advance(&need, kn_case_policy(), now);
			return;
		}
		kn_need_save(&need);
		return;
	}
	kn_assignment_expire_pending(&need, now);
	kn_escalation_advance(&need, kn_case_policy(), now);
}
