/*-------------------------------------------------------------------------
 *
 * test_url.c
 *	  What the decoder of path and query promises.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/url.c gateway/utf8.c */

#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "url.h"

/* The decoded parts in one line: "seg/seg?name=value&name=value", or the fault as "!n". */
static void
describe(const char *path, const char *query, char *to, size_t size)
{
	Url url;
	UrlFault fault = url_parse(&url, path, strlen(path), query, query ? strlen(query) : 0);
	size_t len = 0;

	if (fault != URL_OK)
	{
		snprintf(to, size, "!%d", fault);
		return;
	}
	to[0] = '\0';
	for (int i = 0; i < url.segment_count; i++)
		len += (size_t) snprintf(to + len, size - len, "[%s]", url.segment[i].at);
	for (int i = 0; i < url.pair_count; i++)
		len += (size_t) snprintf(to + len, size - len, "(%s=%s)", url.pair[i].name.at,
								 url.pair[i].value.at);
}

typedef struct Good
{
	const char *path, *query, *wanted;
} Good;

static const Good good[] = {
	{"/", NULL, ""},
	{"/", "", ""},
	{"/a", NULL, "[a]"},
	{"/a/", NULL, "[a]"},
	{"/api/incidents/7/status", NULL, "[api][incidents][7][status]"},
	{"/a%20b", NULL, "[a b]"},
	{"/a+b", NULL, "[a+b]"},
	{"/a%2Fb/c%2fd", NULL, "[a/b][c/d]"},
	{"/a%3Fb%23c", NULL, "[a?b#c]"},
	{"/%25%32%35", NULL, "[%25]"},
	{"/%2525", NULL, "[%25]"},
	{"/%E2%82%AC", NULL, "[\xe2\x82\xac]"},
	{"/...", NULL, "[...]"},
	{"/.a", NULL, "[.a]"},
	{"/a:b@c!$&'()*,;=-._~", NULL, "[a:b@c!$&'()*,;=-._~]"},
	{"/1/2/3/4/5/6/7/8", NULL, "[1][2][3][4][5][6][7][8]"},
	{"/1/2/3/4/5/6/7/8/", NULL, "[1][2][3][4][5][6][7][8]"},
	{"/", "a=b", "(a=b)"},
	{"/", "a=b&c=d", "(a=b)(c=d)"},
	{"/", "a", "(a=)"},
	{"/", "a=", "(a=)"},
	{"/", "a=b=c", "(a=b=c)"},
	{"/", "&&a=b&&", "(a=b)"},
	{"/", "a+b=c+d", "(a b=c d)"},
	{"/", "a%2Bb=c%2bd", "(a+b=c+d)"},
	{"/", "a%26b=c%3Dd", "(a&b=c=d)"},
	{"/", "a=/?:@", "(a=/?:@)"},
	{"/", "a=%0A%1B", "(a=\n\x1b)"},
	{"/", "A=1&a=2", "(A=1)(a=2)"},
	{"/", "q=%F0%9F%98%80", "(q=\xf0\x9f\x98\x80)"},
};

typedef struct Bad
{
	const char *path, *query;
	UrlFault wanted;
} Bad;

static const Bad bad[] = {
	{"", NULL, URL_NOT_ROOTED},
	{"a", NULL, URL_NOT_ROOTED},
	{"*", NULL, URL_NOT_ROOTED},
	{"%2Fa", NULL, URL_NOT_ROOTED},
	{"/%", NULL, URL_BAD_ESCAPE},
	{"/%4", NULL, URL_BAD_ESCAPE},
	{"/%4/1", NULL, URL_BAD_ESCAPE},
	{"/%zz", NULL, URL_BAD_ESCAPE},
	{"/%4g", NULL, URL_BAD_ESCAPE},
	{"/%g4", NULL, URL_BAD_ESCAPE},
	{"/%%41", NULL, URL_BAD_ESCAPE},
	{"/", "a=%", URL_BAD_ESCAPE},
	{"/", "%4=1", URL_BAD_ESCAPE},
	{"/", "a=%4&b=1", URL_BAD_ESCAPE},
	{"/%00", NULL, URL_NUL},
	{"/a%00b", NULL, URL_NUL},
	{"/", "a=%00", URL_NUL},
	{"/%80", NULL, URL_BAD_UTF8},
	{"/%C3", NULL, URL_BAD_UTF8},
	{"/%C3/%A9", NULL, URL_BAD_UTF8},
	{"/%C0%AF", NULL, URL_BAD_UTF8},
	{"/%E0%80%AF", NULL, URL_BAD_UTF8},
	{"/%F0%80%80%AF", NULL, URL_BAD_UTF8},
	{"/%ED%A0%80", NULL, URL_BAD_UTF8},
	{"/%F4%90%80%80", NULL, URL_BAD_UTF8},
	{"/%F8%88%80%80%80", NULL, URL_BAD_UTF8},
	{"/%FE", NULL, URL_BAD_UTF8},
	{"/", "a=%C3&b=%A9", URL_BAD_UTF8},
	{"/.", NULL, URL_DOT_SEGMENT},
	{"/..", NULL, URL_DOT_SEGMENT},
	{"/a/../b", NULL, URL_DOT_SEGMENT},
	{"/a/./b", NULL, URL_DOT_SEGMENT},
	{"/%2e", NULL, URL_DOT_SEGMENT},
	{"/%2E.", NULL, URL_DOT_SEGMENT},
	{"/a/%2e%2e/b", NULL, URL_DOT_SEGMENT},
	{"//", NULL, URL_EMPTY_SEGMENT},
	{"//a", NULL, URL_EMPTY_SEGMENT},
	{"/a//", NULL, URL_EMPTY_SEGMENT},
	{"/a//b", NULL, URL_EMPTY_SEGMENT},
	{"/1/2/3/4/5/6/7/8/9", NULL, URL_TOO_MANY_SEGMENTS},
	{"/", "=a", URL_EMPTY_NAME},
	{"/", "a=b&=", URL_EMPTY_NAME},
	{"/", "a=1&a=2", URL_REPEATED_NAME},
	{"/", "a&a", URL_REPEATED_NAME},
	{"/", "a=1&b=1&%61=1", URL_REPEATED_NAME},
	{"/ ", NULL, URL_BAD_CHARACTER},
	{"/a?b", NULL, URL_BAD_CHARACTER},
	{"/\\", NULL, URL_BAD_CHARACTER},
	{"/a#b", NULL, URL_BAD_CHARACTER},
	{"/\x80", NULL, URL_BAD_CHARACTER},
	{"/", "a=[1]", URL_BAD_CHARACTER},
	{"/", "a=\"", URL_BAD_CHARACTER},
	{"/", "a=b c", URL_BAD_CHARACTER},
};

static void
test_tables(void)
{
	char found[512];
	char wanted[512];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		describe(good[i].path, good[i].query, found, sizeof(found));
		if (!ok(strcmp(found, good[i].wanted) == 0, "%s ? %s is read", good[i].path,
				good[i].query ? good[i].query : "-"))
			printf("# found %s\n", found);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		describe(bad[i].path, bad[i].query, found, sizeof(found));
		snprintf(wanted, sizeof(wanted), "!%d", bad[i].wanted);
		if (!ok(strcmp(found, wanted) == 0, "%s ? %s is refused", bad[i].path,
				bad[i].query ? bad[i].query : "-"))
			printf("# found %s, wanted %s\n", found, wanted);
	}
}

static void
test_find(void)
{
	Url url;

	ok(url_parse(&url, "/", 1, "a=1&b=%20", 9) == URL_OK && url_query_find(&url, "c") == NULL,
	   "a name that is not there is not found");
	ok(strcmp(url_query_find(&url, "b")->at, " ") == 0 && url_query_find(&url, "b")->len == 1,
	   "a value is found by its name");
	ok(url_parse(&url, "/\0a", 3, NULL, 0) == URL_NUL, "a NUL in the path is refused");
}

/* Exactly as many parameters as allowed, each in its shortest form, in the longest address. */
static void
test_limits(void)
{
	static char query[URL_TARGET_MAX + 2];
	static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFG";
	static Url url;
	size_t len = 0;

	for (int i = 0; i <= URL_PAIRS_MAX; i++)
	{
		query[len++] = names[i];
		query[len++] = '&';
	}
	ok(url_parse(&url, "/", 1, query, 2 * URL_PAIRS_MAX) == URL_OK &&
		   url.pair_count == URL_PAIRS_MAX,
	   "parameters: at the limit");
	ok(url_parse(&url, "/", 1, query, len) == URL_TOO_MANY_PAIRS, "parameters: one over");

	len = 2 * URL_PAIRS_MAX - 2;
	query[len++] = '_';
	query[len++] = '=';
	memset(query + len, 'x', sizeof(query) - len);
	ok(url_parse(&url, "/", 1, query, URL_TARGET_MAX - 1) == URL_OK &&
		   url.pair[URL_PAIRS_MAX - 1].value.len == URL_TARGET_MAX - 1 - len,
	   "length: at the limit");
	ok(url_parse(&url, "/", 1, query, URL_TARGET_MAX) == URL_TOO_LONG, "length: one over");
}

static void
test_faults_have_words(void)
{
	bool is_fine = true;

	for (int i = URL_OK; i <= URL_REPEATED_NAME; i++)
		is_fine = is_fine && url_fault_text((UrlFault) i) != NULL;
	ok(is_fine, "every fault has a sentence");
	ok(url_fault_status(URL_TOO_LONG) == 414 && url_fault_status(URL_EMPTY_SEGMENT) == 404 &&
		   url_fault_status(URL_TOO_MANY_SEGMENTS) == 404 && url_fault_status(URL_NUL) == 400,
	   "every fault has a status");
}

int
main(void)
{
	test_tables();
	test_find();
	test_limits();
	test_faults_have_words();
	return finish();
}
