/*-------------------------------------------------------------------------
 *
 * http_head.c
 *	  The meaning of a request head: target, host, framing, connection.
 *
 * Called by http_parse.c, once per line and once at the end of the head.  Two
 * readers must never see two different requests in the same bytes, so a framing
 * that another server could read another way is refused.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "http_parse_private.h"

typedef struct KnownField
{
	uint8_t len;
	uint8_t id; /* HttpFieldId */
	char name[22];
} KnownField;

/* Ordered by length.  Only Connection, Expect and Upgrade may come several times. */
#define KNOWN(name, id)            \
	{                              \
		sizeof(name) - 1, id, name \
	}
static const KnownField known_field[] = {
	KNOWN("date", HTTP_FIELD_ONCE),
	KNOWN("from", HTTP_FIELD_ONCE),
	KNOWN("host", HTTP_FIELD_HOST),
	KNOWN("range", HTTP_FIELD_ONCE),
	KNOWN("expect", HTTP_FIELD_EXPECT),
	KNOWN("origin", HTTP_FIELD_ONCE),
	KNOWN("referer", HTTP_FIELD_ONCE),
	KNOWN("upgrade", HTTP_FIELD_UPGRADE),
	KNOWN("if-range", HTTP_FIELD_ONCE),
	KNOWN("connection", HTTP_FIELD_CONNECTION),
	KNOWN("user-agent", HTTP_FIELD_ONCE),
	KNOWN("content-type", HTTP_FIELD_ONCE),
	KNOWN("max-forwards", HTTP_FIELD_ONCE),
	KNOWN("authorization", HTTP_FIELD_ONCE),
	KNOWN("content-range", HTTP_FIELD_ONCE),
	KNOWN("content-length", HTTP_FIELD_CONTENT_LENGTH),
	KNOWN("idempotency-key", HTTP_FIELD_ONCE),
	KNOWN("content-location", HTTP_FIELD_ONCE),
	KNOWN("if-modified-since", HTTP_FIELD_ONCE),
	KNOWN("sec-websocket-key", HTTP_FIELD_ONCE),
	KNOWN("transfer-encoding", HTTP_FIELD_TRANSFER_ENCODING),
	KNOWN("if-unmodified-since", HTTP_FIELD_ONCE),
	KNOWN("proxy-authorization", HTTP_FIELD_ONCE),
	KNOWN("sec-websocket-version", HTTP_FIELD_ONCE),
};
#define KNOWN_COUNT (sizeof(known_field) / sizeof(known_field[0]))

static const char *last_space(HttpText text);
static HttpMethod method_of(HttpText method);
static bool read_version(HttpParser *parser, HttpText version);
static int known_field_of(HttpText name);
static bool note_known(HttpParser *parser, int known, HttpPart value);
static bool read_content_length(HttpParser *parser, HttpText value);
static bool read_transfer_encoding(HttpParser *parser, HttpText value);
static bool read_connection(HttpParser *parser, HttpText value);
static bool read_expect(HttpParser *parser, HttpText value);
static bool read_target(HttpParser *parser);
static bool read_absolute_form(HttpParser *parser, HttpText target);
static bool split_query(HttpParser *parser, HttpPart part);
static bool check_host(HttpParser *parser);
static bool host_is_valid(HttpText host);
static bool is_ip_literal(HttpText host, size_t *end);
static bool finish_framing(HttpParser *parser);

bool
http_head_request_line(HttpParser *parser, HttpPart line)
{
	HttpText text = http_part_text(parser, line);
	const char *first = memchr(text.at, ' ', text.len);
	const char *last = last_space(text);
	HttpText method;

	if (first == NULL || first == last)
		return http_refuse(parser, 400, "request-line");
	method = (HttpText){text.at, (size_t) (first - text.at)};
	for (size_t i = 0; i < method.len; i++)
		if (!http_byte_is(method.at[i], HTTP_IS_TOKEN))
			return http_refuse(parser, 400, "method");
	parser->method_part = (HttpPart){line.at, (uint16_t) method.len};
	parser->method = method_of(method);
	parser->target = (HttpPart){(uint16_t) (line.at + method.len + 1),
								(uint16_t) (last - first - 1)};
	if (!read_version(parser, (HttpText){last + 1, (size_t) (text.at + text.len - last - 1)}))
		return false;
	if (method.len > HTTP_METHOD_MAX)
		return http_refuse(parser, 501, "method-too-long");
	if (http_text_is(method, "CONNECT"))
		return http_refuse(parser, 501, "connect");
	return read_target(parser);
}

static const char *
last_space(HttpText text)
{
	size_t pos = text.len;

	while (pos > 0 && text.at[pos - 1] != ' ')
		pos--;
	return pos > 0 ? text.at + pos - 1 : NULL;
}

/* Methods are case-sensitive: "get" is another method, which nobody has. */
static HttpMethod
method_of(HttpText method)
{
	static const char *const name[HTTP_OTHER] = {
		[HTTP_GET] = "GET",
		[HTTP_HEAD] = "HEAD",
		[HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH",
		[HTTP_DELETE] = "DELETE",
		[HTTP_OPTIONS] = "OPTIONS",
	};

	for (int i = 0; i < HTTP_OTHER; i++)
		if (strlen(name[i]) == method.len && memcmp(name[i], method.at, method.len) == 0)
			return (HttpMethod) i;
	return HTTP_OTHER;
}

static bool
read_version(HttpParser *parser, HttpText version)
{
	if (version.len != strlen("HTTP/1.1") || memcmp(version.at, "HTTP/", 5) != 0 ||
		!http_byte_is(version.at[5], HTTP_IS_DIGIT) || version.at[6] != '.' ||
		!http_byte_is(version.at[7], HTTP_IS_DIGIT))
		return http_refuse(parser, 400, "version");
	if (version.at[5] != '1' || version.at[7] > '1')
		return http_refuse(parser, 505, "version-not-supported");
	parser->minor = version.at[7] - '0';
	parser->keep_alive = parser->minor == 1;
	return true;
}

static bool
read_target(HttpParser *parser)
{
	HttpText target = http_target(parser);

	if (target.len > parser->limits.target_bytes)
		return http_refuse(parser, 414, "target-too-long");
	if (target.len == 1 && target.at[0] == '*')
	{
		parser->is_asterisk = true;
		parser->path = parser->target;
		return parser->method == HTTP_OPTIONS || http_refuse(parser, 400, "target");
	}
	if (target.len > 0 && target.at[0] == '/')
		return split_query(parser, parser->target);
	return read_absolute_form(parser, target);
}

/*
 * RFC 9112 3.2.2.  The authority is kept and must later equal the Host field;
 * the rest is read as if the client had sent it in origin-form.
 */
static bool
read_absolute_form(HttpParser *parser, HttpText target)
{
	size_t scheme = 0;
	size_t end;
	HttpPart rest;

	if (target.len > 7 && strncasecmp(target.at, "http://", 7) == 0)
		scheme = 7;
	else if (target.len > 8 && strncasecmp(target.at, "https://", 8) == 0)
		scheme = 8;
	else
		return http_refuse(parser, 400, "target");
	for (end = scheme; end < target.len; end++)
		if (target.at[end] == '/' || target.at[end] == '?')
			break;
	if (!host_is_valid((HttpText){target.at + scheme, end - scheme}))
		return http_refuse(parser, 400, "target");
	parser->authority = (HttpPart){(uint16_t) (parser->target.at + scheme),
								   (uint16_t) (end - scheme)};
	rest = (HttpPart){(uint16_t) (parser->target.at + end), (uint16_t) (target.len - end)};
	if (!split_query(parser, rest))
		return false;
	/* An empty path means the root; the slash before the authority lends itself. */
	if (parser->path.len == 0)
		parser->path = (HttpPart){(uint16_t) (parser->authority.at - 1), 1};
	return true;
}

static bool
split_query(HttpParser *parser, HttpPart part)
{
	const char *start = parser->head + part.at;
	const char *mark = memchr(start, '?', part.len);

	for (uint16_t i = 0; i < part.len; i++)
		if (!http_byte_is(start[i], HTTP_IS_TARGET))
			return http_refuse(parser, 400, "target");
	parser->path = part;
	if (mark == NULL)
		return true;
	parser->has_query = true;
	parser->path.len = (uint16_t) (mark - start);
	parser->query = (HttpPart){(uint16_t) (part.at + parser->path.len + 1),
							   (uint16_t) (part.len - parser->path.len - 1)};
	return true;
}

bool
http_head_field(HttpParser *parser, HttpPart line)
{
	HttpText text = http_part_text(parser, line);
	HttpField *field = &parser->field[parser->field_count];
	size_t name_len = 0;
	size_t start;
	size_t end = text.len;

	if (http_byte_is(text.at[0], HTTP_IS_BLANK))
		return http_refuse(parser, 400, "folded-field");
	while (name_len < text.len && http_byte_is(text.at[name_len], HTTP_IS_TOKEN))
		name_len++;
	if (name_len == 0 || name_len == text.len || text.at[name_len] != ':')
		return http_refuse(parser, 400, "field-name");
	if (parser->field_count >= parser->limits.fields)
		return http_refuse(parser, 431, "too-many-fields");
	start = name_len + 1;
	while (start < end && http_byte_is(text.at[start], HTTP_IS_BLANK))
		start++;
	while (end > start && http_byte_is(text.at[end - 1], HTTP_IS_BLANK))
		end--;
	field->name = (HttpPart){line.at, (uint16_t) name_len};
	field->value = (HttpPart){(uint16_t) (line.at + start), (uint16_t) (end - start)};
	parser->field_count++;
	return note_known(parser, known_field_of((HttpText){text.at, name_len}), field->value);
}

/* Index in known_field, or -1. */
static int
known_field_of(HttpText name)
{
	for (size_t i = 0; i < KNOWN_COUNT && known_field[i].len <= name.len; i++)
		if (known_field[i].len == name.len &&
			(name.at[0] | 0x20) == known_field[i].name[0] &&
			strncasecmp(name.at, known_field[i].name, name.len) == 0)
			return (int) i;
	return -1;
}

static bool
note_known(HttpParser *parser, int known, HttpPart part)
{
	HttpText value = http_part_text(parser, part);
	uint8_t id = known >= 0 ? known_field[known].id : HTTP_FIELD_OTHER;

	if (id == HTTP_FIELD_OTHER)
		return true;
	if (id == HTTP_FIELD_CONNECTION)
		return read_connection(parser, value);
	if (id == HTTP_FIELD_EXPECT)
		return read_expect(parser, value);
	if (id == HTTP_FIELD_UPGRADE)
	{
		parser->has_upgrade = true;
		return true;
	}
	if (parser->fields_seen & (1u << known))
		return http_refuse(parser, 400, "repeated-field");
	parser->fields_seen |= 1u << known;
	if (id == HTTP_FIELD_CONTENT_LENGTH)
		return read_content_length(parser, value);
	if (id == HTTP_FIELD_TRANSFER_ENCODING)
		return read_transfer_encoding(parser, value);
	if (id == HTTP_FIELD_HOST)
	{
		parser->host = part;
		parser->has_host = true;
	}
	return true;
}

/* RFC 9110 8.6: digits and nothing else.  A number too big to count is only too big. */
static bool
read_content_length(HttpParser *parser, HttpText value)
{
	uint64_t length = 0;

	if (value.len == 0)
		return http_refuse(parser, 400, "content-length");
	for (size_t i = 0; i < value.len; i++)
	{
		if (!http_byte_is(value.at[i], HTTP_IS_DIGIT))
			return http_refuse(parser, 400, "content-length");
		if (length <= UINT64_MAX / 16)
			length = length * 10 + (uint64_t) (value.at[i] - '0');
	}
	parser->has_length = true;
	parser->content_length = length;
	return true;
}

/*
 * RFC 9112 6.1 and 6.3: chunked must be the last coding, once; another coding
 * before it is one we do not have.
 */
static bool
read_transfer_encoding(HttpParser *parser, HttpText value)
{
	HttpText item;
	int codings = 0;
	int chunked = 0;
	bool is_last = false;

	while (http_list_next(&value, &item))
	{
		codings++;
		is_last = http_text_is(item, "chunked");
		chunked += is_last ? 1 : 0;
	}
	if (!is_last || chunked != 1)
		return http_refuse(parser, 400, "transfer-encoding");
	if (codings > 1)
		return http_refuse(parser, 501, "transfer-coding");
	parser->is_chunked = true;
	return true;
}

/* A connection option may not take away a field that frames or routes the message. */
static bool
read_connection(HttpParser *parser, HttpText value)
{
	HttpText item;

	while (http_list_next(&value, &item))
	{
		for (size_t i = 0; i < item.len; i++)
			if (!http_byte_is(item.at[i], HTTP_IS_TOKEN))
				return http_refuse(parser, 400, "connection");
		if (http_text_is(item, "close"))
			parser->is_close_asked = true;
		else if (http_text_is(item, "keep-alive"))
			parser->is_keep_asked = true;
		else if (http_text_is(item, "upgrade"))
			parser->is_upgrade_asked = true;
		else if (http_text_is(item, "host") || http_text_is(item, "content-length") ||
				 http_text_is(item, "transfer-encoding") || http_text_is(item, "authorization"))
			return http_refuse(parser, 400, "connection");
	}
	return true;
}

static bool
read_expect(HttpParser *parser, HttpText value)
{
	if (!http_text_is(value, "100-continue"))
		return http_refuse(parser, 417, "expectation");
	parser->expect_continue = true;
	return true;
}

bool
http_head_finish(HttpParser *parser)
{
	if (!check_host(parser) || !finish_framing(parser))
		return false;
	if (parser->minor == 0)
		parser->keep_alive = parser->is_keep_asked;
	if (parser->is_close_asked)
		parser->keep_alive = false;
	parser->wants_upgrade = parser->minor == 1 && parser->is_upgrade_asked && parser->has_upgrade;
	/* RFC 9110 10.1.1: an HTTP/1.0 client cannot understand a 100. */
	if (parser->minor == 0 || !parser->has_body)
		parser->expect_continue = false;
	parser->is_head_done = true;
	return true;
}

/* RFC 9112 3.2: exactly one Host, well-formed, and no second opinion in the target. */
static bool
check_host(HttpParser *parser)
{
	HttpText host = http_host(parser);
	HttpText authority = http_part_text(parser, parser->authority);

	if (!parser->has_host)
	{
		if (parser->minor == 1)
			return http_refuse(parser, 400, "host-missing");
		parser->host = parser->authority;
		return true;
	}
	if (!host_is_valid(host))
		return http_refuse(parser, 400, "host");
	if (authority.len > 0 &&
		(authority.len != host.len || strncasecmp(authority.at, host.at, host.len) != 0))
		return http_refuse(parser, 400, "host-differs");
	return true;
}

/* RFC 3986 host [":" port], not empty, without user information. */
static bool
host_is_valid(HttpText host)
{
	size_t pos = 0;
	size_t port;

	if (host.len > 0 && host.at[0] == '[')
	{
		if (!is_ip_literal(host, &pos))
			return false;
	}
	else
		for (; pos < host.len && http_byte_is(host.at[pos], HTTP_IS_REGNAME); pos++)
			if (host.at[pos] == '%' &&
				(pos + 2 >= host.len || !http_byte_is(host.at[pos + 1], HTTP_IS_HEX) ||
				 !http_byte_is(host.at[pos + 2], HTTP_IS_HEX)))
				return false;
	if (pos == 0)
		return false;
	if (pos == host.len)
		return true;
	if (host.at[pos] != ':' || host.len - pos - 1 > 5)
		return false;
	port = 0;
	for (pos++; pos < host.len; pos++)
	{
		if (!http_byte_is(host.at[pos], HTTP_IS_DIGIT))
			return false;
		port = port * 10 + (size_t) (host.at[pos] - '0');
	}
	return port <= 65535;
}

static bool
is_ip_literal(HttpText host, size_t *end)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	const char *bracket = memchr(host.at, ']', host.len);
	size_t len = bracket != NULL ? (size_t) (bracket - host.at - 1) : 0;

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, host.at + 1, len);
	text[len] = '\0';
	*end = len + 2;
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* RFC 9112 6.3: how long is the body?  Decided here once; the rest only counts. */
static bool
finish_framing(HttpParser *parser)
{
	if (parser->is_chunked && parser->has_length)
		return http_refuse(parser, 400, "length-and-chunked");
	if (parser->is_chunked && parser->minor == 0)
		return http_refuse(parser, 400, "chunked-in-1.0");
	if (parser->content_length > parser->limits.body_bytes)
		return http_refuse(parser, 413, "body-too-long");
	parser->has_body = parser->is_chunked || parser->content_length > 0;
	parser->body_left = parser->content_length;
	if (parser->is_chunked)
		parser->state = HTTP_AT_CHUNK_START;
	else
		parser->state = parser->has_body ? HTTP_AT_LENGTH : HTTP_AT_COMPLETE;
	return true;
}
