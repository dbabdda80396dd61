/*-------------------------------------------------------------------------
 *
 * hold.c
 *	  A case that its owner took back, and its way back to her.
 *
 * Whoever holds her phone can take a case back; only she can mean it.  So it is
 * hidden at once from everybody but the dispatch centre, and its open needs are
 * paused, not ended.  While one is immediate or a team is on its way the centre is
 * called, at once and again, to ask her by the safe way; that team keeps the card
 * and reads that the case is paused.  For 72 hours it can be undone: by herself
 * after a fresh sign-in, or by a dispatcher to whom she said so.  Then the open
 * needs end.
 *
 * A paused need keeps its accepted assignment, and the team's capacity.  Locks
 * are taken as everywhere: all needs of the case, its teams, the incident.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "cases/assignment.h"
#include "cases/assignment_store.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/hold.h"
#include "cases/incident_store.h"
#include "cases/projection.h"
#include "cases/vacancy.h"
#include "identity/door.h"
#include "identity/subject.h"
#include "notify/notify.h"
#include "records/record.h"

#define HOLD_HOURS 72
#define HOLD_USECS (HOLD_HOURS * (int64) USECS_PER_HOUR)
#define FIRST_CALL (5 * (int64) USECS_PER_MINUTE)
#define FRESH_SIGN_IN "interval '15 minutes'"
#define ENDS_AT_ONCE 50

PG_FUNCTION_INFO_V1(kn_hold_end_sql);

static bool find_held(KnCall *call, pg_uuid_t *id, KnRelation *relation, const char **spelling);
static bool run_own(KnCall *call, const char *client_id);
static void require_word(KnCall *call, const pg_uuid_t *id, KnRelation relation, char **note);
static void go_on(const pg_uuid_t *id, KnNeed *needs, int n, const char *note);
static void end_hold(const pg_uuid_t *bucket);
static uint64 run_for(KnStatement *statement, const pg_uuid_t *id);
static void tell_team(const KnNeed *need);

static KnStatement hold_incident = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH i AS (UPDATE kintaraa.incident "
	"              SET held_until = pg_catalog.now() + $3 * interval '1 hour', "
	"                  restored_at = NULL, "
	"                  deleted_at = CASE WHEN $2 THEN pg_catalog.now() END "
	"            WHERE id = $1 AND deleted_at IS NULL AND ($2 OR held_until IS NULL) "
	"           RETURNING id, status, urgency_level), "
	"d AS (INSERT INTO kintaraa.dispatch_delta (status, urgency, n) "
	"      SELECT status, urgency_level, -1 FROM i WHERE $2), "
	"m AS (UPDATE kintaraa.member m SET revoked = true, gx = pg_catalog.pg_current_xact_id(), "
	"             changed_at = pg_catalog.now() "
	"        FROM i WHERE m.bucket = i.id AND NOT m.revoked "
	"         AND (m.relation = 'helper' OR ($2 AND m.relation = 'dispatcher'))) "
	"SELECT 1 FROM i",
	UUIDOID, BOOLOID, INT4OID);

/* A case that was hidden is counted and followed again as far as it is not over. */
/* clang-format off */
static KnStatement release_incident = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH o AS (SELECT id, deleted_at IS NOT NULL AS hidden FROM kintaraa.incident "
	"            WHERE id = $1 AND held_until > pg_catalog.now() FOR NO KEY UPDATE), "
	"i AS (UPDATE kintaraa.incident n SET deleted_at = NULL, held_until = NULL, "
	"             restored_at = pg_catalog.now() FROM o "
	"       WHERE n.id = o.id RETURNING n.id, n.status, n.urgency_level, o.hidden), "
	"d AS (INSERT INTO kintaraa.dispatch_delta (status, urgency, n) "
	"      SELECT status, urgency_level, 1 FROM i WHERE hidden), "
	"m AS (UPDATE kintaraa.member m SET revoked = false, gx = pg_catalog.pg_current_xact_id(), "
	"             changed_at = pg_catalog.now() "
	"        FROM i WHERE m.bucket = i.id AND m.relation = 'dispatcher' AND m.revoked "
	"         AND NOT " KN_CASE_IS_OVER("i.status") ") "
	"SELECT 1 FROM i",
	UUIDOID);
/* clang-format on */

static KnStatement end_incident = KN_WRITE(
	KN_AS_SYSTEM, "UPDATE kintaraa.incident SET held_until = NULL WHERE id = $1", UUIDOID);

static KnStatement hold_need = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.incident SET held_until = pg_catalog.now() + $2 * interval '1 hour', "
	"       restored_at = NULL WHERE id = $1 AND deleted_at IS NULL",
	UUIDOID, INT4OID);

static KnStatement end_empty_hold = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.incident i SET held_until = NULL "
	" WHERE i.id = $1 AND i.deleted_at IS NULL AND i.held_until IS NOT NULL AND NOT EXISTS ("
	"       SELECT FROM kintaraa.need n WHERE n.bucket = $1 AND n.state = 'paused')",
	UUIDOID);

static KnStatement select_ended = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT id FROM (SELECT id FROM kintaraa.incident WHERE held_until <= pg_catalog.now() "
	"                 ORDER BY held_until LIMIT $1) i ORDER BY id",
	INT4OID);

static KnStatement select_hold = KN_READ(
	KN_AS_SYSTEM, "SELECT held_until FROM kintaraa.incident WHERE id = $1", UUIDOID);

static KnStatement select_own = KN_READ(
	KN_AS_SYSTEM,
	"SELECT id, spelling_sealed FROM kintaraa.incident "
	" WHERE owner_id = $1 AND client_key = $2 "
	"   AND (held_until > pg_catalog.now() OR restored_at IS NOT NULL)",
	UUIDOID, BYTEAOID);

static KnStatement select_restored = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.incident WHERE id = $1 AND restored_at IS NOT NULL", UUIDOID);

/* The session began after she, or whoever held her phone, took the case back. */
static KnStatement select_fresh = KN_READ(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.session s, kintaraa.incident i WHERE s.id = $1 AND i.id = $2 "
	"   AND s.created_at > i.held_until - $3 * interval '1 hour' "
	"   AND s.created_at > pg_catalog.now() - " FRESH_SIGN_IN,
	UUIDOID, UUIDOID, INT4OID);

bool
kn_case_hold(const pg_uuid_t *bucket, KnNeed *needs, int n, bool hidden)
{
	TimestampTz now = GetCurrentTimestamp();
	KnArgs args = {0};

	for (int i = 0; i < n; i++)
	{
		KnAssignment accepted;
		bool is_task;

		/* what closing paused is paused anew when she hides the case: 72 hours from then */
		if (!kn_need_is_open(&needs[i]) || (kn_need_is_paused(&needs[i]) && !hidden))
			continue;
		kn_assignment_withdraw_pending(bucket, &needs[i].id);
		is_task = kn_assignment_accepted(bucket, &needs[i].id, &accepted) ||
				  needs[i].urgency == KN_IMMEDIATE;
		kn_need_move(&needs[i], KN_NEED_PAUSED);
		needs[i].due_at = now + (is_task ? FIRST_CALL : HOLD_USECS);
		kn_need_save(&needs[i]);
		tell_team(&needs[i]);
		if (is_task)
			kn_escalation_call(&needs[i], &(KnStep){.calls_people = true});
	}
	kn_arg_uuid(&args, bucket);
	kn_arg_bool(&args, hidden);
	kn_arg_int(&args, HOLD_HOURS);
	return kn_run(&hold_incident, &args) > 0;
}

void
kn_need_hold(KnNeed *need, const pg_uuid_t *by)
{
	KnArgs args = {0};

	kn_need_clear(need, KN_ASSIGNMENT_WITHDRAWN, by);
	kn_need_move(need, KN_NEED_PAUSED);
	need->due_at = GetCurrentTimestamp() + FIRST_CALL;
	kn_need_save(need);
	kn_escalation_call(need, &(KnStep){.calls_people = true});
	kn_arg_uuid(&args, &need->bucket);
	kn_arg_int(&args, HOLD_HOURS);
	kn_run(&hold_need, &args);
}

void
kn_hold_end_if_empty(const pg_uuid_t *bucket)
{
	run_for(&end_empty_hold, bucket);
}

/* The case's state is on the card of whoever accepted it. */
static void
tell_team(const KnNeed *need)
{
	KnAssignment accepted;

	if (kn_assignment_accepted(&need->bucket, &need->id, &accepted))
		kn_change_remember(&accepted.provider, "assignment", &accepted.id, false);
}

static uint64
run_for(KnStatement *statement, const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	return kn_run(statement, &args);
}

/* As long after the last call as that was after the beginning. */
void
kn_hold_remind(KnNeed *need, TimestampTz now)
{
	KnRows rows;
	TimestampTz until;

	if (run_for(&select_hold, &need->bucket) == 0)
		return;
	rows = kn_rows();
	until = kn_col_time(&rows, 0, 1);
	if (until == 0)
		until = now; /* ended meanwhile */
	if (until > now)
		kn_escalation_call(need, &(KnStep){.calls_people = true, .officers = true});
	need->due_at = now + Max(FIRST_CALL, now - (until - HOLD_USECS));
	if (until > now)
		need->due_at = Min(need->due_at, until + FIRST_CALL);
	kn_need_save(need);
}

/*
 * POST /incidents/{id}/restore {"note"} -> the case's id and status
 *	  The owner, signed in afresh, without a body; or a dispatcher, whose note says
 *	  how she said so.  Again is the same answer; a case that was not taken back is
 *	  absent.
 */
static void
case_restore(KnCall *call)
{
	pg_uuid_t id;
	KnRelation relation;
	KnNeed *needs;
	KnUrgency urgency;
	char *note = NULL;
	KnCaseStatus status;
	const char *spelling;
	int n;

	if (!find_held(call, &id, &relation, &spelling))
		kn_refuse_absent();
	kn_call_target(call, "incident", &id);
	require_word(call, &id, relation, &note);
	n = kn_case_lock(&id, &needs);
	if (run_for(&release_incident, &id) > 0)
		go_on(&id, needs, n, note);
	else if (run_for(&select_restored, &id) == 0)
		kn_refuse_absent();
	if (!kn_incident_status_lock(&id, &status, &urgency))
		kn_refuse_absent();
	kn_call_flush(call);
	call->fields = "restored";
	kn_json_open(&call->json, '{');
	if (relation == KN_OWNER)
		kn_json_pair_text(&call->json, "id", spelling);
	else
		kn_json_pair_uuid(&call->json, "id", &id);
	kn_json_pair_text(&call->json, "status", kn_case_status_word(status, relation));
	kn_json_close(&call->json, '}');
}
KN_DOOR(case_restore, case_restore,
		KN_ROLE_SURVIVOR | KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED,
		"POST /incidents/{id}/restore: a case that she took back goes on. Path: id. Body of "
		"dispatchers: note.");

/* The teams go on, and a dispatcher's note is kept. */
static void
go_on(const pg_uuid_t *id, KnNeed *needs, int n, const char *note)
{
	KnUrgency urgency;
	KnSubject subject = {0};
	pg_uuid_t owner;
	KnCaseStatus status;

	for (int i = 0; i < n; i++)
		kn_hold_resume(&needs[i], GetCurrentTimestamp());
	if (note != NULL && kn_incident_status_lock(id, &status, &urgency))
	{
		kn_incident_owner(id, &owner);
		kn_account_subject(&owner, &subject);
		kn_incident_set_status(id, status, status, "dispatcher", &subject, note, NULL);
		kn_subject_forget(&subject);
		kn_notify_owner(id);
	}
	kn_incident_follow_needs(id);
}

/* Her own by her id for it, hidden as it is; a dispatcher's as she may see it. */
static bool
find_held(KnCall *call, pg_uuid_t *id, KnRelation *relation, const char **spelling)
{
	KnIncident incident = {.owner = call->caller->account};
	KnRows rows;

	if (call->n_path < 1)
		return false;
	*relation = KN_OWNER;
	if (run_own(call, kn_incident_spelt(&call->caller->account, call->path[0])))
	{
		rows = kn_rows();
		kn_col_uuid(&rows, 0, 1, id);
		incident.id = *id;
		incident.spelling_sealed = kn_col_bytea(&rows, 0, 2);
		*spelling = kn_incident_own_id(&incident);
		return true;
	}
	if (!kn_incident_load(call->caller, call->path[0], &incident, relation) ||
		*relation != KN_DISPATCHER ||
		(incident.held_until == 0 && run_for(&select_restored, &incident.id) == 0))
		return false;
	*id = incident.id;
	return true;
}

static bool
run_own(KnCall *call, const char *client_id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_bytea(&args, kn_client_key(&call->caller->account, "incident", client_id));
	return kn_run(&select_own, &args) > 0;
}

static void
require_word(KnCall *call, const pg_uuid_t *id, KnRelation relation, char **note)
{
	static const char *const members[] = {"note", NULL};
	KnArgs args = {0};

	if (relation == KN_DISPATCHER)
	{
		JsonbContainer *body = kn_in_object(call->body);

		kn_in_only(body, members);
		*note = kn_in_text(body, "note", 1, KN_NOTE_MAX, true);
		return;
	}
	if (run_for(&select_restored, id) > 0)
		return; /* it was done before, and nothing is done now */
	kn_arg_uuid(&args, &call->caller->session);
	kn_arg_uuid(&args, id);
	kn_arg_int(&args, HOLD_HOURS);
	if (kn_run(&select_fresh, &args) == 0)
		kn_refuse(ERRCODE_KN_SIGN_IN_AGAIN, "this needs a fresh sign-in",
				  "Sign in with e-mail and password, then send it again within 15 minutes; "
				  "or ask the dispatch centre.");
}

void
kn_hold_resume(KnNeed *need, TimestampTz now)
{
	KnAssignment accepted;
	const KnCasePolicy *policy = kn_case_policy();
	bool is_there = kn_assignment_accepted(&need->bucket, &need->id, &accepted);

	if (kn_need_is_open(need) && !kn_need_is_paused(need))
		return;
	if (is_there && (!kn_need_is_paused(need) || !kn_work_is_vacant(&accepted.id)))
		kn_helper_join(&need->bucket, &accepted.provider);
	if (!kn_need_is_paused(need))
		return;
	if (!is_there || kn_work_is_vacant(&accepted.id))
	{
		kn_need_clear(need, KN_ASSIGNMENT_RELEASED, NULL);
		kn_escalation_reopen(need, need->urgency, policy, now);
		return;
	}
	kn_need_move(need, KN_NEED_ENGAGED);
	need->due_at = 0;
	if (need->contacted_at == 0)
		kn_escalation_await_contact(need, policy, now);
	kn_need_save(need);
	tell_team(need);
}

/* kintaraa.hold_end() -> integer: ends the needs of cases whose 72 hours are over; the worker's. */
PGDLLEXPORT Datum
kn_hold_end_sql(PG_FUNCTION_ARGS)
{
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t *buckets;
	int n;

	SPI_connect();
	kn_spi_read_only(false);
	kn_arg_int(&args, ENDS_AT_ONCE);
	n = kn_run(&select_ended, &args);
	rows = kn_rows();
	buckets = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	for (int i = 0; i < n; i++)
		kn_col_uuid(&rows, i, 1, &buckets[i]);
	if (n > 0)
		kn_cases_lock_all(buckets, n, NULL, 0);
	for (int i = 0; i < n; i++)
		end_hold(&buckets[i]);
	if (n > 0)
		kn_change_flush(NULL);
	SPI_finish();
	PG_RETURN_INT32(n);
}

/* Looked at again under the locks: it may have been undone. */
static void
end_hold(const pg_uuid_t *bucket)
{
	KnRows rows;
	KnCaseParts parts;
	TimestampTz until;

	run_for(&select_hold, bucket);
	rows = kn_rows();
	until = kn_col_time(&rows, 0, 1);
	if (until == 0 || until > GetCurrentTimestamp())
		return;
	kn_need_load_parts(bucket, &parts);
	for (int i = 0; i < parts.n_needs; i++)
		if (kn_need_is_paused(&parts.needs[i]))
			kn_need_close(&parts.needs[i], KN_NEED_WITHDRAWN, NULL);
	run_for(&end_incident, bucket);
}
