/*-------------------------------------------------------------------------
 *
 * incident_record.c
 *	  Reports that come as records, many at a time.
 *
 * Called by sync/push.c.  The first record of an id that nobody sent before is
 * a new report; every other one is a replay or a change of one, and goes the
 * way of a single change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"

#include "base/limits.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/incident_change.h"
#include "cases/incident_number.h"
#include "cases/incident_open.h"
#include "cases/incident_record.h"
#include "cases/incident_row.h"
#include "cases/incident_store.h"
#include "cases/projection.h"
#include "cases/sweep.h"
#include "keys/random.h"
#include "records/archive.h"

typedef struct Report
{
	KnIncident incident;
	KnLeftovers left;
	bool known;  /* the server has it */
	bool is_new; /* it goes in with this call */
	bool is_in;  /* and has */
	bool deleted;
	bytea *created_hash;
} Report;

static void read_reports(KnCall *call, const KnWrite *writes, Report *reports, int n);
static void find_known(const pg_uuid_t *owner, Report *reports, int n,
					   KnSubject *subject, char **language, bool *is_anonymous);
static void mark_new(const KnWrite *writes, Report *reports, int n);
static void insert_new(Report *reports, int n, const KnSubject *subject);
static bool insert_rest(Report *reports, int n, const KnSubject *subject);
static void open_needs(KnCall *call, Report *reports, int n, KnRecordResult *results,
					   const char *language);
static void route_new(Report *reports, int n, int n_new);
static void defer_new(Report *reports, int n);
static void apply_one(KnCall *call, const KnWrite *write, Report *report, KnRecordResult *result);
static void change_one(KnCall *call, const KnWrite *write, Report *report, KnRecordResult *result);
static void lose(KnCall *call, const KnWrite *write, const KnIncident *stored, const char *code,
				 KnRecordResult *result);
static char *render_own(KnCall *call, KnIncident *incident);
static void forget_echo(const KnIncident *stored, Report *report);
static bool same_services(const KnValue *a, const KnValue *b);
static bool same_as_sent(const KnIncident *stored, const Report *report, const KnWrite *write);
static void keep_unreadable(KnCall *call, const KnWrite *write, const Report *report,
							KnRecordResult *result);
static KnStatement select_known = KN_READ(
	KN_AS_SYSTEM,
	"SELECT k.wrapped, a.language, i.id, i.client_key, i.created_hash, i.deleted_at IS NOT NULL, "
	"       a.is_anonymous "
	"  FROM kintaraa.subject_key k JOIN kintaraa.account a ON a.id = k.subject "
	"  LEFT JOIN (pg_catalog.unnest($2) AS w (client_key) CROSS JOIN LATERAL ("
	"       SELECT * FROM kintaraa.incident o WHERE o.owner_id = $1 "
	"          AND o.client_key = w.client_key LIMIT 1) i) ON true "
	" WHERE k.subject = $1",
	UUIDOID, BYTEAARRAYOID);

void
kn_incident_apply_many(KnCall *call, const KnWrite *writes, KnRecordResult *results, int n)
{
	Report *reports = palloc0(sizeof(Report) * Max(n, 1));
	KnSubject subject;
	char *language;
	bool is_anonymous;

	memset(results, 0, sizeof(KnRecordResult) * n);
	read_reports(call, writes, reports, n);
	find_known(&call->caller->account, reports, n, &subject, &language, &is_anonymous);
	mark_new(writes, reports, n);
	for (int i = 0; i < n; i++)
		if (reports[i].is_new)
			kn_incident_settle_new(&reports[i].incident, is_anonymous);
	insert_new(reports, n, &subject);
	kn_subject_forget(&subject);
	open_needs(call, reports, n, results, language);
	for (int i = 0; i < n; i++)
	{
		KnWrite write = writes[i];

		if (reports[i].is_new)
			continue;
		if (i > 0)
			kn_write_follow(&write, &writes[i - 1], &results[i - 1]);
		apply_one(call, &write, &reports[i], &results[i]);
	}
}

static void
read_reports(KnCall *call, const KnWrite *writes, Report *reports, int n)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < n; i++)
	{
		Report *report = &reports[i];
		KnIncident *incident = &report->incident;

		incident->owner = call->caller->account;
		incident->client_id = pstrdup(writes[i].client_id);
		incident->spelling = writes[i].spelling;
		incident->client_key = kn_client_key(&incident->owner, "incident", writes[i].client_id);
		incident->created_at = GetCurrentTransactionStartTimestamp();
		kn_opening_reporter(incident, call->caller);
		kn_call_writer(call, &incident->edited_by);
		if (writes[i].is_delete)
			continue;
		kn_uuid4(incident->id.data);
		(void) kn_client_id_uuid(writes[i].client_id, &incident->id);
		kn_incident_read(writes[i].data, incident, &report->left);
		kn_incident_derive(incident, now);
	}
}

static void
find_known(const pg_uuid_t *owner, Report *reports, int n,
		   KnSubject *subject, char **language, bool *is_anonymous)
{
	Datum *keys = palloc(sizeof(Datum) * Max(n, 1));
	KnArgs args = {0};
	KnRows rows;

	for (int i = 0; i < n; i++)
		keys[i] = PointerGetDatum(reports[i].incident.client_key);
	kn_arg_uuid(&args, owner);
	kn_arg_array(&args, BYTEAOID, keys, NULL, n);
	if (kn_run(&select_known, &args) == 0)
		elog(ERROR, "an account has no data key");
	rows = kn_rows();
	kn_subject_open(subject, owner, kn_col_bytea(&rows, 0, 1));
	*language = kn_col_text(&rows, 0, 2);
	*is_anonymous = kn_col_bool(&rows, 0, 7);
	for (uint64 row = 0; row < rows.n; row++)
	{
		bytea *key = kn_col_bytea(&rows, row, 4);

		for (int i = 0; key != NULL && i < n; i++)
		{
			if (!kn_client_key_equal(reports[i].incident.client_key, key))
				continue;
			reports[i].known = true;
			kn_col_uuid(&rows, row, 3, &reports[i].incident.id);
			reports[i].created_hash = kn_col_bytea(&rows, row, 5);
			reports[i].deleted = kn_col_bool(&rows, row, 6);
		}
	}
}

static void
mark_new(const KnWrite *writes, Report *reports, int n)
{
	for (int i = 0; i < n; i++)
	{
		bool before = reports[i].known || writes[i].is_delete;

		for (int j = 0; j < i && !before; j++)
			before = strcmp(writes[j].client_id, writes[i].client_id) == 0;
		reports[i].is_new = !before;
	}
}

/*
 * A number that is taken is drawn again; an id gives way only to somebody
 * else's.  What never goes in is there already and goes the way of a change.
 */
static void
insert_new(Report *reports, int n, const KnSubject *subject)
{
	for (int try = 0; try < KN_CASE_NUMBER_TRIES; try++)
	{
		for (int i = 0; i < n && try > 0; i++)
			if (reports[i].is_new && !reports[i].is_in &&
				kn_incident_exists(&reports[i].incident.id))
				kn_opening_rename(&reports[i].incident);
		if (!insert_rest(reports, n, subject))
			break;
	}
	for (int i = 0; i < n; i++)
		reports[i].is_new = reports[i].is_in;
}

/* False: all are in. */
static bool
insert_rest(Report *reports, int n, const KnSubject *subject)
{
	const KnIncident **incidents = palloc(sizeof(KnIncident *) * Max(n, 1));
	int rest = 0;
	KnRows rows;

	for (int i = 0; i < n; i++)
	{
		if (!reports[i].is_new || reports[i].is_in)
			continue;
		reports[i].incident.case_number = kn_case_number(reports[i].incident.created_at);
		reports[i].incident.status = KN_CASE_NEW;
		reports[i].incident.unreadable =
			reports[i].left.n_unreadable ? reports[i].left.unreadable.text.data : NULL;
		incidents[rest++] = &reports[i].incident;
	}
	if (rest == 0)
		return false;
	rows = kn_incident_insert_many(incidents, rest, subject);
	for (int i = 0; i < n; i++)
		for (uint64 row = 0; row < rows.n && reports[i].is_new && !reports[i].is_in; row++)
		{
			pg_uuid_t id;

			kn_col_uuid(&rows, row, 1, &id);
			reports[i].is_in = kn_uuid_equal(&id, &reports[i].incident.id);
		}
	return rows.n < rest;
}

/* Few are routed before the answer; many are left to the worker, unless it is behind. */
static void
open_needs(KnCall *call, Report *reports, int n, KnRecordResult *results, const char *language)
{
	int n_new = 0;

	for (int i = 0; i < n; i++)
	{
		n_new += reports[i].is_new;
		reports[i].incident.language = (char *) language;
	}
	if (n_new == 0)
		return;
	if (n_new <= KN_ROUTE_AT_ONCE || kn_backlog_is_old())
		route_new(reports, n, n_new);
	else
		defer_new(reports, n);
	kn_call_flush(call);
	for (int i = 0; i < n; i++)
	{
		if (!reports[i].is_new)
			continue;
		results[i].status = KN_RECORD_APPLIED;
		results[i].created = true;
		kn_change_stamp(&reports[i].incident.id, "incident", &reports[i].incident.id,
						&results[i].stamp);
	}
}

static void
route_new(Report *reports, int n, int n_new)
{
	const KnCasePolicy *policy = kn_case_policy();
	TimestampTz now = GetCurrentTimestamp();
	KnOpening *openings = palloc0(sizeof(KnOpening) * n_new);
	KnRouteMemo memo = {0};
	int at = 0;

	for (int i = 0; i < n; i++)
		if (reports[i].is_new)
			kn_opening_plan(&reports[i].incident, policy, now, &memo, &openings[at++]);
	kn_opening_store_many(openings, n_new, now);
}

static void
defer_new(Report *reports, int n)
{
	const KnCasePolicy *policy = kn_case_policy();
	TimestampTz now = GetCurrentTimestamp();
	KnNeed *needs;
	int max = 0;
	int at = 0;

	for (int i = 0; i < n; i++)
		max += reports[i].incident.values[KN_INCIDENT_SERVICES].n_items + 1;
	needs = palloc0(sizeof(KnNeed) * max);
	for (int i = 0; i < n; i++)
		if (reports[i].is_new)
			at += kn_opening_defer(&reports[i].incident, policy, now, needs + at);
	kn_need_insert(needs, at);
}

static void
apply_one(KnCall *call, const KnWrite *write, Report *report, KnRecordResult *result)
{
	if (!report->known)
	{
		KnIntake intake;

		if (write->is_delete)
		{
			result->status = KN_RECORD_UNCHANGED;
			return;
		}
		/* the first of two in this batch, or of two batches at once */
		kn_incident_intake(&call->caller->account, report->incident.client_key, &intake);
		kn_subject_forget(&intake.subject);
		if (!intake.known)
		{
			result->status = KN_RECORD_RETRY;
			result->code = "busy";
			return;
		}
		report->incident.id = intake.id;
		report->created_hash = intake.created_hash;
	}
	change_one(call, write, report, result);
}

static void
change_one(KnCall *call, const KnWrite *write, Report *report, KnRecordResult *result)
{
	KnIncident stored = {.id = report->incident.id, .client_key = report->incident.client_key};

	if (report->deleted || !kn_incident_lock_own(call->caller, &stored))
	{
		result->status = write->is_delete ? KN_RECORD_UNCHANGED : KN_RECORD_CONFLICT;
		result->drop = true;
		if (!write->is_delete)
		{
			result->code = "deleted";
			kn_archive_keep(call, write, &report->incident.id, "deleted", &result->archive);
			result->has_archive = true;
			/* a phone that made it anew passed the removal long ago */
			kn_change_touch(&report->incident.id, "incident", &report->incident.id);
		}
		return;
	}
	result->stamp = stored.stamp;
	if (write->is_delete)
	{
		if (write->has_base && kn_incident_edit_conflicts(call, &stored, write->base))
		{
			lose(call, write, &stored, "version", result);
			return;
		}
		kn_incident_take_back(call, &stored.id);
		kn_call_flush(call);
		result->status = KN_RECORD_APPLIED;
		return;
	}
	forget_echo(&stored, report);
	if (same_as_sent(&stored, report, write) ||
		kn_incident_stands(&stored, report->incident.values))
	{
		if (!same_as_sent(&stored, report, write))
			keep_unreadable(call, write, report, result);
		if (write->has_base && write->base < stored.stamp.version)
			kn_change_touch(&stored.id, "incident", &stored.id);
		result->status = KN_RECORD_UNCHANGED;
		result->replayed = true;
		return;
	}
	if (!write->has_base || kn_incident_edit_conflicts(call, &stored, write->base))
	{
		lose(call, write, &stored, write->has_base ? "version" : "no_base", result);
		return;
	}
	stored.triage = report->incident.triage;
	kn_incident_change(call, &stored, report->incident.values);
	keep_unreadable(call, write, report, result);
	kn_call_flush(call);
	kn_change_stamp(&stored.id, "incident", &stored.id, &result->stamp);
	result->status = KN_RECORD_APPLIED;
}

/*
 * What stands, sent back with all the rest, is no wish of hers: neither the
 * urgency that the machine raised nor services whose search has ended.
 */
static void
forget_echo(const KnIncident *stored, Report *report)
{
	KnValue *sent = &report->incident.values[KN_INCIDENT_URGENCY];
	KnValue *services = &report->incident.values[KN_INCIDENT_SERVICES];

	if (sent->present && kn_urgency_parse(sent->text) == stored->urgency)
		*sent = stored->values[KN_INCIDENT_URGENCY];
	if (services->present && same_services(services, &stored->values[KN_INCIDENT_SERVICES]))
		services->present = false;
	kn_incident_settle(stored, report->incident.values);
}

static bool
same_services(const KnValue *a, const KnValue *b)
{
	for (int i = 0; i < a->n_items && a->n_items == b->n_items; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return a->n_items == b->n_items;
}

/*
 * The payload as first sent, however much was changed since; with a base it is
 * meant as a change.
 */
static bool
same_as_sent(const KnIncident *stored, const Report *report, const KnWrite *write)
{
	return report->created_hash && (!write->has_base || stored->edited_version == 1) &&
		   kn_incident_hash_matches(report->created_hash, &report->incident, write->data);
}

/* What a change could not be read as changes nothing; it is not lost either. */
static void
keep_unreadable(KnCall *call, const KnWrite *write, const Report *report, KnRecordResult *result)
{
	result->has_archive = report->left.n_unreadable > 0;
	if (result->has_archive)
		kn_archive_keep(call, write, &report->incident.id, "unreadable", &result->archive);
}

static void
lose(KnCall *call, const KnWrite *write, const KnIncident *stored, const char *code,
	 KnRecordResult *result)
{
	KnIncident shown = *stored;

	result->status = KN_RECORD_CONFLICT;
	result->code = code;
	kn_archive_keep(call, write, &stored->id, code, &result->archive);
	result->has_archive = true;
	kn_change_touch(&stored->id, "incident", &stored->id);
	result->current = render_own(call, &shown);
}

static char *
render_own(KnCall *call, KnIncident *incident)
{
	KnCaseParts parts;
	KnJson json;

	kn_need_load_parts(&incident->id, &parts);
	kn_json_init(&json);
	kn_render_incident(&json, incident, KN_OWNER, KN_SHAPE_DETAIL, &parts, NULL, NULL);
	return json.text.data;
}

void
kn_incident_touch(KnCall *call, const KnWrite *write, KnRecordResult *result)
{
	const pg_uuid_t *me = &call->caller->account;
	KnIntake intake;

	kn_incident_intake(me, kn_client_key(me, "incident", write->client_id), &intake);
	kn_subject_forget(&intake.subject);
	if (intake.known)
		kn_change_touch(&intake.id, "incident", &intake.id);
}
