/*-------------------------------------------------------------------------
 *
 * test_ws_handshake.c
 *	  What the opening handshake of a WebSocket promises.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/ws_handshake.c gateway/http_parse.c gateway/http_head.c gateway/http_body.c gateway/http_text.c */
/* libs: crypto */

#include <string.h>

#include "http_parse.h"
#include "tap.h"
#include "ws_handshake.h"

static char head[16 * 1024];

static void
parse(HttpParser *parser, const char *request)
{
	size_t used;
	HttpText body;

	http_parser_init(parser, &http_limits_default, head);
	http_parser_feed(parser, request, strlen(request), &used, &body.at, &body.len);
}

typedef struct Case
{
	const char *name;
	const char *start;                                /* the request line */
	const char *upgrade, *connection, *key, *version; /* whole field lines */
	int status;                                       /* 0: accepted */
} Case;

#define START "GET /ws HTTP/1.1\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static const Case cases[] = {
	{"the example of the RFC", START, UPGRADE, CONNECTION, KEY, VERSION, 0},
	{"tokens in any case", START, "UPGRADE: WEBSOCKET\r\n", "connection: UPGRADE\r\n", KEY, VERSION,
	 0},
	{"tokens in lists", START, "Upgrade: x, websocket\r\n", "Connection: keep-alive, Upgrade\r\n",
	 KEY, VERSION, 0},
	{"POST", "POST /ws HTTP/1.1\r\n", UPGRADE, CONNECTION, KEY, VERSION, 400},
	{"HEAD", "HEAD /ws HTTP/1.1\r\n", UPGRADE, CONNECTION, KEY, VERSION, 400},
	{"HTTP/1.0", "GET /ws HTTP/1.0\r\n", UPGRADE, CONNECTION, KEY, VERSION, 400},
	{"a body", START "Content-Length: 1\r\n", UPGRADE, CONNECTION, KEY, VERSION, 400},
	{"a chunked body", START "Transfer-Encoding: chunked\r\n", UPGRADE, CONNECTION, KEY, VERSION,
	 400},
	{"no Upgrade", START, "", CONNECTION, KEY, VERSION, 426},
	{"another Upgrade", START, "Upgrade: h2c\r\n", CONNECTION, KEY, VERSION, 426},
	{"a longer Upgrade", START, "Upgrade: websockets\r\n", CONNECTION, KEY, VERSION, 426},
	{"no Connection", START, UPGRADE, "", KEY, VERSION, 426},
	{"another Connection", START, UPGRADE, "Connection: keep-alive\r\n", KEY, VERSION, 426},
	{"no version", START, UPGRADE, CONNECTION, KEY, "", 400},
	{"an old version", START, UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 8\r\n", 426},
	{"a later version", START, UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 14\r\n", 426},
	{"a list of versions", START, UPGRADE, CONNECTION, KEY, "Sec-WebSocket-Version: 13, 8\r\n",
	 426},
	{"no key", START, UPGRADE, CONNECTION, "", VERSION, 400},
	{"an empty key", START, UPGRADE, CONNECTION, "Sec-WebSocket-Key:\r\n", VERSION, 400},
	{"a key of 15 bytes", START, UPGRADE, CONNECTION, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n",
	 VERSION, 400},
	{"a key of 17 bytes", START, UPGRADE, CONNECTION,
	 "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n", VERSION, 400},
	{"a key of 18 bytes", START, UPGRADE, CONNECTION,
	 "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA\r\n", VERSION, 400},
	{"a key with bits left over", START, UPGRADE, CONNECTION,
	 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", VERSION, 400},
	{"a key in base64url", START, UPGRADE, CONNECTION,
	 "Sec-WebSocket-Key: -_hlIHNhbXBsZSBub25jZQ==\r\n", VERSION, 400},
	{"a key without padding", START, UPGRADE, CONNECTION,
	 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n", VERSION, 400},
};

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Case *one = &cases[i];
		HttpParser parser;
		WsHandshake handshake = {.status = -1};
		char request[1024];
		bool is_accepted;

		snprintf(request, sizeof(request), "%sHost: a\r\n%s%s%s%s\r\n", one->start, one->upgrade,
				 one->connection, one->key, one->version);
		parse(&parser, request);
		is_accepted = ws_handshake_check(&parser, &handshake);
		ok(is_accepted == (one->status == 0) && handshake.status == one->status &&
			   (is_accepted || handshake.reason != NULL),
		   "%s is %s", one->name, one->status == 0 ? "accepted" : "refused");
	}
}

static void
test_accept_key(void)
{
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
	char accept[WS_ACCEPT_SIZE];

	ok(ws_accept_key((HttpText){key, strlen(key)}, accept) &&
		   strcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == 0,
	   "the key of the RFC has the answer of the RFC");
	ok(!ws_accept_key((HttpText){key, strlen(key) - 1}, accept), "a shorter key has none");
}

typedef struct OriginCase
{
	const char *origin, /* field line */
		*allowed;
	bool is_allowed;
} OriginCase;

static const OriginCase origins[] = {
	{"", NULL, true},
	{"Origin: http://a.test\r\n", NULL, true},
	{"Origin: https://a.test\r\n", NULL, true},
	{"Origin: https://A.TEST\r\n", NULL, true},
	{"Origin: https://a.test:444\r\n", NULL, false},
	{"Origin: https://b.test\r\n", NULL, false},
	{"Origin: https://b.a.test\r\n", NULL, false},
	{"Origin: https://a.test.b\r\n", NULL, false},
	{"Origin: https://a.test/\r\n", NULL, false},
	{"Origin: ftp://a.test\r\n", NULL, false},
	{"Origin: null\r\n", NULL, false},
	{"Origin:\r\n", NULL, false},
	{"Origin: https://b.test\r\n", "", false},
	{"Origin: https://b.test\r\n", "https://b.test", true},
	{"Origin: https://b.test\r\n", "https://c.test, https://b.test", true},
	{"Origin: https://b.test\r\n", "https://c.test https://b.test", true},
	{"Origin: https://b.test\r\n", "https://b.test.c", false},
	{"Origin: https://b.test\r\n", "http://b.test", false},
	{"Origin: https://b.test\r\n", "*", true},
	{"Origin: https://b.test\r\n", "x", false},
	{"Origin: null\r\n", "https://b.test", false},
};

static void
test_origin(void)
{
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
	{
		const OriginCase *one = &origins[i];
		HttpParser parser;
		char request[512];

		snprintf(request, sizeof(request), "GET /ws HTTP/1.1\r\nHost: a.test\r\n%s\r\n",
				 one->origin);
		parse(&parser, request);
		ok(ws_origin_is_allowed(&parser, one->allowed) == one->is_allowed, "%.*s with \"%s\" is %s",
		   (int) strcspn(one->origin, "\r"), one->origin, one->allowed ? one->allowed : "",
		   one->is_allowed ? "allowed" : "refused");
	}
}

static void
test_origin_without_host(void)
{
	HttpParser parser;

	parse(&parser, "GET /ws HTTP/1.0\r\nOrigin: http://\r\n\r\n");
	ok(!ws_origin_is_allowed(&parser, NULL), "without a Host no origin is the same");
	parse(&parser, "GET /ws HTTP/1.0\r\nOrigin: http://a\r\n\r\n");
	ok(!ws_origin_is_allowed(&parser, NULL), "whatever it is");
}

int
main(void)
{
	test_cases();
	test_accept_key();
	test_origin();
	test_origin_without_host();
	return finish();
}
