/*-------------------------------------------------------------------------
 *
 * news_frame.c
 *	  Frames in the order of ticks, each with the right cursor.
 *
 * Called by news.c, which makes them, and by feed.c, which hands them out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/hsearch.h"

#include "sync/news.h"

/* What a subscription still gets after the frame at hand. */
typedef struct Later
{
	int64 id;
	int64 tick;
} Later;

typedef struct Split
{
	int n_last;
	int64 *last; /* nothing of this tick follows */
	int n_more;
	int64 *more;
} Split;

static int compare(const void *a, const void *b);
static void split(const KnFrame *frame, HTAB *later, Split *out);
static void hand_out(const KnFrame *frame, int64 cursor, const int64 *ids, int n, KnFrameOut out,
					 void *arg);

KnFrame *
kn_news_frame(KnNews *news, const char *type, int64 tick, ArrayType *ids)
{
	KnFrame *frame;

	if (news->n == news->max)
	{
		news->max = Max(16, news->max * 2);
		news->frames = news->frames ? repalloc(news->frames, sizeof(KnFrame) * news->max)
									: palloc(sizeof(KnFrame) * news->max);
	}
	frame = &news->frames[news->n];
	frame->tick = tick;
	frame->sequence = news->n++;
	frame->n = ArrayGetNItems(ARR_NDIM(ids), ARR_DIMS(ids));
	frame->ids = (int64 *) ARR_DATA_PTR(ids);
	kn_json_init(&frame->json);
	kn_json_open(&frame->json, '{');
	kn_json_pair_text(&frame->json, "type", type);
	return frame;
}

void
kn_news_deliver(KnNews *news, KnFrameOut out, void *arg)
{
	HASHCTL control = {.keysize = sizeof(int64), .entrysize = sizeof(Later)};
	Split *splits = palloc0(sizeof(Split) * Max(news->n, 1));
	int64 before = news->after;
	HTAB *later;

	qsort(news->frames, news->n, sizeof(KnFrame), compare);
	if (news->n > 1)
	{
		control.hcxt = CurrentMemoryContext;
		later = hash_create("frames to come", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		for (int i = news->n - 1; i >= 0; i--)
			split(&news->frames[i], later, &splits[i]);
	}
	else if (news->n == 1)
		splits[0] = (Split){.last = news->frames[0].ids, .n_last = news->frames[0].n};
	for (int i = 0; i < news->n; i++)
	{
		const KnFrame *frame = &news->frames[i];

		if (i > 0 && news->frames[i - 1].tick < frame->tick)
			before = news->frames[i - 1].tick;
		hand_out(frame, before, splits[i].more, splits[i].n_more, out, arg);
		hand_out(frame, frame->tick, splits[i].last, splits[i].n_last, out, arg);
	}
}

static int
compare(const void *a, const void *b)
{
	const KnFrame *left = a;
	const KnFrame *right = b;

	if (left->tick != right->tick)
		return left->tick < right->tick ? -1 : 1;
	return left->sequence - right->sequence;
}

static void
split(const KnFrame *frame, HTAB *later, Split *out)
{
	out->last = palloc(sizeof(int64) * Max(frame->n, 1));
	out->more = palloc(sizeof(int64) * Max(frame->n, 1));
	for (int i = 0; i < frame->n; i++)
	{
		bool found;
		Later *next = hash_search(later, &frame->ids[i], HASH_ENTER, &found);

		if (found && next->tick == frame->tick)
			out->more[out->n_more++] = frame->ids[i];
		else
			out->last[out->n_last++] = frame->ids[i];
		next->tick = frame->tick;
	}
}

static void
hand_out(const KnFrame *frame, int64 cursor, const int64 *ids, int n, KnFrameOut out, void *arg)
{
	StringInfoData text;

	if (n == 0)
		return;
	initStringInfo(&text);
	appendBinaryStringInfo(&text, frame->json.text.data, frame->json.text.len);
	appendStringInfo(&text, ",\"cursor\":" INT64_FORMAT "}", cursor);
	out(arg, frame->tick, text.data, ids, n);
	pfree(text.data);
}
