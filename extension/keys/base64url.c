/*-------------------------------------------------------------------------
 *
 * base64url.c
 *	  Base64 in its URL alphabet, without padding, with one spelling per value.
 *
 * Called by everything in this room that writes or reads text; calls nothing.  A
 * value has one text only, or a refused token could be spelt another way: no
 * padding, no blank, no bit set that carries nothing.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <string.h>

#include "keys/base64url.h"

static int digit_value(char digit);

bool
kn_base64url_encode(const void *in, size_t len, char *out, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *bytes = in;
	size_t at = 0;
	uint32_t bits = 0;
	int held = 0;

	if (len > SIZE_MAX / 2 || size < (len * 8 + 5) / 6 + 1)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		bits = bits << 8 | bytes[i];
		held += 8;
		while (held >= 6)
		{
			held -= 6;
			out[at++] = digits[bits >> held & 63];
		}
	}
	if (held > 0)
		out[at++] = digits[bits << (6 - held) & 63];
	out[at] = '\0';
	return true;
}

bool
kn_base64url_decode(const char *in, size_t len, unsigned char *out, size_t *out_len)
{
	size_t at = 0;
	uint32_t bits = 0;
	int held = 0;

	if (len % 4 == 1 || len / 4 * 3 + (len % 4 * 3 / 4) > *out_len)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		int value = digit_value(in[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t) value;
		held += 6;
		if (held >= 8)
		{
			held -= 8;
			out[at++] = (unsigned char) (bits >> held & 0xff);
		}
	}
	if ((bits & ((1u << held) - 1)) != 0)
		return false;
	*out_len = at;
	return true;
}

static int
digit_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '-')
		return 62;
	return digit == '_' ? 63 : -1;
}
