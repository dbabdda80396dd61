/*-------------------------------------------------------------------------
 *
 * tap.h
 *	  What a unit test needs to speak TAP: ok() for each promise, finish() last.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_TEST_TAP_H
#define KN_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count;
static int tap_failed;

__attribute__((format(printf, 2, 3))) static inline bool
ok(bool holds, const char *name, ...)
{
	va_list args;

	printf("%sok %d - ", holds ? "" : "not ", ++tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	tap_failed += !holds;
	return holds;
}

/* Prints the plan; returns the exit status of main. */
static inline int
finish(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed > 0)
		printf("# %d of %d failed\n", tap_failed, tap_count);
	return tap_failed > 0;
}

/* Returns the number of bytes read from an even number of lower case digits. */
static inline size_t
from_hex(const char *text, unsigned char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = strlen(text) / 2;

	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char) ((strchr(digits, text[2 * i]) - digits) << 4 |
								  (strchr(digits, text[2 * i + 1]) - digits));
	return len;
}

static inline bool
is_hex(const unsigned char *bytes, const char *text)
{
	unsigned char wanted[512];

	return memcmp(bytes, wanted, from_hex(text, wanted)) == 0;
}

#endif /* KN_TEST_TAP_H */
