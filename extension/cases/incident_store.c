/*-------------------------------------------------------------------------
 *
 * incident_store.c
 *	  What is read of incidents, and their status.
 *
 * Reads of the owner and of helpers run as the door, under row security;
 * those of dispatchers as the dispatch role, never for a barred one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "access/barred.h"
#include "base/errcodes.h"
#include "base/limits.h"
#include "cases/incident_columns.h"
#include "cases/incident_store.h"
#include "identity/subject.h"
#include "records/record.h"

#define INCIDENT_FROM                                       \
	"FROM kintaraa.incident i LEFT JOIN kintaraa.change c " \
	"  ON c.bucket = i.id AND c.noun = 'incident' AND c.id = i.id "
#define NOT_BARRED KN_NOT_BARRED("i.id", "$1")
/* Who sees new for an inner state finds it as new: a count must not tell which it is. */
#define SHOWN_STATUS \
	"CASE i.status WHEN 'pending_dispatcher_review' THEN 'new' ELSE i.status END"
#define FILTER(status)                                                       \
	"  AND ($2 IS NULL OR " status " = $2) AND ($3 IS NULL OR i.type = $3) " \
	"  AND ($4 IS NULL OR i.urgency_level = $4) "                            \
	"  AND (i.created_at, i.id) < ($5, $6) "
#define PAGE " ORDER BY i.created_at DESC, i.id DESC LIMIT $7"

static void read_incident(const KnRows *rows, uint64 row, KnIncident *out);
static void set_text(KnIncident *out, KnIncidentField field, char *text);
static void render_person(KnJson *json, const pg_uuid_t *account, bool of_team, bool reachable);

static KnStatement select_intake = KN_READ(
	KN_AS_SYSTEM,
	"SELECT k.wrapped, i.id, i.created_hash, a.language, a.is_anonymous "
	"  FROM kintaraa.subject_key k "
	"  JOIN kintaraa.account a ON a.id = k.subject "
	"  LEFT JOIN kintaraa.incident i ON i.owner_id = k.subject AND i.client_key = $2 "
	" WHERE k.subject = $1",
	UUIDOID, BYTEAOID);

static KnStatement select_own = KN_READ(
	KN_AS_DOOR,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM
	" WHERE i.owner_id = $1 AND i.client_key = $2 AND i.deleted_at IS NULL",
	UUIDOID, BYTEAOID);

static KnStatement select_shared = KN_READ(
	KN_AS_DOOR,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM " WHERE i.id = $1 AND i.deleted_at IS NULL",
	UUIDOID);

static KnStatement select_dispatch = KN_READ(
	KN_AS_DISPATCH,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM
	" WHERE i.id = $2 AND (i.deleted_at IS NULL OR i.held_until IS NOT NULL) AND " NOT_BARRED,
	UUIDARRAYOID, UUIDOID);

static KnStatement select_many = KN_READ(
	KN_AS_DOOR,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM " WHERE i.id = ANY ($1) AND i.deleted_at IS NULL",
	UUIDARRAYOID);

static KnStatement select_many_dispatch = KN_READ(
	KN_AS_DISPATCH,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM
	" WHERE i.id = ANY ($2) AND i.deleted_at IS NULL AND " NOT_BARRED,
	UUIDARRAYOID, UUIDARRAYOID);

static KnStatement select_spellings = KN_READ(
	KN_AS_SYSTEM,
	"SELECT id, spelling_sealed FROM kintaraa.incident "
	" WHERE owner_id = $1 AND id = ANY ($2)",
	UUIDOID, UUIDARRAYOID);

static KnStatement list_own = KN_READ(
	KN_AS_DOOR,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM
	" WHERE i.owner_id = $1 AND i.deleted_at IS NULL " FILTER(SHOWN_STATUS) PAGE,
	UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement list_shared = KN_READ(
	KN_AS_DOOR,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM
	" WHERE i.id = ANY (ARRAY(SELECT m.bucket FROM kintaraa.member m "
	"                          WHERE m.principal = ANY ($1) AND NOT m.revoked)) "
	"   AND i.deleted_at IS NULL " FILTER(SHOWN_STATUS) PAGE,
	UUIDARRAYOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement list_dispatch = KN_READ(
	KN_AS_DISPATCH,
	"SELECT " INCIDENT_SELECT INCIDENT_FROM
	" WHERE i.deleted_at IS NULL AND " NOT_BARRED FILTER("i.status") PAGE,
	UUIDARRAYOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID);

static KnStatement select_status = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT status, urgency_level FROM kintaraa.incident "
	" WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
	UUIDOID);

/* Dispatchers follow open cases only: sync enumerates what their pool is a member of. */
/* clang-format off */
static KnStatement move_status = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH i AS (UPDATE kintaraa.incident SET status = $3, "
	"             closed_at = CASE WHEN " KN_CASE_IS_OVER("$3") " THEN pg_catalog.now() END "
	"            WHERE id = $1 RETURNING id, urgency_level), "
	"h AS (INSERT INTO kintaraa.status_history (bucket, id, from_status, to_status, actor, "
	"       note_sealed, reason) "
	"      SELECT id, pg_catalog.gen_random_uuid(), $2, $3, $4, $5, $6 FROM i), "
	"d AS (INSERT INTO kintaraa.dispatch_delta (status, urgency, n) "
	"      SELECT s.status, i.urgency_level, s.n FROM i, (VALUES ($2, -1), ($3, 1)) AS s "
	"       (status, n)) "
	"UPDATE kintaraa.member m SET revoked = (" KN_CASE_IS_OVER("$3") "), "
	"       gx = pg_catalog.pg_current_xact_id(), changed_at = pg_catalog.now() "
	"  FROM i WHERE m.bucket = i.id AND m.relation = 'dispatcher' "
	"   AND m.revoked <> (" KN_CASE_IS_OVER("$3") ")",
	UUIDOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID);
/* clang-format on */

static KnStatement select_taken_back = KN_READ(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.incident "
	" WHERE owner_id = $1 AND client_key = $2 AND deleted_at IS NOT NULL",
	UUIDOID, BYTEAOID);

static KnStatement select_known = KN_READ(
	KN_AS_SYSTEM, "SELECT 1 FROM kintaraa.incident WHERE owner_id = $1 AND client_key = $2",
	UUIDOID, BYTEAOID);

static KnStatement select_owner = KN_READ(
	KN_AS_SYSTEM, "SELECT owner_id FROM kintaraa.incident WHERE id = $1", UUIDOID);

static KnStatement count_urgency = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.dispatch_delta (status, urgency, n) VALUES ($1, $2, -1), ($1, $3, 1)",
	TEXTOID, TEXTOID, TEXTOID);

static KnStatement select_history = KN_READ(
	KN_AS_SYSTEM,
	"SELECT at, from_status, to_status, actor, reason FROM kintaraa.status_history "
	" WHERE bucket = $1 ORDER BY at, id",
	UUIDOID);

/* clang-format off */
static KnStatement select_asked = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " KN_CASE_IS_OVER("from_status") " AND to_status = $2 AND actor = $3 "
	"  FROM kintaraa.status_history "
	" WHERE bucket = $1 AND actor <> 'machine' AND from_status <> to_status ORDER BY at DESC, id DESC LIMIT 1",
	UUIDOID, TEXTOID, TEXTOID);
/* clang-format on */

static KnStatement select_allowed = KN_READ(
	KN_AS_SYSTEM,
	"SELECT to_status FROM kintaraa.status_rule WHERE from_status = $1 AND actor = $2 ORDER BY 1",
	TEXTOID, TEXTOID);

static KnStatement select_person = KN_READ(
	KN_AS_SYSTEM,
	"SELECT a.is_anonymous, a.first_name_sealed, a.last_name_sealed, a.phone_sealed, "
	"       a.email_sealed, p.name "
	"  FROM kintaraa.account a LEFT JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE a.id = $1",
	UUIDOID);

void
kn_incident_intake(const pg_uuid_t *owner, bytea *client_key, KnIntake *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, owner);
	kn_arg_bytea(&args, client_key);
	if (kn_run(&select_intake, &args) == 0)
		elog(ERROR, "an account has no data key");
	rows = kn_rows();
	kn_subject_open(&out->subject, owner, kn_col_bytea(&rows, 0, 1));
	out->known = kn_col_uuid(&rows, 0, 2, &out->id);
	out->created_hash = kn_col_bytea(&rows, 0, 3);
	out->language = kn_col_text(&rows, 0, 4);
	out->is_anonymous = kn_col_bool(&rows, 0, 5);
}

char *
kn_incident_spelt(const pg_uuid_t *owner, const char *text)
{
	char *folded = kn_client_id_fold(text);
	KnArgs args = {0};

	if (strcmp(folded, text) == 0)
		return folded;
	kn_arg_uuid(&args, owner);
	kn_arg_bytea(&args, kn_client_key(owner, "incident", text));
	return kn_run(&select_known, &args) > 0 ? pstrdup(text) : folded;
}

bool
kn_incident_load_own(const pg_uuid_t *owner, bytea *client_key, KnIncident *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, owner);
	kn_arg_bytea(&args, client_key);
	if (kn_run(&select_own, &args) == 0)
		return false;
	rows = kn_rows();
	read_incident(&rows, 0, out);
	return true;
}

bool
kn_incident_load(const KnCaller *caller, const char *text, KnIncident *out, KnRelation *relation)
{
	const pg_uuid_t *me = &caller->account;
	KnArgs args = {0};
	pg_uuid_t id;
	KnRows rows;

	*relation = KN_OWNER;
	if (kn_incident_load_own(
			me, kn_client_key(me, "incident", kn_incident_spelt(me, text)), out))
		return true;
	if (!kn_uuid_parse(kn_client_id_fold(text), &id) ||
		!(caller->role & (KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN)))
		return false;
	if (caller->role == KN_ROLE_PROVIDER)
	{
		*relation = KN_HELPER;
		kn_arg_uuid(&args, &id);
		if (kn_run(&select_shared, &args) == 0)
			return false;
	}
	else
	{
		*relation = KN_DISPATCHER;
		kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
		kn_arg_uuid(&args, &id);
		if (kn_run(&select_dispatch, &args) == 0)
			return false;
	}
	rows = kn_rows();
	read_incident(&rows, 0, out);
	return true;
}

int
kn_incident_load_many(const KnCaller *caller, const pg_uuid_t *ids, int n, KnIncident **out,
					  KnRelation **relations)
{
	bool dispatches = (caller->role & (KN_ROLE_DISPATCHER | KN_ROLE_ADMIN)) != 0;
	KnArgs args = {0};
	KnRows rows;

	if (dispatches)
		kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
	kn_arg_uuid_array(&args, ids, n);
	kn_run(dispatches ? &select_many_dispatch : &select_many, &args);
	rows = kn_rows();
	*out = palloc(sizeof(KnIncident) * Max(rows.n, 1));
	*relations = palloc(sizeof(KnRelation) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
	{
		read_incident(&rows, i, &(*out)[i]);
		(*relations)[i] = kn_uuid_equal(&(*out)[i].owner, &caller->account) ? KN_OWNER
						  : dispatches                                      ? KN_DISPATCHER
																			: KN_HELPER;
	}
	return rows.n;
}

KnRows
kn_incident_spellings(const pg_uuid_t *owner, const pg_uuid_t *ids, int n)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, owner);
	kn_arg_uuid_array(&args, ids, n);
	kn_run(&select_spellings, &args);
	return kn_rows();
}

int
kn_incident_list(const KnCaller *caller, const KnIncidentFilter *filter, KnIncident **out,
				 KnRelation *relation)
{
	KnStatement *statement = &list_own;
	KnArgs args = {0};
	KnRows rows;

	*relation = KN_OWNER;
	if (caller->role & (KN_ROLE_DISPATCHER | KN_ROLE_ADMIN))
	{
		*relation = KN_DISPATCHER;
		statement = &list_dispatch;
	}
	else if (caller->role == KN_ROLE_PROVIDER)
	{
		*relation = KN_HELPER;
		statement = &list_shared;
	}
	if (*relation == KN_OWNER)
		kn_arg_uuid(&args, &caller->account);
	else
		kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
	kn_arg_text(&args, filter->status);
	kn_arg_text(&args, filter->type);
	kn_arg_text(&args, filter->urgency);
	kn_arg_before(&args, filter->before_at, &filter->before_id);
	kn_arg_int(&args, filter->limit);
	kn_run(statement, &args);
	rows = kn_rows();
	*out = palloc0(sizeof(KnIncident) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		read_incident(&rows, i, &(*out)[i]);
	return rows.n;
}

static void
set_text(KnIncident *out, KnIncidentField field, char *text)
{
	out->values[field].present = text != NULL;
	out->values[field].text = text;
}

static void
read_incident(const KnRows *rows, uint64 row, KnIncident *out)
{
	int n = kn_incident_columns.n_read;

	memset(out, 0, sizeof(*out));
	kn_columns_read(&kn_incident_columns, rows, row, out);
	out->stamp.version = kn_col_bigint(rows, row, n + 1, 0);
	out->stamp.updated_at = kn_col_time(rows, row, n + 2);
	out->asked = kn_urgency_parse(out->values[KN_INCIDENT_URGENCY].text);
	/* where it is unknown, as late as it can have been */
	if (out->edited_foreign_version == -1)
		out->edited_foreign_version = out->edited_version - 1;
}

bool
kn_class_visible(KnFieldClass class, KnRelation relation, bool in_person)
{
	switch (class)
	{
		case KN_CLASS_CARD:
			return relation != KN_NO_RELATION;
		case KN_CLASS_CASE:
		case KN_CLASS_IDENTITY:
			return relation == KN_OWNER || relation == KN_HELPER || relation == KN_DISPATCHER;
		case KN_CLASS_PLACE:
			return relation == KN_OWNER || relation == KN_DISPATCHER ||
				   (relation == KN_HELPER && in_person);
	}
	return false;
}

void
kn_incident_unseal(KnIncident *incident, KnRelation relation, bool in_person)
{
	KnSubject subject;

	if (!kn_class_visible(KN_CLASS_CASE, relation, in_person))
		return;
	kn_account_subject(&incident->owner, &subject);
	kn_incident_unseal_with(incident, &subject, relation, in_person);
	kn_subject_forget(&subject);
}

void
kn_incident_unseal_with(KnIncident *incident, const KnSubject *subject, KnRelation relation,
						bool in_person)
{
	const pg_uuid_t *id = &incident->id;
	KnValue *point = &incident->values[KN_INCIDENT_POINT];
	char *text;

	if (!kn_class_visible(KN_CLASS_CASE, relation, in_person))
		return;
	if (relation == KN_OWNER && incident->spelling == NULL)
		incident->spelling = kn_spelling_open(subject, KN_INCIDENT_SPELLING, id,
											  incident->spelling_sealed);
	set_text(incident, KN_INCIDENT_DESCRIPTION,
			 kn_unseal(subject, "incident.description", id, incident->description_sealed));
	if (!kn_class_visible(KN_CLASS_PLACE, relation, in_person))
		return;
	set_text(incident, KN_INCIDENT_ADDRESS,
			 kn_unseal(subject, "incident.address", id, incident->address_sealed));
	set_text(incident, KN_INCIDENT_PLACE,
			 kn_unseal(subject, "incident.place", id, incident->place_sealed));
	text = kn_unseal(subject, "incident.point", id, incident->point_sealed);
	point->present = text != NULL && sscanf(text, "%lf %lf", &point->number, &point->second) == 2;
}

bool
kn_incident_status_lock(const pg_uuid_t *id, KnCaseStatus *status, KnUrgency *urgency)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	if (kn_run(&select_status, &args) == 0)
		return false;
	rows = kn_rows();
	*status = kn_col_case_status(&rows, 0, 1);
	*urgency = kn_urgency_parse(kn_col_text(&rows, 0, 2));
	return true;
}

void
kn_incident_set_status(const pg_uuid_t *id, KnCaseStatus from, KnCaseStatus to, const char *actor,
					   const KnSubject *subject, const char *note, const char *reason)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_text(&args, kn_case_statuses[from]);
	kn_arg_text(&args, kn_case_statuses[to]);
	kn_arg_text(&args, actor);
	kn_arg_bytea(&args, note ? kn_seal(subject, "status_history.note", id, note) : NULL);
	kn_arg_text(&args, reason);
	kn_run(&move_status, &args);
}

bool
kn_incident_is_taken_back(const pg_uuid_t *owner, bytea *client_key)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, owner);
	kn_arg_bytea(&args, client_key);
	return kn_run(&select_taken_back, &args) > 0;
}

void
kn_incident_owner(const pg_uuid_t *id, pg_uuid_t *owner)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	if (kn_run(&select_owner, &args) == 0)
		elog(ERROR, "an incident vanished");
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, owner);
}

bool
kn_incident_exists(const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	return kn_run(&select_owner, &args) > 0;
}

void
kn_incident_recount(KnCaseStatus status, KnUrgency from, KnUrgency to)
{
	KnArgs args = {0};

	if (from == to)
		return;
	kn_arg_text(&args, kn_case_statuses[status]);
	kn_arg_text(&args, kn_urgency_names[from]);
	kn_arg_text(&args, kn_urgency_names[to]);
	kn_run(&count_urgency, &args);
}

KnRows
kn_incident_history(const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_run(&select_history, &args);
	return kn_rows();
}

bool
kn_incident_was_reopened(const pg_uuid_t *id, KnCaseStatus to, const char *actor)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	kn_arg_text(&args, kn_case_statuses[to]);
	kn_arg_text(&args, actor);
	kn_run(&select_asked, &args);
	rows = kn_rows();
	return rows.n > 0 && kn_col_bool(&rows, 0, 1);
}

char *
kn_incident_allowed(KnCaseStatus from, const char *actor, KnCaseStatus to, bool *allowed)
{
	KnArgs args = {0};
	KnRows rows;
	KnJson json;

	kn_arg_text(&args, kn_case_statuses[from]);
	kn_arg_text(&args, actor);
	kn_run(&select_allowed, &args);
	rows = kn_rows();
	*allowed = false;
	kn_json_init(&json);
	kn_json_open(&json, '[');
	for (uint64 i = 0; i < rows.n; i++)
	{
		KnCaseStatus next = kn_col_case_status(&rows, i, 1);

		kn_json_text(&json, kn_case_statuses[next]);
		*allowed = *allowed || next == to;
	}
	kn_json_close(&json, ']');
	return json.text.data;
}

void
kn_incident_render_people(KnJson *json, const KnIncident *incident, bool reachable)
{
	kn_json_key(json, "survivor");
	if (incident->by_provider)
		kn_json_null(json);
	else
		render_person(json, &incident->owner, false, true);
	kn_json_key(json, "reportedBy");
	if (incident->by_provider)
		render_person(json, &incident->owner, true, reachable);
	else
		kn_json_null(json);
}

static void
render_person(KnJson *json, const pg_uuid_t *account, bool of_team, bool reachable)
{
	static const char *const keys[] = {"firstName", "lastName", "phone", "email"};
	static const char *const places[] = {"account.first_name", "account.last_name",
										 "account.phone", "account.email"};
	bytea *sealed[4];
	char *team;
	KnSubject subject;
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, account);
	kn_run(&select_person, &args);
	rows = kn_rows();
	if (rows.n == 0 || kn_col_bool(&rows, 0, 1))
	{
		kn_json_null(json);
		return;
	}
	for (int i = 0; i < 4; i++)
		sealed[i] = kn_col_bytea(&rows, 0, 2 + i);
	team = kn_col_text(&rows, 0, 6);
	kn_account_subject(account, &subject);
	kn_json_open(json, '{');
	for (int i = 0; i < (reachable ? 4 : 2); i++)
		kn_json_pair_text(json, keys[i], kn_unseal(&subject, places[i], account, sealed[i]));
	if (of_team)
		kn_json_pair_text(json, "providerName", team);
	kn_json_close(json, '}');
	kn_subject_forget(&subject);
}
