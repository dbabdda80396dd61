/*-------------------------------------------------------------------------
 *
 * http_parse.h
 *	  Strict HTTP/1.0 and HTTP/1.1 request parser: bytes in, events out.
 *
 * Called by the connection code with whatever bytes arrived; it does no I/O and
 * allocates nothing.  The events depend only on the bytes, never on how they
 * were cut into pieces.  What a standard forbids or leaves to guessing is
 * refused, and after a refusal the connection must be closed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hard bounds of the structure; HttpLimits may only be tighter. */
#define HTTP_FIELDS_MAX 64
#define HTTP_HEAD_MAX 65535

/* Bounds of what a chunked body may carry besides its data, in bytes per request. */
#define HTTP_CHUNK_EXTENSION_MAX 1024
#define HTTP_TRAILER_MAX 4096
#define HTTP_CHUNK_DIGITS_MAX 16

/* No implemented method is this long; a longer one gets 501. */
#define HTTP_METHOD_MAX 32

typedef enum HttpEvent
{
	HTTP_NEED_MORE, /* everything was used, nothing to report yet */
	HTTP_HEAD_DONE, /* method, target, fields and flags are valid now */
	HTTP_BODY_DATA, /* *body, *body_len are a piece of the decoded body */
	HTTP_DONE,      /* the request is complete; call http_parser_reset() for the next */
	HTTP_REFUSED    /* status and reason are set; answer and close */
} HttpEvent;

typedef enum HttpMethod
{
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
} HttpMethod;

typedef struct HttpLimits
{
	size_t head_bytes;   /* request line, fields and the empty line; at most HTTP_HEAD_MAX */
	int fields;          /* at most HTTP_FIELDS_MAX */
	size_t target_bytes; /* as received */
	size_t body_bytes;   /* decoded */
} HttpLimits;

/* 16 KB, 64 fields, 2 KB, 1 MB */
extern const HttpLimits http_limits_default;

/* borrows until http_parser_reset(), or until the head buffer goes away; not NUL-terminated */
typedef struct HttpText
{
	const char *at;
	size_t len;
} HttpText;

/* A part of the head as offset and length, so the struct stays small. */
typedef struct HttpPart
{
	uint16_t at;
	uint16_t len;
} HttpPart;

typedef struct HttpField
{
	HttpPart name;
	HttpPart value; /* without the white space around it */
} HttpField;

typedef struct HttpParser
{
	/* Valid from HTTP_HEAD_DONE on.  Read them, or the accessors below. */
	HttpMethod method;
	int minor;            /* 0 or 1: HTTP/1.minor */
	bool keep_alive;      /* the connection may serve another request */
	bool expect_continue; /* send 100 before reading the body; only ever with has_body */
	bool has_body;
	bool is_chunked;
	bool wants_upgrade; /* HTTP/1.1 with Connection: upgrade and an Upgrade field */
	bool is_asterisk;   /* OPTIONS *: path is "*" */
	bool has_query;
	uint64_t content_length; /* 0 when chunked */
	int field_count;

	/* Valid after HTTP_REFUSED. */
	int status;         /* 400 413 414 417 431 501 505 */
	const char *reason; /* fixed word, for the log and the problem body */

	/* Private from here. */
	char *head; /* borrows until http_parser_init() or the caller's end */
	HttpLimits limits;
	uint32_t head_len;
	uint32_t line_at;     /* where the current line starts */
	uint32_t fields_seen; /* one bit per field that may come once */
	uint8_t state;
	uint8_t chunk_digits;
	bool is_head_done;
	bool after_cr;
	bool skipped_empty_line;
	bool has_host;
	bool has_length;
	bool has_upgrade;
	bool is_close_asked;
	bool is_keep_asked;
	bool is_upgrade_asked;
	uint16_t extension_len;
	uint16_t trailer_len;
	uint16_t trailer_count;
	uint64_t body_left;  /* of the body, or of the current chunk */
	uint64_t body_total; /* of the chunks so far */
	HttpPart method_part;
	HttpPart target;
	HttpPart path;
	HttpPart query;
	HttpPart authority; /* of an absolute-form target */
	HttpPart host;
	HttpField field[HTTP_FIELDS_MAX];
} HttpParser;

/*
 * head is room for limits->head_bytes bytes, used until the parser's end.  It
 * may be shared out to another request only after http_parser_reset().
 */
extern void http_parser_init(HttpParser *parser, const HttpLimits *limits, char *head);

/*
 * After HTTP_HEAD_DONE: the body of this request may be as long as that.  False
 * when its length is known to be more; that is no HTTP_REFUSED, the caller
 * answers.  Only ever less than the limits of http_parser_init().
 */
extern bool http_parser_limit_body(HttpParser *parser, size_t bytes);

/* Makes ready for the next request of the same connection. */
extern void http_parser_reset(HttpParser *parser);

/*
 * Reads from data and returns at the first event.  *used tells how many bytes
 * were read; call again with the rest (also with len 0: after HTTP_HEAD_DONE of
 * a request without a body the next call returns HTTP_DONE).  *body borrows
 * from data.  After HTTP_DONE and HTTP_REFUSED it reads nothing and repeats
 * itself, so bytes of the next request stay with the caller.
 */
extern HttpEvent http_parser_feed(HttpParser *parser, const char *data, size_t len, size_t *used,
								  const char **body, size_t *body_len);

/* True before the first byte of a request: the connection is idle, not slow. */
extern bool http_parser_is_idle(const HttpParser *parser);

extern HttpText http_method_text(const HttpParser *parser);
extern HttpText http_target(const HttpParser *parser); /* as received */
extern HttpText http_path(const HttpParser *parser);   /* starts with '/', still encoded */
extern HttpText http_query(const HttpParser *parser);  /* without '?', still encoded */
extern HttpText http_host(const HttpParser *parser);   /* len 0 when HTTP/1.0 sent none */

extern HttpText http_field_name(const HttpParser *parser, int index);
extern HttpText http_field_value(const HttpParser *parser, int index);

/*
 * First field of that name (any case).  Fields that may come only once, as
 * Authorization and Content-Type, have come only once: a second is refused.
 */
extern bool http_field_find(const HttpParser *parser, const char *name, HttpText *value);

/* How many fields of that name there are. */
extern int http_field_count(const HttpParser *parser, const char *name);

/* Is token (any case) an element of the comma-separated list in any field of that name? */
extern bool http_field_has_token(const HttpParser *parser, const char *name, const char *token);

/* Compares ASCII without case. */
extern bool http_text_is(HttpText text, const char *word);

#endif
