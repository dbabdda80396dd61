/*-------------------------------------------------------------------------
 *
 * sync_doors.c
 *	  Pulling: what changed, for JSON clients and for WatermelonDB.
 *
 * Called from SQL (doors sync_updates, sync_pull).  One snapshot answers the
 * whole pull.  The cursor in the answer is the newest tick that snapshot sees,
 * never the snapshot itself: what is sent twice has the same version and
 * changes nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "base/errcodes.h"
#include "base/mutant.h"
#include "sync/pull.h"
#include "sync/wire.h"

#define PAGE_ROWS 2000
#define POLL_MS 30000
#define POLL_JITTER_MS 6000 /* phones that were cut off together do not come back together */

/* The answer by noun while it is collected. */
typedef struct Gathered
{
	KnJson nouns[KN_WIRE_NOUNS];
	KnJson removed;
	int count;
	bool flat;
	bool hard; /* removals as WatermelonDB's deleted */
	KnJson deleted[KN_WIRE_NOUNS];
} Gathered;

static void begin(Gathered *gathered, bool flat, bool hard);
static void gather_record(void *arg, const char *noun, const char *json, int len);
static void gather_removed(void *arg, const char *noun, const char *id, const char *reason);
static void write_head(KnCall *call, const KnPull *pull, const Gathered *gathered);
static void write_tail(KnCall *call, const KnPull *pull);
static void pull_all(KnCall *call, KnPull *pull, Gathered *gathered);
static void write_changes(KnJson *json, Gathered *gathered);
static int poll_ms(const KnCaller *caller);

/*
 * GET /incidents/updates ?since &pageToken -> records by noun, removed, cursor, hasMore, pageToken
 */
static void
sync_updates(KnCall *call)
{
	KnPull pull = {.limit = PAGE_ROWS};
	Gathered gathered;

	begin(&gathered, false, false);
	kn_pull_since(&pull, call, kn_query_text(call->query, "since"));
	pull_all(call, &pull, &gathered);
	write_head(call, &pull, &gathered);
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
	{
		kn_json_close(&gathered.nouns[i], ']');
		kn_json_key(&call->json, kn_wire_nouns[i].plural);
		kn_json_raw(&call->json, gathered.nouns[i].text.data, gathered.nouns[i].text.len);
	}
	kn_json_close(&gathered.removed, ']');
	kn_json_key(&call->json, "removed");
	kn_json_raw(&call->json, gathered.removed.text.data, gathered.removed.text.len);
	write_tail(call, &pull);
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_updates, sync_updates, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /incidents/updates: what changed for the caller. Query: since, pageToken.");

/*
 * GET /sync/pull ?last_pulled_at &schema_version &migration &tombstones &pageToken
 *	  -> {"changes":{table:{"created","updated","deleted"}},"timestamp",...}
 *	  tombstones=hard sends removals as deleted, which costs edits that were not pushed yet.
 */
static void
sync_pull(KnCall *call)
{
	KnPull pull = {.limit = PAGE_ROWS};
	Gathered gathered;
	char *tombstones = kn_query_text(call->query, "tombstones");
	char *migration = kn_query_text(call->query, "migration");

	begin(&gathered, true, tombstones && strcmp(tombstones, "hard") == 0);
	/* new tables or columns on the phone: it is sent everything, which costs it nothing twice */
	if (migration && *migration && strcmp(migration, "null") != 0 &&
		strcmp(migration, "undefined") != 0)
		kn_pull_since(&pull, call, NULL);
	else
		kn_pull_since(&pull, call, kn_query_text(call->query, "last_pulled_at"));
	pull_all(call, &pull, &gathered);
	write_head(call, &pull, &gathered);
	kn_json_key(&call->json, "changes");
	write_changes(&call->json, &gathered);
	kn_json_pair_int(&call->json, "timestamp", kn_cursor_mark(&call->caller->account, pull.cursor));
	/* a phone that cannot go on from its cursor replaces what it has, after pushing it */
	if (pull.resync && !pull.more && !pull.has_page)
		kn_json_pair_text(&call->json, "experimentalStrategy", "replacement");
	write_tail(call, &pull);
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_pull, sync_pull, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /sync/pull: the same for WatermelonDB. Query: last_pulled_at, schema_version, "
		"migration, tombstones, pageToken.");

static void
begin(Gathered *gathered, bool flat, bool hard)
{
	gathered->count = 0;
	gathered->flat = flat;
	gathered->hard = hard || kn_mutant("hard_removal");
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
	{
		kn_json_init(&gathered->nouns[i]);
		kn_json_open(&gathered->nouns[i], '[');
		kn_json_init(&gathered->deleted[i]);
		kn_json_open(&gathered->deleted[i], '[');
	}
	kn_json_init(&gathered->removed);
	kn_json_open(&gathered->removed, '[');
}

static void
pull_all(KnCall *call, KnPull *pull, Gathered *gathered)
{
	KnPullOut out = {.record = gather_record, .removed = gather_removed, .arg = gathered};
	char *page = kn_query_text(call->query, "pageToken");

	call->noun = "sync";
	/* her own records are hers to read; staff leave a trace when there was something to read */
	if (page != NULL && *page != '\0')
	{
		pull->has_page = true;
		pull->page = kn_pull_page_parse(page);
	}
	kn_pull_collect(pull);
	kn_pull_render(pull, &out);
	call->unaudited = call->caller->role == KN_ROLE_SURVIVOR || pull->n == 0;
	if (!call->unaudited)
		kn_call_shown(call, pull->shown, pull->n_shown);
	/* a replica serves pulls and writes nothing */
	if (call->device != NULL && !pull->first && pull->since.known && !RecoveryInProgress())
		kn_pull_note_acked(call->caller, call->device, pull->since_tick);
}

static void
gather_record(void *arg, const char *noun, const char *json, int len)
{
	Gathered *gathered = arg;
	const KnWireNoun *wire = kn_wire_by_noun(noun);
	KnJson *list = &gathered->nouns[wire - kn_wire_nouns];

	gathered->count++;
	if (gathered->flat)
	{
		KnJson flat;

		kn_json_init(&flat);
		kn_wire_flatten(&flat, json, len);
		kn_json_raw(list, flat.text.data, flat.text.len);
		pfree(flat.text.data);
	}
	else
		kn_json_raw(list, json, len);
}

static void
gather_removed(void *arg, const char *noun, const char *id, const char *reason)
{
	Gathered *gathered = arg;
	const KnWireNoun *wire = kn_wire_by_noun(noun);

	gathered->count++;
	kn_json_open(&gathered->removed, '{');
	kn_json_pair_text(&gathered->removed, "noun", noun);
	kn_json_pair_text(&gathered->removed, "id", id);
	kn_json_pair_text(&gathered->removed, "reason", reason);
	kn_json_close(&gathered->removed, '}');
	if (!gathered->flat)
		return;
	if (gathered->hard)
		kn_json_text(&gathered->deleted[wire - kn_wire_nouns], id);
	else
		kn_wire_blank(&gathered->nouns[wire - kn_wire_nouns], id);
}

/* Everything is an update: created would bring back what the phone deleted. */
static void
write_changes(KnJson *json, Gathered *gathered)
{
	kn_json_open(json, '{');
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
	{
		kn_json_close(&gathered->nouns[i], ']');
		kn_json_close(&gathered->deleted[i], ']');
		kn_json_key(json, kn_wire_nouns[i].table);
		kn_json_open(json, '{');
		kn_json_key(json, "created");
		kn_json_raw(json, "[]", 2);
		kn_json_key(json, "updated");
		kn_json_raw(json, gathered->nouns[i].text.data, gathered->nouns[i].text.len);
		kn_json_key(json, "deleted");
		kn_json_raw(json, gathered->deleted[i].text.data, gathered->deleted[i].text.len);
		kn_json_close(json, '}');
	}
	kn_json_close(json, '}');
}

/* These two come first: whoever carries the answer may want to know and reads no further. */
static void
write_head(KnCall *call, const KnPull *pull, const Gathered *gathered)
{
	bool has_all = gathered->count == 0 && !pull->first && !pull->has_page && !pull->more;

	kn_json_open(&call->json, '{');
	kn_json_pair_bool(&call->json, "empty", has_all);
	kn_json_pair_int(&call->json, "cursor", kn_cursor_mark(&call->caller->account, pull->cursor));
}

static void
write_tail(KnCall *call, const KnPull *pull)
{
	kn_json_pair_bool(&call->json, "resync", pull->resync);
	kn_json_pair_bool(&call->json, "hasMore", pull->more);
	kn_json_pair_text(&call->json, "pageToken", kn_pull_page_text(pull));
	kn_json_pair_int(&call->json, "pollAfterMs", poll_ms(call->caller));
}

static int
poll_ms(const KnCaller *caller)
{
	return POLL_MS - POLL_JITTER_MS + caller->session.data[0] * 2 * POLL_JITTER_MS / 255;
}
