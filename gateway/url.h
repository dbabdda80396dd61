/*-------------------------------------------------------------------------
 *
 * url.h
 *	  Path and query of a request, decoded: segments and named values.
 *
 * Called by the router with the still encoded path and query of http_parse.h.
 * Pure: the decoded text lives in the Url itself.  Decoding happens once and
 * after splitting, so an encoded slash is data and never a border.
 *
 *-------------------------------------------------------------------------
 */
#ifndef URL_H
#define URL_H

#include <stdbool.h>
#include <stddef.h>

#define URL_TARGET_MAX 2048
#define URL_SEGMENTS_MAX 8
#define URL_PAIRS_MAX 32

typedef enum UrlFault
{
	URL_OK,
	URL_TOO_LONG,          /* 414 */
	URL_BAD_ESCAPE,        /* % without two hex digits */
	URL_BAD_CHARACTER,     /* a byte RFC 3986 does not allow there unescaped */
	URL_NUL,               /* %00 */
	URL_BAD_UTF8,          /* decoded text is not UTF-8 */
	URL_NOT_ROOTED,        /* path does not start with / */
	URL_DOT_SEGMENT,       /* . or .., also when encoded */
	URL_EMPTY_SEGMENT,     /* //; 404, because no route has one */
	URL_TOO_MANY_SEGMENTS, /* 404, because no route is that deep */
	URL_TOO_MANY_PAIRS,
	URL_EMPTY_NAME,   /* ?=value */
	URL_REPEATED_NAME /* the same name twice, compared decoded */
} UrlFault;

/* text is NUL-terminated and holds no other NUL */
typedef struct UrlText
{
	const char *at; /* borrows from the Url */
	size_t len;
} UrlText;

typedef struct UrlPair
{
	UrlText name;
	UrlText value; /* empty when there was no '=' */
} UrlPair;

typedef struct Url
{
	int segment_count;
	int pair_count;
	UrlText segment[URL_SEGMENTS_MAX];
	UrlPair pair[URL_PAIRS_MAX];
	size_t text_len;
	char text[URL_TARGET_MAX + 2 + URL_PAIRS_MAX];
} Url;

/*
 * A trailing slash is the same as none; "/" has no segments.  In the query '+'
 * is a space, as browsers and forms write it.  On a fault url holds nothing
 * usable.
 */
extern UrlFault url_parse(Url *url, const char *path, size_t path_len, const char *query,
						  size_t query_len);

/* HTTP status of a fault: 400, 404 or 414. */
extern int url_fault_status(UrlFault fault);

/* A fixed sentence for the caller, safe to show. */
extern const char *url_fault_text(UrlFault fault);

/* NULL when there is no such name. */
extern const UrlText *url_query_find(const Url *url, const char *name);

#endif
