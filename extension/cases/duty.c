/*-------------------------------------------------------------------------
 *
 * duty.c
 *	  Who of a dispatch centre is called, and when.
 *
 * Called from SQL (doors duty_list, duty_create, duty_end); read by
 * escalation.c.  A centre's list is its own, and what was is never changed:
 * duty that has begun ends now, duty that is over stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "base/spi.h"
#include "identity/door.h"
#include "identity/page.h"
#include "keys/keystore.h"

typedef struct Duty
{
	pg_uuid_t account;
	char *kind;
	TimestampTz from;
	TimestampTz to;
} Duty;

static const pg_uuid_t *own_centre(KnCall *call);
static void read_range(KnCall *call, TimestampTz *from, TimestampTz *to);
static void render_people(KnJson *json, const pg_uuid_t *centre);
static void render_row(KnJson *json, const KnRows *rows, uint64 row);
static void read_duty(KnCall *call, Duty *duty);
static bool find_same(KnCall *call, const pg_uuid_t *centre, const Duty *duty);

static const char *const kinds[] = {"dispatcher", "officer", NULL};

#define DUTY_COLUMNS "d.id, d.account_id, d.kind, d.from_at, d.to_at "

static KnStatement select_page = KN_READ(
	KN_AS_DISPATCH,
	"SELECT " DUTY_COLUMNS "FROM kintaraa.duty d "
	" WHERE d.centre_id = $1 AND d.to_at > $2 AND d.from_at < $3 "
	"   AND ($4 IS NULL OR (d.from_at, d.id) > ($4, $5)) ORDER BY d.from_at, d.id LIMIT $6",
	UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

/* Who may be entered; the same rule as in lock_person. */
static KnStatement select_people = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.id, a.role, a.first_name_sealed, a.last_name_sealed, a.phone_sealed, k.wrapped "
	"  FROM kintaraa.account a LEFT JOIN kintaraa.subject_key k ON k.subject = a.id "
	" WHERE a.centre_id = $1 AND a.is_active AND a.role IN ('dispatcher', 'admin') "
	" ORDER BY a.created_at, a.id LIMIT $2",
	UUIDOID, INT4OID);

/* Two entries of one person wait for each other, so that neither overlooks the other. */
static KnStatement lock_person = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.account a "
	" WHERE a.id = $1 AND a.centre_id = $2 AND a.is_active AND a.role IN ('dispatcher', 'admin') "
	"   FOR NO KEY UPDATE",
	UUIDOID, UUIDOID);

static KnStatement select_overlap = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT " DUTY_COLUMNS "FROM kintaraa.duty d "
	" WHERE d.centre_id = $1 AND d.account_id = $2 AND d.kind = $3 "
	"   AND d.from_at < $5 AND d.to_at > $4 ORDER BY d.from_at LIMIT 1",
	UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static KnStatement insert_duty = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.duty AS d (centre_id, account_id, kind, from_at, to_at) "
	"VALUES ($1, $2, $3, $4, $5) RETURNING " DUTY_COLUMNS,
	UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID);

static KnStatement delete_coming = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH d AS (DELETE FROM kintaraa.duty "
	"            WHERE id = $1 AND centre_id = $2 AND from_at >= pg_catalog.now() "
	"           RETURNING id, centre_id) "
	"INSERT INTO kintaraa.duty_ended (id, centre_id) SELECT id, centre_id FROM d",
	UUIDOID, UUIDOID);

static KnStatement end_present = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.duty SET to_at = pg_catalog.now() WHERE id = $1 AND centre_id = $2 "
	"   AND from_at < pg_catalog.now() AND to_at > pg_catalog.now()",
	UUIDOID, UUIDOID);

/* Fresh: whoever ended it in the same moment was waited for. */
static KnStatement select_over = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.duty WHERE id = $1 AND centre_id = $2 "
	"UNION ALL SELECT 1 FROM kintaraa.duty_ended WHERE id = $1 AND centre_id = $2",
	UUIDOID, UUIDOID);

/* GET /dispatch/duty ?from &to &limit &after -> {"items","next","people"} of the own centre. */
static void
duty_list(KnCall *call)
{
	static const KnFilter filters[] = {
		{"from", NULL}, {"to", NULL}, KN_FILTER_PAGE, KN_FILTER_END};
	const pg_uuid_t *centre = own_centre(call);
	KnJson *json = &call->json;
	int limit = kn_page_limit(call);
	KnPage page = kn_page_after(call);
	TimestampTz from;
	TimestampTz to;
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t last = {0};
	uint64 shown;

	kn_filters_check(call->query, filters);
	read_range(call, &from, &to);
	kn_arg_uuid(&args, centre);
	kn_arg_time(&args, from);
	kn_arg_time(&args, to);
	kn_arg_time_or_null(&args, page.at);
	kn_arg_uuid(&args, &page.id);
	kn_arg_int(&args, limit + 1);
	kn_run(&select_page, &args);
	rows = kn_rows();
	shown = Min(rows.n, (uint64) limit);
	kn_json_open(json, '{');
	kn_json_key(json, "items");
	kn_json_open(json, '[');
	for (uint64 i = 0; i < shown; i++)
		render_row(json, &rows, i);
	kn_json_close(json, ']');
	if (shown > 0)
		kn_col_uuid(&rows, shown - 1, 1, &last);
	kn_page_next(call, rows.n > shown, shown ? kn_col_time(&rows, shown - 1, 4) : 0, &last);
	render_people(json, centre);
	kn_json_close(json, '}');
}
KN_DOOR(duty_list, duty_list, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_READS | KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"GET /dispatch/duty: who of the own centre is called, and when. Query: from, to, "
		"limit, after.");

static const pg_uuid_t *
own_centre(KnCall *call)
{
	call->noun = "duty";
	if (!call->caller->has_centre)
		elog(ERROR, "a dispatcher belongs to no dispatch centre");
	return &call->caller->centre;
}

static void
read_range(KnCall *call, TimestampTz *from, TimestampTz *to)
{
	if (!kn_query_time(call->query, "from", from))
		*from = GetCurrentTimestamp();
	if (!kn_query_time(call->query, "to", to))
		*to = *from + 7 * USECS_PER_DAY;
	if (*to <= *from || *to - *from > KN_DUTY_RANGE_DAYS * USECS_PER_DAY)
		kn_input_error(ERRCODE_KN_QUERY, "to", "the range is empty or too long",
					   psprintf("Send times at most %d days apart.", KN_DUTY_RANGE_DAYS));
}

static void
render_row(KnJson *json, const KnRows *rows, uint64 row)
{
	pg_uuid_t id;

	kn_json_open(json, '{');
	kn_col_uuid(rows, row, 1, &id);
	kn_json_pair_uuid(json, "id", &id);
	kn_col_uuid(rows, row, 2, &id);
	kn_json_pair_uuid(json, "accountId", &id);
	kn_json_pair_text(json, "kind", kn_col_text(rows, row, 3));
	kn_json_pair_time(json, "from", kn_col_time(rows, row, 4));
	kn_json_pair_time(json, "to", kn_col_time(rows, row, 5));
	kn_json_close(json, '}');
}

static void
render_people(KnJson *json, const pg_uuid_t *centre)
{
	static const char *const keys[] = {"firstName", "lastName", "phone"};
	static const char *const places[] = {"account.first_name", "account.last_name",
										 "account.phone"};
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, centre);
	kn_arg_int(&args, KN_DUTY_PEOPLE_MAX);
	kn_run(&select_people, &args);
	rows = kn_rows();
	kn_json_key(json, "people");
	kn_json_open(json, '[');
	for (uint64 i = 0; i < rows.n; i++)
	{
		KnSubject subject;
		pg_uuid_t id;

		kn_col_uuid(&rows, i, 1, &id);
		kn_subject_open(&subject, &id, kn_col_bytea(&rows, i, 6));
		kn_json_open(json, '{');
		kn_json_pair_uuid(json, "accountId", &id);
		kn_json_pair_text(json, "role", kn_col_text(&rows, i, 2));
		for (int f = 0; f < lengthof(keys); f++)
			kn_json_pair_text(json, keys[f],
							  kn_unseal(&subject, places[f], &id, kn_col_bytea(&rows, i, 3 + f)));
		kn_json_close(json, '}');
		kn_subject_forget(&subject);
	}
	kn_json_close(json, ']');
}

/* POST /dispatch/duty {"accountId","kind","from","to"} -> created; the same again is ok. */
static void
duty_create(KnCall *call)
{
	const pg_uuid_t *centre = own_centre(call);
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t id;
	Duty duty;

	read_duty(call, &duty);
	kn_arg_uuid(&args, &duty.account);
	kn_arg_uuid(&args, centre);
	if (kn_run(&lock_person, &args) == 0)
		kn_refuse_absent();
	if (find_same(call, centre, &duty))
		return;
	args.n = 0;
	kn_arg_uuid(&args, centre);
	kn_arg_uuid(&args, &duty.account);
	kn_arg_text(&args, duty.kind);
	kn_arg_time(&args, duty.from);
	kn_arg_time(&args, duty.to);
	kn_run(&insert_duty, &args);
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, &id);
	kn_call_target(call, "duty", &id);
	call->outcome = KN_CREATED;
	render_row(&call->json, &rows, 0);
}
KN_DOOR(duty_create, duty_create, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"POST /dispatch/duty: enter somebody of the own centre.");

static void
read_duty(KnCall *call, Duty *duty)
{
	static const char *const members[] = {"accountId", "kind", "from", "to", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	TimestampTz now = GetCurrentTimestamp();

	kn_in_only(body, members);
	kn_in_uuid(body, "accountId", true, &duty->account);
	duty->kind = kn_in_choice(body, "kind", kinds, true);
	kn_in_time(body, "from", true, &duty->from);
	kn_in_time(body, "to", true, &duty->to);
	if (duty->from > now + KN_DUTY_AHEAD_DAYS * USECS_PER_DAY)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "from", "the time is too far ahead",
					   psprintf("Send a time within %d days.", KN_DUTY_AHEAD_DAYS));
	if (duty->to <= now)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "to", "the time is past", "Send a time to come.");
	if (duty->to - duty->from < KN_DUTY_MINUTES_MIN * USECS_PER_MINUTE ||
		duty->to - duty->from > KN_DUTY_DAYS_MAX * USECS_PER_DAY)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "to", "the time on duty is too short or too long",
					   psprintf("Send a time %d minutes to %d days after from.",
								KN_DUTY_MINUTES_MIN, KN_DUTY_DAYS_MAX));
}

/* Answers with what is there when it is the same; refuses what lies across it. */
static bool
find_same(KnCall *call, const pg_uuid_t *centre, const Duty *duty)
{
	KnArgs args = {0};
	KnRows rows;
	KnJson current;

	kn_arg_uuid(&args, centre);
	kn_arg_uuid(&args, &duty->account);
	kn_arg_text(&args, duty->kind);
	kn_arg_time(&args, duty->from);
	kn_arg_time(&args, duty->to);
	if (kn_run(&select_overlap, &args) == 0)
		return false;
	rows = kn_rows();
	if (kn_col_time(&rows, 0, 4) == duty->from && kn_col_time(&rows, 0, 5) == duty->to)
	{
		render_row(&call->json, &rows, 0);
		return true;
	}
	kn_json_init(&current);
	render_row(&current, &rows, 0);
	kn_call_extend(call, "current", current.text.data);
	kn_refuse(ERRCODE_KN_DUTY_TAKEN, "this person is on duty in that time already",
			  "End the duty in current first, or send times outside of it.");
}

/* DELETE /dispatch/duty/{id} -> none; what has begun ends now; again is the same answer. */
static void
duty_end(KnCall *call)
{
	const pg_uuid_t *centre = own_centre(call);
	KnArgs args = {0};
	pg_uuid_t id;

	kn_call_path_uuid(call, 0, &id);
	kn_call_target(call, "duty", &id);
	kn_arg_uuid(&args, &id);
	kn_arg_uuid(&args, centre);
	call->unaudited = kn_run(&delete_coming, &args) == 0 && kn_run(&end_present, &args) == 0;
	if (call->unaudited && kn_run(&select_over, &args) == 0)
	{
		call->unaudited = false;
		kn_refuse_absent();
	}
	call->outcome = KN_NONE;
}
KN_DOOR(duty_end, duty_end, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN, KN_DOOR_AUDITED | KN_DOOR_DISPATCH,
		"DELETE /dispatch/duty/{id}: what has begun ends now, what is to come is taken back.");
