/*-------------------------------------------------------------------------
 *
 * answer.c
 *	  Writes status line and header fields.
 *
 * http.c sends what is written here.  Every value is ours or was checked to be
 * without control bytes when it came in, so no answer can be split.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "answer.h"

#define CORS_AGE_SECONDS "600"

typedef struct Writer
{
	char *at;
	size_t len;
} Writer;

typedef struct Phrase
{
	int status;
	const char *phrase;
} Phrase;

static const Phrase phrases[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{422, "Unprocessable Content"},
	{426, "Upgrade Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

static void add(Writer *writer, const char *text);
static void add_bytes(Writer *writer, const char *bytes, size_t len);
static void add_field(Writer *writer, const char *name, const char *value);
static void add_number_field(Writer *writer, const char *name, size_t number);
static void add_status(Writer *writer, int status);
static void add_refusal_fields(Writer *writer, const Answer *answer);
static void add_cors(Writer *writer, const Answer *answer);
static const char *date_now(void);

size_t
answer_head(const Answer *answer, char out[ANSWER_HEAD_MAX])
{
	Writer writer = {out, 0};

	add_status(&writer, answer->status);
	add_field(&writer, "Date", date_now());
	if (answer->type != NULL)
		add_field(&writer, "Content-Type", answer->type);
	if (answer->status != 204)
		add_number_field(&writer, "Content-Length", answer->body_len);
	add(&writer, "Cache-Control: no-store\r\n"
				 "X-Content-Type-Options: nosniff\r\n"
				 "Referrer-Policy: no-referrer\r\n");
	add_field(&writer, "X-Request-Id", answer->request_id);
	if (answer->is_tls)
		add(&writer, "Strict-Transport-Security: max-age=31536000\r\n");
	add_refusal_fields(&writer, answer);
	add_cors(&writer, answer);
	if (!answer->keeps_alive)
		add(&writer, "Connection: close\r\n");
	add(&writer, "\r\n");
	return writer.len;
}

static void
add_refusal_fields(Writer *writer, const Answer *answer)
{
	if (answer->allow != NULL)
		add_field(writer, "Allow", answer->allow);
	if (answer->accept_encoding != NULL)
		add_field(writer, "Accept-Encoding", answer->accept_encoding);
	if (answer->retry_after > 0)
		add_number_field(writer, "Retry-After", (size_t) answer->retry_after);
	if (answer->status == 401)
		add(writer, "WWW-Authenticate: Bearer realm=\"kintaraa\"\r\n");
	if (answer->status == 426)
		add(writer, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
}

/* Tokens travel in Authorization, never in a cookie, so no credentials are allowed. */
static void
add_cors(Writer *writer, const Answer *answer)
{
	if (answer->origin.len == 0)
		return;
	add(writer, "Vary: Origin\r\nAccess-Control-Allow-Origin: ");
	add_bytes(writer, answer->origin.at, answer->origin.len);
	add(writer, "\r\nAccess-Control-Expose-Headers: X-Request-Id, Retry-After, Date\r\n");
	if (!answer->is_preflight)
		return;
	add(writer, "Access-Control-Allow-Methods: ");
	add(writer, answer->allow);
	add(writer, "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, "
				"If-Match, X-Request-Id, X-Device-Id, Accept-Language, Content-Encoding\r\n"
				"Access-Control-Max-Age: " CORS_AGE_SECONDS "\r\n");
}

size_t
answer_upgrade(const char *accept, const char *request_id, char out[ANSWER_HEAD_MAX])
{
	Writer writer = {out, 0};

	add(&writer, "HTTP/1.1 101 Switching Protocols\r\n"
				 "Upgrade: websocket\r\n"
				 "Connection: Upgrade\r\n");
	add_field(&writer, "Sec-WebSocket-Accept", accept);
	add_field(&writer, "X-Request-Id", request_id);
	add(&writer, "\r\n");
	return writer.len;
}

static void
add_status(Writer *writer, int status)
{
	const char *phrase = "Unknown";
	char digits[16];

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			phrase = phrases[i].phrase;
	snprintf(digits, sizeof(digits), "%03d ", status % 1000);
	add(writer, "HTTP/1.1 ");
	add(writer, digits);
	add(writer, phrase);
	add(writer, "\r\n");
}

static void
add_field(Writer *writer, const char *name, const char *value)
{
	add(writer, name);
	add(writer, ": ");
	add(writer, value);
	add(writer, "\r\n");
}

static void
add_number_field(Writer *writer, const char *name, size_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%zu", number);
	add_field(writer, name, digits);
}

static void
add(Writer *writer, const char *text)
{
	add_bytes(writer, text, strlen(text));
}

/* All parts are bounded and together below the size; the check is a net. */
static void
add_bytes(Writer *writer, const char *bytes, size_t len)
{
	if (writer->len + len > ANSWER_HEAD_MAX)
		return;
	memcpy(writer->at + writer->len, bytes, len);
	writer->len += len;
}

/* Formatted once a second. */
static const char *
date_now(void)
{
	static time_t second;
	static char date[40];
	time_t now = time(NULL);
	struct tm parts;

	if (now != second)
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
	second = now;
	return date;
}
