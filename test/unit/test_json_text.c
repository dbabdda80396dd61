/*-------------------------------------------------------------------------
 *
 * test_json_text.c
 *	  What the JSON writer and the JSON checker promise.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/json_text.c gateway/json_check.c gateway/json_mend.c gateway/utf8.c */

#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "tap.h"

#define STRING(text)           \
	{                          \
		text, sizeof(text) - 1 \
	}
#define COUNT(table) (sizeof(table) / sizeof(table[0]))

typedef struct Text
{
	const char *at;
	size_t len;
} Text;

static const Text good[] = {
	STRING("{}"),
	STRING("[]"),
	STRING(" \t\r\n{ \t\r\n} \t\r\n"),
	STRING("null"),
	STRING("true"),
	STRING("false"),
	STRING("0"),
	STRING("-0"),
	STRING("-0.0e-0"),
	STRING("12.5E+3"),
	STRING("1e240"),
	STRING("1e-240"),
	STRING("1e0000000240"),
	STRING("\"\""),
	STRING("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uFfFf\""),
	STRING("\"\\ud83d\\ude00\""),
	STRING("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\""),
	STRING("{\"a\":1,\"b\":[1,2,{\"a\":null}],\"c\":{}}"),
	STRING("[[],{},[{}],\"\"]"),
	STRING("{\"a\":{\"b\":1,\"b\":2}}"),
	STRING("[{\"a\":1,\"a\":2}]"),
	STRING("{\"\":1}"),
	STRING("{\"a\":1,\"A\":2}"),
	STRING("{\"costarring\":1,\"liquid\":2}"), /* their hashes are equal */
	STRING("{\"\\uffff\":1,\"\\ue000\":2}"),
	STRING("{\"a\":1,\"ab\":2,\"b\":3}"),
};

typedef struct BadText
{
	const char *at;
	size_t len;
	size_t offset;
	const char *reason;
} BadText;

#define BAD(text, offset, reason)              \
	{                                          \
		text, sizeof(text) - 1, offset, reason \
	}

static const BadText bad[] = {
	BAD("", 0, "a value is missing"),
	BAD(" ", 1, "a value is missing"),
	BAD("{", 1, "a member name is missing"),
	BAD("[", 1, "a value is missing"),
	BAD("}", 0, "a value is missing"),
	BAD("]", 0, "a value is missing"),
	BAD("[1", 2, "a comma or a closing bracket is missing"),
	BAD("[1}", 2, "a comma or a closing bracket is missing"),
	BAD("{\"a\":1]", 6, "a comma or a closing brace is missing"),
	BAD("[1 2]", 3, "a comma or a closing bracket is missing"),
	BAD("[1,]", 3, "a value is missing"),
	BAD("[,1]", 1, "a value is missing"),
	BAD("[1,,2]", 3, "a value is missing"),
	BAD("{\"a\":1,}", 7, "a member name is missing"),
	BAD("{,}", 1, "a member name is missing"),
	BAD("{\"a\"}", 4, "a colon is missing"),
	BAD("{\"a\" 1}", 5, "a colon is missing"),
	BAD("{\"a\":}", 5, "a value is missing"),
	BAD("{\"a\"::1}", 5, "a value is missing"),
	BAD("{a:1}", 1, "a member name is missing"),
	BAD("{'a':1}", 1, "a member name is missing"),
	BAD("{1:1}", 1, "a member name is missing"),
	BAD("{\"a\":'b'}", 5, "a value is missing"),
	BAD("{} {}", 3, "there is text after the value"),
	BAD("1 2", 2, "there is text after the value"),
	BAD("nullx", 4, "there is text after the value"),
	BAD("nulx", 0, "a value is missing"),
	BAD("nul", 0, "a value is missing"),
	BAD("True", 0, "a value is missing"),
	BAD("NaN", 0, "a value is missing"),
	BAD("Infinity", 0, "a value is missing"),
	BAD("-Infinity", 1, "a value is missing"),
	BAD("undefined", 0, "a value is missing"),
	BAD("// x\n1", 0, "a value is missing"),
	BAD("/* x */1", 0, "a value is missing"),
	BAD("\xef\xbb\xbf{}", 0, "the text begins with a byte order mark"),
	BAD("\x0b{}", 0, "a value is missing"),
	BAD("{}\0", 2, "there is text after the value"),
	BAD("{\"x\":1}\0 not json", 7, "there is text after the value"),
	BAD("\0", 0, "a value is missing"),
	BAD("[\0]", 1, "a value is missing"),
	BAD("01", 1, "there is text after the value"),
	BAD("-", 1, "a value is missing"),
	BAD("+1", 0, "a value is missing"),
	BAD(".5", 0, "a value is missing"),
	BAD("5.", 2, "a number has no digits after its point"),
	BAD("5.e1", 2, "a number has no digits after its point"),
	BAD("5e", 2, "a number has no digits in its exponent"),
	BAD("5e+", 3, "a number has no digits in its exponent"),
	BAD("5e1.5", 3, "there is text after the value"),
	BAD("0x10", 1, "there is text after the value"),
	BAD("1e241", 5, "a number is out of range"),
	BAD("1e-241", 6, "a number is out of range"),
	BAD("1e99999999999999999999", 22, "a number is out of range"),
	BAD("\"", 1, "a string is not closed"),
	BAD("\"a", 2, "a string is not closed"),
	BAD("\"a\\", 2, "an escape in a string is not known"),
	BAD("\"a\\\"", 4, "a string is not closed"),
	BAD("\"\\x41\"", 1, "an escape in a string is not known"),
	BAD("\"\\'\"", 1, "an escape in a string is not known"),
	BAD("\"\\0\"", 1, "an escape in a string is not known"),
	BAD("\"\\\0\"", 1, "an escape in a string is not known"),
	BAD("\"\\U0041\"", 1, "an escape in a string is not known"),
	BAD("\"\\u\"", 1, "an escape in a string has no four hex digits"),
	BAD("\"\\u004\"", 1, "an escape in a string has no four hex digits"),
	BAD("\"\\u004", 1, "an escape in a string has no four hex digits"),
	BAD("\"\\u004g\"", 1, "an escape in a string has no four hex digits"),
	BAD("\"\\u+041\"", 1, "an escape in a string has no four hex digits"),
	BAD("\"\\u0000\"", 1, "a string has a NUL"),
	BAD("\"a\0b\"", 2, "a control character in a string is not escaped"),
	BAD("\"\n\"", 1, "a control character in a string is not escaped"),
	BAD("\"\t\"", 1, "a control character in a string is not escaped"),
	BAD("\"\x1f\"", 1, "a control character in a string is not escaped"),
	BAD("\"\\ud83d\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\ud83d", 1, "a string has half of a surrogate pair"),
	BAD("\"\\ud83d\\u0041\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\ud83d\\ud83d\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\ud83d\\ue000\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\ud83d\\ude0\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\udc00\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\udfff\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\\ude00\"", 1, "a string has half of a surrogate pair"),
	BAD("\"\xff\"", 1, "a string is not UTF-8"),
	BAD("\"\x80\"", 1, "a string is not UTF-8"),
	BAD("\"\xc3\"", 1, "a string is not UTF-8"),
	BAD("\"\xc0\xaf\"", 1, "a string is not UTF-8"),
	BAD("\"\xed\xa0\x80\"", 1, "a string is not UTF-8"),
	BAD("\"\xf4\x90\x80\x80\"", 1, "a string is not UTF-8"),
	BAD("\"\xf0\x9f\x98", 1, "a string is not UTF-8"),
	BAD("{\"a\":1,\"a\":2}", 10, "a member is repeated"),
	BAD("{\"a\":1,\"b\":2,\"a\":1}", 16, "a member is repeated"),
	BAD("{\"a\":1,\"\\u0061\":2}", 15, "a member is repeated"),
	BAD("{\"\\n\":1,\"\\u000a\":2}", 16, "a member is repeated"),
	BAD("{\"\xc3\xa9\":1,\"\\u00e9\":2}", 16, "a member is repeated"),
	BAD("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}", 24, "a member is repeated"),
	BAD("{\"/\":1,\"\\/\":2}", 11, "a member is repeated"),
	BAD("{\"\":1,\"\":2}", 8, "a member is repeated"),
	BAD("{\"a\":{},\"a\":[]}", 11, "a member is repeated"),
};

/* Checks a copy without a byte behind it, so a read beyond the end is found. */
static bool
check(const char *at, size_t len, int depth, JsonFault *fault)
{
	char *copy = malloc(len > 0 ? len : 1);
	bool is_fine;

	memcpy(copy, at, len);
	is_fine = json_check(copy, len, depth, fault);
	free(copy);
	return is_fine;
}

static void
test_check_tables(void)
{
	JsonFault fault;

	for (size_t i = 0; i < COUNT(good); i++)
		ok(check(good[i].at, good[i].len, JSON_DEPTH_DEFAULT, &fault), "good text %zu is accepted",
		   i);
	for (size_t i = 0; i < COUNT(bad); i++)
	{
		fault = (JsonFault){0, "none"};
		if (!ok(!check(bad[i].at, bad[i].len, JSON_DEPTH_DEFAULT, &fault) &&
					fault.offset == bad[i].offset && strcmp(fault.reason, bad[i].reason) == 0,
				"bad text %zu is refused: %s", i, bad[i].reason))
			printf("# found %zu %s, wanted %zu\n", fault.offset, fault.reason, bad[i].offset);
	}
}

/* Every start of a good text that is shorter is no text. */
static void
test_no_start_is_enough(void)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"x\\ud83d\\ude00\xc3\xa9\"],\"b\":{\"c\":null}}";
	JsonFault fault;
	bool is_refused = true;

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		is_refused = is_refused && !check(text, len, JSON_DEPTH_DEFAULT, &fault);
	ok(is_refused, "no start of a text is accepted");
	ok(check(text, sizeof(text) - 1, JSON_DEPTH_DEFAULT, &fault), "the whole text is");
}

static void
nest(char *to, int depth, const char *open, const char *close)
{
	*to = '\0';
	for (int i = 0; i < depth; i++)
		strcat(to, open);
	strcat(to, "0");
	for (int i = 0; i < depth; i++)
		strcat(to, close);
}

static void
test_check_limits(void)
{
	char text[8192] = "{";
	JsonFault fault;
	size_t len = 1;

	nest(text, 32, "[", "]");
	ok(check(text, strlen(text), 32, &fault), "arrays in arrays: at the limit");
	nest(text, 33, "[", "]");
	ok(!check(text, strlen(text), 32, &fault) && fault.offset == 32, "arrays: one over");
	nest(text, 32, "{\"a\":", "}");
	ok(check(text, strlen(text), 32, &fault), "objects in objects: at the limit");
	nest(text, 33, "{\"a\":", "}");
	ok(!check(text, strlen(text), 32, &fault), "objects: one over");
	nest(text, JSON_DEPTH_MAX, "[", "]");
	ok(check(text, strlen(text), 1000, &fault), "the hard limit of brackets: at it");
	nest(text, JSON_DEPTH_MAX + 1, "[", "]");
	ok(!check(text, strlen(text), 1000, &fault), "the hard limit of brackets: one over");

	text[0] = '{';
	for (int i = 0; i <= JSON_TOP_MEMBERS_MAX; i++)
	{
		if (i == JSON_TOP_MEMBERS_MAX)
		{
			text[len - 1] = '}';
			ok(check(text, len, 32, &fault), "outermost members: at the limit");
			text[len - 1] = ',';
		}
		len += (size_t) sprintf(text + len, "\"m%d\":%d,", i, i);
	}
	text[len - 1] = '}';
	ok(!check(text, len, 32, &fault) && strcmp(fault.reason, "there are too many members") == 0,
	   "outermost members: one over");

	memset(text, '1', JSON_NUMBER_MAX + 1);
	ok(check(text, JSON_NUMBER_MAX, 32, &fault), "digits: at the limit");
	ok(!check(text, JSON_NUMBER_MAX + 1, 32, &fault), "digits: one over");
}

static void
test_is_object(void)
{
	ok(json_text_is_object(" \n{}", 4), "an object is one");
	ok(!json_text_is_object("[]", 2) && !json_text_is_object("", 0) &&
		   !json_text_is_object(" ", 1) && !json_text_is_object("\"{\"", 3),
	   "other values are not");
}

static void
test_writer(void)
{
	char room[512];
	JsonText text;
	JsonFault fault;

	json_text_init(&text, room, sizeof(room), 1000);
	json_open(&text, '{');
	json_add_string_member(&text, "a", "b");
	json_add_string_member(&text, "left out", NULL);
	json_add_number_member(&text, "n", INT64_MIN);
	json_add_name(&text, "list");
	json_open(&text, '[');
	json_add_number(&text, 1);
	json_add_string(&text, "x", 1);
	json_open(&text, '{');
	json_close(&text, '}');
	json_close(&text, ']');
	json_add_name(&text, "raw");
	json_add_raw(&text, "null", 4);
	json_close(&text, '}');
	ok(json_text_ok(&text) &&
		   strcmp(text.at,
				  "{\"a\":\"b\",\"n\":-9223372036854775808,\"list\":[1,\"x\",{}],\"raw\":null}") ==
			   0,
	   "commas come by themselves");
	ok(text.at == room && text.len == strlen(text.at), "a small text stays in the caller's room");
	json_text_clear(&text);
	json_add_string(&text, "\"\\/\b\f\n\r\t\x01\x1f \x7f", 12);
	ok(strcmp(text.at, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f \x7f\"") == 0,
	   "what must be escaped is, in its shortest form");
	json_text_clear(&text);
	json_add_string(&text, "\xff\xc3(\xed\xa0\x80", 6);
	ok(json_check(text.at, text.len, 32, &fault), "what is not UTF-8 still gives valid JSON");
	json_text_free(&text);
	ok(!json_text_ok(&text), "a freed text is not used again");
}

static void
test_every_byte_is_escaped(void)
{
	char bytes[256];
	char room[8];
	JsonText text;
	JsonFault fault;

	for (int i = 0; i < 256; i++)
		bytes[i] = (char) i;
	json_text_init(&text, room, sizeof(room), 4096);
	json_add_string(&text, bytes, 256);
	ok(json_text_ok(&text) && text.at != room, "a long text moves out of the room");
	ok(json_check(text.at, text.len, 32, &fault), "all bytes make a valid string");
	json_text_clear(&text);
	json_add_string(&text, bytes, 1);
	ok(strcmp(text.at, "\"\xef\xbf\xbd\"") == 0, "NUL is no character of a text");
	json_text_free(&text);
}

#define FFFD "\xef\xbf\xbd"

typedef struct MendedText
{
	const char *at;
	size_t len;
	const char *mended; /* NULL: it stays no JSON */
} MendedText;

#define MENDS(text, mended)            \
	{                                  \
		text, sizeof(text) - 1, mended \
	}

static const MendedText mended_texts[] = {
	MENDS("{\"a\":\"cut \\ud83d\"}", "{\"a\":\"cut " FFFD "\"}"),
	MENDS("{\"a\":\"\\ude00 cut\"}", "{\"a\":\"" FFFD " cut\"}"),
	MENDS("\"\\ud83d\\ud83d\\ude00\"", "\"" FFFD "\\ud83d\\ude00\""),
	MENDS("\"\\uD83D\\u0041\"", "\"" FFFD "\\u0041\""),
	MENDS("\"\\ud83d\\n\"", "\"" FFFD "\\n\""),
	MENDS("\"a\\u0000b\"", "\"a" FFFD "b\""),
	MENDS("\"a\0b\"", "\"a" FFFD "b\""),
	MENDS("{\"a\\u0000\":1}", "{\"a" FFFD "\":1}"),
	MENDS("\"\xff\xc3(\"", "\"" FFFD FFFD "(\""),
	MENDS("\"\xed\xa0\xbd\"", "\"" FFFD FFFD FFFD "\""),
	MENDS("\"Fatuma\x92s\"", "\"Fatuma" FFFD "s\""),
	MENDS("\"line\nbreak\ttab\"", "\"line\\u000abreak\\u0009tab\""),
	MENDS("\"\\x41 \\' \\u12\"", "\"\\\\x41 \\\\' \\\\u12\""),
	MENDS("\xef\xbb\xbf{\"a\":1}", "{\"a\":1}"),
	MENDS("[1e308,-1e308,1e131071,1e-400]", "[\"1e308\",\"-1e308\",\"1e131071\",\"1e-400\"]"),
	MENDS("[0712345678]", "[\"0712345678\"]"),
	MENDS("[9223372036854775808,1e240]", "[9223372036854775808,1e240]"),
	MENDS("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"),
	MENDS("{\"a\":\"unclosed", NULL),
	MENDS("{\"a\":\"unclosed\\", NULL),
	MENDS("\"\\u", NULL),
	MENDS("{\"a\":}", NULL),
	MENDS("[1,]", NULL),
	MENDS("", NULL),
	MENDS("\xef\xbb\xbf", NULL),
	MENDS("\xff\xfe{\0}\0", NULL),
};

static bool
mend(const char *at, size_t len, JsonText *out)
{
	char *copy = malloc(len > 0 ? len : 1);
	JsonFault fault;
	bool is_fine;

	memcpy(copy, at, len);
	json_text_init(out, NULL, 0, 8 * len + 64);
	is_fine = json_mend(copy, len, JSON_DEPTH_DEFAULT, out) &&
			  json_check_loose(out->at, out->len, JSON_DEPTH_DEFAULT, &fault);
	free(copy);
	return is_fine;
}

static void
test_mending(void)
{
	char deep[256];
	JsonText text;

	for (size_t i = 0; i < COUNT(mended_texts); i++)
	{
		const MendedText *row = &mended_texts[i];
		bool is_fine = mend(row->at, row->len, &text);

		if (!ok(is_fine == (row->mended != NULL) &&
					(!is_fine || strcmp(text.at, row->mended) == 0),
				"badly written text %zu is mended as it should", i))
			printf("# found %s\n", text.at);
		json_text_free(&text);
	}
	for (size_t i = 0; i < COUNT(good); i++)
	{
		ok(mend(good[i].at, good[i].len, &text) && text.len == good[i].len &&
			   memcmp(text.at, good[i].at, text.len) == 0,
		   "good text %zu stays as it is", i);
		json_text_free(&text);
	}
	nest(deep, JSON_DEPTH_DEFAULT, "[", "]");
	ok(mend(deep, strlen(deep), &text) && strcmp(text.at, deep) == 0, "brackets: at the limit");
	json_text_free(&text);
	nest(deep, JSON_DEPTH_DEFAULT + 2, "[", "]");
	ok(mend(deep, strlen(deep), &text) && strstr(text.at, "[\"[[0]]\"]") != NULL,
	   "brackets: what is deeper becomes a text");
	json_text_free(&text);
}

static void
test_writer_limit(void)
{
	char room[4];
	JsonText text;

	json_text_init(&text, room, sizeof(room), 10);
	json_add_raw(&text, "0123456789", 10);
	ok(json_text_ok(&text) && text.len == 10, "text: at the limit");
	json_add_raw(&text, "x", 1);
	ok(!json_text_ok(&text) && text.len == 10, "text: one over");
	json_text_clear(&text);
	json_add_raw(&text, "x", 1);
	ok(json_text_ok(&text) && strcmp(text.at, "x") == 0, "a cleared text can be used again");
	json_text_free(&text);
	json_text_init(&text, NULL, 0, 10);
	json_add_raw(&text, "x", 1);
	ok(json_text_ok(&text), "no room of the caller's is needed");
	json_text_free(&text);
}

int
main(void)
{
	test_check_tables();
	test_no_start_is_enough();
	test_check_limits();
	test_is_object();
	test_writer();
	test_every_byte_is_escaped();
	test_mending();
	test_writer_limit();
	return finish();
}
