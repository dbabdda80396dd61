/*-------------------------------------------------------------------------
 *
 * http_text.c
 *	  What the bytes of a head may be, and the parts of a head that was read.
 *
 * Called by the parts of the parser and by whoever asks for a field.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#include <strings.h>

#include "http_parse_private.h"

#define BLANK (HTTP_IS_TEXT | HTTP_IS_BLANK)
#define VISIBLE HTTP_IS_TEXT
#define TOKEN (VISIBLE | HTTP_IS_TOKEN)
#define DELIMITER (VISIBLE | HTTP_IS_TARGET | HTTP_IS_REGNAME)
#define UNRESERVED (TOKEN | HTTP_IS_TARGET | HTTP_IS_REGNAME)

const uint8_t http_class[256] = {
	['\t'] = BLANK,
	[' '] = BLANK,
	['!'] = UNRESERVED,
	['"'] = VISIBLE,
	['#'] = TOKEN,
	['$' ... '\''] = UNRESERVED, /* the percent sign only as an escape; see url.c */
	['(' ... ')'] = DELIMITER,
	['*' ... '+'] = UNRESERVED,
	[','] = DELIMITER,
	['-' ... '.'] = UNRESERVED,
	['/'] = VISIBLE | HTTP_IS_TARGET,
	['0' ... '9'] = UNRESERVED | HTTP_IS_HEX | HTTP_IS_DIGIT,
	[':'] = VISIBLE | HTTP_IS_TARGET,
	[';'] = DELIMITER,
	['<'] = VISIBLE,
	['='] = DELIMITER,
	['>'] = VISIBLE,
	['?' ... '@'] = VISIBLE | HTTP_IS_TARGET,
	['A' ... 'F'] = UNRESERVED | HTTP_IS_HEX,
	['G' ... 'Z'] = UNRESERVED,
	['[' ... ']'] = VISIBLE,
	['^'] = TOKEN,
	['_'] = UNRESERVED,
	['`'] = TOKEN,
	['a' ... 'f'] = UNRESERVED | HTTP_IS_HEX,
	['g' ... 'z'] = UNRESERVED,
	['{'] = VISIBLE,
	['|'] = TOKEN,
	['}'] = VISIBLE,
	['~'] = UNRESERVED,
	[0x80 ... 0xff] = VISIBLE,
};

bool
http_refuse(HttpParser *parser, int status, const char *reason)
{
	parser->state = HTTP_AT_REFUSED;
	parser->status = status;
	parser->reason = reason;
	parser->keep_alive = false;
	return false;
}

HttpText
http_method_text(const HttpParser *parser)
{
	return http_part_text(parser, parser->method_part);
}

HttpText
http_target(const HttpParser *parser)
{
	return http_part_text(parser, parser->target);
}

HttpText
http_path(const HttpParser *parser)
{
	return http_part_text(parser, parser->path);
}

HttpText
http_query(const HttpParser *parser)
{
	return http_part_text(parser, parser->query);
}

HttpText
http_host(const HttpParser *parser)
{
	return http_part_text(parser, parser->host);
}

HttpText
http_field_name(const HttpParser *parser, int index)
{
	return http_part_text(parser, parser->field[index].name);
}

HttpText
http_field_value(const HttpParser *parser, int index)
{
	return http_part_text(parser, parser->field[index].value);
}

bool
http_field_find(const HttpParser *parser, const char *name, HttpText *value)
{
	for (int i = 0; i < parser->field_count; i++)
	{
		if (!http_text_is(http_field_name(parser, i), name))
			continue;
		*value = http_field_value(parser, i);
		return true;
	}
	return false;
}

int
http_field_count(const HttpParser *parser, const char *name)
{
	int count = 0;

	for (int i = 0; i < parser->field_count; i++)
		count += http_text_is(http_field_name(parser, i), name) ? 1 : 0;
	return count;
}

bool
http_field_has_token(const HttpParser *parser, const char *name, const char *token)
{
	for (int i = 0; i < parser->field_count; i++)
	{
		HttpText rest = http_field_value(parser, i);
		HttpText item;

		if (!http_text_is(http_field_name(parser, i), name))
			continue;
		while (http_list_next(&rest, &item))
			if (http_text_is(item, token))
				return true;
	}
	return false;
}

bool
http_text_is(HttpText text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

bool
http_list_next(HttpText *rest, HttpText *item)
{
	while (rest->len > 0)
	{
		const char *comma = memchr(rest->at, ',', rest->len);
		size_t len = comma != NULL ? (size_t) (comma - rest->at) : rest->len;
		size_t step = comma != NULL ? len + 1 : len;

		*item = (HttpText){rest->at, len};
		rest->at += step;
		rest->len -= step;
		while (item->len > 0 && http_byte_is(item->at[0], HTTP_IS_BLANK))
		{
			item->at++;
			item->len--;
		}
		while (item->len > 0 && http_byte_is(item->at[item->len - 1], HTTP_IS_BLANK))
			item->len--;
		if (item->len > 0)
			return true;
	}
	return false;
}
