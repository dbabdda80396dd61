/*-------------------------------------------------------------------------
 *
 * subscription.c
 *	  Joins and leaves, as the database is told of them.
 *
 * ws_command.c and watch.c own subscribers.  What is given up is told in one
 * call for many, a second later at most; should that fail, the database forgets
 * the subscriptions together with the gateway.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "json_text.h"
#include "limits.h"
#include "log.h"
#include "request.h"
#include "subscription.h"

#define TEXT_BYTES 65536

static int64_t leaves[LIMIT_LEAVES];
static int leave_count;
static int leave_generation;
static struct event *second_timer;

static void leaves_flush(void);
static void leaves_reply(void *owner, const Reply *reply);
static void on_second(evutil_socket_t fd, short what, void *arg);

bool
subscription_start(struct event_base *base)
{
	const struct timeval second = {.tv_sec = 1};

	second_timer = event_new(base, -1, EV_PERSIST, on_second, NULL);
	return second_timer != NULL && evtimer_add(second_timer, &second) == 0;
}

void
subscription_stop(void)
{
	event_free(second_timer);
}

Body *
subscription_body(const char *cursor, bool pokes)
{
	char room[256];
	JsonText text;
	Body *body;

	json_text_init(&text, room, sizeof(room), sizeof(room) - 1);
	json_open(&text, '{');
	json_add_string_member(&text, "gateway", hub_gateway());
	json_add_name(&text, "cursor");
	json_add_raw(&text, cursor, strlen(cursor));
	text.needs_comma = true;
	if (pokes)
		json_add_string_member(&text, "mode", "poke");
	json_close(&text, '}');
	body = json_text_ok(&text) ? body_new(text.at, text.len) : NULL;
	json_text_free(&text);
	return body;
}

void
subscription_leave(Subscriber *subscriber)
{
	if (subscriber->standing == STANDING_OUT)
		return;
	hub_leave(subscriber);
	if (leave_generation != hub_generation())
		leave_count = 0;
	leave_generation = hub_generation();
	if (leave_count == LIMIT_LEAVES)
		leaves_flush();
	leaves[leave_count++] = subscriber->id;
}

static void
leaves_flush(void)
{
	RequestContext context = {.request_id = "feed-leave"};
	JsonText text;
	Body *body;
	RequestInput input = {
		.door = "feed_leave",
		.lane = LANE_NORMAL,
		.context = &context,
		.reply = leaves_reply,
		.owner = leaves,
	};

	json_text_init(&text, NULL, 0, TEXT_BYTES);
	json_open(&text, '{');
	json_add_string_member(&text, "gateway", hub_gateway());
	json_add_name(&text, "subscriptions");
	json_open(&text, '[');
	for (int i = 0; i < leave_count; i++)
		json_add_number(&text, leaves[i]);
	json_close(&text, ']');
	json_close(&text, '}');
	leave_count = 0;
	body = json_text_ok(&text) ? body_new(text.at, text.len) : NULL;
	json_text_free(&text);
	if (body != NULL)
		request_start(&input, body);
}

static void
leaves_reply(void *owner, const Reply *reply)
{
	(void) owner;
	if (reply->status >= 400)
		log_often(LEVEL_WARN, "leave_failed", "", "status=%d", reply->status);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	if (leave_count > 0 && hub_gateway() != NULL && leave_generation == hub_generation())
		leaves_flush();
}
