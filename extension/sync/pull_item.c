/*-------------------------------------------------------------------------
 *
 * pull_item.c
 *	  What a pull will tell: which records, each once and in order.
 *
 * Called by pull.c and by what finds the items: pull_store.c, barred_news.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/mutant.h"
#include "sync/pull.h"

static int compare(const void *a, const void *b);

void
kn_pull_add(KnPull *pull, const pg_uuid_t *bucket, const char *noun, const pg_uuid_t *id,
			bool removed, const char *reason)
{
	KnPullItem *item;

	if (kn_mutant("no_removal") && removed)
		return;
	if (pull->n == pull->max)
	{
		int wanted = Max(64, pull->max * 2);

		pull->items = pull->items ? repalloc(pull->items, sizeof(KnPullItem) * wanted)
								  : palloc(sizeof(KnPullItem) * wanted);
		pull->max = wanted;
	}
	item = &pull->items[pull->n++];
	memset(item, 0, sizeof(*item));
	item->bucket = *bucket;
	item->id = *id;
	/* a need is part of its incident */
	if (strcmp(noun, "need") == 0)
	{
		noun = "incident";
		item->id = *bucket;
		removed = false;
	}
	strlcpy(item->noun, noun, sizeof(item->noun));
	item->removed = removed;
	item->reason = reason;
}

static int
compare(const void *a, const void *b)
{
	const KnPullItem *left = a;
	const KnPullItem *right = b;
	int order = memcmp(&left->bucket, &right->bucket, UUID_LEN);

	if (order == 0)
		order = strcmp(left->noun, right->noun);
	if (order == 0)
		order = memcmp(&left->id, &right->id, UUID_LEN);
	/* a removal has the last word on its record */
	return order != 0 ? order : (int) right->removed - (int) left->removed;
}

void
kn_pull_sort(KnPull *pull)
{
	int kept = 0;

	if (pull->n > 1)
		qsort(pull->items, pull->n, sizeof(KnPullItem), compare);
	for (int i = 0; i < pull->n; i++)
	{
		KnPullItem *last = kept > 0 ? &pull->items[kept - 1] : NULL;

		if (last == NULL || strcmp(last->noun, pull->items[i].noun) != 0 ||
			!kn_uuid_equal(&last->id, &pull->items[i].id))
			pull->items[kept++] = pull->items[i];
	}
	pull->n = kept;
}
