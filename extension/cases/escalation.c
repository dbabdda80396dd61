/*-------------------------------------------------------------------------
 *
 * escalation.c
 *	  Who is asked next for a need, and until when.
 *
 * Called when a need opens, when a helper declines or releases, and by sweep.c
 * for what is due.  A level without anybody to ask is skipped at once;
 * the last level repeats, so a need is never without an owner and a due time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/limits.h"
#include "cases/assignment_store.h"
#include "cases/escalation.h"
#include "cases/incident_store.h"
#include "identity/caller.h"
#include "keys/random.h"
#include "notify/notify.h"
#include "providers/provider.h"
#include "trail/change.h"

static bool ask_providers(KnNeed *need, const KnLevel *level, const KnCasePlace *place,
						  const pg_uuid_t *asked, int n_asked, TimestampTz now, KnRouteMemo *memo,
						  KnStep *step);
static void advance(KnNeed *need, const KnCasePolicy *policy, TimestampTz now);

static KnStatement select_asked = KN_READ(
	KN_AS_SYSTEM,
	"SELECT provider_id FROM kintaraa.assignment "
	" WHERE incident_bucket = $1 AND need_id = $2 AND (round = $3 OR status = 'released')",
	UUIDOID, UUIDOID, INT4OID);

bool
kn_service_is_clinical(const char *service)
{
	static const char *const clinical[] = {"medical", "emergency", "shelter", KN_TRIAGE, NULL};

	return kn_choice_has(clinical, service);
}

KnUrgency
kn_service_urgency(const char *service, const KnIncident *incident)
{
	return kn_service_is_clinical(service) ? incident->urgency : incident->asked;
}

void
kn_escalation_next(KnNeed *need, const KnCasePlace *place, const pg_uuid_t *asked, int n_asked,
				   const KnCasePolicy *policy, TimestampTz now, KnRouteMemo *memo, KnStep *step)
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
				!ask_providers(need, level, place, asked, n_asked, now, memo, step))
				continue;
			kn_need_move(need, KN_NEED_OFFERED);
		}
		else
		{
			if (need->state != KN_NEED_STALLED)
				kn_need_move(need, KN_NEED_NEEDS_DISPATCHER);
			step->calls_people = true;
			step->officers = level->who == KN_ASK_OFFICERS;
		}
		need->due_at = kn_due_at(policy, now, level->minutes, level->working);
		return;
	}
}

static bool
ask_providers(KnNeed *need, const KnLevel *level, const KnCasePlace *place, const pg_uuid_t *asked,
			  int n_asked, TimestampTz now, KnRouteMemo *memo, KnStep *step)
{
	KnRouteNeed wanted;
	const KnRoute *route;

	kn_escalation_wanted(need, place, asked, n_asked, level->radius_factor, &wanted);
	route = kn_route_once(memo, &wanted, level->k, now);
	step->policy_version = route->policy_version;
	step->capped = route->capped;
	step->n_offers = route->n;
	for (int i = 0; i < route->n; i++)
	{
		kn_uuid4(step->offers[i].id.data);
		step->offers[i].candidate = route->best[i];
	}
	return route->n > 0;
}

void
kn_escalation_wanted(const KnNeed *need, const KnCasePlace *place, const pg_uuid_t *asked,
					 int n_asked, double radius_factor, KnRouteNeed *out)
{
	char *language = place->language;
	pg_uuid_t *excluded = palloc(sizeof(pg_uuid_t) * (n_asked + place->n_barred + 1));

	if (n_asked > 0)
		memcpy(excluded, asked, sizeof(pg_uuid_t) * n_asked);
	memcpy(excluded + n_asked, place->barred, sizeof(pg_uuid_t) * place->n_barred);
	*out = (KnRouteNeed){
		.has_place = place->has_cell,
		.latitude = place->cell_latitude,
		.longitude = place->cell_longitude,
		.service = need->service,
		.urgency = need->urgency,
		.types = strcmp(need->service, KN_TRIAGE) == 0 ? place->triage_types : 0,
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
		kn_notify_duty(&need->bucket, step->officers);
}

void
kn_escalation_call_again(const KnNeed *need)
{
	KnEscalation rules;
	KnAsked who = KN_ASK_DISPATCHERS;

	kn_escalation_read(need->escalation, &rules);
	if (need->level > 0)
		who = rules.levels[Min(need->level, rules.n_levels) - 1].who;
	kn_notify_duty(&need->bucket, who == KN_ASK_OFFICERS);
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
	KnRouteMemo memo = {0};
	KnStep step;
	pg_uuid_t *asked;
	int n_asked = kn_escalation_asked(need, &asked);

	kn_case_place(&need->bucket, &place);
	kn_escalation_next(need, &place, asked, n_asked, policy, now, &memo, &step);
	kn_need_save(need);
	kn_escalation_store(need, &step, now);
}

void
kn_escalation_reopen(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy, TimestampTz now)
{
	kn_need_begin_round(need);
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

	if (!kn_need_is_open(need) || need->state == KN_NEED_ENGAGED || need->urgency >= urgency)
		return;
	need->urgency = urgency;
	need->escalation = policy->parts[urgency];
	kn_escalation_read(need->escalation, &rules);
	need->level = Min(need->level, rules.n_levels);
	level = &rules.levels[Max(need->level, 1) - 1];
	/* what is paused is a task of people when it is immediate */
	if (!kn_need_is_paused(need) || urgency == KN_IMMEDIATE)
		need->due_at = Min(need->due_at, kn_due_at(policy, now, level->minutes, level->working));
	need->expected_by = Min(need->expected_by, kn_escalation_promise(need, policy, now));
	kn_need_save(need);
	kn_assignment_hurry(need);
	/* whoever was told, was told of something that could wait */
	if (kn_need_is_task(need))
		kn_escalation_call_again(need);
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
