/*-------------------------------------------------------------------------
 *
 * json_text.c
 *	  Writes small JSON texts: context, query, problem.
 *
 * Called wherever the gateway makes JSON itself.  Whatever is passed in, the text is
 * valid JSON as long as brackets are closed and every name has its value.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "utf8.h"

static bool make_room(JsonText *text, size_t len);
static void add_comma(JsonText *text);
static void add_escaped(JsonText *text, const char *bytes, size_t len);
static size_t plain_span(const char *bytes, size_t len);
static void add_escape(JsonText *text, char byte);

void
json_text_init(JsonText *text, char *room, size_t size, size_t max)
{
	*text = (JsonText){.at = room, .size = size, .max = max, .room = room};
	json_text_clear(text);
}

void
json_text_free(JsonText *text)
{
	if (text->at != text->room)
		free(text->at);
	*text = (JsonText){.has_failed = true};
}

bool
json_text_ok(const JsonText *text)
{
	return !text->has_failed;
}

void
json_text_clear(JsonText *text)
{
	text->len = 0;
	text->needs_comma = false;
	text->has_failed = false;
	if (make_room(text, 0))
		text->at[0] = '\0';
}

void
json_add_raw(JsonText *text, const char *bytes, size_t len)
{
	if (len == 0 || !make_room(text, len))
		return;
	memcpy(text->at + text->len, bytes, len);
	text->len += len;
	text->at[text->len] = '\0';
}

/* Room for len more bytes and the NUL. */
static bool
make_room(JsonText *text, size_t len)
{
	size_t needed = text->len + len + 1;
	size_t size = text->size * 2;
	char *at;

	if (text->has_failed || len > text->max || text->len > text->max - len)
		text->has_failed = true;
	if (text->has_failed || needed <= text->size)
		return !text->has_failed;
	if (size < needed)
		size = needed;
	at = realloc(text->at == text->room ? NULL : text->at, size);
	if (at == NULL)
	{
		text->has_failed = true;
		return false;
	}
	if (text->at == text->room && text->len > 0)
		memcpy(at, text->room, text->len);
	text->at = at;
	text->size = size;
	return true;
}

void
json_open(JsonText *text, char bracket)
{
	add_comma(text);
	json_add_raw(text, &bracket, 1);
	text->needs_comma = false;
}

void
json_close(JsonText *text, char bracket)
{
	json_add_raw(text, &bracket, 1);
	text->needs_comma = true;
}

void
json_add_name(JsonText *text, const char *name)
{
	json_add_string(text, name, strlen(name));
	json_add_raw(text, ":", 1);
	text->needs_comma = false;
}

void
json_add_string(JsonText *text, const char *bytes, size_t len)
{
	add_comma(text);
	json_add_raw(text, "\"", 1);
	add_escaped(text, bytes, len);
	json_add_raw(text, "\"", 1);
	text->needs_comma = true;
}

void
json_add_number(JsonText *text, int64_t number)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, number);

	add_comma(text);
	json_add_raw(text, digits, (size_t) len);
	text->needs_comma = true;
}

void
json_add_string_member(JsonText *text, const char *name, const char *value)
{
	if (value == NULL)
		return;
	json_add_name(text, name);
	json_add_string(text, value, strlen(value));
}

void
json_add_number_member(JsonText *text, const char *name, int64_t number)
{
	json_add_name(text, name);
	json_add_number(text, number);
}

static void
add_comma(JsonText *text)
{
	if (text->needs_comma)
		json_add_raw(text, ",", 1);
}

static void
add_escaped(JsonText *text, const char *bytes, size_t len)
{
	size_t pos = 0;

	while (pos < len && !text->has_failed)
	{
		size_t span = plain_span(bytes + pos, len - pos);

		json_add_raw(text, bytes + pos, span);
		pos += span;
		if (pos < len)
			add_escape(text, bytes[pos++]);
	}
}

/* Bytes that may stand in a string as they are. */
static size_t
plain_span(const char *bytes, size_t len)
{
	size_t pos = 0;

	while (pos < len)
	{
		unsigned char byte = (unsigned char) bytes[pos];
		size_t step = 1;

		if (byte < 0x20 || byte == '"' || byte == '\\')
			break;
		if (byte >= 0x80)
			step = utf8_length(bytes + pos, len - pos);
		if (step == 0)
			break;
		pos += step;
	}
	return pos;
}

static void
add_escape(JsonText *text, char byte)
{
	static const char short_form[256] = {
		['\b'] = 'b',
		['\t'] = 't',
		['\n'] = 'n',
		['\f'] = 'f',
		['\r'] = 'r',
		['"'] = '"',
		['\\'] = '\\',
	};
	char escape[8];
	int len;

	if ((unsigned char) byte >= 0x80 || byte == '\0')
		len = snprintf(escape, sizeof(escape), "\xef\xbf\xbd");
	else if (short_form[(unsigned char) byte] != 0)
		len = snprintf(escape, sizeof(escape), "\\%c", short_form[(unsigned char) byte]);
	else
		len = snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) byte);
	json_add_raw(text, escape, (size_t) len);
}
