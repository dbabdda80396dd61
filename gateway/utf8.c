/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  Is this UTF-8?
 *
 * Called by url.c and the two json files.  The rules are those of PostgreSQL, so what
 * passes here is never refused there for its encoding.
 *
 *-------------------------------------------------------------------------
 */
#include "utf8.h"

static bool
is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t
utf8_length(const char *bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *) bytes;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || len < 2 || !is_tail(at[1]))
		return 0;
	if (at[0] < 0xe0)
		return 2;
	if (len < 3 || !is_tail(at[2]))
		return 0;
	if (at[0] < 0xf0)
		return (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) ? 0 : 3;
	if (len < 4 || !is_tail(at[3]) || at[0] > 0xf4)
		return 0;
	return (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90) ? 0 : 4;
}

bool
utf8_is_valid(const char *bytes, size_t len)
{
	size_t pos = 0;

	while (pos < len)
	{
		size_t step = utf8_length(bytes + pos, len - pos);

		if (step == 0)
			return false;
		pos += step;
	}
	return true;
}
