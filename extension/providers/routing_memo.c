/*-------------------------------------------------------------------------
 *
 * routing_memo.c
 *	  Rankings that one statement has made, so that it makes none twice.
 *
 * Called by escalation.c.  What a phone sends after days without a network comes
 * from few places, and a ranking is a pure reading: the same question under the
 * same snapshot, at the same time, has the same answer.  Who may not be asked is
 * part of the question.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "providers/routing_memo.h"

typedef struct Ranked
{
	KnRouteNeed need;
	int k;
	TimestampTz at;
	KnRoute route;
} Ranked;

static bool is_same(const KnRouteNeed *a, const KnRouteNeed *b);

const KnRoute *
kn_route_once(KnRouteMemo *memo, const KnRouteNeed *need, int k, TimestampTz now)
{
	ListCell *cell;
	Ranked *ranked;

	foreach(cell, memo->known)
	{
		ranked = lfirst(cell);
		if (ranked->k == k && ranked->at == now && is_same(&ranked->need, need))
			return &ranked->route;
	}
	if (list_length(memo->known) == KN_ROUTE_MEMO_MAX)
	{
		pfree(linitial(memo->known));
		memo->known = list_delete_first(memo->known);
	}
	ranked = palloc(sizeof(Ranked));
	ranked->need = *need;
	ranked->k = k;
	ranked->at = now;
	kn_route(need, k, now, &ranked->route);
	memo->known = lappend(memo->known, ranked);
	return &ranked->route;
}

static bool
is_same(const KnRouteNeed *a, const KnRouteNeed *b)
{
	return a->has_place == b->has_place && a->latitude == b->latitude &&
		   a->longitude == b->longitude && a->urgency == b->urgency && a->types == b->types &&
		   a->radius_factor == b->radius_factor && a->required_gender == b->required_gender &&
		   a->preferred_gender == b->preferred_gender && a->required_langs == b->required_langs &&
		   a->preferred_langs == b->preferred_langs && a->required_skills == b->required_skills &&
		   a->n_excluded == b->n_excluded && strcmp(a->service, b->service) == 0 &&
		   memcmp(a->excluded, b->excluded, sizeof(pg_uuid_t) * a->n_excluded) == 0;
}
