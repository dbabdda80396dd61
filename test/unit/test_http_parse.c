/*-------------------------------------------------------------------------
 *
 * test_http_parse.c
 *	  What the request parser promises, alone and on every wire case.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/http_parse.c gateway/http_head.c gateway/http_body.c gateway/http_text.c gateway/url.c gateway/utf8.c gateway/ws_handshake.c test/unit/http_case.c */
/* libs: crypto */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_case.h"
#include "http_parse.h"
#include "tap.h"
#include "url.h"
#include "ws_handshake.h"

#define OUTCOME_SIZE 4096

/* How the bytes are cut before they are fed. */
typedef enum Cut
{
	CUT_WHOLE,
	CUT_BYTES,
	CUT_RANDOM
} Cut;

/* Everything that happened, as text and as a digest of what was handed out. */
typedef struct Outcome
{
	char status[OUTCOME_SIZE]; /* as in the cases: "ok 400 close" */
	char reason[64];
	uint64_t digest; /* of heads and bodies */
	size_t used;
	HttpEvent last;
} Outcome;

typedef struct Run
{
	HttpParser parser;
	Outcome *outcome;
	char *piece; /* exactly as long as its bytes, so a read beyond is found */
	bool is_over;
} Run;

static uint32_t random_state = 7;

static uint32_t
random_next(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

static void
digest_add(uint64_t *digest, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*digest = (*digest ^ (unsigned char) bytes[i]) * UINT64_C(1099511628211);
}

static void
digest_text(uint64_t *digest, HttpText text)
{
	digest_add(digest, text.at, text.len);
	digest_add(digest, "|", 1);
}

static void
digest_head(Outcome *outcome, const HttpParser *parser)
{
	char flags[64];

	snprintf(flags, sizeof(flags), "%d %d %d%d%d%d%d%d%d %llu %d", parser->method, parser->minor,
			 parser->keep_alive, parser->expect_continue, parser->has_body, parser->is_chunked,
			 parser->wants_upgrade, parser->is_asterisk, parser->has_query,
			 (unsigned long long) parser->content_length, parser->field_count);
	digest_add(&outcome->digest, flags, strlen(flags));
	digest_text(&outcome->digest, http_method_text(parser));
	digest_text(&outcome->digest, http_target(parser));
	digest_text(&outcome->digest, http_path(parser));
	digest_text(&outcome->digest, http_query(parser));
	digest_text(&outcome->digest, http_host(parser));
	for (int i = 0; i < parser->field_count; i++)
	{
		digest_text(&outcome->digest, http_field_name(parser, i));
		digest_text(&outcome->digest, http_field_value(parser, i));
	}
}

/* What a gateway would answer to a complete request, as far as the parsers decide it. */
static int
answer_of(const HttpParser *parser)
{
	HttpText path = http_path(parser);
	HttpText query = http_query(parser);
	WsHandshake handshake;
	UrlFault fault;
	Url url;

	if (parser->is_asterisk)
		return 200;
	fault = url_parse(&url, path.at, path.len, query.at, query.len);
	if (fault != URL_OK)
		return url_fault_status(fault);
	if (url.segment_count != 1 || strcmp(url.segment[0].at, "ws") != 0)
		return 200;
	return ws_handshake_check(parser, &handshake) ? 101 : handshake.status;
}

static void
add_status(Outcome *outcome, int status)
{
	char word[16];

	snprintf(word, sizeof(word), status == 200 ? "ok " : "%d ", status);
	if (strlen(outcome->status) + strlen(word) < OUTCOME_SIZE)
		strcat(outcome->status, word);
}

static void
take_event(Run *run, HttpEvent event, HttpText body)
{
	Outcome *outcome = run->outcome;
	HttpParser *parser = &run->parser;
	int status;

	outcome->last = event;
	switch (event)
	{
		case HTTP_NEED_MORE:
			return;
		case HTTP_HEAD_DONE:
			digest_head(outcome, parser);
			return;
		case HTTP_BODY_DATA:
			digest_add(&outcome->digest, body.at, body.len);
			return;
		case HTTP_DONE:
			status = answer_of(parser);
			add_status(outcome, status);
			run->is_over = status == 101 || !parser->keep_alive;
			if (!run->is_over)
				http_parser_reset(parser);
			return;
		case HTTP_REFUSED:
			add_status(outcome, parser->status);
			snprintf(outcome->reason, sizeof(outcome->reason), "%s", parser->reason);
			run->is_over = true;
			return;
	}
}

static void
feed_piece(Run *run, const char *bytes, size_t len)
{
	size_t pos = 0;
	HttpEvent event;

	run->piece = malloc(len);
	memcpy(run->piece, bytes, len);
	do
	{
		size_t used;
		HttpText body;

		event = http_parser_feed(&run->parser, run->piece + pos, len - pos, &used, &body.at,
								 &body.len);
		pos += used;
		take_event(run, event, body);
	} while (!run->is_over && (pos < len || event == HTTP_HEAD_DONE || event == HTTP_BODY_DATA));
	run->outcome->used += pos;
	free(run->piece);
}

static void
run_bytes(const char *bytes, size_t len, const HttpLimits *limits, Cut cut, Outcome *outcome)
{
	Run run = {.outcome = outcome};
	char *head = malloc(limits->head_bytes);
	size_t pos = 0;

	memset(outcome, 0, sizeof(*outcome));
	http_parser_init(&run.parser, limits, head);
	while (pos < len && !run.is_over)
	{
		size_t step = cut == CUT_WHOLE ? len : cut == CUT_BYTES ? 1
																: 1 + random_next() % 40;

		if (step > len - pos)
			step = len - pos;
		feed_piece(&run, bytes + pos, step);
		pos += step;
	}
	if (outcome->last == HTTP_NEED_MORE && !http_parser_is_idle(&run.parser))
		strcat(outcome->status, "wait");
	else
		strcat(outcome->status, run.is_over && strcmp(outcome->status, "101 ") != 0 &&
										strstr(outcome->status, " 101 ") == NULL
									? "close"
									: "open");
	free(head);
}

/* Word by word; "any" as the last stands for open and close, "400/426" for either. */
static bool
matches(const char *found, const char *wanted)
{
	char one[OUTCOME_SIZE];
	char other[OUTCOME_SIZE];
	char *save_one,
		*save_other,
		*word,
		*choice;

	snprintf(one, sizeof(one), "%s", found);
	snprintf(other, sizeof(other), "%s", wanted);
	word = strtok_r(one, " ", &save_one);
	choice = strtok_r(other, " ", &save_other);
	while (word != NULL && choice != NULL)
	{
		const char *at = strstr(choice, word);

		if (strcmp(choice, "any") != 0 &&
			(at == NULL || (at != choice && at[-1] != '/') ||
			 strchr("/", at[strlen(word)]) == NULL))
			return false;
		word = strtok_r(NULL, " ", &save_one);
		choice = strtok_r(NULL, " ", &save_other);
	}
	return word == NULL && choice == NULL;
}

static bool
same_outcome(const Outcome *one, const Outcome *other)
{
	return strcmp(one->status, other->status) == 0 && strcmp(one->reason, other->reason) == 0 &&
		   one->digest == other->digest && one->used == other->used && one->last == other->last;
}

static void
check_case(const HttpCase *http_case, void *arg)
{
	Outcome whole;
	Outcome cut;
	bool is_wait = strcmp(http_case->expect, "wait") == 0;
	bool is_same = true;

	(void) arg;
	run_bytes(http_case->bytes, http_case->len, &http_limits_default, CUT_WHOLE, &whole);
	run_bytes(http_case->bytes, http_case->len, &http_limits_default, CUT_BYTES, &cut);
	is_same = same_outcome(&whole, &cut);
	for (int i = 0; i < 5 && is_same; i++)
	{
		run_bytes(http_case->bytes, http_case->len, &http_limits_default, CUT_RANDOM, &cut);
		is_same = same_outcome(&whole, &cut);
	}
	if (!ok(is_wait ? whole.last == HTTP_NEED_MORE : matches(whole.status, http_case->expect),
			"%s", http_case->name))
		printf("# found %s (%s), wanted %s\n", whole.status, whole.reason, http_case->expect);
	if (!is_same)
	{
		ok(false, "%s: the same however it is cut", http_case->name);
		printf("# whole: %s %s %zu; cut: %s %s %zu\n", whole.status, whole.reason, whole.used,
			   cut.status, cut.reason, cut.used);
	}
}

/* Feeds one request whole and leaves the parser at HTTP_HEAD_DONE or HTTP_REFUSED. */
static HttpEvent
parse_head(HttpParser *parser, char *head, const char *text)
{
	size_t used;
	HttpText body;

	http_parser_init(parser, &http_limits_default, head);
	return http_parser_feed(parser, text, strlen(text), &used, &body.at, &body.len);
}

static void
test_head_is_understood(void)
{
	static char head[16 * 1024];
	HttpParser parser;
	HttpText value;

	ok(parse_head(&parser, head,
				  "PATCH /api/me?a=b HTTP/1.1\r\nHost: x.test:80\r\nContent-Type:  a/b \t\r\n"
				  "Accept: one\r\nACCEPT: two, three ,,\r\nContent-Length: 3\r\n"
				  "Expect: 100-continue\r\nX-Empty:\r\n\r\n") == HTTP_HEAD_DONE,
	   "a head is complete with its empty line");
	ok(parser.method == HTTP_PATCH && http_text_is(http_method_text(&parser), "PATCH"), "method");
	ok(http_text_is(http_target(&parser), "/api/me?a=b"), "target");
	ok(http_text_is(http_path(&parser), "/api/me"), "path");
	ok(parser.has_query && http_text_is(http_query(&parser), "a=b"), "query");
	ok(http_text_is(http_host(&parser), "x.test:80"), "host");
	ok(parser.minor == 1 && parser.keep_alive, "HTTP/1.1 keeps the connection");
	ok(parser.has_body && !parser.is_chunked && parser.content_length == 3, "length of the body");
	ok(parser.expect_continue, "expectation");
	ok(http_field_find(&parser, "content-type", &value) && http_text_is(value, "a/b"),
	   "a value loses the white space around it");
	ok(http_field_find(&parser, "x-empty", &value) && value.len == 0, "a value may be empty");
	ok(!http_field_find(&parser, "content-typ", &value), "a name that is not there");
	ok(http_field_count(&parser, "Accept") == 2, "fields of one name are counted in any case");
	ok(http_field_has_token(&parser, "accept", "THREE") &&
		   !http_field_has_token(&parser, "accept", "thre"),
	   "tokens are found across fields");
	ok(parser.field_count == 7, "all fields are kept");
}

static void
test_flags(void)
{
	static char head[16 * 1024];
	HttpParser parser;

	parse_head(&parser, head, "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
	ok(http_text_is(http_path(&parser), "/") && !parser.has_query,
	   "absolute-form without a path means the root");
	parse_head(&parser, head, "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n");
	ok(http_text_is(http_path(&parser), "/") && http_text_is(http_query(&parser), "b"),
	   "absolute-form with a query only");
	parse_head(&parser, head, "GET http://a/b/c?d HTTP/1.0\r\n\r\n");
	ok(http_text_is(http_path(&parser), "/b/c") && http_text_is(http_host(&parser), "a"),
	   "HTTP/1.0 in absolute-form names its host in the target");
	parse_head(&parser, head, "GET / HTTP/1.0\r\n\r\n");
	ok(parser.minor == 0 && !parser.keep_alive && http_host(&parser).len == 0,
	   "HTTP/1.0 closes and needs no Host");
	parse_head(&parser, head,
			   "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
	ok(parser.wants_upgrade, "an upgrade is asked for");
	parse_head(&parser, head, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n");
	ok(!parser.wants_upgrade, "Upgrade without Connection: upgrade asks for nothing");
	parse_head(&parser, head,
			   "GET / HTTP/1.0\r\nHost: a\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
	ok(!parser.wants_upgrade, "HTTP/1.0 cannot upgrade");
	parse_head(&parser, head, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	ok(parser.is_asterisk && parser.method == HTTP_OPTIONS, "OPTIONS *");
	parse_head(&parser, head, "get / HTTP/1.1\r\nHost: a\r\n\r\n");
	ok(parser.method == HTTP_OTHER, "methods are case-sensitive");
	parse_head(&parser, head, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n"
							  "Expect: 100-continue\r\n\r\n");
	ok(parser.status == 413 && strcmp(parser.reason, "body-too-long") == 0,
	   "a refusal has a status and a word");
}

static void
test_life_of_a_connection(void)
{
	static const char text[] =
		"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
	static char head[16 * 1024];
	HttpParser parser;
	HttpText body;
	size_t used;
	size_t first;

	http_parser_init(&parser, &http_limits_default, head);
	ok(http_parser_is_idle(&parser), "a new connection is idle");
	ok(http_parser_feed(&parser, "\r\n", 2, &used, &body.at, &body.len) == HTTP_NEED_MORE &&
		   http_parser_is_idle(&parser),
	   "an empty line leaves it idle");
	ok(http_parser_feed(&parser, "G", 1, &used, &body.at, &body.len) == HTTP_NEED_MORE &&
		   !http_parser_is_idle(&parser),
	   "the first byte of a request does not");
	http_parser_reset(&parser);
	ok(http_parser_feed(&parser, text, strlen(text), &first, &body.at, &body.len) ==
			   HTTP_HEAD_DONE &&
		   first == strlen(text) / 2,
	   "the second of two requests is left alone");
	ok(http_parser_feed(&parser, text, 0, &used, &body.at, &body.len) == HTTP_DONE,
	   "a request without a body is done without another byte");
	ok(http_parser_feed(&parser, text, strlen(text), &used, &body.at, &body.len) == HTTP_DONE &&
		   used == 0,
	   "until reset nothing more is read");
	http_parser_reset(&parser);
	ok(http_parser_feed(&parser, text + first, strlen(text) - first, &used, &body.at,
						&body.len) == HTTP_HEAD_DONE &&
		   http_text_is(http_path(&parser), "/2"),
	   "after it the second request is read");
	http_parser_reset(&parser);
	http_parser_feed(&parser, "GET\n", 4, &used, &body.at, &body.len);
	ok(strcmp(parser.reason, "bare-line-feed") == 0, "a bare line feed is called by its name");
	http_parser_reset(&parser);
	http_parser_feed(&parser, "\0", 1, &used, &body.at, &body.len);
	ok(strcmp(parser.reason, "control-byte") == 0 && !http_parser_is_idle(&parser),
	   "a refusal says why, and is not idle");
	ok(http_parser_feed(&parser, text, strlen(text), &used, &body.at, &body.len) == HTTP_REFUSED &&
		   used == 0 && parser.status == 400,
	   "after a refusal nothing more is read");
}

static void
check_limit(HttpLimits limits, const char *at, const char *over, int status, const char *name)
{
	Outcome outcome;
	char wanted[32];

	run_bytes(at, strlen(at), &limits, CUT_WHOLE, &outcome);
	ok(strcmp(outcome.status, "ok open") == 0, "%s: at the limit", name);
	run_bytes(over, strlen(over), &limits, CUT_WHOLE, &outcome);
	snprintf(wanted, sizeof(wanted), "%d close", status);
	ok(strcmp(outcome.status, wanted) == 0, "%s: one over", name);
}

static void
test_limits_are_settings(void)
{
	HttpLimits limits = {.head_bytes = 64, .fields = 2, .target_bytes = 10, .body_bytes = 4};
	HttpLimits most = {.head_bytes = 1 << 20, .fields = 1000, .target_bytes = 1, .body_bytes = 1};
	HttpParser parser;

	http_parser_init(&parser, &most, NULL);
	ok(parser.limits.head_bytes == HTTP_HEAD_MAX && parser.limits.fields == HTTP_FIELDS_MAX,
	   "a setting cannot go beyond the structure");
	check_limit(limits, "GET /234567890 HTTP/1.1\r\nHost: a\r\n\r\n",
				"GET /2345678901 HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target");
	check_limit(limits, "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n",
				"GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\n\r\n", 431, "fields");
	check_limit(limits, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour",
				"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfives", 413, "body");
	check_limit(limits, "GET / HTTP/1.1\r\nHost: a\r\nB: 34567890123456789012345678901234\r\n\r\n",
				"GET / HTTP/1.1\r\nHost: a\r\nB: 345678901234567890123456789012345\r\n\r\n", 431,
				"head");
}

int
main(void)
{
	int count;

	test_head_is_understood();
	test_flags();
	test_life_of_a_connection();
	test_limits_are_settings();
	count = http_cases_visit(check_case, NULL);
	ok(count >= 300, "at least 300 wire cases were read");
	return finish();
}
