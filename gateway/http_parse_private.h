/*-------------------------------------------------------------------------
 *
 * http_parse_private.h
 *	  What the parts of the HTTP parser share.
 *
 * http_parse.c collects lines, http_head.c gives the finished head its meaning,
 * http_body.c unwraps the body; http_text.c knows bytes and refuses.  Nobody
 * else includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HTTP_PARSE_PRIVATE_H
#define HTTP_PARSE_PRIVATE_H

#include "http_parse.h"

typedef enum HttpState
{
	HTTP_AT_START, /* before the first byte of a request line */
	HTTP_AT_REQUEST_LINE,
	HTTP_AT_FIELDS,
	HTTP_AT_COMPLETE, /* nothing left to read, HTTP_DONE is the next event */
	HTTP_AT_LENGTH,   /* body counted by Content-Length */
	HTTP_AT_CHUNK_START,
	HTTP_AT_CHUNK_SIZE,
	HTTP_AT_EXTENSION_SEMICOLON,
	HTTP_AT_EXTENSION_NAME_START,
	HTTP_AT_EXTENSION_NAME,
	HTTP_AT_EXTENSION_EQUALS,
	HTTP_AT_EXTENSION_VALUE_START,
	HTTP_AT_EXTENSION_VALUE,
	HTTP_AT_EXTENSION_QUOTED,
	HTTP_AT_EXTENSION_ESCAPE,
	HTTP_AT_EXTENSION_QUOTED_END,
	HTTP_AT_CHUNK_SIZE_LF,
	HTTP_AT_CHUNK_DATA,
	HTTP_AT_CHUNK_DATA_CR,
	HTTP_AT_CHUNK_DATA_LF,
	HTTP_AT_TRAILER_START,
	HTTP_AT_TRAILER_NAME,
	HTTP_AT_TRAILER_VALUE,
	HTTP_AT_TRAILER_LF,
	HTTP_AT_END_LF,
	HTTP_AT_REFUSED
} HttpState;

/* Fields with a meaning for framing come first; all but the list-valued may come only once. */
typedef enum HttpFieldId
{
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_UPGRADE,
	HTTP_FIELD_ONCE /* no meaning here, but never twice */
} HttpFieldId;

/* What a byte may be part of. */
#define HTTP_IS_TOKEN 1   /* RFC 9110 5.6.2 */
#define HTTP_IS_TEXT 2    /* field value: visible, obs-text, space, tab */
#define HTTP_IS_TARGET 4  /* RFC 3986 pchar, '/', '?' */
#define HTTP_IS_REGNAME 8 /* RFC 3986 reg-name */
#define HTTP_IS_HEX 16
#define HTTP_IS_DIGIT 32
#define HTTP_IS_BLANK 64 /* space, tab */

/* http_text.c */
extern const uint8_t http_class[256];

static inline bool
http_byte_is(char byte, uint8_t class)
{
	return (http_class[(unsigned char) byte] & class) != 0;
}

static inline HttpText
http_part_text(const HttpParser *parser, HttpPart part)
{
	return (HttpText){parser->head + part.at, part.len};
}

/* Returns false, so a caller can return it. */
extern bool http_refuse(HttpParser *parser, int status, const char *reason);

/* Next element of a comma-separated list, trimmed; empty ones are skipped. */
extern bool http_list_next(HttpText *rest, HttpText *item);

/* http_head.c */
extern bool http_head_request_line(HttpParser *parser, HttpPart line);
extern bool http_head_field(HttpParser *parser, HttpPart line);
extern bool http_head_finish(HttpParser *parser);

/* http_body.c */
extern HttpEvent http_body_feed(HttpParser *parser, const char *data, size_t len, size_t *used,
								HttpText *body);

#endif
