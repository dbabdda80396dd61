/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  Subscriptions of tokens that pull, and their empty answers.
 *
 * poll.c asks.  A watch is a subscriber like a socket, of the kind that is told
 * that there is news and never what.  An empty answer is remembered only if the
 * subscription covers all since the snapshot it came from: it is asked for with
 * the cursor of that very answer, and an answer during whose making news was
 * heard is not kept.  Whatever makes the feed doubtful ends the watch, and with
 * it everything that was remembered.
 *
 * A writer sees its own writes: any other request of the same token makes its
 * watch forget, before it is sent and when it is answered.  Of the writes of
 * others a pull hears from the database or, a tick later, from the feed.
 *
 *-------------------------------------------------------------------------
 */
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub.h"
#include "jansson_prelude.h"
#include "limits.h"
#include "log.h"
#include "metrics.h"
#include "subscription.h"
#include "watch.h"

#define BUCKETS 4096
#define EMPTY_HEAD "{\"empty\":true,\"cursor\":"
#define TIME_NAME "\"serverTime\":\""

typedef enum WatchState
{
	WATCH_SEEN, /* had one empty answer: most come never again */
	WATCH_JOINING,
	WATCH_ON
} WatchState;

typedef struct Kept
{
	int64_t until_ms; /* 0: nothing */
	size_t len;
	char *key;  /* owns, with the text behind it */
	char *text; /* borrows from the key */
} Kept;

TAILQ_HEAD(WaiterList, Waiter);

struct Watch
{
	Subscriber subscriber;
	LIST_ENTRY(Watch) bucket_link;
	TAILQ_ENTRY(Watch) link; /* the one used last comes last */
	struct WaiterList waiters;
	WatchState state;
	unsigned news;
	int generation; /* of the feed when it began to join */
	int64_t used_ms;
	int64_t joined_ms;
	int64_t ends_ms;
	Request *request; /* borrows until replied */
	Kept kept[LIMIT_WATCH_ANSWERS];
	int next_kept;
	size_t token_len;
	char token[]; /* ends with a NUL */
};

TAILQ_HEAD(WatchList, Watch);

static LIST_HEAD(, Watch) buckets[BUCKETS];
static struct WatchList watches;
static long watch_count;
static unsigned last_news;
static uint64_t seed;
static struct event *second_timer;
static void (*wake_callback)(Waiter *waiter);

static Watch *watch_new(const char *token, size_t len);
static bool room_make(void);
static bool watch_join(Watch *watch, const RequestInput *pull, const char *cursor);
static void join_reply(void *owner, const Reply *reply);
static bool watch_joined(Watch *watch, json_t *body);
static void watch_deliver(Subscriber *subscriber, Frame *frame);
static void watch_left(Subscriber *subscriber);
static void watch_hears(Watch *watch);
static void watch_forget(Watch *watch);
static void watch_wake(Watch *watch);
static void watch_end(Watch *watch);
static void watch_touch(Watch *watch);
static void kept_put(Watch *watch, const char *key, const char *body, size_t len);
static uint64_t bucket_of(const char *token, size_t len);
static void on_second(evutil_socket_t fd, short what, void *arg);
static int64_t now_ms(void);

bool
watch_start(struct event_base *base, void (*wake)(Waiter *waiter))
{
	const struct timeval second = {.tv_sec = 1};

	TAILQ_INIT(&watches);
	wake_callback = wake;
	evutil_secure_rng_get_bytes(&seed, sizeof(seed));
	second_timer = event_new(base, -1, EV_PERSIST, on_second, NULL);
	return second_timer != NULL && evtimer_add(second_timer, &second) == 0;
}

void
watch_stop(void)
{
	while (!TAILQ_EMPTY(&watches))
		watch_end(TAILQ_FIRST(&watches));
	event_free(second_timer);
}

Watch *
watch_find(const char *token, size_t len)
{
	Watch *watch;

	LIST_FOREACH(watch, &buckets[bucket_of(token, len)], bucket_link)
	{
		if (watch->token_len == len && memcmp(watch->token, token, len) == 0)
			return watch;
	}
	return NULL;
}

unsigned
watch_news(const Watch *watch)
{
	return watch != NULL ? watch->news : 0;
}

bool
watch_recall(Watch *watch, const char *key, WatchAnswer *answer)
{
	int64_t now = now_ms();

	if (watch == NULL || watch->state != WATCH_ON || now >= watch->ends_ms || !hub_is_fresh())
		return false;
	for (int i = 0; i < LIMIT_WATCH_ANSWERS; i++)
	{
		Kept *kept = &watch->kept[i];

		if (kept->until_ms <= now || strcmp(kept->key, key) != 0)
			continue;
		*answer = (WatchAnswer){kept->text, kept->len};
		watch_touch(watch);
		return true;
	}
	return false;
}

Watch *
watch_remember(const RequestInput *pull, const char *key, const char *body, size_t len,
			   unsigned news, bool is_eager)
{
	Watch *watch = watch_find(pull->token, pull->token_len);
	bool is_first = watch == NULL;

	if (hub_gateway() == NULL || watch_news(watch) != news)
		return NULL;
	if (is_first)
		watch = watch_new(pull->token, pull->token_len);
	if (watch == NULL)
		return NULL;
	watch_touch(watch);
	if (watch->state == WATCH_SEEN && ((is_first && !is_eager) ||
									   !watch_join(watch, pull, body + strlen(EMPTY_HEAD))))
		return NULL;
	kept_put(watch, key, body, len);
	return watch;
}

bool
watch_is_empty(const char *body, size_t len)
{
	return len > strlen(EMPTY_HEAD) && memcmp(body, EMPTY_HEAD, strlen(EMPTY_HEAD)) == 0;
}

size_t
watch_untimed(const char *body)
{
	const char *time = strstr(body, TIME_NAME);

	return time != NULL ? (size_t) (time - body) + strlen(TIME_NAME) : 0;
}

static Watch *
watch_new(const char *token, size_t len)
{
	Watch *watch = room_make() ? calloc(1, sizeof(*watch) + len + 1) : NULL;

	if (watch == NULL)
		return NULL;
	TAILQ_INIT(&watch->waiters);
	watch->subscriber.deliver = watch_deliver;
	watch->subscriber.left = watch_left;
	watch->news = ++last_news;
	watch->token_len = len;
	memcpy(watch->token, token, len);
	LIST_INSERT_HEAD(&buckets[bucket_of(token, len)], watch, bucket_link);
	TAILQ_INSERT_TAIL(&watches, watch, link);
	metrics_set(METRIC_PULLS_WATCHED, ++watch_count);
	return watch;
}

/* In place of the one that was used least lately, unless somebody waits on it. */
static bool
room_make(void)
{
	Watch *oldest = TAILQ_FIRST(&watches);

	if (watch_count < LIMIT_WATCHES)
		return true;
	if (!TAILQ_EMPTY(&oldest->waiters))
		return false;
	watch_end(oldest);
	return true;
}

/*
 * Answers under way were made before the cursor that is joined with, so they
 * get another number.  cursor begins with digits.
 */
static bool
watch_join(Watch *watch, const RequestInput *pull, const char *cursor)
{
	char digits[24] = "";
	Body *body;
	RequestInput input = {
		.door = "feed_join",
		.lane = LANE_NORMAL,
		.token = watch->token,
		.token_len = watch->token_len,
		.context = pull->context,
		.reply = join_reply,
		.owner = watch,
	};

	strncat(digits, cursor, strspn(cursor, "0123456789") < 20 ? strspn(cursor, "0123456789") : 0);
	body = *digits != '\0' ? subscription_body(digits, true) : NULL;
	if (body == NULL)
		return false;
	watch->generation = hub_generation();
	watch->request = request_start(&input, body);
	if (watch->request == NULL)
		return false;
	watch->state = WATCH_JOINING;
	watch->news = ++last_news;
	return true;
}

static void
join_reply(void *owner, const Reply *reply)
{
	Watch *watch = owner;
	json_t *body = reply->status == 200 ? json_loadb(reply->body, reply->body_len, 0, NULL) : NULL;
	bool has_news = !json_is_true(json_object_get(body, "resumed")) ||
					json_array_size(json_object_get(body, "frames")) > 0;

	watch->request = NULL;
	if (reply->status == 404)
		hub_distrust();
	if (!watch_joined(watch, body))
		watch_end(watch);
	else if (has_news)
		watch_hears(watch);
	json_decref(body);
}

static bool
watch_joined(Watch *watch, json_t *body)
{
	json_t *id = json_object_get(body, "subscription");
	json_t *cursor = json_object_get(body, "cursor");
	json_t *lasts = json_object_get(body, "expiresIn");

	if (!json_is_integer(id) || !json_is_integer(cursor) || watch->generation != hub_generation() ||
		hub_gateway() == NULL)
		return false;
	watch->joined_ms = now_ms();
	watch->ends_ms = watch->joined_ms + json_integer_value(lasts) * 1000 - LIMIT_FEED_GRACE_MS;
	watch->subscriber.id = json_integer_value(id);
	watch->subscriber.from = json_integer_value(cursor);
	watch->state = WATCH_ON;
	hub_join(&watch->subscriber);
	return true;
}

static void
watch_deliver(Subscriber *subscriber, Frame *frame)
{
	Watch *watch = (Watch *) subscriber;

	if (frame->ends_session)
		watch_end(watch);
	else
		watch_hears(watch);
}

static void
watch_left(Subscriber *subscriber)
{
	watch_end((Watch *) subscriber);
}

static void
watch_hears(Watch *watch)
{
	watch_forget(watch);
	watch_wake(watch);
}

static void
watch_forget(Watch *watch)
{
	watch->news = ++last_news;
	for (int i = 0; i < LIMIT_WATCH_ANSWERS; i++)
	{
		free(watch->kept[i].key);
		watch->kept[i] = (Kept){0};
	}
}

static void
watch_wake(Watch *watch)
{
	Waiter *waiter;

	while ((waiter = TAILQ_FIRST(&watch->waiters)) != NULL)
	{
		watch_unwait(waiter);
		wake_callback(waiter);
	}
}

static void
watch_end(Watch *watch)
{
	if (watch->request != NULL)
		request_abandon(watch->request);
	subscription_leave(&watch->subscriber);
	watch_forget(watch);
	LIST_REMOVE(watch, bucket_link);
	TAILQ_REMOVE(&watches, watch, link);
	metrics_set(METRIC_PULLS_WATCHED, --watch_count);
	watch_wake(watch);
	free(watch);
}

static void
watch_touch(Watch *watch)
{
	watch->used_ms = now_ms();
	TAILQ_REMOVE(&watches, watch, link);
	TAILQ_INSERT_TAIL(&watches, watch, link);
}

/* In place of the same pull's older answer, else of the oldest. */
static void
kept_put(Watch *watch, const char *key, const char *body, size_t len)
{
	size_t untimed = watch_untimed(body);
	size_t key_len = strlen(key);
	int at = watch->next_kept;
	Kept *kept;

	if (untimed == 0 || len > LIMIT_ANSWER_BYTES || key_len > LIMIT_ANSWER_KEY)
		return;
	for (int i = 0; i < LIMIT_WATCH_ANSWERS; i++)
		if (watch->kept[i].key != NULL && strcmp(watch->kept[i].key, key) == 0)
			at = i;
	if (at == watch->next_kept)
		watch->next_kept = (at + 1) % LIMIT_WATCH_ANSWERS;
	kept = &watch->kept[at];
	free(kept->key);
	*kept = (Kept){.len = untimed};
	kept->key = malloc(key_len + 1 + kept->len);
	if (kept->key == NULL)
		return;
	kept->text = kept->key + key_len + 1;
	kept->until_ms = now_ms() + LIMIT_ANSWER_MS;
	memcpy(kept->key, key, key_len + 1);
	memcpy(kept->text, body, kept->len);
}

void
watch_wait(Watch *watch, Waiter *waiter)
{
	waiter->watch = watch;
	TAILQ_INSERT_TAIL(&watch->waiters, waiter, link);
}

void
watch_unwait(Waiter *waiter)
{
	if (waiter->watch == NULL)
		return;
	TAILQ_REMOVE(&waiter->watch->waiters, waiter, link);
	waiter->watch = NULL;
}

void
watch_distrust(const char *token, size_t len)
{
	Watch *watch = watch_count > 0 ? watch_find(token, len) : NULL;

	if (watch != NULL)
		watch_forget(watch);
}

static uint64_t
bucket_of(const char *token, size_t len)
{
	uint64_t hash = seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) token[i]) * 0x100000001b3u;
	return (hash ^ hash >> 29) % BUCKETS;
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = now_ms();
	Watch *next;

	(void) fd;
	(void) what;
	(void) arg;
	for (Watch *watch = TAILQ_FIRST(&watches); watch != NULL; watch = next)
	{
		bool is_old = watch->state == WATCH_ON &&
					  (watch->joined_ms + LIMIT_WATCH_AGE_MS <= now || watch->ends_ms <= now);

		next = TAILQ_NEXT(watch, link);
		if (TAILQ_EMPTY(&watch->waiters) && watch->request == NULL &&
			(is_old || watch->used_ms + LIMIT_WATCH_IDLE_MS <= now))
			watch_end(watch);
	}
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
