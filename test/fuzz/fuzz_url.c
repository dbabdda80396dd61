/*-------------------------------------------------------------------------
 *
 * fuzz_url.c
 *	  Any path and query are refused or become UTF-8 texts without NUL.
 *
 * The first question mark of the input cuts it into path and query.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/url.c gateway/utf8.c */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
require_text(const Url *url, UrlText text)
{
	require(text.at >= url->text && text.at + text.len < url->text + sizeof(url->text));
	require(strlen(text.at) == text.len);
	require(utf8_is_valid(text.at, text.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size > 0 ? size : 1);
	const char *mark;
	size_t path_len;
	Url *url = malloc(sizeof(*url));

	memcpy(text, data, size);
	mark = memchr(text, '?', size);
	path_len = mark != NULL ? (size_t) (mark - text) : size;
	if (url_parse(url, text, path_len, mark != NULL ? mark + 1 : NULL,
				  mark != NULL ? size - path_len - 1 : 0) == URL_OK)
	{
		for (int i = 0; i < url->segment_count; i++)
		{
			require_text(url, url->segment[i]);
			require(url->segment[i].len > 0 && strcmp(url->segment[i].at, "..") != 0);
		}
		for (int i = 0; i < url->pair_count; i++)
		{
			require_text(url, url->pair[i].name);
			require_text(url, url->pair[i].value);
			require(url_query_find(url, url->pair[i].name.at) == &url->pair[i].value);
		}
	}
	free(url);
	free(text);
	return 0;
}
