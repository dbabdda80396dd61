/*-------------------------------------------------------------------------
 *
 * pull_render.c
 *	  The records of a pull, rendered noun by noun.
 *
 * Called by sync_doors.c.  Each noun is loaded with one statement and shown by
 * the renderer of its room; a record that the caller may not see any more is
 * handed out as removed, never as content.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "cases/assignment_store.h"
#include "cases/case_policy.h"
#include "cases/incident_store.h"
#include "cases/projection.h"
#include "identity/account_store.h"
#include "identity/subject.h"
#include "records/personal.h"
#include "sync/pull.h"
#include "work/note.h"

static int ids_of(const KnPull *pull, const char *noun, bool removed, pg_uuid_t *ids);
static void render_incidents(KnPull *pull, const KnPullOut *out, pg_uuid_t *ids, int n);
static void remove_incidents(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n,
							 const char *reason);
static void remove_others(const KnPull *pull, const KnPullOut *out);
static void render_assignments(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n);
static void render_notifications(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n);
static void render_profile(KnPull *pull, const KnPullOut *out, int n);
static void render_personal(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n);
static void add_own_assignments(KnPull *pull);
static void note_shown(KnPull *pull, const pg_uuid_t *ids, int n);
static void hand_out(const KnPullOut *out, const char *noun, KnJson *json);
static void hand_out_note(void *arg, const char *json, int len);

/* clang-format off */
static KnStatement select_notifications = KN_READ(
	KN_AS_DOOR,
	"SELECT n.id, n.class, n.created_at, n.read_at, c.version, c.updated_at "
	"  FROM kintaraa.notification n "
	"  LEFT JOIN " KN_STAMP_OF("n.account_id", "'notification'", "n.id") "ON true "
	" WHERE n.account_id = $1 AND n.id = ANY ($2)",
	UUIDOID, UUIDARRAYOID);
/* clang-format on */

static KnStatement select_of_cases = KN_READ(
	KN_AS_DOOR,
	"SELECT a.id FROM kintaraa.assignment a "
	" WHERE a.provider_id = $1 AND a.incident_bucket = ANY ($2) AND a.status = 'accepted'",
	UUIDOID, UUIDARRAYOID);

void
kn_pull_render(KnPull *pull, const KnPullOut *out)
{
	pg_uuid_t *ids = palloc(sizeof(pg_uuid_t) * Max(pull->n, 1));
	int n = ids_of(pull, "incident", false, ids);

	render_incidents(pull, out, ids, n);
	for (int i = 0; i < pull->n; i++)
		if (pull->items[i].removed && strcmp(pull->items[i].noun, "incident") == 0)
			remove_incidents(pull, out, &pull->items[i].id, 1, pull->items[i].reason);
	remove_others(pull, out);
	add_own_assignments(pull);
	ids = palloc(sizeof(pg_uuid_t) * Max(pull->n, 1)); /* it has grown */
	n = ids_of(pull, "assignment", false, ids);
	render_assignments(pull, out, ids, n);
	n = ids_of(pull, "note", false, ids);
	note_shown(pull, ids, n);
	kn_note_render(pull->caller, ids, n, hand_out_note, (void *) out);
	n = ids_of(pull, "notification", false, ids);
	render_notifications(pull, out, ids, n);
	render_profile(pull, out, ids_of(pull, "account", false, ids));
	for (const KnPersonalNoun *noun = kn_personal_nouns; noun->name != NULL; noun++)
	{
		/* a deleted row still knows the id of the phone */
		n = ids_of(pull, noun->name, false, ids);
		n += ids_of(pull, noun->name, true, ids + n);
		render_personal(pull, out, ids, n);
	}
}

static int
ids_of(const KnPull *pull, const char *noun, bool removed, pg_uuid_t *ids)
{
	int n = 0;

	for (int i = 0; i < pull->n; i++)
		if (pull->items[i].removed == removed && strcmp(pull->items[i].noun, noun) == 0)
			ids[n++] = pull->items[i].id;
	return n;
}

static void
note_shown(KnPull *pull, const pg_uuid_t *ids, int n)
{
	if (n == 0)
		return;
	pull->shown = pull->shown
					  ? repalloc(pull->shown, sizeof(pg_uuid_t) * (pull->n_shown + n))
					  : palloc(sizeof(pg_uuid_t) * n);
	memcpy(pull->shown + pull->n_shown, ids, sizeof(pg_uuid_t) * n);
	pull->n_shown += n;
}

static void
hand_out(const KnPullOut *out, const char *noun, KnJson *json)
{
	out->record(out->arg, noun, json->text.data, json->text.len);
}

static void
hand_out_note(void *arg, const char *json, int len)
{
	const KnPullOut *out = arg;

	out->record(out->arg, "note", json, len);
}

static void
render_incidents(KnPull *pull, const KnPullOut *out, pg_uuid_t *ids, int n)
{
	const KnCaller *caller = pull->caller;
	KnIncident *incidents;
	KnRelation *relations;
	KnCaseParts *parts;
	pg_uuid_t *shown;
	const pg_uuid_t *team = caller->has_provider ? &caller->provider : NULL;
	int found;

	if (n == 0)
		return;
	found = kn_incident_load_many(caller, ids, n, &incidents, &relations);
	parts = palloc(sizeof(KnCaseParts) * Max(found, 1));
	shown = palloc(sizeof(pg_uuid_t) * Max(found, 1));
	for (int i = 0; i < found; i++)
		shown[i] = incidents[i].id;
	kn_need_load_many(shown, found, parts);
	for (int i = 0; i < found; i++)
	{
		KnJson json;

		/* dispatchers pull lists: no free text, no place */
		if (relations[i] != KN_DISPATCHER)
			kn_incident_unseal(&incidents[i], relations[i], kn_helps_in_person(&parts[i], team));
		kn_json_init(&json);
		kn_render_incident(&json, &incidents[i], relations[i],
						   relations[i] == KN_DISPATCHER ? KN_SHAPE_LIST : KN_SHAPE_DETAIL,
						   &parts[i], team, NULL);
		hand_out(out, "incident", &json);
		note_shown(pull, &shown[i], 1);
	}
	for (int i = 0; i < n; i++)
	{
		bool seen = false;

		for (int j = 0; j < found && !seen; j++)
			seen = kn_uuid_equal(&ids[i], &shown[j]);
		if (!seen && !pull->first)
			remove_incidents(pull, out, &ids[i], 1, "access");
	}
}

/* The row of an accepted assignment tells the status of its case: it comes along. */
static void
add_own_assignments(KnPull *pull)
{
	pg_uuid_t *cases = palloc(sizeof(pg_uuid_t) * Max(pull->n, 1));
	KnArgs args = {0};
	KnRows rows;
	int n = ids_of(pull, "incident", false, cases);

	n += ids_of(pull, "incident", true, cases + n);
	if (n == 0 || !pull->caller->has_provider)
		return;
	kn_arg_uuid(&args, &pull->caller->provider);
	kn_arg_uuid_array(&args, cases, n);
	kn_run(&select_of_cases, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
	{
		pg_uuid_t id;
		bool there = false;

		kn_col_uuid(&rows, row, 1, &id);
		for (int i = 0; i < pull->n && !there; i++)
			there = strcmp(pull->items[i].noun, "assignment") == 0 &&
					kn_uuid_equal(&pull->items[i].id, &id);
		if (!there)
			kn_pull_add(pull, &pull->caller->provider, "assignment", &id, false, NULL);
	}
}

/* To its owner under her own id for it. */
static void
remove_incidents(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n,
				 const char *reason)
{
	const pg_uuid_t *me = &pull->caller->account;
	KnRows rows = kn_incident_spellings(me, ids, n);
	KnSubject subject = {0};

	if (rows.n > 0)
		kn_account_subject(me, &subject);
	for (int i = 0; i < n; i++)
	{
		const char *text = kn_uuid_text(&ids[i]);

		for (uint64 row = 0; row < rows.n; row++)
		{
			pg_uuid_t id;

			kn_col_uuid(&rows, row, 1, &id);
			if (kn_uuid_equal(&id, &ids[i]))
				text = kn_spelling_open(&subject, KN_INCIDENT_SPELLING, &id,
										kn_col_bytea(&rows, row, 2));
		}
		out->removed(out->arg, "incident", text, reason);
	}
	kn_subject_forget(&subject);
}

/* What everybody knows by the same id. */
static void
remove_others(const KnPull *pull, const KnPullOut *out)
{
	for (int i = 0; i < pull->n; i++)
	{
		const KnPullItem *item = &pull->items[i];

		if (item->removed && (strcmp(item->noun, "assignment") == 0 ||
							  strcmp(item->noun, "notification") == 0))
			out->removed(out->arg, item->noun, kn_uuid_text(&item->id), item->reason);
		else if (item->removed && strcmp(item->noun, "note") == 0)
			out->removed(out->arg, item->noun, kn_note_id_for(pull->caller, &item->id),
						 item->reason);
	}
}

static void
render_assignments(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n)
{
	KnAssignment *items;
	int found;

	if (n == 0 || !pull->caller->has_provider)
		return;
	found = kn_assignment_load_many(pull->caller, ids, n, &items);
	for (int i = 0; i < found; i++)
	{
		KnJson json;

		kn_json_init(&json);
		kn_render_assignment_row(&json, &items[i]);
		hand_out(out, "assignment", &json);
		note_shown(pull, &items[i].id, 1);
	}
}

static void
render_notifications(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n)
{
	KnArgs args = {0};
	KnRows rows;

	if (n == 0)
		return;
	kn_arg_uuid(&args, &pull->caller->account);
	kn_arg_uuid_array(&args, ids, n);
	kn_run(&select_notifications, &args);
	rows = kn_rows();
	for (uint64 i = 0; i < rows.n; i++)
	{
		KnJson json;
		pg_uuid_t id;

		kn_col_uuid(&rows, i, 1, &id);
		kn_json_init(&json);
		kn_json_open(&json, '{');
		kn_json_pair_uuid(&json, "id", &id);
		kn_json_pair_text(&json, "class", kn_col_text(&rows, i, 2));
		kn_json_pair_time(&json, "createdAt", kn_col_time(&rows, i, 3));
		kn_json_pair_time(&json, "readAt", kn_col_time(&rows, i, 4));
		kn_json_pair_time(&json, "updatedAt", kn_col_time(&rows, i, 6));
		kn_json_pair_int(&json, "serverVersion", kn_col_bigint(&rows, i, 5, 0));
		kn_json_close(&json, '}');
		hand_out(out, "notification", &json);
	}
}

static void
render_profile(KnPull *pull, const KnPullOut *out, int n)
{
	KnAccount account;
	KnJson json;

	if (n == 0 || !kn_account_find(&pull->caller->account, false, &account))
		return;
	kn_json_init(&json);
	kn_account_json(&json, &account);
	hand_out(out, "account", &json);
}

static void
render_personal(KnPull *pull, const KnPullOut *out, const pg_uuid_t *ids, int n)
{
	KnPersonal *records;
	int found;

	if (n == 0)
		return;
	found = kn_personal_load(&pull->caller->account, ids, n, &records);
	for (int i = 0; i < found; i++)
	{
		KnJson json;

		if (records[i].deleted)
		{
			out->removed(out->arg, records[i].noun->name, records[i].client_id, "deleted");
			continue;
		}
		kn_json_init(&json);
		kn_personal_render(&json, &records[i]);
		hand_out(out, records[i].noun->name, &json);
	}
}
