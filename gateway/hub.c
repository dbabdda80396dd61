/*-------------------------------------------------------------------------
 *
 * hub.c
 *	  Subscriptions by number, and sending one frame to many.
 *
 * ws_command.c and watch.c join and leave, listen.c sends.  A send to thousands is cut in slices,
 * one per turn of the loop, so that requests are served in between; recipients
 * are numbers until the moment of delivery, so one who left meanwhile is simply
 * not found.
 *
 * Positions: who is settled has what happened up to `reached`.  A subscription
 * made while the feed is being read may or may not be part of that read, so it
 * waits for the next one, which begins at its cursor if that is older; what the
 * others have had already does not reach them twice.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub.h"
#include "limits.h"
#include "metrics.h"

#define BUCKETS 16384

typedef struct Parcel
{
	TAILQ_ENTRY(Parcel) link;
	Frame *frame; /* holds */
	int64_t *ids; /* owns */
	size_t count;
	size_t done;
} Parcel;

LIST_HEAD(SubscriberList, Subscriber);

static struct SubscriberList buckets[BUCKETS];
static struct SubscriberList fresh;
static struct SubscriberList behind;
static TAILQ_HEAD(, Parcel) parcels;
static long subscriber_count;
static int64_t reached;
static char gateway_id[64];
static int generation;
static int reads;
static int64_t read_began_ms;
static int64_t read_at_ms; /* when the last whole one began; 0: none yet */
static struct event *next_turn;
static const HubEvents *hub_events;

static Frame *frame_make(const char *text, size_t text_len, size_t len);
static void on_turn(evutil_socket_t fd, short what, void *arg);
static size_t parcel_deliver(Parcel *parcel, size_t most);
static void parcel_free(Parcel *parcel);
static Subscriber *subscriber_find(int64_t id);
static bool is_news(const Subscriber *subscriber, int64_t cursor);
static void standing_set(Subscriber *subscriber, Standing standing);
static size_t bucket_of(int64_t id);
static int64_t now_ms(void);

bool
hub_start(struct event_base *base, const HubEvents *events)
{
	TAILQ_INIT(&parcels);
	hub_events = events;
	next_turn = evtimer_new(base, on_turn, NULL);
	return next_turn != NULL;
}

void
hub_stop(void)
{
	hub_discard();
	event_free(next_turn);
}

void
hub_join(Subscriber *subscriber)
{
	LIST_INSERT_HEAD(&buckets[bucket_of(subscriber->id)], subscriber, link);
	subscriber_count++;
	standing_set(subscriber, STANDING_FRESH);
	if (subscriber->from < reached)
		hub_events->wanted();
}

void
hub_leave(Subscriber *subscriber)
{
	if (subscriber->standing == STANDING_OUT)
		return;
	LIST_REMOVE(subscriber, link);
	subscriber_count--;
	standing_set(subscriber, STANDING_OUT);
}

static void
standing_set(Subscriber *subscriber, Standing standing)
{
	if (subscriber->standing == STANDING_FRESH || subscriber->standing == STANDING_BEHIND)
		LIST_REMOVE(subscriber, standing_link);
	subscriber->standing = standing;
	if (standing == STANDING_FRESH)
		LIST_INSERT_HEAD(&fresh, subscriber, standing_link);
	if (standing == STANDING_BEHIND)
		LIST_INSERT_HEAD(&behind, subscriber, standing_link);
}

long
hub_count(void)
{
	return subscriber_count;
}

Frame *
frame_new(const char *text, size_t len)
{
	return frame_make(text, len, len);
}

Frame *
frame_chained(const char *text, size_t len, int64_t cursor, int64_t told)
{
	static const char name[] = ",\"prev\":";
	bool is_chained = told > 0 && len > 2 && text[len - 1] == '}';
	size_t kept = is_chained ? len - 1 : len;
	size_t extra = is_chained ? sizeof(name) - 1 : 0;
	Frame *frame = frame_make(text, kept, kept + extra + (is_chained ? FRAME_TAIL : 0));

	if (frame == NULL)
		return NULL;
	memcpy(frame->bytes + frame->len, name, extra);
	frame->len += extra;
	frame->cursor = cursor;
	frame->told = told;
	frame->is_chained = is_chained;
	return frame;
}

void
frame_tail(int64_t prev, char tail[FRAME_TAIL])
{
	int at = FRAME_TAIL - 1;

	tail[at] = '}';
	do
		tail[--at] = (char) ('0' + prev % 10);
	while ((prev /= 10) > 0);
	memset(tail, ' ', (size_t) at);
}

/* A server's text frame: not masked, whole.  len of the text are there, payload follow in all. */
static Frame *
frame_make(const char *text, size_t text_len, size_t len)
{
	Frame *frame = malloc(sizeof(Frame) + 10 + len);
	size_t at = 2;

	if (frame == NULL)
		return NULL;
	memset(frame, 0, sizeof(*frame));
	frame->count = 1;
	frame->bytes[0] = (char) 0x81;
	if (len < 126)
		frame->bytes[1] = (char) len;
	else if (len < 65536)
	{
		frame->bytes[1] = 126;
		frame->bytes[at++] = (char) (len >> 8);
		frame->bytes[at++] = (char) len;
	}
	else
	{
		frame->bytes[1] = 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			frame->bytes[at++] = (char) ((uint64_t) len >> shift);
	}
	memcpy(frame->bytes + at, text, text_len);
	frame->len = at + text_len;
	return frame;
}

void
frame_release(Frame *frame)
{
	if (--frame->count == 0)
		free(frame);
}

bool
hub_send(Frame *frame, int64_t *ids, size_t count)
{
	const struct timeval now = {0};
	Parcel *parcel = calloc(1, sizeof(*parcel));

	if (parcel == NULL)
	{
		frame_release(frame);
		free(ids);
		return false;
	}
	parcel->frame = frame;
	parcel->ids = ids;
	parcel->count = count;
	TAILQ_INSERT_TAIL(&parcels, parcel, link);
	if (!evtimer_pending(next_turn, NULL))
		evtimer_add(next_turn, &now);
	return true;
}

bool
hub_is_busy(void)
{
	return !TAILQ_EMPTY(&parcels);
}

void
hub_flush(void)
{
	Parcel *parcel;

	while ((parcel = TAILQ_FIRST(&parcels)) != NULL)
	{
		parcel_deliver(parcel, parcel->count);
		parcel_free(parcel);
	}
}

void
hub_discard(void)
{
	while (!TAILQ_EMPTY(&parcels))
		parcel_free(TAILQ_FIRST(&parcels));
}

/* A timer and not an active event: input and output of others come first. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval now = {0};
	size_t left = LIMIT_FAN_OUT_SLICE;
	Parcel *parcel;

	(void) fd;
	(void) what;
	(void) arg;
	while (left > 0 && (parcel = TAILQ_FIRST(&parcels)) != NULL)
	{
		left -= parcel_deliver(parcel, left);
		if (parcel->done == parcel->count)
			parcel_free(parcel);
	}
	if (hub_is_busy())
		evtimer_add(next_turn, &now);
	else
		hub_events->drained();
}

/* Returns how much of the slice is used up; an empty parcel costs one, too. */
static size_t
parcel_deliver(Parcel *parcel, size_t most)
{
	size_t begin = parcel->done;

	while (parcel->done < parcel->count && parcel->done - begin < most)
	{
		Subscriber *subscriber = subscriber_find(parcel->ids[parcel->done++]);

		if (subscriber == NULL || (!parcel->frame->ends_session &&
								   !is_news(subscriber, parcel->frame->cursor)))
			continue;
		metrics_add(METRIC_FRAMES_OUT, 1);
		subscriber->deliver(subscriber, parcel->frame);
	}
	return parcel->done > begin ? parcel->done - begin : 1;
}

static bool
is_news(const Subscriber *subscriber, int64_t cursor)
{
	if (subscriber->standing == STANDING_FRESH || cursor <= subscriber->from)
		return false;
	return subscriber->standing == STANDING_BEHIND || cursor > reached;
}

static void
parcel_free(Parcel *parcel)
{
	TAILQ_REMOVE(&parcels, parcel, link);
	frame_release(parcel->frame);
	free(parcel->ids);
	free(parcel);
}

static Subscriber *
subscriber_find(int64_t id)
{
	Subscriber *subscriber;

	LIST_FOREACH(subscriber, &buckets[bucket_of(id)], link)
	{
		if (subscriber->id == id)
			return subscriber;
	}
	return NULL;
}

static size_t
bucket_of(int64_t id)
{
	return (size_t) ((uint64_t) id * 0x9e3779b97f4a7c15u >> 50) % BUCKETS;
}

int64_t
hub_read_begins(void)
{
	int64_t position = reached;

	reads++;
	read_began_ms = now_ms();

	while (!LIST_EMPTY(&fresh))
	{
		Subscriber *subscriber = LIST_FIRST(&fresh);

		if (subscriber->from < position)
			position = subscriber->from;
		standing_set(subscriber, STANDING_BEHIND);
	}
	return position;
}

void
hub_read_ends(int64_t cursor)
{
	Subscriber *subscriber;

	if (cursor > reached)
		reached = cursor;
	read_at_ms = read_began_ms;
	while ((subscriber = LIST_FIRST(&behind)) != NULL)
		standing_set(subscriber, STANDING_SETTLED);
	LIST_FOREACH(subscriber, &fresh, standing_link)
	{
		if (subscriber->from < reached)
		{
			hub_events->wanted();
			return;
		}
	}
}

void
hub_read_failed(void)
{
	while (!LIST_EMPTY(&behind))
		standing_set(LIST_FIRST(&behind), STANDING_FRESH);
}

int64_t
hub_position(const Subscriber *subscriber)
{
	bool has_all = subscriber->standing == STANDING_SETTLED && subscriber->from < reached;

	return has_all ? reached : subscriber->from;
}

void
hub_restart(const char *gateway, int64_t cursor)
{
	Subscriber *subscriber;

	hub_discard();
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH(subscriber, &buckets[i], link)
		{
			subscriber->from = hub_position(subscriber);
		}
	reached = cursor;
	read_at_ms = 0;
	generation++;
	snprintf(gateway_id, sizeof(gateway_id), "%s", gateway);
	for (size_t i = 0; i < BUCKETS; i++)
		while ((subscriber = LIST_FIRST(&buckets[i])) != NULL)
		{
			hub_leave(subscriber);
			subscriber->left(subscriber);
		}
}

void
hub_resume(const char *gateway)
{
	snprintf(gateway_id, sizeof(gateway_id), "%s", gateway);
}

void
hub_feed_is_down(void)
{
	gateway_id[0] = '\0';
	read_at_ms = 0;
}

const char *
hub_gateway(void)
{
	return gateway_id[0] != '\0' ? gateway_id : NULL;
}

int
hub_generation(void)
{
	return generation;
}

void
hub_distrust(void)
{
	hub_events->distrusted();
}

bool
hub_is_fresh(void)
{
	return hub_gateway() != NULL && read_at_ms > 0 && !hub_is_busy() &&
		   now_ms() - read_at_ms <= LIMIT_FEED_FRESH_MS;
}

int
hub_reads(void)
{
	return reads;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
