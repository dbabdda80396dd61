/*-------------------------------------------------------------------------
 *
 * url.c
 *	  Splits and decodes the path and the query of a request.
 *
 * Called by the router.  Raw text is cut at its borders first and each part is
 * decoded once after that, into Url.text; so no escape can become a border.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "url.h"
#include "utf8.h"

/* A part of the raw text. */
typedef struct RawText
{
	const char *at;
	size_t len;
} RawText;

static UrlFault read_path(Url *url, RawText rest);
static UrlFault add_segment(Url *url, RawText raw);
static UrlFault read_query(Url *url, RawText rest);
static UrlFault add_pair(Url *url, RawText raw);
static RawText cut(RawText *rest, char border);
static UrlFault decode(Url *url, RawText raw, bool is_query, UrlText *text);
static bool is_allowed(char byte, bool is_query);
static int hex_value(char byte);
static bool is_dot_segment(UrlText text);

UrlFault
url_parse(Url *url, const char *path, size_t path_len, const char *query, size_t query_len)
{
	UrlFault fault;

	url->segment_count = 0;
	url->pair_count = 0;
	url->text_len = 0;
	if (path_len + query_len > URL_TARGET_MAX)
		return URL_TOO_LONG;
	if (path_len == 0 || path[0] != '/')
		return URL_NOT_ROOTED;
	fault = read_path(url, (RawText){path + 1, path_len - 1});
	if (fault == URL_OK)
		fault = read_query(url, (RawText){query, query_len});
	return fault;
}

static UrlFault
read_path(Url *url, RawText rest)
{
	while (rest.len > 0)
	{
		UrlFault fault = add_segment(url, cut(&rest, '/'));

		if (fault != URL_OK)
			return fault;
	}
	return URL_OK;
}

static UrlFault
add_segment(Url *url, RawText raw)
{
	UrlText text;
	UrlFault fault = decode(url, raw, false, &text);

	if (fault != URL_OK)
		return fault;
	if (text.len == 0)
		return URL_EMPTY_SEGMENT;
	if (is_dot_segment(text))
		return URL_DOT_SEGMENT;
	if (url->segment_count == URL_SEGMENTS_MAX)
		return URL_TOO_MANY_SEGMENTS;
	url->segment[url->segment_count++] = text;
	return URL_OK;
}

static UrlFault
read_query(Url *url, RawText rest)
{
	while (rest.len > 0)
	{
		RawText raw = cut(&rest, '&');
		UrlFault fault = raw.len > 0 ? add_pair(url, raw) : URL_OK;

		if (fault != URL_OK)
			return fault;
	}
	return URL_OK;
}

static UrlFault
add_pair(Url *url, RawText raw)
{
	RawText value = raw;
	RawText name = cut(&value, '=');
	UrlPair pair;
	UrlFault fault;

	if (url->pair_count == URL_PAIRS_MAX)
		return URL_TOO_MANY_PAIRS;
	fault = decode(url, name, true, &pair.name);
	if (fault == URL_OK)
		fault = decode(url, value, true, &pair.value);
	if (fault != URL_OK)
		return fault;
	if (pair.name.len == 0)
		return URL_EMPTY_NAME;
	if (url_query_find(url, pair.name.at) != NULL)
		return URL_REPEATED_NAME;
	url->pair[url->pair_count++] = pair;
	return URL_OK;
}

/* Takes the text before the first border off rest, and the border with it. */
static RawText
cut(RawText *rest, char border)
{
	const char *mark = rest->len > 0 ? memchr(rest->at, border, rest->len) : NULL;
	RawText part = {rest->at, mark != NULL ? (size_t) (mark - rest->at) : rest->len};
	size_t step = mark != NULL ? part.len + 1 : part.len;

	rest->at += step;
	rest->len -= step;
	return part;
}

/*
 * Decoding never lengthens, and each part but one per pair gives up a border to
 * its NUL; the room of Url.text is counted so.
 */
static UrlFault
decode(Url *url, RawText raw, bool is_query, UrlText *text)
{
	char *start = url->text + url->text_len;
	char *to = start;

	for (size_t i = 0; i < raw.len; i++)
	{
		char byte = raw.at[i];

		if (byte == '%')
		{
			int high = i + 2 < raw.len ? hex_value(raw.at[i + 1]) : -1;
			int low = i + 2 < raw.len ? hex_value(raw.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return URL_BAD_ESCAPE;
			if (high == 0 && low == 0)
				return URL_NUL;
			byte = (char) (high * 16 + low);
			i += 2;
		}
		else if (!is_allowed(byte, is_query))
			return byte == '\0' ? URL_NUL : URL_BAD_CHARACTER;
		else if (byte == '+' && is_query)
			byte = ' ';
		*to++ = byte;
	}
	*to = '\0';
	*text = (UrlText){start, (size_t) (to - start)};
	url->text_len += text->len + 1;
	return utf8_is_valid(text->at, text->len) ? URL_OK : URL_BAD_UTF8;
}

/* RFC 3986: pchar, and in a query also '/' and '?'. */
static bool
is_allowed(char byte, bool is_query)
{
	if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= '0' && byte <= '9'))
		return true;
	if (byte == '/' || byte == '?')
		return is_query;
	return byte != '\0' && strchr("-._~!$&'()*+,;=:@", byte) != NULL;
}

static int
hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

static bool
is_dot_segment(UrlText text)
{
	return strcmp(text.at, ".") == 0 || strcmp(text.at, "..") == 0;
}

const UrlText *
url_query_find(const Url *url, const char *name)
{
	for (int i = 0; i < url->pair_count; i++)
		if (strcmp(url->pair[i].name.at, name) == 0)
			return &url->pair[i].value;
	return NULL;
}

int
url_fault_status(UrlFault fault)
{
	switch (fault)
	{
		case URL_TOO_LONG:
			return 414;
		case URL_EMPTY_SEGMENT:
		case URL_TOO_MANY_SEGMENTS:
			return 404;
		default:
			return 400;
	}
}

const char *
url_fault_text(UrlFault fault)
{
	static const char *const text[] = {
		[URL_OK] = "the address is fine",
		[URL_TOO_LONG] = "the address is too long",
		[URL_BAD_ESCAPE] = "a percent sign in the address is not followed by two hex digits",
		[URL_BAD_CHARACTER] = "the address has a character that must be percent-encoded",
		[URL_NUL] = "the address has a NUL",
		[URL_BAD_UTF8] = "the address is not UTF-8",
		[URL_NOT_ROOTED] = "the path does not start with a slash",
		[URL_DOT_SEGMENT] = "the path has a dot segment",
		[URL_EMPTY_SEGMENT] = "the path has an empty segment",
		[URL_TOO_MANY_SEGMENTS] = "the path has too many segments",
		[URL_TOO_MANY_PAIRS] = "the query has too many parameters",
		[URL_EMPTY_NAME] = "a query parameter has no name",
		[URL_REPEATED_NAME] = "a query parameter is repeated",
	};

	return text[fault];
}
