/*-------------------------------------------------------------------------
 *
 * news.c
 *	  What changed since a cursor, as frames for open sockets.
 *
 * Called by feed.c; rows come from news_store.c.  Who is told is decided by
 * membership at the moment of telling, so that nobody hears of a case she may
 * no longer see.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cases/incident.h"
#include "cases/projection.h"
#include "sync/news.h"
#include "sync/news_store.h"

/* Changed records by what becomes of them. */
typedef struct Sorted
{
	KnChangedList assignments;
	KnChangedList incidents;
	KnChangedList notifications;
	KnChangedList sessions;
	KnChangedList accounts;
} Sorted;

/* Relations as news_store.c ranks them: the best one wins. */
enum
{
	RANK_OWNER = 1,
	RANK_HELPER,
	RANK_DISPATCHER
};

static void sort_changes(const KnChangedList *all, Sorted *sorted);
static void add(KnChangedList *list, const pg_uuid_t *id, int64 tick);
static void merge_incidents(KnChangedList *list);
static int compare_ids(const void *a, const void *b);
static void tell_pokes(KnNews *news, const KnCursor *since, const KnChangedList *all);
static void tell_scope(KnNews *news, const KnChangedList *members);
static void tell_assignments(KnNews *news, const KnChangedList *list);
static void tell_incidents(KnNews *news, const KnChangedList *list);
static void tell_notifications(KnNews *news, const KnChangedList *list);

bool
kn_news_collect(KnNews *news, const KnCursor *since, int limit)
{
	KnChangedList all = {0};
	KnChangedList members = {0};
	Sorted sorted = {0};

	if (!kn_news_changes(news, since, limit, &all, &members))
		return false;
	sort_changes(&all, &sorted);
	/* first, so that nobody is told anything after the end */
	if (news->has_expired || (news->only == 0 && sorted.sessions.n + sorted.accounts.n > 0))
		kn_news_end(news, &sorted.sessions, &sorted.accounts);
	if (news->has_pokes)
		tell_pokes(news, since, &all);
	if (news->only_pokes)
		return true;
	kn_news_tell_barred(news, since);
	tell_scope(news, &members);
	tell_assignments(news, &sorted.assignments);
	tell_incidents(news, &sorted.incidents);
	tell_notifications(news, &sorted.notifications);
	return true;
}

/* One frame for all: who hears it may find something when she pulls, and nobody else may. */
static void
tell_pokes(KnNews *news, const KnCursor *since, const KnChangedList *all)
{
	KnRows rows = kn_news_poke_readers(news, since, all);
	ArrayType *ids = kn_news_ids(&rows, 0, 1);

	if (ids != NULL)
		(void) kn_news_frame(news, "sync.poke", since->newest, ids);
}

static void
sort_changes(const KnChangedList *all, Sorted *sorted)
{
	for (int i = 0; i < all->n; i++)
	{
		const char *noun = all->nouns[i];

		if (strcmp(noun, "assignment") == 0)
			add(&sorted->assignments, &all->ids[i], all->ticks[i]);
		else if (strcmp(noun, "incident") == 0 || strcmp(noun, "need") == 0)
			add(&sorted->incidents, &all->buckets[i], all->ticks[i]);
		else if (strcmp(noun, "notification") == 0)
			add(&sorted->notifications, &all->ids[i], all->ticks[i]);
		else if (strcmp(noun, "session") == 0)
			add(&sorted->sessions, &all->ids[i], all->ticks[i]);
		else if (strcmp(noun, "account") == 0)
			add(&sorted->accounts, &all->ids[i], all->ticks[i]);
	}
	merge_incidents(&sorted->incidents);
}

static void
add(KnChangedList *list, const pg_uuid_t *id, int64 tick)
{
	if (list->n == list->max)
	{
		int wanted = Max(16, list->max * 2);

		list->ids = list->ids ? repalloc(list->ids, sizeof(pg_uuid_t) * wanted)
							  : palloc(sizeof(pg_uuid_t) * wanted);
		list->ticks = list->ticks ? repalloc(list->ticks, sizeof(int64) * wanted)
								  : palloc(sizeof(int64) * wanted);
		list->max = wanted;
	}
	list->ids[list->n] = *id;
	list->ticks[list->n++] = tick;
}

typedef struct Changed
{
	pg_uuid_t id;
	int64 tick;
} Changed;

/* One frame for an incident, however many of its parts changed. */
static void
merge_incidents(KnChangedList *list)
{
	Changed *items = palloc(sizeof(Changed) * Max(list->n, 1));
	int kept = 0;

	for (int i = 0; i < list->n; i++)
		items[i] = (Changed){.id = list->ids[i], .tick = list->ticks[i]};
	qsort(items, list->n, sizeof(Changed), compare_ids);
	for (int i = 0; i < list->n; i++)
	{
		if (kept > 0 && kn_uuid_equal(&list->ids[kept - 1], &items[i].id))
			list->ticks[kept - 1] = Max(list->ticks[kept - 1], items[i].tick);
		else
		{
			list->ids[kept] = items[i].id;
			list->ticks[kept++] = items[i].tick;
		}
	}
	list->n = kept;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

static void
tell_scope(KnNews *news, const KnChangedList *members)
{
	KnRows rows = kn_news_scope_readers(news, members);

	for (uint64 i = 0; i < rows.n; i++)
	{
		ArrayType *ids = kn_news_ids(&rows, i, 4);
		KnFrame *frame;
		pg_uuid_t incident;

		if (ids == NULL || !kn_col_uuid(&rows, i, 1, &incident))
			continue;
		frame = kn_news_frame(news, "scope.changed", kn_col_bigint(&rows, i, 3, 0), ids);
		kn_json_pair_uuid(&frame->json, "incidentId", &incident);
		kn_json_pair_text(&frame->json, "access", kn_col_bool(&rows, i, 2) ? "revoked" : "granted");
	}
}

static void
tell_assignments(KnNews *news, const KnChangedList *list)
{
	KnRows rows = kn_news_assignment_readers(news, list);

	for (uint64 i = 0; i < rows.n; i++)
	{
		ArrayType *ids = kn_news_ids(&rows, i, 5);
		KnFrame *frame;
		pg_uuid_t assignment;
		bool is_new;

		if (ids == NULL || !kn_col_uuid(&rows, i, 1, &assignment))
			continue;
		is_new = kn_col_assignment_state(&rows, i, 2) == KN_ASSIGNMENT_PENDING;
		frame = kn_news_frame(news, is_new ? "assignment.new" : "assignment.updated",
							  kn_col_bigint(&rows, i, 4, 0), ids);
		kn_json_key(&frame->json, "assignment");
		kn_render_assignment(&frame->json, &assignment);
		kn_json_pair_text(&frame->json, "urgency", kn_urgency_frame(kn_col_text(&rows, i, 3)));
		kn_json_pair_text(&frame->json, "urgencyLevel", kn_col_text(&rows, i, 3));
	}
}

static void
tell_incidents(KnNews *news, const KnChangedList *list)
{
	static const KnRelation relations[] = {
		[RANK_OWNER] = KN_OWNER, [RANK_HELPER] = KN_HELPER, [RANK_DISPATCHER] = KN_DISPATCHER};
	KnRows rows = kn_news_incident_readers(news, list);

	for (uint64 i = 0; i < rows.n; i++)
	{
		ArrayType *ids = kn_news_ids(&rows, i, 8);
		KnRelation relation = relations[kn_col_int(&rows, i, 7, RANK_DISPATCHER)];
		KnFrame *frame;
		KnIncident incident = {.spelling_sealed = kn_col_bytea(&rows, i, 2)};

		if (ids == NULL || !kn_col_uuid(&rows, i, 1, &incident.id))
			continue;
		kn_col_uuid(&rows, i, 9, &incident.owner);
		frame = kn_news_frame(news, "incident.updated", kn_col_bigint(&rows, i, 6, 0), ids);
		if (relation == KN_OWNER)
			kn_json_pair_text(&frame->json, "incidentId", kn_incident_own_id(&incident));
		else
			kn_json_pair_uuid(&frame->json, "incidentId", &incident.id);
		kn_json_pair_text(&frame->json, "status",
						  kn_case_status_word(kn_col_case_status(&rows, i, 3), relation));
		kn_json_pair_text(&frame->json, "assignedProvider", kn_col_text(&rows, i, 5));
		kn_json_pair_time(&frame->json, "updatedAt", kn_col_time(&rows, i, 4));
	}
}

static void
tell_notifications(KnNews *news, const KnChangedList *list)
{
	KnRows rows = kn_news_notification_readers(news, list);

	for (uint64 i = 0; i < rows.n; i++)
	{
		ArrayType *ids = kn_news_ids(&rows, i, 5);
		KnFrame *frame;
		pg_uuid_t notification;

		if (ids == NULL || !kn_col_uuid(&rows, i, 1, &notification))
			continue;
		frame = kn_news_frame(news, "notification.push", kn_col_bigint(&rows, i, 4, 0), ids);
		kn_json_key(&frame->json, "notification");
		kn_json_open(&frame->json, '{');
		kn_json_pair_uuid(&frame->json, "id", &notification);
		kn_json_pair_text(&frame->json, "class", kn_col_text(&rows, i, 2));
		kn_json_pair_time(&frame->json, "createdAt", kn_col_time(&rows, i, 3));
		kn_json_close(&frame->json, '}');
	}
}
