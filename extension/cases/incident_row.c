/*-------------------------------------------------------------------------
 *
 * incident_row.c
 *	  The row of a report: made, many at once, and changed.
 *
 * Called by incident.c, incident_record.c and incident_change.c.  A new report
 * and its memberships are one statement of the system: a door cannot grant
 * access, not even by mistake.  Many reports come from one array for each column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "cases/incident_columns.h"
#include "cases/incident_row.h"

/* A report, its memberships and its figure; nothing of it when a unique key is taken. */
#define WITH_MEMBERS                                                                        \
	"WITH i AS (%s ON CONFLICT DO NOTHING RETURNING id, owner_id, status, urgency_level), " \
	"members AS (INSERT INTO kintaraa.member (principal, bucket, relation) "                \
	"  SELECT owner_id, id, 'owner' FROM i UNION ALL "                                      \
	"  SELECT o.id, i.id, 'dispatcher' FROM i, kintaraa.organisation o "                    \
	"   WHERE o.kind = 'dispatch_centre'), "                                                \
	"counted AS (INSERT INTO kintaraa.dispatch_delta (status, urgency, n) "                 \
	"  SELECT status, urgency_level, pg_catalog.count(*)::int4 FROM i GROUP BY 1, 2) "      \
	"SELECT id FROM i"

static KnStatement insert_one = {.actor = KN_AS_SYSTEM, .writes = true};
static KnStatement insert_many = {.actor = KN_AS_SYSTEM, .writes = true};
static KnStatement update_incident = {
	.actor = KN_AS_DOOR, .writes = true, KN_TYPES(UUIDOID)};

static void prepare(void);
static KnIncident as_new(const KnIncident *incident);

/* The texts are made of the table of columns, once for each backend. */
static void
prepare(void)
{
	const KnColumns *columns = &kn_incident_columns;

	if (update_incident.sql != NULL)
		return;
	kn_columns_state(columns, KN_COLUMNS_NEW, false,
					 psprintf(WITH_MEMBERS, kn_columns_insert(columns, false)), &insert_one);
	kn_columns_state(columns, KN_COLUMNS_NEW, true,
					 psprintf(WITH_MEMBERS, kn_columns_insert(columns, true)), &insert_many);
	kn_columns_state(columns, KN_COLUMNS_CHANGE, false,
					 psprintf("%s WHERE id = $1", kn_columns_update(columns, 1)),
					 &update_incident);
}

/* Who made it wrote its words, and a spelling is stored where it is not the row's id. */
static KnIncident
as_new(const KnIncident *incident)
{
	KnIncident row = *incident;

	row.has_editor = true;
	row.spelling = kn_incident_own_id(incident);
	if (strcmp(row.spelling, kn_uuid_text(&row.id)) == 0)
		row.spelling = NULL;
	return row;
}

bool
kn_incident_insert(const KnIncident *incident, const KnSubject *subject)
{
	KnIncident row = as_new(incident);
	KnArgs args = {0};

	prepare();
	kn_columns_bind(&kn_incident_columns, KN_COLUMNS_NEW, &row, &row.id, subject, &args);
	return kn_run(&insert_one, &args) == 1;
}

KnRows
kn_incident_insert_many(const KnIncident *const *incidents, int n, const KnSubject *subject)
{
	KnIncident *rows = palloc(sizeof(KnIncident) * Max(n, 1));
	KnArgs *each = palloc0(sizeof(KnArgs) * Max(n, 1));
	KnArgs args = {0};

	prepare();
	for (int i = 0; i < n; i++)
	{
		rows[i] = as_new(incidents[i]);
		kn_columns_bind(&kn_incident_columns, KN_COLUMNS_NEW, &rows[i], &rows[i].id, subject,
						&each[i]);
	}
	kn_columns_bind_many(&kn_incident_columns, each, n, &args);
	kn_run(&insert_many, &args);
	pfree(each);
	pfree(rows);
	return kn_rows();
}

void
kn_incident_update(const KnIncident *incident, const KnSubject *subject)
{
	KnIncident row = *incident;
	KnArgs args = {0};

	prepare();
	row.edited_version = incident->stamp.version + 1;
	kn_arg_uuid(&args, &row.id);
	kn_columns_bind(&kn_incident_columns, KN_COLUMNS_CHANGE, &row, &row.id, subject, &args);
	if (kn_run(&update_incident, &args) != 1)
		elog(ERROR, "an incident vanished while it was changed");
}
