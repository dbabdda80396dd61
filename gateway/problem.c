/*-------------------------------------------------------------------------
 *
 * problem.c
 *	  From an outcome, an SQLSTATE or a refusal of our own to problem+json.
 *
 * The only writer of error bodies.  What PostgreSQL adds to an error besides the
 * primary message and the hint of our own class quotes rows and stays here.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "jansson_prelude.h"
#include "limits.h"
#include "problem.h"

typedef struct Rule
{
	const char *prefix; /* of the SQLSTATE, longest first */
	int status;
	int retry_after;
	bool is_fault;
} Rule;

typedef struct Title
{
	const char *group; /* of our class; NULL: by status */
	int status;
	const char *en;
	const char *sw;
} Title;

typedef struct RefusalText
{
	int status;
	int retry_after;
	const char *code;
	const char *detail;
	const char *hint;
} RefusalText;

typedef struct OutcomeStatus
{
	const char *word;
	int status;
} OutcomeStatus;

/* clang-format off */
static const OutcomeStatus outcomes[] = {
	{"ok",        200},
	{"created",   201},
	{"accepted",  202},
	{"none",      204},
	{"malformed", 400},
	{"unknown",   401},
	{"refused",   403},
	{"absent",    404},
	{"conflict",  409},
	{"gone",      410},
	{"stale",     412},
	{"invalid",   422},
	{"slow_down", 429},
};

static const Rule rules[] = {
	{"KN0",   400, 0, false},
	{"KN1",   401, 0, false},
	{"KN2",   403, 0, false},
	{"KN3",   404, 0, false},
	{"KN4",   409, 0, false},
	{"KN5",   422, 0, false},
	{"KN6",   429, 1, false},
	{"KN901", 503, 2, false},
	{"KN9",   503, 2, true},
	{"23505", 409, 0, false},
	{"25006", 503, 2, false},
	{"40001", 503, 1, false},
	{"40P01", 503, 1, false},
	{"55P03", 503, 1, false},
	{"57014", 504, 1, false},
	{"08",    503, 2, false},
	{"22",    400, 0, false},
	{"53",    503, 2, true},
	{"57",    503, 2, false},
	{"58",    503, 5, true},
	{"XX",    503, 5, true},
};

static const Title titles[] = {
	{"KN0", 0,   "Not accepted",              "Haikukubaliwa"},
	{"KN1", 0,   "Not signed in",             "Hujaingia"},
	{"KN2", 0,   "Not allowed",               "Huruhusiwi"},
	{"KN3", 0,   "Not found",                 "Haipatikani"},
	{"KN4", 0,   "Conflict",                  "Mgongano"},
	{"KN5", 0,   "Invalid input",             "Taarifa si sahihi"},
	{"KN6", 0,   "Too many requests",         "Maombi ni mengi mno"},
	{NULL,  400, "Bad request",               "Ombi si sahihi"},
	{NULL,  401, "Not signed in",             "Hujaingia"},
	{NULL,  403, "Not allowed",               "Huruhusiwi"},
	{NULL,  404, "Not found",                 "Haipatikani"},
	{NULL,  405, "Method not allowed",        "Njia hii hairuhusiwi"},
	{NULL,  408, "Request took too long",     "Ombi limechelewa"},
	{NULL,  409, "Conflict",                  "Mgongano"},
	{NULL,  410, "No longer there",           "Haipo tena"},
	{NULL,  412, "Changed meanwhile",         "Imebadilika"},
	{NULL,  413, "Too large",                 "Ni kubwa mno"},
	{NULL,  414, "Address too long",          "Anwani ni ndefu mno"},
	{NULL,  415, "Coding not supported",      "Usimbaji haujulikani"},
	{NULL,  417, "Expectation not met",       "Sharti haliwezekani"},
	{NULL,  422, "Invalid input",             "Taarifa si sahihi"},
	{NULL,  426, "Upgrade required",          "Toleo jingine linahitajika"},
	{NULL,  429, "Too many requests",         "Maombi ni mengi mno"},
	{NULL,  431, "Headers too large",         "Vichwa vya ombi ni vikubwa mno"},
	{NULL,  500, "Server error",              "Hitilafu ya seva"},
	{NULL,  501, "Not supported",             "Haiwezekani"},
	{NULL,  503, "Temporarily unavailable",   "Haipatikani kwa sasa"},
	{NULL,  504, "Took too long",             "Imechukua muda mrefu mno"},
	{NULL,  505, "HTTP version not supported", "Toleo la HTTP haliwezekani"},
};

static const RefusalText refusals[] = {
	[REFUSAL_MALFORMED]       = {400, 0, "GW400", "the request is not valid HTTP", NULL},
	[REFUSAL_URL]             = {400, 0, "GW402", "the address of the request is not valid", NULL},
	[REFUSAL_HEADER]          = {400, 0, "GW406", "a header field of the request is not valid", "Idempotency-Key and If-Match take 1 to 128 visible ASCII characters, once."},
	[REFUSAL_NO_TOKEN]        = {401, 0, "GW401", "an access token is needed", "Send Authorization: Bearer with the access token."},
	[REFUSAL_BAD_TOKEN]       = {401, 0, "GW407", "the access token is not valid", "Get a new one with POST /api/auth/refresh."},
	[REFUSAL_ORIGIN]          = {403, 0, "GW403", "this web origin may not open a socket", NULL},
	[REFUSAL_ADDRESS]         = {403, 0, "GW409", "this page is not shown to your network", NULL},
	[REFUSAL_NO_PATH]         = {404, 0, "GW404", "there is nothing at this address", NULL},
	[REFUSAL_METHOD]          = {405, 0, "GW405", "this address does not know this method", "The header field Allow names those it knows."},
	[REFUSAL_TIMEOUT]         = {408, 0, "GW408", "the request did not arrive in time", NULL},
	[REFUSAL_TOO_LARGE]       = {413, 0, "GW413", "the body is too large", NULL},
	[REFUSAL_URL_LONG]        = {414, 0, "GW414", "the address of the request is too long", NULL},
	[REFUSAL_EXPECT]          = {417, 0, "GW417", "only the expectation 100-continue is known", NULL},
	[REFUSAL_JSON]            = {400, 0, "GW410", "the body is not acceptable JSON", NULL},
	[REFUSAL_FRAME]           = {400, 0, "GW411", "this message is not known or not complete", "Send hello with token, ping, or status.update with incidentId and status."},
	[REFUSAL_PACKED]          = {400, 0, "GW412", "the body is not one whole gzip stream", NULL},
	[REFUSAL_ENCODING]        = {415, 0, "GW415", "the content coding is not known here", "The header field Accept-Encoding names what is."},
	[REFUSAL_WAIT]            = {400, 0, "GW416", "the time to wait is not valid", "wait is a whole number of seconds, 0 to 30."},
	[REFUSAL_UPGRADE]         = {426, 0, "GW426", "this address speaks WebSocket version 13", NULL},
	[REFUSAL_TOO_MANY]        = {429, 5, "GW429", "too many connections, messages or long readings at once", NULL},
	[REFUSAL_HEAD_LARGE]      = {431, 0, "GW431", "the header fields are too large", NULL},
	[REFUSAL_SERVER]          = {500, 0, "GW500", "the gateway could not handle the request", NULL},
	[REFUSAL_NO_METHOD]       = {501, 0, "GW501", "the method or transfer coding is not supported", NULL},
	[REFUSAL_BUSY]            = {503, 1, "GW503", "the service is busy, nothing was done", "Send the same request again."},
	[REFUSAL_STOPPING]        = {503, 1, "GW502", "the gateway is going down, nothing was done", "Send the same request again."},
	[REFUSAL_UNKNOWN_OUTCOME] = {503, 1, "GW504", "the connection to the database was lost and the outcome is unknown", "Read the record, or send the same request again with the same id."},
	[REFUSAL_NO_ANSWER]       = {504, 1, "GW506", "the database did not answer in time and the outcome is unknown", "Read the record, or send the same request again with the same id."},
	[REFUSAL_NO_KEYS]         = {503, 2, "GW508", "the signing keys are not known yet", NULL},
	[REFUSAL_VERSION]         = {505, 0, "GW505", "only HTTP/1.0 and HTTP/1.1 are spoken", NULL},
};
/* clang-format on */

static Refusal refusal_of_status(int status);
static const Title *title_find(const Problem *problem);
static void members_copy(JsonText *out, const Problem *problem);
static bool is_own_member(const char *name);

void
problem_of_refusal(Problem *problem, Refusal refusal)
{
	const RefusalText *text = &refusals[refusal];

	memset(problem, 0, sizeof(*problem));
	problem->status = text->status;
	problem->retry_after = text->retry_after;
	problem->detail = text->detail;
	problem->hint = text->hint;
	snprintf(problem->code, sizeof(problem->code), "%s", text->code);
}

void
problem_of_parser(Problem *problem, int status, const char *reason)
{
	problem_of_refusal(problem, refusal_of_status(status));
	problem->hint = reason;
}

static Refusal
refusal_of_status(int status)
{
	switch (status)
	{
		case 400:
			return REFUSAL_MALFORMED;
		case 404:
			return REFUSAL_NO_PATH;
		case 413:
			return REFUSAL_TOO_LARGE;
		case 414:
			return REFUSAL_URL_LONG;
		case 417:
			return REFUSAL_EXPECT;
		case 426:
			return REFUSAL_UPGRADE;
		case 431:
			return REFUSAL_HEAD_LARGE;
		case 501:
			return REFUSAL_NO_METHOD;
		case 505:
			return REFUSAL_VERSION;
		default:
			return REFUSAL_SERVER;
	}
}

void
problem_of_url(Problem *problem, int status, const char *reason)
{
	problem_of_refusal(problem, status == 400 ? REFUSAL_URL : refusal_of_status(status));
	problem->hint = reason;
}

void
problem_of_answer(Problem *problem, const DbAnswer *answer)
{
	static const Refusal early[] = {
		[DB_LOST] = REFUSAL_UNKNOWN_OUTCOME,
		[DB_SILENT] = REFUSAL_NO_ANSWER,
		[DB_FULL] = REFUSAL_BUSY,
		[DB_LATE] = REFUSAL_BUSY,
		[DB_CLOSED] = REFUSAL_STOPPING,
	};

	if (answer->outcome != DB_ERROR)
	{
		problem_of_refusal(problem, early[answer->outcome]);
		return;
	}
	memset(problem, 0, sizeof(*problem));
	problem->status = 500;
	problem->is_fault = true;
	snprintf(problem->code, sizeof(problem->code), "%s", answer->sqlstate);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strncmp(answer->sqlstate, rules[i].prefix, strlen(rules[i].prefix)) == 0)
		{
			problem->status = rules[i].status;
			problem->retry_after = rules[i].retry_after;
			problem->is_fault = rules[i].is_fault;
			break;
		}
	/* what is wrong with the set-up is told to operators, not to callers */
	if (strncmp(answer->sqlstate, "KN", 2) == 0 && answer->sqlstate[2] != '9')
	{
		problem->detail = answer->message;
		problem->hint = answer->hint;
		problem->column = answer->column;
	}
}

/* The body is read for its code only and goes out as it came. */
void
problem_of_outcome(Problem *problem, int status, const char *body, size_t body_len)
{
	json_t *object = body == NULL ? NULL : json_loadb(body, body_len, 0, NULL);
	const char *code = json_string_value(json_object_get(object, "code"));

	memset(problem, 0, sizeof(*problem));
	problem->status = status;
	snprintf(problem->code, sizeof(problem->code), "%.5s", code != NULL ? code : "");
	problem->retry_after = (int) json_integer_value(json_object_get(object, "retryAfter"));
	if (object != NULL && json_typeof(object) == JSON_OBJECT)
	{
		problem->members = body;
		problem->members_len = body_len;
	}
	json_decref(object);
}

bool
problem_turn(const char *body, size_t body_len, char *ticket, size_t size, int *wait_ms)
{
	json_t *object = body == NULL ? NULL : json_loadb(body, body_len, 0, NULL);
	const char *text = json_string_value(json_object_get(object, "turn"));
	json_int_t wait = json_integer_value(json_object_get(object, "waitMs"));
	bool found = text != NULL && strlen(text) < size && wait > 0 && wait <= LIMIT_TURN_MS;

	if (found)
	{
		snprintf(ticket, size, "%s", text);
		*wait_ms = (int) wait;
	}
	json_decref(object);
	return found;
}

void
problem_write(JsonText *out, const Problem *problem, Language language, const char *instance)
{
	const Title *title = title_find(problem);
	char type[256];

	snprintf(type, sizeof(type), "%s#%s", config_get()->errors_url, problem->code);
	json_open(out, '{');
	json_add_string_member(out, "type", *problem->code != '\0' ? type : "about:blank");
	json_add_string_member(out, "title", language == LANGUAGE_SW ? title->sw : title->en);
	json_add_number_member(out, "status", problem->status);
	json_add_string_member(out, "detail", problem->detail);
	json_add_string_member(out, "instance", instance);
	if (problem->members != NULL)
		members_copy(out, problem);
	else
	{
		if (*problem->code != '\0')
			json_add_string_member(out, "code", problem->code);
		json_add_string_member(out, "hint", problem->hint);
		if (problem->column != NULL)
		{
			snprintf(type, sizeof(type), "/%s", problem->column);
			json_add_string_member(out, "pointer", type);
		}
	}
	json_close(out, '}');
}

static const Title *
title_find(const Problem *problem)
{
	const Title *by_status = NULL;
	const Title *fault = NULL;

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
	{
		if (titles[i].group != NULL && strncmp(problem->code, titles[i].group, 3) == 0)
			return &titles[i];
		if (titles[i].status == problem->status)
			by_status = &titles[i];
		if (titles[i].status == 500)
			fault = &titles[i];
	}
	return by_status != NULL ? by_status : fault;
}

/* All but those that are ours to say or to use; numbers keep the digits that a double has. */
static void
members_copy(JsonText *out, const Problem *problem)
{
	json_t *object = json_loadb(problem->members, problem->members_len, 0, NULL);
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		char *text;

		if (is_own_member(name))
			continue;
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		if (text == NULL)
			continue;
		json_add_name(out, name);
		json_add_raw(out, text, strlen(text));
		out->needs_comma = true;
		free(text);
	}
	json_decref(object);
}

static bool
is_own_member(const char *name)
{
	static const char *const own[] = {"type", "title", "status", "instance", "turn", "waitMs"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return false;
}

int
problem_outcome_status(const char *word)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (strcmp(word, outcomes[i].word) == 0)
			return outcomes[i].status;
	return 0;
}

Language
problem_language(const char *accept, size_t len)
{
	double best[2] = {0, 0};
	size_t at = 0;

	while (at < len)
	{
		char range[32];
		char *quality;
		size_t size = 0;
		double q = 1;
		int language;

		for (; at < len && accept[at] != ','; at++)
			if (accept[at] != ' ' && accept[at] != '\t' && size + 1 < sizeof(range))
				range[size++] = accept[at];
		at++;
		range[size] = '\0';
		quality = strstr(range, ";q=");
		if (quality != NULL)
			q = strtod(quality + 3, NULL);
		language = strncasecmp(range, "sw", 2) == 0 ? LANGUAGE_SW : LANGUAGE_EN;
		if (language == LANGUAGE_EN && strncasecmp(range, "en", 2) != 0)
			continue;
		if (q > best[language])
			best[language] = q;
	}
	return best[LANGUAGE_SW] > best[LANGUAGE_EN] ? LANGUAGE_SW : LANGUAGE_EN;
}

const char *
problem_language_name(Language language)
{
	return language == LANGUAGE_SW ? "sw" : "en";
}
