/*-------------------------------------------------------------------------
 *
 * ws_command.c
 *	  What clients say on a WebSocket, and the subscriptions that follow from it.
 *
 * ws.c passes messages on; doors are called through request.c.  A socket has one
 * command running, the next messages wait in a short queue, so that answers
 * come in the order of the questions.  Hellos are answered a few at a time, and so
 * do all sockets subscribe again after a restart of the feed.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jansson_prelude.h"
#include "json_text.h"
#include "limits.h"
#include "log.h"
#include "token.h"
#include "watch.h"
#include "ws_socket.h"

#define TEXT_BYTES 1048576
#define CURSOR_MAX ((1LL << 53) - 1) /* whole numbers a client keeps exact */
#define DUMP (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

static TAILQ_HEAD(, Socket) joiners; /* have said hello */
static TAILQ_HEAD(, Socket) rejoiners;
static int joins_running;
static int rejoins_running;
static struct event *pump_event;
static struct event *second_timer;

static void command_run(Socket *socket, const char *text, size_t len);
static void command_dispatch(Socket *socket, json_t *message);
static void command_wait(Socket *socket, const char *text, size_t len);
static void command_next(Socket *socket);
static void run_hello(Socket *socket, json_t *message);
static const char *cursor_text(json_t *cursor, char room[24]);
static json_t *message_read(const char *text, size_t len);
static void hello_start(Socket *socket, const char *token, const char *cursor, bool is_poked);
static void join_start(Socket *socket, CommandKind kind, const char *token, const char *cursor,
					   bool is_poked);
static void joins_pump(void);
static void on_pump(evutil_socket_t fd, short what, void *arg);
static void run_ping(Socket *socket, json_t *message);
static void run_status(Socket *socket, json_t *message);
static bool envelope_take(Socket *socket, json_t *message);
static void command_start_request(Socket *socket, CommandKind kind, const RequestInput *input,
								  Body *body);
static void command_reply(void *owner, const Reply *reply);
static void command_ended(CommandKind kind);
static void hello_reply(Socket *socket, CommandKind kind, const Reply *reply);
static void hello_busy(Socket *socket);
static void hello_refused(Socket *socket, CommandKind kind, const Reply *reply);
static void hello_joined(Socket *socket, CommandKind kind, json_t *body);
static void send_hello_result(Socket *socket, json_t *body);
static void send_missed(Socket *socket, json_t *body);
static void status_reply(Socket *socket, const Reply *reply);
static void send_refusal(Socket *socket, json_t *message, Refusal refusal);
static void send_text(Socket *socket, JsonText *text);
static void add_ref(JsonText *text, json_t *message);
static void add_raw_member(JsonText *text, const char *name, const char *json, size_t len);
static void rejoin_wait(Socket *socket);
static void rejoins_pump(void);
static void on_second(evutil_socket_t fd, short what, void *arg);

bool
command_start(struct event_base *base)
{
	const struct timeval second = {.tv_sec = 1};

	TAILQ_INIT(&joiners);
	TAILQ_INIT(&rejoiners);
	pump_event = evtimer_new(base, on_pump, NULL);
	second_timer = event_new(base, -1, EV_PERSIST, on_second, NULL);
	return pump_event != NULL && second_timer != NULL && evtimer_add(second_timer, &second) == 0;
}

void
command_stop(void)
{
	event_free(pump_event);
	event_free(second_timer);
}

void
command_receive(Socket *socket, const char *text, size_t len)
{
	if (socket->running != COMMAND_NONE || socket->waiting_count > 0)
		command_wait(socket, text, len);
	else
		command_run(socket, text, len);
}

static void
command_wait(Socket *socket, const char *text, size_t len)
{
	Message *message = NULL;

	if (socket->waiting_count < LIMIT_SOCKET_COMMANDS)
		message = malloc(sizeof(*message) + len);
	if (message == NULL)
	{
		send_refusal(socket, NULL, REFUSAL_TOO_MANY);
		return;
	}
	message->len = len;
	memcpy(message->text, text, len);
	STAILQ_INSERT_TAIL(&socket->waiting, message, link);
	socket->waiting_count++;
}

static void
command_next(Socket *socket)
{
	while (socket->running == COMMAND_NONE && socket->waiting_count > 0)
	{
		Message *message = STAILQ_FIRST(&socket->waiting);

		STAILQ_REMOVE_HEAD(&socket->waiting, link);
		socket->waiting_count--;
		command_run(socket, message->text, message->len);
		free(message);
	}
}

static void
command_run(Socket *socket, const char *text, size_t len)
{
	json_t *message = message_read(text, len);

	if (message != NULL && json_typeof(message) == JSON_OBJECT)
		command_dispatch(socket, message);
	else if (socket->state == SOCKET_GREETING)
		socket_close(socket, CLOSE_TOKEN);
	else
		send_refusal(socket, NULL, REFUSAL_JSON);
	json_decref(message);
}

/* Whole numbers that fit nowhere are read as what they are near to: they are no cursor of ours. */
static json_t *
message_read(const char *text, size_t len)
{
	JsonFault fault;
	json_t *message;

	if (!json_check(text, len, LIMIT_JSON_DEPTH, &fault))
		return NULL;
	message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (message == NULL)
		message = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	return message;
}

static void
command_dispatch(Socket *socket, json_t *message)
{
	const char *type = json_string_value(json_object_get(message, "type"));

	if (type != NULL && strcmp(type, "hello") == 0)
		run_hello(socket, message);
	else if (socket->state == SOCKET_GREETING)
		socket_close(socket, CLOSE_TOKEN);
	else if (type != NULL && strcmp(type, "ping") == 0)
		run_ping(socket, message);
	else if (type != NULL && strcmp(type, "status.update") == 0)
		run_status(socket, message);
	else
		send_refusal(socket, message, REFUSAL_FRAME);
}

static void
run_hello(Socket *socket, json_t *message)
{
	char room[24];
	json_t *token = json_object_get(message, "token");
	const char *cursor = cursor_text(json_object_get(message, "cursor"), room);
	json_t *mode = json_object_get(message, "mode");
	const char *word = json_string_value(mode);
	bool is_poked = word != NULL && strcmp(word, "poke") == 0;

	if (json_string_value(token) == NULL ||
		token_check(json_string_value(token), json_string_length(token), NULL) == TOKEN_BAD)
		socket_close(socket, CLOSE_TOKEN);
	else if (mode != NULL && !is_poked && (word == NULL || strcmp(word, "delta") != 0))
		send_refusal(socket, message, REFUSAL_FRAME);
	else
		hello_start(socket, json_string_value(token), cursor, is_poked);
}

void
command_greet(Socket *socket, const char *token, const char *body, size_t len, int generation)
{
	const Reply reply = {.status = 200, .body = body, .body_len = len};

	socket->next_token = strdup(token);
	socket->next_told = -1;
	socket->running_generation = generation;
	if (socket->next_token == NULL)
		socket_close(socket, CLOSE_INTERNAL);
	else
		hello_reply(socket, COMMAND_HELLO, &reply);
}

/* As it goes into the body of the call.  What is no cursor of ours is as good as none. */
static const char *
cursor_text(json_t *cursor, char room[24])
{
	const char *digits = json_string_value(cursor);

	long long number = -1;

	if (json_is_integer(cursor))
		number = (long long) json_integer_value(cursor);
	else if (digits != NULL && *digits != '\0' && strlen(digits) < 19 &&
			 strspn(digits, "0123456789") == strlen(digits))
		number = strtoll(digits, NULL, 10);
	if (number < 0 || number > CURSOR_MAX)
		return "null";
	snprintf(room, 24, "%lld", number);
	return room;
}

/* When thousands come back at once their turn comes within moments, and nobody else's is lost. */
static void
hello_start(Socket *socket, const char *token, const char *cursor, bool is_poked)
{
	if (hub_gateway() == NULL)
	{
		hello_busy(socket);
		return;
	}
	free(socket->next_token);
	socket->next_token = strdup(token);
	socket->next_is_poked = is_poked;
	socket->next_told = *cursor == 'n' ? -1 : strtoll(cursor, NULL, 10);
	if (socket->next_token == NULL)
	{
		socket_close(socket, CLOSE_INTERNAL);
		return;
	}
	socket->running = COMMAND_HELLO;
	socket->waits_to_join = true;
	TAILQ_INSERT_TAIL(&joiners, socket, join_link);
	joins_pump();
}

static void
joins_pump(void)
{
	while (joins_running < LIMIT_JOINS && !TAILQ_EMPTY(&joiners))
	{
		Socket *socket = TAILQ_FIRST(&joiners);
		char cursor[24] = "null";

		TAILQ_REMOVE(&joiners, socket, join_link);
		socket->waits_to_join = false;
		socket->running = COMMAND_NONE;
		if (socket->next_told >= 0)
			snprintf(cursor, sizeof(cursor), "%lld", (long long) socket->next_told);
		join_start(socket, COMMAND_HELLO, socket->next_token, cursor, socket->next_is_poked);
		if (socket->running == COMMAND_HELLO)
			joins_running++;
		else
			command_next(socket);
	}
}

/* socket->running says afterwards whether it runs. */
static void
join_start(Socket *socket, CommandKind kind, const char *token, const char *cursor, bool is_poked)
{
	RequestInput input = {
		.door = "feed_join",
		.lane = LANE_NORMAL,
		.token = token,
		.token_len = strlen(token),
	};
	Body *body;

	if (hub_gateway() == NULL)
	{
		hello_busy(socket);
		return;
	}
	body = subscription_body(cursor, is_poked);
	if (body == NULL)
		socket_close(socket, CLOSE_INTERNAL);
	else
		command_start_request(socket, kind, &input, body);
}

/* A turn is free. */
static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	joins_pump();
	rejoins_pump();
}

static void
run_ping(Socket *socket, json_t *message)
{
	char room[256];
	JsonText text;

	json_text_init(&text, room, sizeof(room), TEXT_BYTES);
	json_open(&text, '{');
	json_add_string_member(&text, "type", "pong");
	add_ref(&text, message);
	json_close(&text, '}');
	send_text(socket, &text);
}

static void
run_status(Socket *socket, json_t *message)
{
	UrlText parameter;
	RequestInput input = {
		.door = "incident_status",
		.lane = LANE_NORMAL,
		.token = socket->token,
		.token_len = strlen(socket->token),
		.parameter = &parameter,
		.parameter_count = 1,
	};
	char *text;
	Body *body;

	if (!envelope_take(socket, message))
	{
		send_refusal(socket, message, REFUSAL_FRAME);
		return;
	}
	text = json_dumps(message, DUMP);
	body = text != NULL ? body_new(text, strlen(text)) : NULL;
	free(text);
	if (body == NULL)
	{
		socket_close(socket, CLOSE_INTERNAL);
		return;
	}
	parameter = (UrlText){socket->running_incident, strlen(socket->running_incident)};
	watch_distrust(socket->token, strlen(socket->token));
	command_start_request(socket, COMMAND_STATUS, &input, body);
}

/* What is left of the message without its envelope is the body of the door. */
static bool
envelope_take(Socket *socket, json_t *message)
{
	const char *incident = json_string_value(json_object_get(message, "incidentId"));
	json_t *ref = json_object_get(message, "ref");

	if (incident == NULL || *incident == '\0' || strlen(incident) > LIMIT_CONTEXT_FIELD)
		return false;
	free(socket->running_incident);
	free(socket->running_ref);
	socket->running_incident = strdup(incident);
	socket->running_ref = ref != NULL ? json_dumps(ref, DUMP) : NULL;
	json_object_del(message, "type");
	json_object_del(message, "incidentId");
	json_object_del(message, "ref");
	return socket->running_incident != NULL;
}

/* takes the body.  Each command has an id of its own: that of the socket and a number. */
static void
command_start_request(Socket *socket, CommandKind kind, const RequestInput *input, Body *body)
{
	RequestContext context = socket->context;
	RequestInput call = *input;

	snprintf(context.request_id, sizeof(context.request_id), "%.48s.%d",
			 socket->context.request_id, ++socket->command_count);
	call.context = &context;
	call.reply = command_reply;
	call.owner = socket;
	socket->running = kind;
	socket->running_generation = hub_generation();
	socket->request = request_start(&call, body);
	if (socket->request != NULL)
		return;
	socket->running = COMMAND_NONE;
	socket_close(socket, CLOSE_INTERNAL);
}

static void
command_reply(void *owner, const Reply *reply)
{
	Socket *socket = owner;
	CommandKind kind = socket->running;

	socket->request = NULL;
	socket->running = COMMAND_NONE;
	command_ended(kind);
	if (kind == COMMAND_STATUS)
	{
		watch_distrust(socket->token, strlen(socket->token));
		status_reply(socket, reply);
	}
	else
		hello_reply(socket, kind, reply);
	command_next(socket);
}

/* Whoever waits for a turn has it once the loop has left what runs now. */
static void
command_ended(CommandKind kind)
{
	joins_running -= kind == COMMAND_HELLO;
	rejoins_running -= kind == COMMAND_REJOIN;
	if (kind == COMMAND_HELLO || kind == COMMAND_REJOIN)
		event_active(pump_event, EV_TIMEOUT, 0);
}

static void
hello_reply(Socket *socket, CommandKind kind, const Reply *reply)
{
	json_t *body;

	if (reply->status != 200)
	{
		hello_refused(socket, kind, reply);
		return;
	}
	body = reply->body != NULL ? json_loadb(reply->body, reply->body_len, 0, NULL) : NULL;
	if (json_is_integer(json_object_get(body, "subscription")) &&
		json_is_integer(json_object_get(body, "cursor")))
		hello_joined(socket, kind, body);
	else
		socket_close(socket, CLOSE_INTERNAL);
	json_decref(body);
}

/* Who was open stays open as long as only the service is at fault. */
static void
hello_busy(Socket *socket)
{
	if (socket->state == SOCKET_OPEN)
		send_refusal(socket, NULL, REFUSAL_BUSY);
	else
		socket_close(socket, CLOSE_BUSY);
}

static void
hello_refused(Socket *socket, CommandKind kind, const Reply *reply)
{
	switch (reply->status)
	{
		case 401:
			socket_close(socket, CLOSE_TOKEN);
			break;
		case 403:
			socket_close(socket, CLOSE_REFUSED);
			break;
		case 404:
			hub_distrust();
			if (kind == COMMAND_REJOIN)
				rejoin_wait(socket);
			else
				hello_busy(socket);
			break;
		case 409:
		case 410:
		case 412:
			socket_close(socket, CLOSE_EPOCH);
			break;
		case 429:
		case 503:
		case 504:
			if (kind == COMMAND_REJOIN)
				rejoin_wait(socket);
			else
				hello_busy(socket);
			break;
		default:
			log_line(LEVEL_ERROR, "hello_failed", "id=%s status=%d", socket->context.request_id,
					 reply->status);
			socket_close(socket, CLOSE_INTERNAL);
	}
}

/* First what it missed, then what comes: the order of cursors is kept. */
static void
hello_joined(Socket *socket, CommandKind kind, json_t *body)
{
	int64_t lasts_ms = json_integer_value(json_object_get(body, "expiresIn")) * 1000;

	subscription_leave(&socket->subscriber);
	if (kind == COMMAND_HELLO)
	{
		free(socket->token);
		socket->token = socket->next_token;
		socket->next_token = NULL;
		socket->is_poked = socket->next_is_poked;
		socket->dropped = 0;
	}
	/* Whose feed was started anew need not know, unless it has missed something. */
	if (kind == COMMAND_HELLO || !json_is_true(json_object_get(body, "resumed")))
		send_hello_result(socket, body);
	if (!json_is_true(json_object_get(body, "resumed")))
		socket->told = json_integer_value(json_object_get(body, "cursor"));
	else if (kind == COMMAND_HELLO)
		socket->told = socket->next_told;
	send_missed(socket, body);
	if (socket->state >= SOCKET_CLOSING)
		return;
	socket_may_lag(socket);
	socket_is_greeted(socket, socket_now_ms() + lasts_ms);
	socket->subscriber.id = json_integer_value(json_object_get(body, "subscription"));
	socket->subscriber.from = json_integer_value(json_object_get(body, "cursor"));
	if (socket->running_generation == hub_generation())
		hub_join(&socket->subscriber);
	else
		rejoin_wait(socket);
}

static void
send_hello_result(Socket *socket, json_t *body)
{
	char room[256];
	JsonText text;
	json_t *lasts = json_object_get(body, "expiresIn");

	json_text_init(&text, room, sizeof(room), TEXT_BYTES);
	json_open(&text, '{');
	json_add_string_member(&text, "type", "hello.result");
	json_add_string_member(&text, "role", json_string_value(json_object_get(body, "role")));
	json_add_number_member(&text, "cursor", json_integer_value(json_object_get(body, "cursor")));
	json_add_name(&text, "resumed");
	if (json_is_true(json_object_get(body, "resumed")))
		json_add_raw(&text, "true", 4);
	else
		json_add_raw(&text, "false", 5);
	text.needs_comma = true;
	if (json_is_integer(lasts))
		json_add_number_member(&text, "expiresIn", json_integer_value(lasts));
	json_close(&text, '}');
	send_text(socket, &text);
}

/* Who is poked hears of all of it once. */
static void
send_missed(Socket *socket, json_t *body)
{
	json_t *frames = json_object_get(body, "frames");
	size_t index;
	json_t *frame;

	if (socket->is_poked)
	{
		if (json_array_size(frames) > 0)
			socket_send_poke(socket, json_integer_value(json_object_get(body, "cursor")));
		return;
	}
	json_array_foreach(frames, index, frame)
	{
		char *text;

		json_object_set_new(frame, "prev", json_integer(socket->told));
		if (json_is_integer(json_object_get(frame, "cursor")))
			socket->told = json_integer_value(json_object_get(frame, "cursor"));
		text = json_dumps(frame, DUMP);
		if (text != NULL)
			socket_send(socket, text, strlen(text));
		free(text);
	}
}

static void
status_reply(Socket *socket, const Reply *reply)
{
	char room[1024];
	JsonText text;

	json_text_init(&text, room, sizeof(room), TEXT_BYTES);
	json_open(&text, '{');
	json_add_string_member(&text, "type", reply->is_problem ? "error" : "status.result");
	if (reply->is_problem)
		json_add_string_member(&text, "replyTo", "status.update");
	json_add_string_member(&text, "incidentId", socket->running_incident);
	if (socket->running_ref != NULL)
		add_raw_member(&text, "ref", socket->running_ref, strlen(socket->running_ref));
	if (reply->body != NULL)
		add_raw_member(&text, reply->is_problem ? "problem" : "incident", reply->body,
					   reply->body_len);
	json_close(&text, '}');
	send_text(socket, &text);
}

/* message may be NULL: nothing is known of what it was */
static void
send_refusal(Socket *socket, json_t *message, Refusal refusal)
{
	char room[1024];
	char problem_room[768];
	JsonText text;
	JsonText problem_text;
	Problem problem;

	problem_of_refusal(&problem, refusal);
	json_text_init(&problem_text, problem_room, sizeof(problem_room), TEXT_BYTES);
	problem_write(&problem_text, &problem, socket->context.language, socket->context.request_id);
	json_text_init(&text, room, sizeof(room), TEXT_BYTES);
	json_open(&text, '{');
	json_add_string_member(&text, "type", "error");
	json_add_string_member(&text, "replyTo",
						   json_string_value(json_object_get(message, "type")));
	add_ref(&text, message);
	if (json_text_ok(&problem_text))
		add_raw_member(&text, "problem", problem_text.at, problem_text.len);
	json_close(&text, '}');
	json_text_free(&problem_text);
	send_text(socket, &text);
}

/* Frees the text. */
static void
send_text(Socket *socket, JsonText *text)
{
	if (json_text_ok(text))
		socket_send(socket, text->at, text->len);
	json_text_free(text);
}

static void
add_ref(JsonText *text, json_t *message)
{
	json_t *ref = json_object_get(message, "ref");
	char *json = ref != NULL ? json_dumps(ref, DUMP) : NULL;

	if (json != NULL)
		add_raw_member(text, "ref", json, strlen(json));
	free(json);
}

static void
add_raw_member(JsonText *text, const char *name, const char *json, size_t len)
{
	json_add_name(text, name);
	json_add_raw(text, json, len);
	text->needs_comma = true;
}

/* Ends what the socket has and wants; it will not be heard of again. */
void
command_forget(Socket *socket)
{
	if (socket->request != NULL)
	{
		request_abandon(socket->request);
		command_ended(socket->running);
	}
	socket->request = NULL;
	socket->running = COMMAND_NONE;
	poke_forget(&socket->poke);
	if (socket->waits_to_join)
		TAILQ_REMOVE(&joiners, socket, join_link);
	socket->waits_to_join = false;
	if (socket->waits_to_rejoin)
		TAILQ_REMOVE(&rejoiners, socket, rejoin_link);
	socket->waits_to_rejoin = false;
	subscription_leave(&socket->subscriber);
	while (!STAILQ_EMPTY(&socket->waiting))
	{
		Message *message = STAILQ_FIRST(&socket->waiting);

		STAILQ_REMOVE_HEAD(&socket->waiting, link);
		free(message);
	}
	socket->waiting_count = 0;
	free(socket->next_token);
	free(socket->running_ref);
	free(socket->running_incident);
	socket->next_token = socket->running_ref = socket->running_incident = NULL;
}

/* The cursor it has is in subscriber.from. */
void
command_rejoin(Socket *socket)
{
	rejoin_wait(socket);
	rejoins_pump();
}

static void
rejoin_wait(Socket *socket)
{
	if (socket->waits_to_rejoin || socket->state >= SOCKET_CLOSING)
		return;
	socket->waits_to_rejoin = true;
	TAILQ_INSERT_TAIL(&rejoiners, socket, rejoin_link);
}

/* Few at a time: requests of others need the lane as well. */
static void
rejoins_pump(void)
{
	Socket *socket = TAILQ_FIRST(&rejoiners);

	while (socket != NULL && rejoins_running < LIMIT_REJOINS && hub_gateway() != NULL)
	{
		Socket *next = TAILQ_NEXT(socket, rejoin_link);
		char cursor[24];

		if (socket->running == COMMAND_NONE)
		{
			TAILQ_REMOVE(&rejoiners, socket, rejoin_link);
			socket->waits_to_rejoin = false;
			snprintf(cursor, sizeof(cursor), "%lld", (long long) socket->subscriber.from);
			rejoins_running++;
			join_start(socket, COMMAND_REJOIN, socket->token, cursor, socket->is_poked);
			if (socket->running != COMMAND_REJOIN)
				rejoins_running--;
		}
		socket = next;
	}
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	rejoins_pump();
}
