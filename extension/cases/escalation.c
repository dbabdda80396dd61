/*-------------------------------------------------------------------------
 *
 * escalation.c
 *	  Who is asked next for a need, and until when.
 *
 * Called when a need opens, when a helper declines or releases, and by the
 * worker for what is due.  A level without anybody to ask is skipped at once;
 * the last level repeats, so a need is never without an owner and a due time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/lock.h"
#include "cases/assignment_store.h"
#include "cases/escalation.h"
#include "cases/incident_store.h"
#include "cases/offer.h"
#include "cases/provider.h"
#include "keys/blind.h"
#include "trail/change.h"

static bool ask_providers(KnNeed *need, const KnLevel *level, const KnCasePlace *place,
						  const pg_uuid_t *asked, int n_asked, TimestampTz now, KnStep *step);
static void advance(KnNeed *need, const KnCasePolicy *policy, TimestampTz now);
static void call_people(const KnNeed *need, bool officers);
static void sweep_need(const pg_uuid_t *bucket, const pg_uuid_t *id, TimestampTz now);
static void expire_offers(const KnNeed *need, TimestampTz now);

PG_FUNCTION_INFO_V1(kn_need_sweep);

static KnStatement select_asked = KN_READ(
	KN_AS_SYSTEM,
	"SELECT provider_id FROM kintaraa.assignment "
	" WHERE incident_bucket = $1 AND need_id = $2 AND (round = $3 OR status = 'released')",
	UUIDOID, UUIDOID, INT4OID);

static KnStatement select_place = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " KN_PLACE_COLUMNS " FROM kintaraa.incident i " KN_PLACE_FROM " WHERE i.id = $1",
	UUIDOID);

/* Whoever is on duty and may know of it; when that is nobody, the whole centre. */
static KnStatement notify_people = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH able AS MATERIALIZED (SELECT a.id, a.role FROM kintaraa.account a "
	"  WHERE a.centre_id IS NOT NULL AND a.is_active AND NOT EXISTS ("
	"        SELECT FROM kintaraa.barred b WHERE b.bucket = $1 AND b.principal IN (a.id, "
	"       a.centre_id))), "
	"called AS (SELECT d.account_id FROM kintaraa.duty d JOIN able ON able.id = d.account_id "
	"            WHERE d.kind = $2 AND pg_catalog.now() BETWEEN d.from_at AND d.to_at), "
	"people AS (SELECT account_id FROM called UNION "
	"           (SELECT id FROM able WHERE role = 'dispatcher' AND NOT EXISTS (SELECT FROM called) "
	"             LIMIT 100)) "
	"INSERT INTO kintaraa.notification (id, account_id, class, bucket) "
	"SELECT pg_catalog.gen_random_uuid(), p.account_id, 'duty_call', $1 FROM people p",
	UUIDOID, TEXTOID);

static KnStatement expire_pending = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.assignment SET status = 'expired', responded_at = $3 "
	" WHERE incident_bucket = $1 AND need_id = $2 AND status = 'pending' AND due_at <= $3",
	UUIDOID, UUIDOID, TIMESTAMPTZOID);

/* What waits for its first routing is kn_backlog_route's, which does many at once. */
static KnStatement select_due = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT bucket, id FROM kintaraa.need "
	" WHERE due_at <= $1 AND NOT (state = 'searching' AND level = 0) "
	" ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
	TIMESTAMPTZOID, INT4OID);

bool
kn_service_is_rescue(const char *service)
{
	return strcmp(service, "emergency") == 0 || strcmp(service, "shelter") == 0;
}

bool
kn_service_is_clinical(const char *service)
{
	return strcmp(service, "medical") == 0 || kn_service_is_rescue(service) ||
		   strcmp(service, KN_TRIAGE) == 0;
}

KnUrgency
kn_service_urgency(const char *service, const KnIncident *incident)
{
	return kn_service_is_clinical(service) ? incident->urgency : incident->asked;
}

void
kn_escalation_next(KnNeed *need, const KnCasePlace *place, const pg_uuid_t *asked, int n_asked,
				   const KnCasePolicy *policy, TimestampTz now, KnStep *step)
{
	KnEscalation rules;

	memset(step, 0, sizeof(*step));
	kn_escalation_read(need->escalation, &rules);
	for (;;)
	{
		const KnLevel *level;
		bool last = need->level >= rules.n_levels;

		if (!last)
			need->level++;
		level = &rules.levels[need->level - 1];
		if (level->who == KN_ASK_PROVIDERS)
		{
			if (policy->manual || strcmp(need->service, KN_TRIAGE) == 0 ||
				!ask_providers(need, level, place, asked, n_asked, now, step))
				continue;
			need->state = "offered";
		}
		else
		{
			need->state = strcmp(need->state, "stalled") == 0 ? "stalled" : "needs_dispatcher";
			step->calls_people = true;
			step->officers = level->who == KN_ASK_OFFICERS;
		}
		need->due_at = kn_due_at(policy, now, level->minutes, level->working);
		return;
	}
}

static bool
ask_providers(KnNeed *need, const KnLevel *level, const KnCasePlace *place, const pg_uuid_t *asked,
			  int n_asked, TimestampTz now, KnStep *step)
{
	KnRouteNeed wanted;
	KnRoute route;

	kn_escalation_wanted(need, place, asked, n_asked, level->radius_factor, &wanted);
	kn_route(&wanted, level->k, now, &route);
	step->policy_version = route.policy_version;
	step->capped = route.capped;
	step->n_offers = route.n;
	for (int i = 0; i < route.n; i++)
	{
		kn_uuid4(step->offers[i].id.data);
		step->offers[i].candidate = route.best[i];
	}
	return route.n > 0;
}

void
kn_escalation_wanted(const KnNeed *need, const KnCasePlace *place, const pg_uuid_t *asked,
					 int n_asked, double radius_factor, KnRouteNeed *out)
{
	bool exact = place->has_point && kn_service_is_rescue(need->service);
	char *language = place->language;
	pg_uuid_t *excluded = palloc(sizeof(pg_uuid_t) * (n_asked + place->n_barred + 1));

	if (n_asked > 0)
		memcpy(excluded, asked, sizeof(pg_uuid_t) * n_asked);
	memcpy(excluded + n_asked, place->barred, sizeof(pg_uuid_t) * place->n_barred);
	*out = (KnRouteNeed){
		.has_place = exact || place->has_cell,
		.latitude = exact ? place->latitude : place->cell_latitude,
		.longitude = exact ? place->longitude : place->cell_longitude,
		.service = need->service,
		.urgency = need->urgency,
		.radius_factor = radius_factor,
		.preferred_gender = kn_word_number(kn_genders, place->preferred_gender),
		.preferred_langs = kn_word_mask(kn_languages, &language, language ? 1 : 0),
		.excluded = excluded,
		.n_excluded = n_asked + place->n_barred,
	};
}

void
kn_escalation_store(const KnNeed *need, const KnStep *step, TimestampTz now)
{
	kn_offers_insert(need, step, 1, now);
	kn_escalation_call(need, step);
}

void
kn_escalation_call(const KnNeed *need, const KnStep *step)
{
	if (step->calls_people)
		call_people(need, step->officers);
}

static void
call_people(const KnNeed *need, bool officers)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &need->bucket);
	kn_arg_text(&args, officers ? "officer" : "dispatcher");
	kn_run(&notify_people, &args);
}

void
kn_escalation_advance(KnNeed *need, const KnCasePolicy *policy, TimestampTz now)
{
	advance(need, policy, now);
	kn_incident_follow_needs(&need->bucket);
}

static void
advance(KnNeed *need, const KnCasePolicy *policy, TimestampTz now)
{
	KnCasePlace place;
	KnStep step;
	pg_uuid_t *asked;
	int n_asked = kn_escalation_asked(need, &asked);

	kn_case_place(&need->bucket, kn_service_is_rescue(need->service), &place);
	kn_escalation_next(need, &place, asked, n_asked, policy, now, &step);
	kn_need_save(need);
	kn_escalation_store(need, &step, now);
}

void
kn_escalation_reopen(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy, TimestampTz now)
{
	need->state = "searching";
	need->level = 0;
	need->round++;
	need->engaged_at = 0;
	need->contacted_at = 0;
	need->urgency = urgency;
	need->escalation = policy->parts[urgency];
	need->expected_by = kn_escalation_promise(need, policy, now);
	advance(need, policy, now);
}

void
kn_escalation_await_contact(KnNeed *need, const KnCasePolicy *policy, TimestampTz now)
{
	KnEscalation rules;

	kn_escalation_read(need->escalation, &rules);
	need->due_at = kn_due_at(policy, now, rules.contact_minutes, rules.contact_working);
	need->expected_by = need->due_at;
}

void
kn_escalation_hurry(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy, TimestampTz now)
{
	KnEscalation rules;
	const KnLevel *level;

	if (!kn_need_is_open(need) || strcmp(need->state, "engaged") == 0 || need->urgency >= urgency)
		return;
	need->urgency = urgency;
	need->escalation = policy->parts[urgency];
	kn_escalation_read(need->escalation, &rules);
	need->level = Min(Max(need->level, 1), rules.n_levels);
	level = &rules.levels[need->level - 1];
	need->due_at = Min(need->due_at, kn_due_at(policy, now, level->minutes, level->working));
	need->expected_by = Min(need->expected_by, kn_escalation_promise(need, policy, now));
	kn_need_save(need);
	kn_assignment_hurry(need);
}

int
kn_escalation_asked(const KnNeed *need, pg_uuid_t **out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_arg_int(&args, need->round);
	kn_run(&select_asked, &args);
	rows = kn_rows();
	*out = palloc(sizeof(pg_uuid_t) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		kn_col_uuid(&rows, i, 1, &(*out)[i]);
	return rows.n;
}

TimestampTz
kn_escalation_promise(const KnNeed *need, const KnCasePolicy *policy, TimestampTz now)
{
	KnEscalation rules;
	TimestampTz at = now;

	kn_escalation_read(need->escalation, &rules);
	for (int i = 0; i < rules.n_levels - 1; i++)
		at = kn_due_at(policy, at, rules.levels[i].minutes, rules.levels[i].working);
	return kn_due_at(policy, at, rules.contact_minutes, rules.contact_working);
}

void
kn_case_place(const pg_uuid_t *incident, bool exact, KnCasePlace *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, incident);
	if (kn_run(&select_place, &args) == 0)
		elog(ERROR, "a need has no incident");
	rows = kn_rows();
	kn_case_place_read(&rows, 0, 1, incident, exact, out);
}

void
kn_case_place_read(const KnRows *rows, uint64 row, int first, const pg_uuid_t *incident, bool exact,
				   KnCasePlace *out)
{
	bool is_null;
	Datum barred = kn_col(rows, row, first + 7, &is_null);
	Datum *items;

	memset(out, 0, sizeof(*out));
	out->has_cell = !kn_col_is_null(rows, row, first);
	out->cell_latitude = kn_col_float(rows, row, first, 0);
	out->cell_longitude = kn_col_float(rows, row, first + 1, 0);
	out->preferred_gender = kn_col_text(rows, row, first + 2);
	out->language = kn_col_text(rows, row, first + 3);
	deconstruct_array(DatumGetArrayTypeP(barred), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &items,
					  NULL, &out->n_barred);
	out->barred = palloc(sizeof(pg_uuid_t) * Max(out->n_barred, 1));
	for (int i = 0; i < out->n_barred; i++)
		out->barred[i] = *DatumGetUUIDP(items[i]);
	if (exact && out->has_cell)
	{
		KnSubject subject;
		pg_uuid_t owner;
		char *point;

		kn_col_uuid(rows, row, first + 4, &owner);
		kn_subject_open(&subject, &owner, kn_col_bytea(rows, row, first + 6));
		point = kn_unseal(&subject, "incident.point", incident, kn_col_bytea(rows, row, first + 5));
		out->has_point = point != NULL &&
						 sscanf(point, "%lf %lf", &out->latitude, &out->longitude) == 2;
		kn_subject_forget(&subject);
	}
}

/*
 * kintaraa.need_sweep(at_most integer) -> integer
 *	  Moves on every need that is due; the worker calls it ten times a second.
 *	  Correct after a restart and a clock step.  One sweeps at a time, since a
 *	  sweep holds many cases in the order in which they are due: another one
 *	  returns 0 at once.
 */
PGDLLEXPORT Datum
kn_need_sweep(PG_FUNCTION_ARGS)
{
	KnArgs args = {0};
	TimestampTz now = GetCurrentTimestamp();
	KnRows rows;
	pg_uuid_t *buckets;
	pg_uuid_t *ids;
	int waiting;
	int n;

	if (!kn_try_lock(KN_LOCK_SWEEP))
		PG_RETURN_INT32(0);
	SPI_connect();
	kn_spi_read_only(false);
	waiting = kn_backlog_route(PG_GETARG_INT32(0), kn_case_policy(), now);
	kn_arg_time(&args, now);
	kn_arg_int(&args, PG_GETARG_INT32(0));
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
	PG_RETURN_INT32(Max(n, waiting));
}

static void
sweep_need(const pg_uuid_t *bucket, const pg_uuid_t *id, TimestampTz now)
{
	KnNeed need;

	if (!kn_need_lock(bucket, id, &need) || need.due_at == 0 || need.due_at > now)
		return;
	if (strcmp(need.state, "engaged") == 0)
	{
		/* accepted, but nobody was in touch with her: acceptance is not help */
		if (need.contacted_at != 0)
			need.due_at = 0;
		else
		{
			KnEscalation rules;

			kn_escalation_read(need.escalation, &rules);
			need.state = "stalled";
			while (need.level < rules.n_levels &&
				   rules.levels[need.level].who == KN_ASK_PROVIDERS)
				need.level++;
			kn_escalation_advance(&need, kn_case_policy(), now);
			return;
		}
		kn_need_save(&need);
		return;
	}
	expire_offers(&need, now);
	kn_escalation_advance(&need, kn_case_policy(), now);
}

static void
expire_offers(const KnNeed *need, TimestampTz now)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &need->bucket);
	kn_arg_uuid(&args, &need->id);
	kn_arg_time(&args, now);
	kn_run(&expire_pending, &args);
}
