/*-------------------------------------------------------------------------
 *
 * test_utf8.c
 *	  Exactly the characters of Unicode are UTF-8, each in one spelling.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/utf8.c */

#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "utf8.h"

/* Characters that need exactly so many bytes: counted from the standard, not from the code. */
#define ONE_BYTE 128
#define TWO_BYTES (0x800 - 0x80)
#define THREE_BYTES (0x10000 - 0x800 - 0x800) /* without surrogates */

static int
count_of(size_t len)
{
	int count = 0;
	char *bytes = malloc(len); /* exactly as long, so a read beyond is found */

	for (long number = 0; number < 1L << (8 * len); number++)
	{
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char) (number >> (8 * i));
		count += utf8_length(bytes, len) == len ? 1 : 0;
	}
	free(bytes);
	return count;
}

/* All leads and second bytes, with the bytes around the border of a tail behind them. */
static int
count_of_four(void)
{
	static const char edge[] = {0x7f, (char) 0x80, (char) 0xbf, (char) 0xc0};
	int count = 0;

	for (int number = 0; number < 256 * 256 * 16; number++)
	{
		char bytes[4] = {(char) (number >> 12), (char) (number >> 4), edge[(number >> 2) & 3],
						 edge[number & 3]};

		count += utf8_length(bytes, 4) == 4 ? 1 : 0;
	}
	return count;
}

int
main(void)
{
	ok(count_of(1) == ONE_BYTE, "one byte");
	ok(count_of(2) == TWO_BYTES, "two bytes");
	ok(count_of(3) == THREE_BYTES, "three bytes");
	ok(count_of_four() == 0x100000 / 0x1000 * 2 * 2, "four bytes");
	ok(utf8_length("\xf0\x90\x80", 3) == 0 && utf8_length("\xe2\x82", 2) == 0 &&
		   utf8_length("\xc3", 1) == 0,
	   "a character that is cut is none");
	ok(utf8_is_valid("", 0) && utf8_is_valid("a\xc3\xa9\xf4\x8f\xbf\xbf", 7), "a text is valid");
	ok(!utf8_is_valid("a\xc3", 2) && !utf8_is_valid("\xed\xa0\x80", 3), "or it is not");
	return finish();
}
