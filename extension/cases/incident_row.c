/*-------------------------------------------------------------------------
 *
 * incident_row.c
 *	  The row of a report: made, many at once, and changed.
 *
 * Called by incident.c, incident_record.c and incident_change.c.  A new report
 * and its memberships are one statement of the system: a door cannot grant
 * access, not even by mistake.  What is in a row is written down once, in
 * arg_row(); many reports come from one array for each column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "cases/incident_row.h"

/* What arg_clear_columns() gives. */
#define CLEAR_TYPES                                                                                \
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,      \
		TEXTARRAYOID, TEXTARRAYOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID, FLOAT8OID, FLOAT8OID, \
		FLOAT8OID

/* What arg_row() gives, and the same as arrays; an array in an array is its text. */
#define ROW_TYPES                                                                      \
	UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, BYTEAOID, \
		BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID, CLEAR_TYPES, TIMESTAMPTZOID, UUIDOID, TEXTOID
#define ROW_ARRAY_TYPES                                                                     \
	UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,     \
		BYTEAARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID,           \
		BYTEAARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,             \
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, \
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID, TIMESTAMPTZARRAYOID,        \
		TIMESTAMPTZARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID,                \
		TIMESTAMPTZARRAYOID, UUIDARRAYOID, TEXTARRAYOID

static const Oid row_types[] = {ROW_TYPES};

/* A report, its memberships and its figure; nothing of it when a unique key is taken. */
#define INSERT(source_, figures_)                                                             \
	"WITH i AS (INSERT INTO kintaraa.incident "                                               \
	"  (id, owner_id, client_id, case_number, status, reporter, created_hash, ignored, "      \
	"   unreadable_sealed, description_sealed, address_sealed, place_sealed, point_sealed, "  \
	"   type, severity, urgency_level, urgency_asked, incident_date, incident_time, "         \
	"   communication_method, preferred_gender, proximity_preference, place_source, "         \
	"   support_services, suggested_services, is_anonymous, occurred_from, occurred_to, "     \
	"   accuracy_m, cell_latitude, cell_longitude, created_at, edited_by, spelling) " source_ \
	" ON CONFLICT DO NOTHING RETURNING id, owner_id, status, urgency_level), "                \
	"members AS (INSERT INTO kintaraa.member (principal, bucket, relation) "                  \
	"  SELECT owner_id, id, 'owner' FROM i UNION ALL "                                        \
	"  SELECT o.id, i.id, 'dispatcher' FROM i, kintaraa.organisation o "                      \
	"   WHERE o.kind = 'dispatch_centre'), "                                                  \
	"counted AS (INSERT INTO kintaraa.dispatch_delta (status, urgency, n) " figures_ ") "     \
	"SELECT id FROM i"

static KnStatement insert_one = KN_WRITE(
	KN_AS_SYSTEM,
	INSERT("VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12, $13, $14, $15, $16, "
		   "$17, $18::date, $19::time, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, "
		   "$32, $33, NULLIF($34, $3))",
		   "SELECT status, urgency_level, 1 FROM i"),
	ROW_TYPES);

static KnStatement insert_many = KN_WRITE(
	KN_AS_SYSTEM,
	INSERT("SELECT ($1)[r], ($2)[r], ($3)[r], ($4)[r], ($5)[r], ($6)[r], ($7)[r], ($8)[r]::jsonb, "
		   "($9)[r], ($10)[r], ($11)[r], ($12)[r], ($13)[r], ($14)[r], ($15)[r], ($16)[r], "
		   "($17)[r], ($18)[r]::date, ($19)[r]::time, ($20)[r], ($21)[r], ($22)[r], ($23)[r], "
		   "($24)[r]::text[], ($25)[r]::text[], ($26)[r], ($27)[r], ($28)[r], ($29)[r], ($30)[r], "
		   "($31)[r], ($32)[r], ($33)[r], NULLIF(($34)[r], ($3)[r]) "
		   "  FROM pg_catalog.generate_series(1, $35) AS r",
		   "SELECT status, urgency_level, pg_catalog.count(*)::int4 FROM i GROUP BY 1, 2"),
	ROW_ARRAY_TYPES, INT4OID);

static KnStatement update_incident = KN_WRITE(
	KN_AS_DOOR,
	"UPDATE kintaraa.incident SET "
	"  description_sealed = $2, address_sealed = $3, place_sealed = $4, point_sealed = $5, "
	"  type = $6, severity = $7, urgency_level = $8, urgency_asked = $9, "
	"  incident_date = $10::date, incident_time = $11::time, communication_method = $12, "
	"  preferred_gender = $13, proximity_preference = $14, place_source = $15, "
	"  support_services = $16, "
	"  suggested_services = $17, is_anonymous = $18, occurred_from = $19, occurred_to = $20, "
	"  accuracy_m = $21, cell_latitude = $22, cell_longitude = $23, edited_version = $24, "
	"  edited_by = $25, edited_foreign_version = $26 "
	" WHERE id = $1",
	UUIDOID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID, CLEAR_TYPES, INT8OID, UUIDOID, INT8OID);

static void arg_row(KnArgs *args, const KnIncident *incident, const KnSubject *subject,
					const char *unreadable);
static void arg_field(KnArgs *args, const KnValue *value);
static void arg_clear_columns(KnArgs *args, const KnIncident *incident);
static void arg_column(KnArgs *args, const KnArgs *rows, int n, int column);
static bytea *seal_point(const KnIncident *incident, const KnSubject *subject);

bool
kn_incident_insert(const KnIncident *incident, const KnSubject *subject, const char *unreadable)
{
	KnArgs args = {0};

	arg_row(&args, incident, subject, unreadable);
	return kn_run(&insert_one, &args) == 1;
}

KnRows
kn_incident_insert_many(const KnIncident *const *incidents, const char *const *unreadable, int n,
						const KnSubject *subject)
{
	KnArgs *rows = palloc0(sizeof(KnArgs) * Max(n, 1));
	KnArgs args = {0};

	for (int i = 0; i < n; i++)
		arg_row(&rows[i], incidents[i], subject, unreadable[i]);
	for (int column = 0; column < lengthof(row_types); column++)
		arg_column(&args, rows, n, column);
	kn_arg_int(&args, n);
	kn_run(&insert_many, &args);
	pfree(rows);
	return kn_rows();
}

static void
arg_column(KnArgs *args, const KnArgs *rows, int n, int column)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	bool *nulls = palloc(sizeof(bool) * Max(n, 1));
	bool is_array = row_types[column] == TEXTARRAYOID;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = rows[i].null[column] == 'n';
		items[i] = rows[i].value[column];
		if (is_array)
			items[i] = CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT, items[i]));
	}
	kn_arg_array(args, is_array ? TEXTOID : row_types[column], items, nulls, n);
	kn_arg_read_by_index(args);
}

void
kn_incident_update(const KnIncident *incident, const KnSubject *subject)
{
	const KnValue *v = incident->values;
	const pg_uuid_t *id = &incident->id;
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_bytea(&args,
				 kn_seal(subject, "incident.description", id, v[KN_INCIDENT_DESCRIPTION].text));
	kn_arg_bytea(&args, kn_seal(subject, "incident.address", id, v[KN_INCIDENT_ADDRESS].text));
	kn_arg_bytea(&args, kn_seal(subject, "incident.place", id, v[KN_INCIDENT_PLACE].text));
	kn_arg_bytea(&args, seal_point(incident, subject));
	arg_clear_columns(&args, incident);
	kn_arg_bigint(&args, incident->stamp.version + 1);
	kn_arg_uuid(&args, incident->has_editor ? &incident->edited_by : NULL);
	kn_arg_bigint(&args, incident->edited_foreign_version);
	if (kn_run(&update_incident, &args) != 1)
		elog(ERROR, "an incident vanished while it was changed");
}

/* A new report, in the order of ROW_TYPES. */
static void
arg_row(KnArgs *args, const KnIncident *incident, const KnSubject *subject, const char *unreadable)
{
	const KnValue *v = incident->values;
	const pg_uuid_t *id = &incident->id;

	kn_arg_uuid(args, id);
	kn_arg_uuid(args, &incident->owner);
	kn_arg_text(args, incident->client_id);
	kn_arg_text(args, incident->case_number);
	kn_arg_text(args, kn_case_statuses[incident->status]);
	kn_arg_text(args, incident->by_provider ? "provider" : "survivor");
	kn_arg_bytea(args, incident->created_hash);
	kn_arg_text(args, incident->ignored);
	kn_arg_bytea(args, kn_seal(subject, "incident.unreadable", id, unreadable));
	kn_arg_bytea(args,
				 kn_seal(subject, "incident.description", id, v[KN_INCIDENT_DESCRIPTION].text));
	kn_arg_bytea(args, kn_seal(subject, "incident.address", id, v[KN_INCIDENT_ADDRESS].text));
	kn_arg_bytea(args, kn_seal(subject, "incident.place", id, v[KN_INCIDENT_PLACE].text));
	kn_arg_bytea(args, seal_point(incident, subject));
	arg_clear_columns(args, incident);
	kn_arg_time(args, incident->created_at);
	kn_arg_uuid(args, &incident->edited_by);
	kn_arg_text(args, incident->spelling);
}

static bytea *
seal_point(const KnIncident *incident, const KnSubject *subject)
{
	const KnValue *point = &incident->values[KN_INCIDENT_POINT];

	if (!point->present)
		return NULL;
	return kn_seal(subject, "incident.point", &incident->id,
				   psprintf("%.7f %.7f", point->number, point->second));
}

static void
arg_field(KnArgs *args, const KnValue *value)
{
	kn_arg_text(args, value->present ? value->text : NULL);
}

/* Eighteen columns in the order of CLEAR_TYPES. */
static void
arg_clear_columns(KnArgs *args, const KnIncident *incident)
{
	static const KnIncidentField later[] = {KN_INCIDENT_URGENCY, KN_INCIDENT_DATE,
											KN_INCIDENT_TIME, KN_INCIDENT_COMMUNICATION,
											KN_INCIDENT_GENDER, KN_INCIDENT_PROXIMITY,
											KN_INCIDENT_SOURCE};
	const KnValue *v = incident->values;

	arg_field(args, &v[KN_INCIDENT_TYPE]);
	arg_field(args, &v[KN_INCIDENT_SEVERITY]);
	kn_arg_text(args, kn_urgency_names[incident->urgency]);
	for (int i = 0; i < lengthof(later); i++)
		arg_field(args, &v[later[i]]);
	kn_arg_text_array(args, v[KN_INCIDENT_SERVICES].items, v[KN_INCIDENT_SERVICES].n_items);
	kn_arg_text_array(args, (char **) incident->suggested, incident->n_suggested);
	kn_arg_bool(args, v[KN_INCIDENT_ANONYMOUS].flag);
	kn_arg_time_or_null(args, incident->occurred_from);
	kn_arg_time_or_null(args, incident->occurred_to);
	kn_arg_float(args, v[KN_INCIDENT_ACCURACY].number, !v[KN_INCIDENT_ACCURACY].present);
	kn_arg_float(args, incident->cell_latitude, !incident->has_cell);
	kn_arg_float(args, incident->cell_longitude, !incident->has_cell);
}
