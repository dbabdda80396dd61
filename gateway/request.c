/*-------------------------------------------------------------------------
 *
 * request.c
 *	  Carries a request to its door and the door's answer back.
 *
 * exchange.c, poll.c, watch.c and ws.c start requests; budget.c may hold those
 * that read much; db.c runs them; turn.c keeps those that a door sent to wait.
 * A Request moves from WAITING to REPLIED or ABANDONED and is freed by
 * request_done() or, when it is in no connection, by request_abandon() or
 * request_decided().  It owns every text the call points to.
 *
 *-------------------------------------------------------------------------
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "db.h"
#include "json_text.h"
#include "log.h"
#include "request.h"
#include "turn.h"

struct Request
{
	Claim claim; /* the first member: the budget gives it back */
	DbCall call;
	Turn turn;
	bool has_waited; /* for its turn; once is enough */
	RequestReply reply;
	void *owner; /* borrows; NULL once abandoned */
	Body *body;  /* owns; NULL: none */
	Language language;
	char request_id[LIMIT_REQUEST_ID + 1];
	JsonText path;
	JsonText query;
	JsonText context;
	char path_room[160];
	char query_room[160];
	char context_room[320];
	char token[]; /* ends with a NUL */
};

static void parameter_init(JsonText *text, char *room, size_t size);
static void path_write(JsonText *out, const UrlText *parameter, int count);
static void query_write(JsonText *out, const UrlPair *pair, int count);
static void context_write(JsonText *out, const RequestContext *context,
						  const RequestFields *fields);
static void member_write(JsonText *out, const char *name, const char *value);
static void request_free(Request *request);
static void request_decided(Claim *claim, BudgetVerdict verdict);
static void request_done(void *arg, const DbAnswer *answer);
static bool turn_hold(Request *request, const DbAnswer *answer);
static void turn_come(Turn *turn);
static void reply_row(Request *request, const DbAnswer *answer);
static void reply_problem(Request *request, const Problem *problem);

Request *
request_start(const RequestInput *input, Body *body)
{
	Request *request = malloc(sizeof(*request) + input->token_len + 1);

	if (request == NULL)
	{
		body_free(body);
		return NULL;
	}
	memset(request, 0, offsetof(Request, path_room));
	parameter_init(&request->path, request->path_room, sizeof(request->path_room));
	parameter_init(&request->query, request->query_room, sizeof(request->query_room));
	parameter_init(&request->context, request->context_room, sizeof(request->context_room));
	if (input->token != NULL)
		memcpy(request->token, input->token, input->token_len);
	request->token[input->token_len] = '\0';
	request->body = body;
	request->reply = input->reply;
	request->owner = input->owner;
	request->language = input->context->language;
	memcpy(request->request_id, input->context->request_id, sizeof(request->request_id));
	path_write(&request->path, input->parameter, input->parameter_count);
	query_write(&request->query, input->pair, input->pair_count);
	context_write(&request->context, input->context, input->fields);
	if (!json_text_ok(&request->path) || !json_text_ok(&request->query) ||
		!json_text_ok(&request->context))
	{
		request_free(request);
		return NULL;
	}
	request->call = (DbCall){
		.lane = input->lane,
		.is_read = input->is_read,
		.most_ms = input->most_ms,
		.door = input->door,
		.parameter = {input->token != NULL ? request->token : NULL, request->path.at,
					  request->query.at, body != NULL ? body->text : NULL,
					  request->context.at},
		.done = request_done,
		.arg = request,
	};
	request->claim.decided = request_decided;
	if (input->account == 0 || budget_ask(&request->claim, input->account))
		db_call(&request->call);
	return request;
}

static void
parameter_init(JsonText *text, char *room, size_t size)
{
	json_text_init(text, room, size, LIMIT_PARAMETER_BYTES);
}

/* A text[] as PostgreSQL reads it: every element quoted, control bytes as they are. */
static void
path_write(JsonText *out, const UrlText *parameter, int count)
{
	json_add_raw(out, "{", 1);
	for (int i = 0; i < count; i++)
	{
		json_add_raw(out, i > 0 ? ",\"" : "\"", i > 0 ? 2 : 1);
		for (size_t at = 0; at < parameter[i].len; at++)
		{
			if (parameter[i].at[at] == '"' || parameter[i].at[at] == '\\')
				json_add_raw(out, "\\", 1);
			json_add_raw(out, parameter[i].at + at, 1);
		}
		json_add_raw(out, "\"", 1);
	}
	json_add_raw(out, "}", 1);
}

static void
query_write(JsonText *out, const UrlPair *pair, int count)
{
	json_open(out, '{');
	for (int i = 0; i < count; i++)
	{
		json_add_string(out, pair[i].name.at, pair[i].name.len);
		json_add_raw(out, ":", 1);
		out->needs_comma = false;
		json_add_string(out, pair[i].value.at, pair[i].value.len);
	}
	json_close(out, '}');
}

static void
context_write(JsonText *out, const RequestContext *context, const RequestFields *fields)
{
	json_open(out, '{');
	member_write(out, "requestId", context->request_id);
	member_write(out, "network", context->network);
	if (fields != NULL)
	{
		member_write(out, "device", fields->device);
		member_write(out, "appVersion", fields->app_version);
		member_write(out, "idempotencyKey", fields->idempotency_key);
		member_write(out, "ifMatch", fields->if_match);
	}
	member_write(out, "language", problem_language_name(context->language));
	json_close(out, '}');
}

static void
member_write(JsonText *out, const char *name, const char *value)
{
	if (*value != '\0')
		json_add_string_member(out, name, value);
}

static void
request_free(Request *request)
{
	json_text_free(&request->path);
	json_text_free(&request->query);
	json_text_free(&request->context);
	body_free(request->body);
	free(request);
}

void
request_abandon(Request *request)
{
	request->owner = NULL;
	if (request->turn.timer != NULL)
	{
		turn_leave(&request->turn);
		request_free(request);
	}
	else if (budget_leave(&request->claim))
		request_free(request);
	else if (db_cancel(&request->call))
	{
		budget_pay(&request->claim, request->call.held_us);
		request_free(request);
	}
}

bool
request_is_waiting(const Request *request)
{
	return budget_is_waiting(&request->claim);
}

static void
request_decided(Claim *claim, BudgetVerdict verdict)
{
	Request *request = (Request *) claim;
	Problem problem;

	if (verdict == BUDGET_GRANTED)
	{
		db_call(&request->call);
		return;
	}
	problem_of_refusal(&problem,
					   verdict == BUDGET_CLOSED ? REFUSAL_STOPPING : REFUSAL_TOO_MANY);
	if (problem.retry_after < claim->retry_after && verdict == BUDGET_REFUSED)
		problem.retry_after = claim->retry_after;
	reply_problem(request, &problem);
	request_free(request);
}

static void
request_done(void *arg, const DbAnswer *answer)
{
	Request *request = arg;
	Problem problem;

	if (turn_hold(request, answer))
		return;
	budget_pay(&request->claim, request->call.held_us);
	if (answer->outcome == DB_ROW)
		reply_row(request, answer);
	else
	{
		problem_of_answer(&problem, answer);
		if (answer->outcome == DB_ERROR && problem.is_fault)
			log_line(LEVEL_ERROR, "door_failed", "id=%s door=%s sqlstate=%s", request->request_id,
					 request->call.door, answer->sqlstate);
		reply_problem(request, &problem);
	}
	request_free(request);
}

/* Does the request wait, to be sent again with the ticket of its turn? */
static bool
turn_hold(Request *request, const DbAnswer *answer)
{
	char ticket[TURN_TICKET_SIZE];
	int wait_ms;

	if (answer->outcome != DB_ROW || strcmp(answer->word, "slow_down") != 0 ||
		request->owner == NULL || request->has_waited ||
		!problem_turn(answer->body, answer->body_len, ticket, sizeof(ticket), &wait_ms))
		return false;
	request->has_waited = true;
	/* one member more in the object that the context is */
	request->context.len--;
	request->context.needs_comma = true;
	json_add_string_member(&request->context, "turn", ticket);
	json_close(&request->context, '}');
	return json_text_ok(&request->context) && turn_wait(&request->turn, wait_ms, turn_come);
}

static void
turn_come(Turn *turn)
{
	Request *request = (Request *) ((char *) turn - offsetof(Request, turn));

	request->call.state = DB_CALL_NEW;
	request->call.attempts = 0;
	request->call.parameter[DB_PARAMETERS - 1] = request->context.at;
	db_call(&request->call);
}

static void
reply_row(Request *request, const DbAnswer *answer)
{
	Reply reply = {
		.status = problem_outcome_status(answer->word),
		.waited_ms = request->claim.waited_ms,
	};
	Problem problem;

	if (reply.status == 0)
	{
		log_line(LEVEL_ERROR, "outcome_unknown", "id=%s door=%s", request->request_id,
				 request->call.door);
		problem_of_refusal(&problem, REFUSAL_SERVER);
		reply_problem(request, &problem);
	}
	else if (reply.status >= 400)
	{
		problem_of_outcome(&problem, reply.status, answer->body, answer->body_len);
		reply_problem(request, &problem);
	}
	else if (request->owner != NULL)
	{
		reply.body = reply.status == 204 ? NULL : answer->body;
		reply.body_len = reply.body == NULL ? 0 : answer->body_len;
		request->reply(request->owner, &reply);
	}
}

static void
reply_problem(Request *request, const Problem *problem)
{
	char room[1024];
	JsonText text;
	Reply reply = {
		.status = problem->status,
		.is_problem = true,
		.retry_after = problem->retry_after,
		.waited_ms = request->claim.waited_ms,
	};

	if (request->owner == NULL)
		return;
	json_text_init(&text, room, sizeof(room), LIMIT_PROBLEM_BYTES);
	problem_write(&text, problem, request->language, request->request_id);
	reply.body = json_text_ok(&text) ? text.at : NULL;
	reply.body_len = json_text_ok(&text) ? text.len : 0;
	request->reply(request->owner, &reply);
	json_text_free(&text);
}
