/*-------------------------------------------------------------------------
 *
 * http_parse.c
 *	  Collects the lines of a request head and hands each one on.
 *
 * Called by the connection code.  Lines go to http_head.c, the bytes after the
 * head to http_body.c.  Every byte is judged when it arrives, so the events of a
 * request are the same however the network cut it.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#include <strings.h>

#include "http_parse_private.h"

const HttpLimits http_limits_default = {
	.head_bytes = 16 * 1024,
	.fields = HTTP_FIELDS_MAX,
	.target_bytes = 2 * 1024,
	.body_bytes = 1024 * 1024,
};

static HttpEvent head_feed(HttpParser *parser, const char *data, size_t len, size_t *used);
static bool take_text(HttpParser *parser, const char *data, size_t len, size_t *used);
static size_t text_span(const char *data, size_t len);
static size_t head_room(const HttpParser *parser);
static bool refuse_long(HttpParser *parser);
static bool take_line_end(HttpParser *parser, char byte);
static bool line_done(HttpParser *parser);

void
http_parser_init(HttpParser *parser, const HttpLimits *limits, char *head)
{
	parser->limits = *limits;
	if (parser->limits.head_bytes > HTTP_HEAD_MAX)
		parser->limits.head_bytes = HTTP_HEAD_MAX;
	if (parser->limits.fields > HTTP_FIELDS_MAX)
		parser->limits.fields = HTTP_FIELDS_MAX;
	parser->head = head;
	http_parser_reset(parser);
}

bool
http_parser_limit_body(HttpParser *parser, size_t bytes)
{
	if (bytes < parser->limits.body_bytes)
		parser->limits.body_bytes = bytes;
	return parser->content_length <= parser->limits.body_bytes;
}

void
http_parser_reset(HttpParser *parser)
{
	HttpLimits limits = parser->limits;
	char *head = parser->head;

	/* The fields behind field_count are never read, so they need no clearing. */
	memset(parser, 0, offsetof(HttpParser, field));
	parser->limits = limits;
	parser->head = head;
}

bool
http_parser_is_idle(const HttpParser *parser)
{
	return parser->state == HTTP_AT_START && parser->head_len == 0;
}

HttpEvent
http_parser_feed(HttpParser *parser, const char *data, size_t len, size_t *used,
				 const char **body, size_t *body_len)
{
	HttpText piece = {NULL, 0};
	HttpEvent event;

	*used = 0;
	if (parser->state == HTTP_AT_REFUSED)
		event = HTTP_REFUSED;
	else if (parser->state == HTTP_AT_COMPLETE)
		event = HTTP_DONE;
	else if (parser->state <= HTTP_AT_FIELDS)
		event = head_feed(parser, data, len, used);
	else
		event = http_body_feed(parser, data, len, used, &piece);
	*body = piece.at;
	*body_len = piece.len;
	return event;
}

static HttpEvent
head_feed(HttpParser *parser, const char *data, size_t len, size_t *used)
{
	size_t pos = 0;
	bool is_fine = true;

	while (is_fine && pos < len && !parser->is_head_done)
	{
		size_t taken = 0;

		if (parser->after_cr)
			is_fine = take_line_end(parser, data[pos++]);
		else
		{
			is_fine = take_text(parser, data + pos, len - pos, &taken);
			pos += taken;
		}
	}
	*used = pos;
	if (!is_fine)
		return HTTP_REFUSED;
	return parser->is_head_done ? HTTP_HEAD_DONE : HTTP_NEED_MORE;
}

/* Takes bytes up to and including a carriage return. */
static bool
take_text(HttpParser *parser, const char *data, size_t len, size_t *used)
{
	size_t room = head_room(parser);
	size_t span = text_span(data, len < room ? len : room);

	if (parser->state == HTTP_AT_START && span > 0)
	{
		if (!http_byte_is(data[0], HTTP_IS_TOKEN))
		{
			*used = 1;
			return http_refuse(parser, 400, "request-line");
		}
		parser->state = HTTP_AT_REQUEST_LINE;
	}
	memcpy(parser->head + parser->head_len, data, span);
	parser->head_len += (uint32_t) span;
	*used = span;
	if (span == len)
		return true;

	*used = span + 1;
	if (http_byte_is(data[span], HTTP_IS_TEXT))
		return refuse_long(parser);
	if (data[span] == '\r')
	{
		if (parser->head_len + 2 > parser->limits.head_bytes)
			return refuse_long(parser);
		parser->head[parser->head_len++] = '\r';
		parser->after_cr = true;
		return true;
	}
	return http_refuse(parser, 400, data[span] == '\n' ? "bare-line-feed" : "control-byte");
}

/* How many bytes from the start may stand in a field value, eight at a time. */
static size_t
text_span(const char *data, size_t len)
{
	const uint64_t ones = 0x0101010101010101u;
	size_t pos = 0;

	while (pos + 8 <= len)
	{
		uint64_t word,
			deleted;

		memcpy(&word, data + pos, 8);
		deleted = word ^ (ones * 0x7f);
		/* A byte under 0x20, or 0x7f; a tab stops here too and is told apart below. */
		if ((((word - ones * 0x20) & ~word) | ((deleted - ones) & ~deleted)) & (ones * 0x80))
			break;
		pos += 8;
	}
	while (pos < len && http_byte_is(data[pos], HTTP_IS_TEXT))
		pos++;
	return pos;
}

/* Bytes of text the current line may still get, with room left for its line end. */
static size_t
head_room(const HttpParser *parser)
{
	size_t room = parser->limits.head_bytes - parser->head_len;
	size_t line_max = HTTP_METHOD_MAX + parser->limits.target_bytes + strlen("  HTTP/1.1");

	room = room > 2 ? room - 2 : 0;
	if (parser->state <= HTTP_AT_REQUEST_LINE && line_max - parser->head_len < room)
		room = line_max - parser->head_len;
	return room;
}

static bool
refuse_long(HttpParser *parser)
{
	if (parser->state > HTTP_AT_REQUEST_LINE)
		return http_refuse(parser, 431, "head-too-long");
	if (memchr(parser->head, ' ', parser->head_len) == NULL)
		return http_refuse(parser, 501, "method-too-long");
	return http_refuse(parser, 414, "target-too-long");
}

static bool
take_line_end(HttpParser *parser, char byte)
{
	if (byte != '\n')
		return http_refuse(parser, 400, "bare-carriage-return");
	parser->head[parser->head_len++] = '\n';
	parser->after_cr = false;
	return line_done(parser);
}

static bool
line_done(HttpParser *parser)
{
	HttpPart line = {(uint16_t) parser->line_at,
					 (uint16_t) (parser->head_len - parser->line_at - 2)};

	parser->line_at = parser->head_len;
	switch (parser->state)
	{
		case HTTP_AT_START:
			/* RFC 9112 2.2: one empty line before the request line is forgiven. */
			if (parser->skipped_empty_line)
				return http_refuse(parser, 400, "empty-line");
			parser->skipped_empty_line = true;
			parser->head_len = 0;
			parser->line_at = 0;
			return true;
		case HTTP_AT_REQUEST_LINE:
			parser->state = HTTP_AT_FIELDS;
			return http_head_request_line(parser, line);
		default:
			return line.len > 0 ? http_head_field(parser, line) : http_head_finish(parser);
	}
}
