/*-------------------------------------------------------------------------
 *
 * json_check.c
 *	  Scans a text once and says whether it is acceptable JSON.
 *
 * Called with request bodies before they go to the database, so a malformed one costs
 * no connection.  Allocates nothing: the open brackets are bits, and the names of
 * the outermost object are remembered as offsets with a hash.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "json_text.h"
#include "utf8.h"

/* A name of the outermost object. */
typedef struct TopName
{
	uint32_t hash; /* of the decoded name */
	uint32_t at;   /* of the first byte after the quote */
} TopName;

typedef struct Scan
{
	const char *text;
	size_t len;
	size_t pos;
	int depth;
	int max_depth;
	bool is_loose;      /* members of the outermost object may repeat */
	uint64_t is_object; /* bit n: the bracket at depth n + 1 is an object */
	const char *reason;
	int name_count;
	TopName name[JSON_TOP_MEMBERS_MAX];
} Scan;

static bool check(const char *text, size_t len, int max_depth, bool is_loose, JsonFault *fault);
static bool scan_document(Scan *scan);
static bool scan_item(Scan *scan, bool *is_open);
static bool scan_after(Scan *scan, bool *is_open);
static bool open_bracket(Scan *scan, bool is_object, bool *is_open);
static bool scan_name(Scan *scan);
static bool note_top_name(Scan *scan, size_t start);
static bool same_name(const Scan *scan, size_t one, size_t other);
static uint32_t next_char(const Scan *scan, size_t *pos);
static bool scan_scalar(Scan *scan);
static bool scan_word(Scan *scan, const char *word);
static bool scan_string(Scan *scan);
static bool scan_escape(Scan *scan);
static int hex_quad(const Scan *scan, size_t pos);
static bool scan_number(Scan *scan);
static bool scan_exponent(Scan *scan);
static bool scan_digits(Scan *scan);
static void skip_space(Scan *scan);
static char peek(const Scan *scan);
static bool fail(Scan *scan, const char *reason);

bool
json_check(const char *text, size_t len, int max_depth, JsonFault *fault)
{
	return check(text, len, max_depth, false, fault);
}

bool
json_check_loose(const char *text, size_t len, int max_depth, JsonFault *fault)
{
	return check(text, len, max_depth, true, fault);
}

static bool
check(const char *text, size_t len, int max_depth, bool is_loose, JsonFault *fault)
{
	Scan scan;

	/* The array of names is not cleared: name_count says how many are set. */
	scan.text = text;
	scan.len = len;
	scan.pos = 0;
	scan.depth = 0;
	scan.max_depth = max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX;
	scan.is_object = 0;
	scan.is_loose = is_loose;
	scan.reason = NULL;
	scan.name_count = 0;
	if (len > UINT32_MAX)
		fail(&scan, "the text is too long");
	else if (json_has_mark(text, len))
		fail(&scan, "the text begins with a byte order mark");
	else if (scan_document(&scan))
		return true;
	fault->offset = scan.pos;
	fault->reason = scan.reason;
	return false;
}

bool
json_has_mark(const char *text, size_t len)
{
	return len >= JSON_MARK_BYTES && memcmp(text, "\xef\xbb\xbf", JSON_MARK_BYTES) == 0;
}

bool
json_text_is_object(const char *text, size_t len)
{
	size_t pos = 0;

	while (pos < len && memchr(" \t\n\r", text[pos], 4) != NULL)
		pos++;
	return pos < len && text[pos] == '{';
}

static bool
scan_document(Scan *scan)
{
	bool is_open = true;

	while (is_open)
	{
		if (!scan_item(scan, &is_open))
			return false;
		if (!is_open && !scan_after(scan, &is_open))
			return false;
	}
	skip_space(scan);
	return scan->pos == scan->len || fail(scan, "there is text after the value");
}

/* One value, or the opening of one.  is_open: an item must follow. */
static bool
scan_item(Scan *scan, bool *is_open)
{
	skip_space(scan);
	if (scan->depth > 0 && (scan->is_object >> (scan->depth - 1)) & 1 && !scan_name(scan))
		return false;
	if (peek(scan) == '{' || peek(scan) == '[')
		return open_bracket(scan, peek(scan) == '{', is_open);
	*is_open = false;
	return scan_scalar(scan);
}

static bool
open_bracket(Scan *scan, bool is_object, bool *is_open)
{
	uint64_t bit;

	if (scan->depth >= scan->max_depth)
		return fail(scan, "the value is nested too deeply");
	bit = UINT64_C(1) << scan->depth++;
	scan->is_object = is_object ? scan->is_object | bit : scan->is_object & ~bit;
	scan->pos++;
	skip_space(scan);
	*is_open = scan->pos >= scan->len || peek(scan) != (is_object ? '}' : ']');
	return true;
}

/* After a value: closing brackets, then a comma or the end. */
static bool
scan_after(Scan *scan, bool *is_open)
{
	for (;;)
	{
		bool is_object;

		if (scan->depth == 0)
			return true;
		skip_space(scan);
		is_object = (scan->is_object >> (scan->depth - 1)) & 1;
		if (peek(scan) == ',')
		{
			scan->pos++;
			*is_open = true;
			return true;
		}
		if (peek(scan) != (is_object ? '}' : ']'))
			return fail(scan, is_object ? "a comma or a closing brace is missing"
										: "a comma or a closing bracket is missing");
		scan->pos++;
		scan->depth--;
	}
}

static bool
scan_name(Scan *scan)
{
	size_t start = scan->pos + 1;

	if (peek(scan) != '"')
		return fail(scan, "a member name is missing");
	if (!scan_string(scan))
		return false;
	if (scan->depth == 1 && !scan->is_loose && !note_top_name(scan, start))
		return false;
	skip_space(scan);
	if (peek(scan) != ':')
		return fail(scan, "a colon is missing");
	scan->pos++;
	skip_space(scan);
	return true;
}

/*
 * Two readers may choose differently between two members of one name, so there
 * must not be two.  The hash keeps the comparison cheap.
 */
static bool
note_top_name(Scan *scan, size_t start)
{
	uint32_t hash = 2166136261u;
	uint32_t code;
	size_t pos = start;

	while ((code = next_char(scan, &pos)) != '\0')
		hash = (hash ^ code) * 16777619u;
	for (int i = 0; i < scan->name_count; i++)
		if (scan->name[i].hash == hash && same_name(scan, scan->name[i].at, start))
			return fail(scan, "a member is repeated");
	if (scan->name_count == JSON_TOP_MEMBERS_MAX)
		return fail(scan, "there are too many members");
	scan->name[scan->name_count++] = (TopName){hash, (uint32_t) start};
	return true;
}

static bool
same_name(const Scan *scan, size_t one, size_t other)
{
	uint32_t code;

	do
	{
		code = next_char(scan, &one);
		if (code != next_char(scan, &other))
			return false;
	} while (code != '\0');
	return true;
}

/*
 * Next character of a string that was scanned before; NUL at its end, which no
 * string contains.  A character and its escape give the same number.
 */
static uint32_t
next_char(const Scan *scan, size_t *pos)
{
	static const char escaped[256] = {
		['b'] = '\b',
		['f'] = '\f',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t',
	};
	const unsigned char *at = (const unsigned char *) scan->text + *pos;
	uint32_t code;

	if (at[0] == '"')
		return '\0';
	if (at[0] != '\\')
	{
		size_t len = utf8_length((const char *) at, scan->len - *pos);

		*pos += len;
		code = len == 1 ? at[0] : at[0] & (0x7fu >> len);
		for (size_t i = 1; i < len; i++)
			code = (code << 6) | (at[i] & 0x3f);
		return code;
	}
	if (at[1] != 'u')
	{
		*pos += 2;
		return escaped[at[1]] != 0 ? (unsigned char) escaped[at[1]] : at[1];
	}
	code = (uint32_t) hex_quad(scan, *pos + 2);
	*pos += 6;
	if (code < 0xd800 || code > 0xdbff)
		return code;
	code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t) hex_quad(scan, *pos + 2) - 0xdc00);
	*pos += 6;
	return code;
}

static bool
scan_scalar(Scan *scan)
{
	switch (peek(scan))
	{
		case '"':
			return scan_string(scan);
		case 't':
			return scan_word(scan, "true");
		case 'f':
			return scan_word(scan, "false");
		case 'n':
			return scan_word(scan, "null");
		default:
			return scan_number(scan);
	}
}

static bool
scan_word(Scan *scan, const char *word)
{
	size_t len = strlen(word);

	if (scan->len - scan->pos < len || memcmp(scan->text + scan->pos, word, len) != 0)
		return fail(scan, "a value is missing");
	scan->pos += len;
	return true;
}

static bool
scan_string(Scan *scan)
{
	scan->pos++;
	while (scan->pos < scan->len)
	{
		unsigned char byte = (unsigned char) scan->text[scan->pos];
		size_t step = 1;

		if (byte == '"')
		{
			scan->pos++;
			return true;
		}
		if (byte < 0x20)
			return fail(scan, "a control character in a string is not escaped");
		if (byte == '\\')
		{
			if (!scan_escape(scan))
				return false;
			continue;
		}
		if (byte >= 0x80)
			step = utf8_length(scan->text + scan->pos, scan->len - scan->pos);
		if (step == 0)
			return fail(scan, "a string is not UTF-8");
		scan->pos += step;
	}
	return fail(scan, "a string is not closed");
}

static bool
scan_escape(Scan *scan)
{
	char kind = scan->pos + 1 < scan->len ? scan->text[scan->pos + 1] : '\0';
	int unit;

	if (kind != 'u')
	{
		if (kind == '\0' || strchr("\"\\/bfnrt", kind) == NULL)
			return fail(scan, "an escape in a string is not known");
		scan->pos += 2;
		return true;
	}
	unit = hex_quad(scan, scan->pos + 2);
	if (unit < 0)
		return fail(scan, "an escape in a string has no four hex digits");
	if (unit == 0)
		return fail(scan, "a string has a NUL");
	if (unit >= 0xd800 && unit <= 0xdbff)
	{
		int low = -1;

		if (scan->pos + 7 < scan->len && memcmp(scan->text + scan->pos + 6, "\\u", 2) == 0)
			low = hex_quad(scan, scan->pos + 8);
		if (low < 0xdc00 || low > 0xdfff)
			return fail(scan, "a string has half of a surrogate pair");
		scan->pos += 6;
	}
	else if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(scan, "a string has half of a surrogate pair");
	scan->pos += 6;
	return true;
}

/* Four hex digits as a number, or -1. */
static int
hex_quad(const Scan *scan, size_t pos)
{
	int value = 0;

	if (pos + 4 > scan->len)
		return -1;
	for (size_t i = pos; i < pos + 4; i++)
	{
		char byte = scan->text[i];

		if (byte >= '0' && byte <= '9')
			value = value * 16 + byte - '0';
		else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
			value = value * 16 + (byte | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

static bool
scan_number(Scan *scan)
{
	size_t start = scan->pos;

	if (peek(scan) == '-')
		scan->pos++;
	if (peek(scan) == '0')
		scan->pos++;
	else if (!scan_digits(scan))
		return fail(scan, "a value is missing");
	if (peek(scan) == '.')
	{
		scan->pos++;
		if (!scan_digits(scan))
			return fail(scan, "a number has no digits after its point");
	}
	if ((peek(scan) | 0x20) == 'e' && !scan_exponent(scan))
		return false;
	if (scan->pos - start > JSON_NUMBER_MAX)
		return fail(scan, "a number is too long");
	return true;
}

static bool
scan_exponent(Scan *scan)
{
	int exponent = 0;
	size_t start;

	scan->pos++;
	if (peek(scan) == '+' || peek(scan) == '-')
		scan->pos++;
	start = scan->pos;
	if (!scan_digits(scan))
		return fail(scan, "a number has no digits in its exponent");
	for (size_t i = start; i < scan->pos && exponent <= JSON_EXPONENT_MAX; i++)
		exponent = exponent * 10 + scan->text[i] - '0';
	if (exponent > JSON_EXPONENT_MAX)
		return fail(scan, "a number is out of range");
	return true;
}

static bool
scan_digits(Scan *scan)
{
	size_t start = scan->pos;

	while (peek(scan) >= '0' && peek(scan) <= '9')
		scan->pos++;
	return scan->pos > start;
}

static void
skip_space(Scan *scan)
{
	while (scan->pos < scan->len && memchr(" \t\n\r", scan->text[scan->pos], 4) != NULL)
		scan->pos++;
}

/* NUL at the end, which no rule accepts. */
static char
peek(const Scan *scan)
{
	return scan->pos < scan->len ? scan->text[scan->pos] : '\0';
}

static bool
fail(Scan *scan, const char *reason)
{
	scan->reason = reason;
	return false;
}
