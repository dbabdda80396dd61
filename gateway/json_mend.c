/*-------------------------------------------------------------------------
 *
 * json_mend.c
 *	  Makes acceptable JSON of what a phone wrote badly.
 *
 * exchange.c calls it for what a survivor sends, after json_check() has said no: a
 * report is never refused for its form.  Only words are mended, never structure,
 * so the text is still checked afterwards.  What it cannot keep as it was
 * it keeps as text: U+FFFD for half a surrogate pair, a NUL or a byte that is no
 * UTF-8; a number that is out of range or badly written, and a value nested too
 * deeply, as a string.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "json_text.h"
#include "utf8.h"

#define UNREADABLE "\xef\xbf\xbd" /* U+FFFD */

typedef struct Mend
{
	const char *text;
	size_t len;
	size_t pos;
	int depth;
	int max_depth;
	JsonText *out;
} Mend;

static void mend_string(Mend *mend);
static size_t plain_span(const Mend *mend);
static void mend_escape(Mend *mend);
static bool pair_follows(const Mend *mend, int unit);
static int hex_quad(const Mend *mend, size_t pos);
static void mend_byte(Mend *mend);
static void mend_number(Mend *mend);
static void mend_bracket(Mend *mend);
static size_t value_end(const Mend *mend);
static void take(Mend *mend, size_t len);

bool
json_mend(const char *text, size_t len, int max_depth, JsonText *out)
{
	Mend mend = {.text = text, .len = len, .max_depth = max_depth, .out = out};

	if (json_has_mark(text, len))
		mend.pos = JSON_MARK_BYTES;
	while (mend.pos < len && json_text_ok(out))
	{
		char byte = text[mend.pos];

		if (byte == '"')
			mend_string(&mend);
		else if (byte != '\0' && strchr("+-.0123456789", byte) != NULL)
			mend_number(&mend);
		else if (byte != '\0' && strchr("[]{}", byte) != NULL)
			mend_bracket(&mend);
		else
			take(&mend, 1);
	}
	return json_text_ok(out);
}

static void
mend_string(Mend *mend)
{
	take(mend, 1);
	while (mend->pos < mend->len && mend->text[mend->pos] != '"')
	{
		size_t span = plain_span(mend);

		if (span > 0)
			take(mend, span);
		else if (mend->text[mend->pos] == '\\')
			mend_escape(mend);
		else
			mend_byte(mend);
	}
	if (mend->pos < mend->len)
		take(mend, 1);
}

/* Bytes of a string that may stay. */
static size_t
plain_span(const Mend *mend)
{
	size_t pos = mend->pos;

	while (pos < mend->len)
	{
		unsigned char byte = (unsigned char) mend->text[pos];
		size_t step = 1;

		if (byte < 0x20 || byte == '"' || byte == '\\')
			break;
		if (byte >= 0x80)
			step = utf8_length(mend->text + pos, mend->len - pos);
		if (step == 0)
			break;
		pos += step;
	}
	return pos - mend->pos;
}

static void
mend_escape(Mend *mend)
{
	char kind = mend->pos + 1 < mend->len ? mend->text[mend->pos + 1] : '\0';
	int unit = kind == 'u' ? hex_quad(mend, mend->pos + 2) : -1;

	if (kind != 'u' && kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL)
		take(mend, 2);
	else if (unit < 0)
	{
		/* An escape nobody knows is the two characters it was written with. */
		json_add_raw(mend->out, "\\\\", 2);
		mend->pos++;
	}
	else if (pair_follows(mend, unit))
		take(mend, 12);
	else if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff))
	{
		json_add_raw(mend->out, UNREADABLE, strlen(UNREADABLE));
		mend->pos += 6;
	}
	else
		take(mend, 6);
}

/* Is it the first half of a pair whose second half comes next? */
static bool
pair_follows(const Mend *mend, int unit)
{
	size_t next = mend->pos + 6;
	int low;

	if (unit < 0xd800 || unit > 0xdbff || next + 6 > mend->len ||
		memcmp(mend->text + next, "\\u", 2) != 0)
		return false;
	low = hex_quad(mend, next + 2);
	return low >= 0xdc00 && low <= 0xdfff;
}

/* Four hex digits as a number, or -1. */
static int
hex_quad(const Mend *mend, size_t pos)
{
	static const char digits[] = "0123456789abcdef";
	int value = 0;

	if (pos + 4 > mend->len)
		return -1;
	for (size_t i = pos; i < pos + 4; i++)
	{
		char byte = mend->text[i];
		const char *digit;

		if (byte >= 'A' && byte <= 'F')
			byte = (char) (byte | 0x20);
		digit = byte != '\0' ? strchr(digits, byte) : NULL;
		if (digit == NULL)
			return -1;
		value = value * 16 + (int) (digit - digits);
	}
	return value;
}

/* A control character or a byte that is no UTF-8. */
static void
mend_byte(Mend *mend)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char byte = (unsigned char) mend->text[mend->pos++];
	char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

	if (byte == 0 || byte >= 0x80)
		json_add_raw(mend->out, UNREADABLE, strlen(UNREADABLE));
	else
		json_add_raw(mend->out, escape, sizeof(escape));
}

static void
mend_number(Mend *mend)
{
	const char *at = mend->text + mend->pos;
	JsonFault fault;
	size_t len = 0;

	while (mend->pos + len < mend->len && at[len] != '\0' &&
		   strchr("+-.0123456789Ee", at[len]) != NULL)
		len++;
	if (json_check(at, len, 1, &fault))
	{
		take(mend, len);
		return;
	}
	json_add_raw(mend->out, "\"", 1);
	take(mend, len);
	json_add_raw(mend->out, "\"", 1);
}

static void
mend_bracket(Mend *mend)
{
	bool opens = mend->text[mend->pos] == '[' || mend->text[mend->pos] == '{';
	size_t end;

	if (!opens || mend->depth < mend->max_depth)
	{
		mend->depth += opens ? 1 : -1;
		take(mend, 1);
		return;
	}
	end = value_end(mend);
	mend->out->needs_comma = false;
	json_add_string(mend->out, mend->text + mend->pos, end - mend->pos);
	mend->pos = end;
}

/* Behind the bracket that closes the one here. */
static size_t
value_end(const Mend *mend)
{
	size_t pos = mend->pos;
	size_t depth = 0;
	bool in_string = false;

	for (; pos < mend->len; pos++)
	{
		char byte = mend->text[pos];

		if (in_string && byte == '\\')
			pos++;
		else if (byte == '"')
			in_string = !in_string;
		else if (!in_string && (byte == '[' || byte == '{'))
			depth++;
		else if (!in_string && (byte == ']' || byte == '}') && --depth == 0)
			return pos + 1;
	}
	return mend->len;
}

static void
take(Mend *mend, size_t len)
{
	json_add_raw(mend->out, mend->text + mend->pos, len);
	mend->pos += len;
}
