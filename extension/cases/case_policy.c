/*-------------------------------------------------------------------------
 *
 * case_policy.c
 *	  The rules in force: routing mode, hotlines, escalation.
 *
 * Called by incident.c and escalation.c.  A running need carries its own copy
 * of the escalation rules; what is read here serves needs that begin.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "base/spi.h"
#include "base/told.h"
#include "cases/case_policy.h"
#include "identity/caller.h"
#include "trail/audit.h"

#define MINUTE_USECS ((int64) USECS_PER_MINUTE)
#define MINUTES_MIN 0.02
#define MINUTES_MAX 100000

static KnCasePolicy policy;
static MemoryContext policy_memory = NULL;
static uint64 policy_told = 0; /* of kn_told(), when it was read */

/* Parts that were read last, and what they say. */
typedef struct Remembered
{
	Jsonb *part;
	KnEscalation rules;
} Remembered;

static Remembered remembered[4];

static void read_policy(void);
static void require_there(const KnRows *rows, int column, const char *what);
static int minutes_of_day(const KnRows *rows, int column);
static void read_escalation(Jsonb *part, KnEscalation *out);
static void read_level(JsonbContainer *level, KnLevel *out);
static TimestampTz add_working_time(const KnCasePolicy *rules, TimestampTz from, int64 wanted);

PG_FUNCTION_INFO_V1(kn_policy_changed);

static KnStatement select_rules = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT (SELECT s.value #>> '{}' FROM kintaraa.setting s WHERE s.name = 'routing_mode'), "
	"       (SELECT s.value::text FROM kintaraa.setting s WHERE s.name = 'hotlines'), "
	"       p.version, p.body -> 'routine', p.body -> 'urgent', p.body -> 'immediate', "
	"       o.id, o.zone, o.opens_at, o.closes_at "
	"  FROM kintaraa.policy p, kintaraa.organisation o "
	" WHERE p.kind = 'escalation' AND o.kind = 'dispatch_centre' "
	" ORDER BY p.version DESC, o.created_at LIMIT 1");

const KnCasePolicy *
kn_case_policy(void)
{
	if (policy_told != kn_told())
		read_policy();
	return &policy;
}

static void
read_policy(void)
{
	KnRows rows;
	MemoryContext old;
	uint64 told = kn_told();
	bool is_null;

	if (kn_run0(&select_rules) == 0)
		ereport(ERROR, errcode(ERRCODE_KN_NOT_READY), errmsg("the rules of kintaraa are not there"),
				errhint("Insert what kintaraa.health() names under settings."));
	rows = kn_rows();
	require_there(&rows, 1, "setting routing_mode");
	for (int i = 0; i < 3; i++)
		require_there(&rows, 4 + i, "part of the escalation policy");
	if (policy_memory == NULL)
		policy_memory = AllocSetContextCreate(TopMemoryContext, "kintaraa case policy",
											  ALLOCSET_SMALL_SIZES);
	MemoryContextReset(policy_memory);
	old = MemoryContextSwitchTo(policy_memory);
	policy.manual = strcmp(kn_col_text(&rows, 0, 1), "manual") == 0;
	policy.hotlines = kn_col_text(&rows, 0, 2);
	policy.version = kn_col_int(&rows, 0, 3, 0);
	for (int i = 0; i < 3; i++)
		policy.parts[i] = DatumGetJsonbPCopy(kn_col(&rows, 0, 4 + i, &is_null));
	kn_col_uuid(&rows, 0, 7, &policy.centre);
	policy.zone = kn_col_text(&rows, 0, 8);
	policy.opens = minutes_of_day(&rows, 9);
	policy.closes = minutes_of_day(&rows, 10);
	MemoryContextSwitchTo(old);
	policy_told = told;
}

/* A DBA's DELETE or UPDATE may have taken what the doors never do. */
static void
require_there(const KnRows *rows, int column, const char *what)
{
	bool is_null;

	(void) kn_col(rows, 0, column, &is_null);
	if (is_null)
		ereport(ERROR, errcode(ERRCODE_KN_NOT_READY), errmsg("a %s is not there", what),
				errhint("Put it back: every report needs it. kintaraa.health() says how."));
}

static int
minutes_of_day(const KnRows *rows, int column)
{
	bool is_null;
	Datum time = kn_col(rows, 0, column, &is_null);

	return is_null ? 0 : (int) (DatumGetTimeADT(time) / MINUTE_USECS);
}

/* Every new need reads one of three parts, and reading one costs as much as an index scan. */
void
kn_escalation_read(Jsonb *part, KnEscalation *out)
{
	static int next = 0;
	Remembered *place;

	for (int i = 0; i < lengthof(remembered); i++)
		if (remembered[i].part != NULL && VARSIZE(remembered[i].part) == VARSIZE(part) &&
			memcmp(remembered[i].part, part, VARSIZE(part)) == 0)
		{
			*out = remembered[i].rules;
			return;
		}
	read_escalation(part, out);
	place = &remembered[next];
	next = (next + 1) % lengthof(remembered);
	if (place->part != NULL)
		pfree(place->part);
	place->part = NULL;
	place->part = MemoryContextAlloc(TopMemoryContext, VARSIZE(part));
	memcpy(place->part, part, VARSIZE(part));
	place->rules = *out;
}

static void
read_escalation(Jsonb *part, KnEscalation *out)
{
	JsonbContainer *root;
	JsonbValue *levels;
	int n;

	memset(out, 0, sizeof(*out));
	root = kn_in_object(part);
	levels = kn_in_member(root, "levels");
	if (levels == NULL || levels->type != jbvBinary ||
		!JsonContainerIsArray(levels->val.binary.data))
		kn_input_error(ERRCODE_KN_FIELD_TYPE, "levels", "levels is not an array",
					   "Send an array of levels.");
	n = JsonContainerSize(levels->val.binary.data);
	if (n < 1 || n > KN_LEVELS_MAX)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, "levels", "there are too few or too many levels",
					   psprintf("Send 1 to %d levels.", KN_LEVELS_MAX));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *level = getIthJsonbValueFromContainer(levels->val.binary.data, i);

		if (level->type != jbvBinary || !JsonContainerIsObject(level->val.binary.data))
			kn_input_error(ERRCODE_KN_FIELD_TYPE, "levels", "a level is not an object", NULL);
		read_level(level->val.binary.data, &out->levels[out->n_levels++]);
	}
	if (out->levels[out->n_levels - 1].who == KN_ASK_PROVIDERS)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "levels", "the last level asks providers",
					   "End with dispatchers or officers: a need must always have an owner.");
	kn_in_float(root, "contact_minutes", MINUTES_MIN, MINUTES_MAX, true, &out->contact_minutes);
	out->contact_working = kn_in_bool(root, "contact_working", false);
}

static void
read_level(JsonbContainer *level, KnLevel *out)
{
	static const char *const whos[] = {"providers", "dispatchers", "officers", NULL};
	char *who = kn_in_choice(level, "who", whos, true);
	int64 number = 1;

	for (int i = 0; whos[i] != NULL; i++)
		if (strcmp(whos[i], who) == 0)
			out->who = (KnAsked) i;
	kn_in_int(level, "k", 1, KN_OFFERS_MAX, out->who == KN_ASK_PROVIDERS, &number);
	out->k = (int) number;
	out->radius_factor = 1;
	kn_in_float(level, "radius_factor", 0.1, 100, false, &out->radius_factor);
	kn_in_float(level, "minutes", MINUTES_MIN, MINUTES_MAX, true, &out->minutes);
	out->working = kn_in_bool(level, "working", false);
}

TimestampTz
kn_due_at(const KnCasePolicy *rules, TimestampTz from, double minutes, bool working)
{
	int64 wanted = (int64) (minutes * MINUTE_USECS);

	if (!working || rules->closes <= rules->opens)
		return from + wanted;
	return add_working_time(rules, from, wanted);
}

/* Monday to Friday between opening and closing, in the centre's own time zone. */
static TimestampTz
add_working_time(const KnCasePolicy *rules, TimestampTz from, int64 wanted)
{
	pg_tz *zone = pg_tzset(rules->zone);
	int64 opens = rules->opens * MINUTE_USECS;
	int64 closes = rules->closes * MINUTE_USECS;
	TimestampTz at = from;

	for (int days = 0; days < 3660; days++)
	{
		struct pg_tm tm;
		fsec_t fsec;
		int offset;
		int64 now;
		int64 start;
		int weekday;

		if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone) != 0)
			break;
		now = (tm.tm_hour * 60 + tm.tm_min) * MINUTE_USECS + tm.tm_sec * USECS_PER_SEC + fsec;
		weekday = j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday));
		start = Max(now, opens);
		if (weekday >= 1 && weekday <= 5 && start < closes)
		{
			if (wanted <= closes - start)
				return at + (start - now) + wanted;
			wanted -= closes - start;
		}
		at += USECS_PER_DAY - now; /* the next local midnight */
	}
	return at;
}

/* kintaraa.policy_changed(): AFTER statement trigger; every backend reads the rules anew. */
PGDLLEXPORT Datum
kn_policy_changed(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "policy_changed is a trigger");
	CacheInvalidateRelcache(data->tg_relation);
	/* a door has its own entry, a migration none */
	if (kn_caller() == NULL && superuser())
		kn_audit_function("policy_changed", RelationGetRelationName(data->tg_relation), NULL);
	PG_RETURN_POINTER(NULL);
}
