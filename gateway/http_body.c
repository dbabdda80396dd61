/*-------------------------------------------------------------------------
 *
 * http_body.c
 *	  The body of a request: counted, or unwrapped from its chunks.
 *
 * Called by http_parse.c once the head is complete.  Pieces of the body borrow
 * from the caller's bytes.  Chunk extensions and trailers are checked, bounded
 * and dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "http_parse_private.h"

static HttpEvent take_data(HttpParser *parser, const char *data, size_t len, size_t *used,
						   HttpText *body);
static bool take_byte(HttpParser *parser, char byte);
static bool take_size_byte(HttpParser *parser, char byte);
static bool add_size_digit(HttpParser *parser, char byte);
static bool take_extension_byte(HttpParser *parser, char byte);
static HttpState extension_next(HttpState state, char byte);
static bool take_size_end(HttpParser *parser);
static bool take_trailer_byte(HttpParser *parser, char byte);
static bool expect_byte(HttpParser *parser, char byte, char expected, HttpState next);

HttpEvent
http_body_feed(HttpParser *parser, const char *data, size_t len, size_t *used, HttpText *body)
{
	while (*used < len)
	{
		if (parser->state == HTTP_AT_LENGTH || parser->state == HTTP_AT_CHUNK_DATA)
			return take_data(parser, data, len, used, body);
		if (!take_byte(parser, data[(*used)++]))
			return HTTP_REFUSED;
		if (parser->state == HTTP_AT_COMPLETE)
			return HTTP_DONE;
	}
	return HTTP_NEED_MORE;
}

static HttpEvent
take_data(HttpParser *parser, const char *data, size_t len, size_t *used, HttpText *body)
{
	size_t piece = len - *used;

	if (piece > parser->body_left)
		piece = (size_t) parser->body_left;
	*body = (HttpText){data + *used, piece};
	*used += piece;
	parser->body_left -= piece;
	if (parser->body_left == 0)
		parser->state = parser->is_chunked ? HTTP_AT_CHUNK_DATA_CR : HTTP_AT_COMPLETE;
	return HTTP_BODY_DATA;
}

static bool
take_byte(HttpParser *parser, char byte)
{
	switch (parser->state)
	{
		case HTTP_AT_CHUNK_START:
		case HTTP_AT_CHUNK_SIZE:
			return take_size_byte(parser, byte);
		case HTTP_AT_CHUNK_SIZE_LF:
			return expect_byte(parser, byte, '\n', HTTP_AT_CHUNK_DATA) && take_size_end(parser);
		case HTTP_AT_CHUNK_DATA_CR:
			return expect_byte(parser, byte, '\r', HTTP_AT_CHUNK_DATA_LF);
		case HTTP_AT_CHUNK_DATA_LF:
			return expect_byte(parser, byte, '\n', HTTP_AT_CHUNK_START);
		case HTTP_AT_TRAILER_START:
		case HTTP_AT_TRAILER_NAME:
		case HTTP_AT_TRAILER_VALUE:
			return take_trailer_byte(parser, byte);
		case HTTP_AT_TRAILER_LF:
			return expect_byte(parser, byte, '\n', HTTP_AT_TRAILER_START);
		case HTTP_AT_END_LF:
			return expect_byte(parser, byte, '\n', HTTP_AT_COMPLETE);
		default:
			return take_extension_byte(parser, byte);
	}
}

static bool
expect_byte(HttpParser *parser, char byte, char expected, HttpState next)
{
	if (byte != expected)
		return http_refuse(parser, 400, "chunk-line-end");
	parser->state = next;
	return true;
}

static bool
take_size_byte(HttpParser *parser, char byte)
{
	if (http_byte_is(byte, HTTP_IS_HEX))
		return add_size_digit(parser, byte);
	if (parser->state == HTTP_AT_CHUNK_START)
		return http_refuse(parser, 400, "chunk-size");
	if (byte == '\r')
		parser->state = HTTP_AT_CHUNK_SIZE_LF;
	else if (byte == ';' || http_byte_is(byte, HTTP_IS_BLANK))
		return take_extension_byte(parser, byte);
	else
		return http_refuse(parser, 400, "chunk-size");
	return true;
}

static bool
add_size_digit(HttpParser *parser, char byte)
{
	int digit = http_byte_is(byte, HTTP_IS_DIGIT) ? byte - '0' : (byte | 0x20) - 'a' + 10;

	if (parser->state == HTTP_AT_CHUNK_START)
	{
		parser->body_left = 0;
		parser->chunk_digits = 0;
		parser->state = HTTP_AT_CHUNK_SIZE;
	}
	/* So many digits fit the counter; more only hide the number from another reader. */
	if (++parser->chunk_digits > HTTP_CHUNK_DIGITS_MAX)
		return http_refuse(parser, 400, "chunk-size");
	parser->body_left = parser->body_left * 16 + (uint64_t) digit;
	if (parser->body_left > parser->limits.body_bytes - parser->body_total)
		return http_refuse(parser, 413, "body-too-long");
	return true;
}

static bool
take_extension_byte(HttpParser *parser, char byte)
{
	HttpState next = extension_next((HttpState) parser->state, byte);

	if (next == HTTP_AT_REFUSED)
		return http_refuse(parser, 400, "chunk-extension");
	if (next != HTTP_AT_CHUNK_SIZE_LF && ++parser->extension_len > HTTP_CHUNK_EXTENSION_MAX)
		return http_refuse(parser, 400, "chunk-extension-too-long");
	parser->state = next;
	return true;
}

/* RFC 9112 7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) */
static HttpState
extension_next(HttpState state, char byte)
{
	bool is_blank = http_byte_is(byte, HTTP_IS_BLANK);
	bool is_token = http_byte_is(byte, HTTP_IS_TOKEN);

	if (state == HTTP_AT_EXTENSION_QUOTED)
	{
		if (byte == '"')
			return HTTP_AT_EXTENSION_QUOTED_END;
		if (byte == '\\')
			return HTTP_AT_EXTENSION_ESCAPE;
		return http_byte_is(byte, HTTP_IS_TEXT) ? state : HTTP_AT_REFUSED;
	}
	if (state == HTTP_AT_EXTENSION_ESCAPE)
		return http_byte_is(byte, HTTP_IS_TEXT) ? HTTP_AT_EXTENSION_QUOTED : HTTP_AT_REFUSED;
	if (state == HTTP_AT_EXTENSION_NAME_START && is_token)
		return HTTP_AT_EXTENSION_NAME;
	if (state == HTTP_AT_EXTENSION_VALUE_START && is_token)
		return HTTP_AT_EXTENSION_VALUE;
	if (state == HTTP_AT_EXTENSION_VALUE_START && byte == '"')
		return HTTP_AT_EXTENSION_QUOTED;
	if (state == HTTP_AT_EXTENSION_NAME_START || state == HTTP_AT_EXTENSION_VALUE_START)
		return is_blank ? state : HTTP_AT_REFUSED;
	if ((state == HTTP_AT_EXTENSION_NAME || state == HTTP_AT_EXTENSION_VALUE) && is_token)
		return state;
	if ((state == HTTP_AT_EXTENSION_NAME || state == HTTP_AT_EXTENSION_EQUALS) && byte == '=')
		return HTTP_AT_EXTENSION_VALUE_START;
	if (byte == ';')
		return HTTP_AT_EXTENSION_NAME_START;
	if (state == HTTP_AT_EXTENSION_SEMICOLON || state == HTTP_AT_EXTENSION_EQUALS)
		return is_blank ? state : HTTP_AT_REFUSED;
	if (is_blank)
		return state == HTTP_AT_EXTENSION_NAME ? HTTP_AT_EXTENSION_EQUALS
											   : HTTP_AT_EXTENSION_SEMICOLON;
	return byte == '\r' ? HTTP_AT_CHUNK_SIZE_LF : HTTP_AT_REFUSED;
}

/* The size line is complete: a chunk follows, or the trailer after the last one. */
static bool
take_size_end(HttpParser *parser)
{
	parser->body_total += parser->body_left;
	if (parser->body_left == 0)
		parser->state = HTTP_AT_TRAILER_START;
	return true;
}

static bool
take_trailer_byte(HttpParser *parser, char byte)
{
	bool is_token = http_byte_is(byte, HTTP_IS_TOKEN);

	if (parser->state == HTTP_AT_TRAILER_START && byte == '\r')
	{
		parser->state = HTTP_AT_END_LF;
		return true;
	}
	if (++parser->trailer_len > HTTP_TRAILER_MAX)
		return http_refuse(parser, 431, "trailer-too-long");
	if (parser->state == HTTP_AT_TRAILER_START && is_token)
	{
		parser->state = HTTP_AT_TRAILER_NAME;
		if (++parser->trailer_count > parser->limits.fields)
			return http_refuse(parser, 431, "too-many-trailers");
		return true;
	}
	if (parser->state == HTTP_AT_TRAILER_NAME && byte == ':')
		parser->state = HTTP_AT_TRAILER_VALUE;
	else if (parser->state == HTTP_AT_TRAILER_VALUE && byte == '\r')
		parser->state = HTTP_AT_TRAILER_LF;
	else if (parser->state == HTTP_AT_TRAILER_START ||
			 (parser->state == HTTP_AT_TRAILER_NAME && !is_token) ||
			 !http_byte_is(byte, HTTP_IS_TEXT))
		return http_refuse(parser, 400, "trailer");
	return true;
}
