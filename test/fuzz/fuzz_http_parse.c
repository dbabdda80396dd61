/*-------------------------------------------------------------------------
 *
 * fuzz_http_parse.c
 *	  Any bytes, cut in any way, give the same events and no memory error.
 *
 * The first byte of the input says how the rest is cut.  A second parser gets the
 * same bytes whole; both must end alike.  Every slice that is handed out is read,
 * so the sanitizers see one that points elsewhere.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/http_parse.c gateway/http_head.c gateway/http_body.c gateway/http_text.c gateway/url.c gateway/utf8.c gateway/ws_handshake.c */
/* libs: crypto */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_parse.h"
#include "url.h"
#include "ws_handshake.h"

static const HttpLimits limits = {
	.head_bytes = 512,
	.fields = 8,
	.target_bytes = 100,
	.body_bytes = 100,
};

typedef struct Run
{
	HttpParser parser;
	char *head;
	uint64_t digest;
	int requests;
	bool is_over;
} Run;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
digest_add(Run *run, HttpText text)
{
	for (size_t i = 0; i < text.len; i++)
		run->digest = (run->digest ^ (unsigned char) text.at[i]) * UINT64_C(1099511628211);
}

static void
take_head(Run *run)
{
	HttpParser *parser = &run->parser;
	HttpText path = http_path(parser);
	HttpText query = http_query(parser);
	WsHandshake handshake;
	Url url;

	require(parser->field_count <= limits.fields && parser->content_length <= limits.body_bytes);
	require(path.len > 0 && (path.at[0] == '/' || parser->is_asterisk));
	require(parser->minor == 0 || http_host(parser).len > 0);
	require(!(parser->is_chunked && parser->content_length > 0));
	digest_add(run, http_method_text(parser));
	digest_add(run, http_target(parser));
	digest_add(run, path);
	digest_add(run, query);
	digest_add(run, http_host(parser));
	for (int i = 0; i < parser->field_count; i++)
	{
		digest_add(run, http_field_name(parser, i));
		digest_add(run, http_field_value(parser, i));
	}
	if (url_parse(&url, path.at, path.len, query.at, query.len) == URL_OK)
		url_query_find(&url, "a");
	ws_handshake_check(parser, &handshake);
	ws_origin_is_allowed(parser, "https://a https://b");
}

static void
take_event(Run *run, HttpEvent event, HttpText body)
{
	if (event == HTTP_HEAD_DONE)
		take_head(run);
	else if (event == HTTP_BODY_DATA)
		digest_add(run, body);
	else if (event == HTTP_REFUSED)
	{
		require(run->parser.status >= 400 && run->parser.status <= 505);
		require(run->parser.reason != NULL);
		run->is_over = true;
	}
	else if (event == HTTP_DONE)
	{
		run->requests++;
		run->is_over = !run->parser.keep_alive;
		if (!run->is_over)
			http_parser_reset(&run->parser);
	}
}

/* The piece is copied to memory of exactly its length. */
static void
feed(Run *run, const uint8_t *data, size_t len)
{
	char *piece = malloc(len);
	size_t pos = 0;
	HttpEvent event = HTTP_NEED_MORE;

	memcpy(piece, data, len);
	while (!run->is_over && (pos < len || event == HTTP_HEAD_DONE || event == HTTP_BODY_DATA))
	{
		size_t used;
		HttpText body;

		event = http_parser_feed(&run->parser, piece + pos, len - pos, &used, &body.at,
								 &body.len);
		require(used <= len - pos);
		require(used > 0 || event != HTTP_NEED_MORE || pos == len);
		pos += used;
		take_event(run, event, body);
	}
	free(piece);
}

static void
start(Run *run)
{
	memset(run, 0, sizeof(*run));
	run->head = malloc(limits.head_bytes);
	http_parser_init(&run->parser, &limits, run->head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Run whole;
	static Run cut;
	size_t step;

	if (size < 2)
		return 0;
	start(&whole);
	start(&cut);
	step = 1 + data[0] % 16;
	data++;
	size--;
	feed(&whole, data, size);
	for (size_t pos = 0; pos < size && !cut.is_over; pos += step)
		feed(&cut, data + pos, pos + step < size ? step : size - pos);
	require(whole.digest == cut.digest && whole.requests == cut.requests);
	require(whole.is_over == cut.is_over && whole.parser.status == cut.parser.status);
	require(whole.parser.reason == cut.parser.reason);
	free(whole.head);
	free(cut.head);
	return 0;
}
