/*-------------------------------------------------------------------------
 *
 * exchange.c
 *	  Finds the route of a request, checks what can be checked without knowing any
 *	  rule, starts the call and turns its reply into an answer.
 *
 * http.c feeds it and sends its answer.  The order of checks is that of their
 * cost: address, route, origin, token, and only then the body is read at all.
 *
 *-------------------------------------------------------------------------
 */
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "config.h"
#include "database_time.h"
#include "exchange.h"
#include "hub.h"
#include "json_text.h"
#include "keys.h"
#include "log.h"
#include "metrics.h"
#include "subscription.h"
#include "token.h"
#include "watch.h"

#define SPARE_MAX 64 /* exchanges kept for the next requests */
#define METRICS_BYTES 1048576

extern const char openapi_text[];
extern const char openapi_text_end[];

static AddressSet watchers; /* may read metrics besides loopback */
static HttpLimits limits;
static Exchange *spare[SPARE_MAX];
static int spare_count;

static bool body_announced(Exchange *exchange);
static bool route_takes_body(const Route *route);
static ExchangeStep refuse(Exchange *exchange, Refusal refusal);
static bool url_read(Exchange *exchange);
static bool origin_is_listed(HttpText origin);
static ExchangeStep socket_head(Exchange *exchange);
static void join_reply(void *owner, const Reply *reply);
static ExchangeStep door_head(Exchange *exchange);
static bool token_read(Exchange *exchange);
static void preflight_answer(Exchange *exchange);
static void door_run(Exchange *exchange);
static bool body_is_json(Exchange *exchange, Body **body);
static bool route_mends(const Route *route);
static Body *body_mend(const Body *body);
static bool exchange_reads(const Exchange *exchange);
static bool exchange_pays(const Exchange *exchange);
static void pull_run(Exchange *exchange, RequestInput *input);
static int wait_read(UrlText text);
static void ready_reply(void *owner, const Reply *reply);
static void door_reply(void *owner, const Reply *reply);
static void page_answer(Exchange *exchange, const char *type, const char *body, size_t len);
static void metrics_answer(Exchange *exchange);
static void keys_answer(Exchange *exchange);
static void problem_answer(Exchange *exchange);
static const char *accept_encoding(const Exchange *exchange);
static void answer_send(Exchange *exchange, Answer *answer);

bool
exchange_start(void)
{
	limits = http_limits_default;
	limits.head_bytes = EXCHANGE_HEAD_BYTES;
	limits.body_bytes = (size_t) config_get()->max_body;
	if (limits.body_bytes < LIMIT_UPLOAD_BYTES)
		limits.body_bytes = LIMIT_UPLOAD_BYTES;
	return address_set_read(&watchers, config_get()->metrics_allow) &&
		   context_start();
}

void
exchange_stop(void)
{
	while (spare_count > 0)
		free(spare[--spare_count]);
}

Exchange *
exchange_new(const Address *peer, bool is_tls, ExchangeAnswer answer, void *owner)
{
	Exchange *exchange = spare_count > 0 ? spare[--spare_count] : malloc(sizeof(Exchange));

	if (exchange == NULL)
		return NULL;
	/* Nothing of the request before may be left but the bytes of its head, which nobody reads. */
	memset(exchange, 0, offsetof(Exchange, head));
	http_parser_init(&exchange->parser, &limits, exchange->head);
	exchange->asker = (Asker){.peer = *peer, .is_tls = is_tls};
	exchange->route = route_unknown_index();
	exchange->since_us = clock_us();
	exchange->answer = answer;
	exchange->owner = owner;
	return exchange;
}

void
exchange_free(Exchange *exchange)
{
	if (exchange->request != NULL)
		request_abandon(exchange->request);
	if (exchange->poll != NULL)
		poll_abandon(exchange->poll);
	body_drop(&exchange->intake);
	if (spare_count < SPARE_MAX)
		spare[spare_count++] = exchange;
	else
		free(exchange);
}

ExchangeStep
exchange_head(Exchange *exchange)
{
	HttpParser *parser = &exchange->parser;
	HttpText origin;

	exchange->since_us = clock_us();
	context_read(&exchange->context, parser, &exchange->asker);
	if (!parser->is_asterisk && !url_read(exchange))
		return EXCHANGE_REFUSED;
	if (http_field_find(parser, "Origin", &origin) && origin_is_listed(origin))
		exchange->origin = origin;
	if (!parser->is_asterisk)
		routes_find(&exchange->match, parser->method, &exchange->url);
	if (!body_announced(exchange))
		return EXCHANGE_REFUSED;
	if (parser->is_asterisk)
		return EXCHANGE_READ_BODY;
	if (!exchange->match.is_known_path)
		return refuse(exchange, REFUSAL_NO_PATH);
	if (exchange->match.route == NULL)
		return parser->method == HTTP_OPTIONS ? EXCHANGE_READ_BODY
											  : refuse(exchange, REFUSAL_METHOD);
	exchange->route = route_index(exchange->match.route);
	switch (exchange->match.route->kind)
	{
		case ROUTE_SOCKET:
			return socket_head(exchange);
		case ROUTE_METRICS:
		case ROUTE_READY:
			if (!exchange->asker.is_local && !address_set_has(&watchers, &exchange->asker.peer))
				return refuse(exchange, REFUSAL_ADDRESS);
			return EXCHANGE_READ_BODY;
		default:
			return door_head(exchange);
	}
}

/* How long the body may be, how packed, and whether anybody reads it, depends on the route. */
static bool
body_announced(Exchange *exchange)
{
	const Route *route = exchange->match.route;
	bool is_upload = route != NULL && route->kind == ROUTE_UPLOAD;
	HttpText coding;

	exchange->takes_body = route_takes_body(route);
	exchange->intake.most = is_upload ? LIMIT_UPLOAD_BYTES : (size_t) config_get()->max_body;
	if (http_field_find(&exchange->parser, "Content-Encoding", &coding))
	{
		if (!is_upload || http_field_count(&exchange->parser, "Content-Encoding") > 1 ||
			!(http_text_is(coding, "gzip") || http_text_is(coding, "x-gzip")))
		{
			refuse(exchange, REFUSAL_ENCODING);
			return false;
		}
		exchange->intake.is_packed = true;
	}
	if (http_parser_limit_body(&exchange->parser, exchange->intake.is_packed
													  ? LIMIT_PACKED_BYTES
													  : exchange->intake.most))
		return true;
	refuse(exchange, REFUSAL_TOO_LARGE);
	return false;
}

/* Doors that write take one.  What comes with any other request is read and dropped. */
static bool
route_takes_body(const Route *route)
{
	if (route == NULL)
		return false;
	return (route->kind == ROUTE_DOOR || route_mends(route)) &&
		   (route->method == HTTP_POST || route->method == HTTP_PUT ||
			route->method == HTTP_PATCH);
}

static ExchangeStep
refuse(Exchange *exchange, Refusal refusal)
{
	problem_of_refusal(&exchange->problem, refusal);
	return EXCHANGE_REFUSED;
}

static bool
url_read(Exchange *exchange)
{
	HttpText path = http_path(&exchange->parser);
	HttpText query = http_query(&exchange->parser);
	UrlFault fault = url_parse(&exchange->url, path.at, path.len, query.at, query.len);

	if (fault != URL_OK)
		problem_of_url(&exchange->problem, url_fault_status(fault), url_fault_text(fault));
	return fault == URL_OK;
}

static bool
origin_is_listed(HttpText origin)
{
	const char *list = config_get()->origins;

	while (*list != '\0' && origin.len > 0 && origin.len <= 256)
	{
		size_t len = strcspn(list, ", ");

		if ((len == 1 && *list == '*') ||
			(len == origin.len && strncasecmp(list, origin.at, len) == 0))
			return true;
		list += len;
		list += strspn(list, ", ");
	}
	return false;
}

static ExchangeStep
socket_head(Exchange *exchange)
{
	WsHandshake *handshake = &exchange->handshake;

	if (!ws_handshake_check(&exchange->parser, handshake))
	{
		problem_of_parser(&exchange->problem, handshake->status, handshake->reason);
		return EXCHANGE_REFUSED;
	}
	if (!ws_origin_is_allowed(&exchange->parser, config_get()->origins))
		return refuse(exchange, REFUSAL_ORIGIN);
	if (exchange_url_token(exchange).at == NULL)
		return EXCHANGE_UPGRADE;
	return EXCHANGE_JOIN;
}

/* A client forgets that it should wait once it is let in, so a bad token is not. */
void
exchange_join(Exchange *exchange)
{
	UrlText token = exchange_url_token(exchange);
	RequestInput input = {
		.door = "feed_join",
		.lane = LANE_NORMAL,
		.token = token.at,
		.token_len = token.len,
		.context = &exchange->context,
		.reply = join_reply,
		.owner = exchange,
	};
	Body *body;

	if (token_check(token.at, token.len, NULL) == TOKEN_BAD)
	{
		exchange_refuse_with(exchange, REFUSAL_BAD_TOKEN);
		return;
	}
	if (hub_gateway() == NULL)
	{
		exchange_refuse_with(exchange, REFUSAL_BUSY);
		return;
	}
	exchange->generation = hub_generation();
	body = subscription_body("null", false);
	if (body != NULL)
		exchange->request = request_start(&input, body);
	if (exchange->request == NULL)
		exchange_refuse_with(exchange, REFUSAL_SERVER);
}

static void
join_reply(void *owner, const Reply *reply)
{
	Exchange *exchange = owner;
	Answer answer = {.status = 101, .body = reply->body, .body_len = reply->body_len};

	exchange->request = NULL;
	if (reply->status == 200)
		answer_send(exchange, &answer);
	else if (reply->status == 404)
	{
		/* The database does not know this gateway any more: its feed starts anew. */
		hub_distrust();
		exchange_refuse_with(exchange, REFUSAL_BUSY);
	}
	else
		door_reply(exchange, reply);
}

UrlText
exchange_url_token(const Exchange *exchange)
{
	const UrlText *token = url_query_find(&exchange->url, "token");

	return token != NULL ? *token : (UrlText){NULL, 0};
}

static ExchangeStep
door_head(Exchange *exchange)
{
	if (!token_read(exchange))
		return EXCHANGE_REFUSED;
	if (!context_fields(&exchange->fields, &exchange->parser))
		return refuse(exchange, REFUSAL_HEADER);
	return EXCHANGE_READ_BODY;
}

/* An open route takes along what looks like a token; its worth is the door's business. */
static bool
token_read(Exchange *exchange)
{
	static const char scheme[] = "Bearer ";
	size_t skip = sizeof(scheme) - 1;
	char token[LIMIT_TOKEN + 1];
	HttpText field;
	bool is_needed = exchange->match.route->needs_token;

	if (!http_field_find(&exchange->parser, "Authorization", &field))
	{
		refuse(exchange, REFUSAL_NO_TOKEN);
		return !is_needed;
	}
	refuse(exchange, REFUSAL_BAD_TOKEN);
	if (field.len <= skip || strncasecmp(field.at, scheme, skip) != 0 ||
		!token_is_text(field.at + skip, field.len - skip))
		return !is_needed;
	exchange->token = (HttpText){field.at + skip, field.len - skip};
	if (!is_needed)
		return true;
	memcpy(token, exchange->token.at, exchange->token.len);
	token[exchange->token.len] = '\0';
	return token_check(token, exchange->token.len, &exchange->account) != TOKEN_BAD;
}

bool
exchange_body(Exchange *exchange, const char *bytes, size_t len)
{
	static const Refusal refusals[] = {
		[BODY_TOO_LONG] = REFUSAL_TOO_LARGE,
		[BODY_BUSY] = REFUSAL_BUSY,
		[BODY_BROKEN] = REFUSAL_PACKED,
	};
	BodyVerdict verdict = BODY_OK;

	if (exchange->takes_body)
		verdict = body_add(&exchange->intake, bytes, len);
	if (verdict != BODY_OK)
		refuse(exchange, refusals[verdict]);
	return verdict == BODY_OK;
}

void
exchange_run(Exchange *exchange)
{
	const Route *route = exchange->match.route;

	if (route == NULL)
	{
		preflight_answer(exchange);
		return;
	}
	if (!body_is_whole(&exchange->intake))
	{
		exchange_refuse_with(exchange, REFUSAL_PACKED);
		return;
	}
	switch (route->kind)
	{
		case ROUTE_DOOR:
		case ROUTE_RECORD:
		case ROUTE_UPLOAD:
		case ROUTE_BULK:
		case ROUTE_PULL:
		case ROUTE_READY:
			door_run(exchange);
			break;
		case ROUTE_HEALTH:
			page_answer(exchange, "application/json", "{\"status\":\"ok\"}", 15);
			break;
		case ROUTE_METRICS:
			metrics_answer(exchange);
			break;
		case ROUTE_KEYS:
			keys_answer(exchange);
			break;
		case ROUTE_OPENAPI:
			page_answer(exchange, "application/json", openapi_text,
						(size_t) (openapi_text_end - openapi_text));
			break;
		case ROUTE_SOCKET:
			exchange_refuse_with(exchange, REFUSAL_UPGRADE);
			break;
	}
}

/* OPTIONS: what is allowed here, and for a listed web origin that it may. */
static void
preflight_answer(Exchange *exchange)
{
	Answer answer = {
		.status = 204,
		.allow = exchange->parser.is_asterisk ? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
											  : exchange->match.allow,
		.is_preflight = true,
	};

	answer_send(exchange, &answer);
}

static void
door_run(Exchange *exchange)
{
	const RouteMatch *match = &exchange->match;
	Body *body;
	RequestInput input = {
		.door = match->route->door,
		.lane = match->route->lane,
		.is_read = match->route->method == HTTP_GET,
		.most_ms = match->route->kind == ROUTE_READY ? LIMIT_READYZ_MS : 0,
		.account = exchange_pays(exchange) ? exchange->account : 0,
		.token = exchange->token.len > 0 ? exchange->token.at : NULL,
		.token_len = exchange->token.len,
		.parameter = match->parameter,
		.parameter_count = match->parameter_count,
		.pair = exchange->url.pair,
		.pair_count = exchange->url.pair_count,
		.context = &exchange->context,
		.fields = &exchange->fields,
		.reply = match->route->kind == ROUTE_READY ? ready_reply : door_reply,
		.owner = exchange,
	};

	if (match->route->kind == ROUTE_PULL)
	{
		pull_run(exchange, &input);
		return;
	}
	body = body_take(&exchange->intake);
	if (!body_is_json(exchange, &body))
	{
		body_free(body);
		problem_answer(exchange);
		return;
	}
	if (!exchange_reads(exchange) && input.token != NULL)
		watch_distrust(input.token, input.token_len);
	exchange->request = request_start(&input, body);
	if (exchange->request == NULL)
		exchange_refuse_with(exchange, REFUSAL_SERVER);
}

/* No body is as good as one.  Where words may be mended the body becomes another. */
static bool
body_is_json(Exchange *exchange, Body **body)
{
	JsonFault fault;
	JsonFault second;
	Body *mended;

	if (*body == NULL || json_check((*body)->text, (*body)->len, LIMIT_JSON_DEPTH, &fault))
		return true;
	if (route_mends(exchange->match.route))
	{
		mended = body_mend(*body);
		if (mended == NULL)
		{
			/* for want of memory: what a phone is told is final, and this is not */
			refuse(exchange, REFUSAL_BUSY);
			return false;
		}
		if (json_check_loose(mended->text, mended->len, LIMIT_JSON_DEPTH, &second))
		{
			body_free(*body);
			*body = mended;
			return true;
		}
		body_free(mended);
	}
	refuse(exchange, REFUSAL_JSON);
	exchange->problem.hint = fault.reason;
	return false;
}

static bool
exchange_reads(const Exchange *exchange)
{
	return exchange->match.route->method == HTTP_GET;
}

static bool
exchange_pays(const Exchange *exchange)
{
	RouteKind kind = exchange->match.route->kind;

	return kind == ROUTE_BULK || kind == ROUTE_PULL;
}

/* What a survivor wrote is never refused for its form. */
static bool
route_mends(const Route *route)
{
	return route->kind == ROUTE_RECORD || route->kind == ROUTE_UPLOAD;
}

/* returns new (free with body_free); NULL when memory is short */
static Body *
body_mend(const Body *body)
{
	JsonText text;
	Body *mended = NULL;

	json_text_init(&text, NULL, 0, body->len * LIMIT_MEND_TIMES);
	if (json_mend(body->text, body->len, LIMIT_JSON_DEPTH, &text))
		mended = body_new(text.at, text.len);
	json_text_free(&text);
	return mended;
}

/* A pull has no body, and its door hears nothing of the time to wait. */
static void
pull_run(Exchange *exchange, RequestInput *input)
{
	Url *url = &exchange->url;
	int wait_seconds = 0;

	for (int i = 0; i < url->pair_count; i++)
	{
		if (url->pair[i].name.len != 4 || memcmp(url->pair[i].name.at, "wait", 4) != 0)
			continue;
		wait_seconds = wait_read(url->pair[i].value);
		memmove(&url->pair[i], &url->pair[i + 1],
				(size_t) (url->pair_count - i - 1) * sizeof(url->pair[0]));
		input->pair_count = --url->pair_count;
		break;
	}
	if (wait_seconds < 0)
		exchange_refuse_with(exchange, REFUSAL_WAIT);
	else if (!poll_run(input, wait_seconds, &exchange->poll))
		exchange_refuse_with(exchange, REFUSAL_SERVER);
}

/* -1 for what is no time to wait. */
static int
wait_read(UrlText text)
{
	int seconds = 0;

	if (text.len < 1 || text.len > 2)
		return -1;
	for (size_t i = 0; i < text.len; i++)
	{
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		seconds = seconds * 10 + text.at[i] - '0';
	}
	return seconds <= LIMIT_WAIT_SECONDS ? seconds : -1;
}

/* What health() cannot know: how far the clock here is from that of the database. */
static void
ready_reply(void *owner, const Reply *reply)
{
	char room[4096];
	JsonText text;
	Reply whole = *reply;

	json_text_init(&text, room, sizeof(room), LIMIT_PROBLEM_BYTES);
	if (reply->status == 200 && reply->body_len > 2 && reply->body[reply->body_len - 1] == '}')
	{
		json_add_raw(&text, reply->body, reply->body_len - 1);
		text.needs_comma = true;
		json_add_number_member(&text, "clockAhead", database_time_ahead_ms());
		json_close(&text, '}');
		whole.body = text.at;
		whole.body_len = text.len;
	}
	door_reply(owner, json_text_ok(&text) ? &whole : reply);
	json_text_free(&text);
}

static void
door_reply(void *owner, const Reply *reply)
{
	Exchange *exchange = owner;
	Answer answer = {
		.status = reply->status,
		.type = reply->is_problem ? "application/problem+json" : "application/json",
		.body = reply->body,
		.body_len = reply->body_len,
		.retry_after = reply->retry_after,
	};

	exchange->request = NULL;
	exchange->poll = NULL;
	exchange->since_us += reply->waited_ms * 1000;
	if (!exchange_reads(exchange) && exchange->token.len > 0)
		watch_distrust(exchange->token.at, exchange->token.len);
	if (reply->body == NULL)
		answer.type = NULL;
	answer_send(exchange, &answer);
}

static void
page_answer(Exchange *exchange, const char *type, const char *body, size_t len)
{
	Answer answer = {.status = 200, .type = type, .body = body, .body_len = len};

	answer_send(exchange, &answer);
}

static void
metrics_answer(Exchange *exchange)
{
	JsonText text;

	json_text_init(&text, NULL, 0, METRICS_BYTES);
	metrics_render(&text, route_name);
	if (json_text_ok(&text))
		page_answer(exchange, "text/plain; version=0.0.4; charset=utf-8", text.at, text.len);
	else
		exchange_refuse_with(exchange, REFUSAL_SERVER);
	json_text_free(&text);
}

static void
keys_answer(Exchange *exchange)
{
	size_t len;
	const char *text = keys_text(&len);

	if (text != NULL)
		page_answer(exchange, "application/json", text, len);
	else
		exchange_refuse_with(exchange, REFUSAL_NO_KEYS);
}

void
exchange_refuse(Exchange *exchange)
{
	problem_answer(exchange);
}

void
exchange_refuse_with(Exchange *exchange, Refusal refusal)
{
	problem_of_refusal(&exchange->problem, refusal);
	problem_answer(exchange);
}

/* The head may be broken: nothing of it is used, and the request gets an id of ours. */
void
exchange_refuse_parser(Exchange *exchange, int status, const char *reason)
{
	problem_of_parser(&exchange->problem, status, reason);
	if (*exchange->context.request_id == '\0')
	{
		exchange->parser.field_count = 0;
		context_id(&exchange->context, &exchange->parser);
	}
	problem_answer(exchange);
}

static void
problem_answer(Exchange *exchange)
{
	char room[1024];
	JsonText text;
	Answer answer = {
		.status = exchange->problem.status,
		.type = "application/problem+json",
		.retry_after = exchange->problem.retry_after,
		.allow = exchange->problem.status == 405 ? exchange->match.allow : NULL,
		.accept_encoding = accept_encoding(exchange),
	};

	if (*exchange->context.request_id == '\0')
		context_id(&exchange->context, &exchange->parser);
	json_text_init(&text, room, sizeof(room), LIMIT_PROBLEM_BYTES);
	problem_write(&text, &exchange->problem, exchange->context.language,
				  exchange->context.request_id);
	answer.body = json_text_ok(&text) ? text.at : NULL;
	answer.body_len = json_text_ok(&text) ? text.len : 0;
	answer_send(exchange, &answer);
	json_text_free(&text);
}

/* RFC 7694: what would have been taken. */
static const char *
accept_encoding(const Exchange *exchange)
{
	const Route *route = exchange->match.route;

	if (exchange->problem.status != 415)
		return NULL;
	return route != NULL && route->kind == ROUTE_UPLOAD ? "gzip" : "identity";
}

/* Counts and logs; the path itself may hold an id and stays out. */
static void
answer_send(Exchange *exchange, Answer *answer)
{
	int64_t micros = clock_us() - exchange->since_us;

	answer->request_id = exchange->context.request_id;
	answer->origin = exchange->origin;
	answer->is_tls = exchange->asker.is_tls;
	answer->is_head = exchange->parser.method == HTTP_HEAD;
	metrics_request(exchange->route, answer->status, micros);
	if (log_wants(LEVEL_INFO))
		log_line(LEVEL_INFO, "request", "id=%s route=\"%s\" status=%d us=%lld bytes=%zu",
				 answer->request_id, route_name(exchange->route), answer->status,
				 (long long) micros, answer->body_len);
	exchange->answer(exchange->owner, answer);
}
