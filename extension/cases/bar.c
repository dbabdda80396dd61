/*-------------------------------------------------------------------------
 *
 * bar.c
 *	  Keeping a case from somebody, whatever he has of it already.
 *
 * Called from SQL (kintaraa.bar) and by assignment.c for a conflict.  The row among
 * the barred is what closes every way to the case; the rest of this file
 * sees to it that help goes on without those who are barred: offers to them are
 * withdrawn, what they hold is released and searched for anew, and they are
 * told that the case is gone.
 *
 * An act of theirs that is under way holds a need; it is waited for, and then
 * undone.  One that waits for a need of ours finds itself barred when it has it
 * (need_store.c).  A note needs no need: it takes the incident for its foreign
 * key, which is locked here as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "access/barred.h"
#include "base/installed.h"
#include "base/json.h"
#include "cases/assignment_store.h"
#include "cases/bar.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_store.h"
#include "notify/notify.h"
#include "trail/audit.h"

#define LOST_MAX 64

typedef struct Lost
{
	pg_uuid_t assignment;
	pg_uuid_t need;
	pg_uuid_t team;
	bool accepted;
} Lost;

static void check_case(const pg_uuid_t *bucket, const pg_uuid_t *principal);
static void check_principal(const pg_uuid_t *bucket, const pg_uuid_t *principal);
static uint64 run_for(KnStatement *statement, const pg_uuid_t *bucket, const pg_uuid_t *principal);
static void lose_work(const pg_uuid_t *bucket);
static int find_lost(const pg_uuid_t *bucket, Lost *lost);
static void end_work(const pg_uuid_t *bucket, const Lost *lost);
static void go_on(const pg_uuid_t *bucket, const pg_uuid_t *need);
static void call_others(const pg_uuid_t *bucket);

PG_FUNCTION_INFO_V1(kn_bar_sql);

/* Whoever writes into the case without a need of it holds this row. */
static KnStatement lock_incident = KN_WRITE(
	KN_AS_SYSTEM, "SELECT owner_id FROM kintaraa.incident WHERE id = $1 FOR UPDATE", UUIDOID);

/* clang-format off */
/* Whether there is such a principal, whether it is a dispatch centre, and another one is left. */
static KnStatement select_principal = KN_READ(
	KN_AS_SYSTEM,
	"SELECT EXISTS (SELECT FROM kintaraa.account WHERE id = $2) "
	"    OR EXISTS (SELECT FROM kintaraa.provider WHERE id = $2) OR o.id IS NOT NULL, "
	"       COALESCE(o.kind = 'dispatch_centre', false), "
	"       EXISTS (SELECT FROM kintaraa.organisation c WHERE c.kind = 'dispatch_centre' "
	"                AND c.id <> $2 AND " KN_NOT_BARRED("$1", "ARRAY[c.id]") ") "
	"  FROM (SELECT) one LEFT JOIN kintaraa.organisation o ON o.id = $2",
	UUIDOID, UUIDOID);

static KnStatement select_lost = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT a.id, a.need_id, a.provider_id, a.status = 'accepted' "
	"  FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE a.incident_bucket = $1 AND " KN_ASSIGNMENT_IS_HELD("a") " "
	"   AND NOT " KN_TEAM_MAY("$1", "p")
	" ORDER BY a.need_id, a.id LIMIT " CppAsString2(LOST_MAX),
	UUIDOID);
/* clang-format on */

/* clang-format off */
static KnStatement select_waiting = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT n.id FROM kintaraa.need n JOIN kintaraa.incident i ON i.id = n.bucket "
	" WHERE n.bucket = $1 AND " KN_NEED_IS_TASK("n", "i") " ORDER BY n.created_at, n.service",
	UUIDOID);
/* clang-format on */

/*
 * kintaraa.bar(bucket uuid, principal uuid)
 *	  For a DBA or a case worker's tool.
 */
PGDLLEXPORT Datum
kn_bar_sql(PG_FUNCTION_ARGS)
{
	pg_uuid_t *bucket = PG_GETARG_UUID_P(0);
	pg_uuid_t *principal = PG_GETARG_UUID_P(1);
	KnNeed *needs;

	kn_installed_require();
	SPI_connect();
	kn_spi_read_only(false);
	(void) kn_case_lock(bucket, &needs);
	check_case(bucket, principal);
	check_principal(bucket, principal);
	kn_case_bar(bucket, principal);
	kn_audit_function("bar", "incident", bucket);
	kn_change_flush(NULL);
	SPI_finish();
	PG_RETURN_VOID();
}

static void
check_case(const pg_uuid_t *bucket, const pg_uuid_t *principal)
{
	KnArgs args = {0};
	pg_uuid_t owner;
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	if (kn_run(&lock_incident, &args) == 0)
		ereport(ERROR,
				errcode(ERRCODE_NO_DATA_FOUND),
				errmsg("there is no incident of that id"),
				errhint("Give the id of kintaraa.incident, not the case number."));
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, &owner);
	if (kn_uuid_equal(&owner, principal))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("whoever reported a case is not barred from it"),
				errhint("Bar the team, if she reported for somebody else."));
}

static void
check_principal(const pg_uuid_t *bucket, const pg_uuid_t *principal)
{
	KnRows rows;

	run_for(&select_principal, bucket, principal);
	rows = kn_rows();
	if (!kn_col_bool(&rows, 0, 1))
		ereport(ERROR,
				errcode(ERRCODE_NO_DATA_FOUND),
				errmsg("there is nobody of that id"),
				errhint("Give the id of an account, a provider or an organisation."));
	if (kn_col_bool(&rows, 0, 2) && !kn_col_bool(&rows, 0, 3))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the only dispatch centre cannot be barred from a case"),
				errhint("Bar its people, or make another centre first."));
}

static uint64
run_for(KnStatement *statement, const pg_uuid_t *bucket, const pg_uuid_t *principal)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	if (principal)
		kn_arg_uuid(&args, principal);
	return kn_run(statement, &args);
}

void
kn_case_bar(const pg_uuid_t *bucket, const pg_uuid_t *principal)
{
	run_for(&lock_incident, bucket, NULL);
	if (!kn_barred_add(bucket, principal))
		return;
	/* the tick that it makes is what tells the phones of those who are barred */
	kn_change_touch(bucket, "incident", bucket);
	kn_notify_take_back(bucket, principal);
	lose_work(bucket);
	call_others(bucket);
}

static void
lose_work(const pg_uuid_t *bucket)
{
	Lost lost[LOST_MAX];
	int n;

	while ((n = find_lost(bucket, lost)) > 0)
	{
		for (int i = 0; i < n; i++)
			end_work(bucket, &lost[i]);
		for (int i = 0; i < n; i++)
			if (i == 0 || !kn_uuid_equal(&lost[i].need, &lost[i - 1].need))
				go_on(bucket, &lost[i].need);
	}
}

static int
find_lost(const pg_uuid_t *bucket, Lost *lost)
{
	KnRows rows;

	run_for(&select_lost, bucket, NULL);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		kn_col_uuid(&rows, i, 1, &lost[i].assignment);
		kn_col_uuid(&rows, i, 2, &lost[i].need);
		kn_col_uuid(&rows, i, 3, &lost[i].team);
		lost[i].accepted = kn_col_bool(&rows, i, 4);
	}
	return rows.n;
}

/* A need that is met stays met; who met it has no more part in the case. */
static void
end_work(const pg_uuid_t *bucket, const Lost *lost)
{
	KnNeed need;

	if (!lost->accepted)
	{
		kn_assignment_move(&lost->assignment, KN_ASSIGNMENT_PENDING, KN_ASSIGNMENT_WITHDRAWN,
						   NULL, NULL, NULL);
		return;
	}
	kn_assignment_move(&lost->assignment, KN_ASSIGNMENT_ACCEPTED, KN_ASSIGNMENT_RELEASED,
					   NULL, NULL, NULL);
	kn_helper_leave(bucket, &lost->team);
	if (!kn_need_read(bucket, &lost->need, &need) || !kn_need_is_open(&need))
		return;
	kn_capacity_give_back(&lost->team);
	if (kn_need_is_paused(&need))
		return; /* she took the case back: nobody is asked */
	kn_need_begin_round(&need);
	need.due_at = GetCurrentTimestamp();
	kn_need_save(&need);
	kn_notify_owner(bucket);
}

static void
go_on(const pg_uuid_t *bucket, const pg_uuid_t *id)
{
	KnNeed need;

	if (!kn_need_read(bucket, id, &need))
		return;
	if (need.state == KN_NEED_SEARCHING ||
		(need.state == KN_NEED_OFFERED && kn_assignment_count_pending(bucket, id) == 0))
		kn_escalation_advance(&need, kn_case_policy(), GetCurrentTimestamp());
}

/* Those who were called may have been the barred ones. */
static void
call_others(const pg_uuid_t *bucket)
{
	KnRows rows;

	if (run_for(&select_waiting, bucket, NULL) == 0)
		return;
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		pg_uuid_t id;
		KnNeed need;

		kn_col_uuid(&rows, i, 1, &id);
		if (kn_need_read(bucket, &id, &need))
			kn_escalation_call_again(&need);
	}
}
