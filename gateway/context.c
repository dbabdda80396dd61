/*-------------------------------------------------------------------------
 *
 * context.c
 *	  Reads from the head of a request who asks: address, language, device, id.
 *
 * exchange.c calls it for each request.  A forwarded request is believed only
 * from a proxy that is named in KINTARAA_PROXIES; from anybody else it is
 * never one of this machine, wherever the connection comes from.  The name of a
 * device refuses nothing: what is unreadable in it is replaced, because records
 * hang on it.
 *
 *-------------------------------------------------------------------------
 */
#include <event2/util.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "context.h"
#include "log.h"
#include "utf8.h"

#define UNREADABLE "\xef\xbf\xbd" /* U+FFFD */

static AddressSet proxies;

static void asker_read(Asker *asker, const HttpParser *parser);
static bool is_forwarded(const HttpParser *parser, HttpText *list);
static bool list_walk(Asker *asker, HttpText list);
static bool id_is_fine(HttpText text);
static void name_copy(const HttpParser *parser, const char *name, char *out);
static size_t char_copy(HttpText text, size_t at, bool is_utf8, char *out, size_t *out_len);
static bool key_copy(const HttpParser *parser, const char *name, char out[LIMIT_CONTEXT_FIELD + 1]);

bool
context_start(void)
{
	if (!address_set_read(&proxies, config_get()->proxies))
		return false;
	/* Without TLS of its own something stands before it, or it is a workbench. */
	if (proxies.count == 0 && *config_get()->tls_cert == '\0')
		log_line(LEVEL_WARN, "proxies_unnamed",
				 "hint=\"behind a proxy KINTARAA_PROXIES must name it: until then all clients "
				 "share its address\"");
	return true;
}

void
context_read(RequestContext *context, const HttpParser *parser, Asker *asker)
{
	HttpText languages;

	context_id(context, parser);
	asker_read(asker, parser);
	address_network(&asker->peer, context->network);
	if (http_field_find(parser, "Accept-Language", &languages))
		context->language = problem_language(languages.at, languages.len);
}

/* Behind a proxy of ours: the last address it did not vouch for itself. */
static void
asker_read(Asker *asker, const HttpParser *parser)
{
	HttpText list = {NULL, 0};
	HttpText proto;
	bool is_told = is_forwarded(parser, &list);

	asker->is_local = !is_told && address_is_loopback(&asker->peer);
	if (!address_set_has(&proxies, &asker->peer))
		return;
	if (http_field_find(parser, "X-Forwarded-Proto", &proto))
		asker->is_tls = http_text_is(proto, "https");
	asker->is_local = list_walk(asker, list) && (list.len > 0 || !is_told) &&
					  address_is_loopback(&asker->peer);
}

/* Has it passed a proxy, as far as proxies say?  list is the last X-Forwarded-For. */
static bool
is_forwarded(const HttpParser *parser, HttpText *list)
{
	static const char *const marks[] = {"Forwarded", "X-Real-IP", "Via", "CF-Connecting-IP",
										"True-Client-IP", "X-Client-IP"};
	bool is_told = false;

	for (int i = parser->field_count - 1; i >= 0; i--)
	{
		HttpText name = http_field_name(parser, i);

		if (strchr("fxvct", name.at[0] | 0x20) == NULL)
			continue;
		if (list->at == NULL && http_text_is(name, "X-Forwarded-For"))
			*list = http_field_value(parser, i);
		is_told = is_told || (name.len > 12 && strncasecmp(name.at, "X-Forwarded-", 12) == 0);
		for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]) && !is_told; k++)
			is_told = http_text_is(name, marks[k]);
	}
	return is_told;
}

/* False at something that is no address; the peer is then the last that was one. */
static bool
list_walk(Asker *asker, HttpText list)
{
	while (list.len > 0 && address_set_has(&proxies, &asker->peer))
	{
		size_t at = list.len;
		size_t end = list.len;
		Address before;

		while (at > 0 && list.at[at - 1] != ',')
			at--;
		list.len = at > 0 ? at - 1 : 0;
		while (at < end && list.at[at] == ' ')
			at++;
		while (end > at && list.at[end - 1] == ' ')
			end--;
		if (!address_read(&before, list.at + at, end - at))
			return false;
		asker->peer = before;
	}
	return true;
}

void
context_id(RequestContext *context, const HttpParser *parser)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[8];
	char *id = context->request_id;
	HttpText theirs;

	if (http_field_find(parser, "X-Request-Id", &theirs) && id_is_fine(theirs))
	{
		memcpy(id, theirs.at, theirs.len);
		id[theirs.len] = '\0';
		return;
	}
	evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
	{
		id[2 * i] = hex[bytes[i] >> 4];
		id[2 * i + 1] = hex[bytes[i] & 15];
	}
	id[2 * sizeof(bytes)] = '\0';
}

static bool
id_is_fine(HttpText text)
{
	if (text.len < 1 || text.len > LIMIT_REQUEST_ID)
		return false;
	for (size_t i = 0; i < text.len; i++)
	{
		char c = text.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			c != '_' && c != '.' && c != '-')
			return false;
	}
	return true;
}

bool
context_fields(RequestFields *fields, const HttpParser *parser)
{
	name_copy(parser, "X-Device-Id", fields->device);
	name_copy(parser, "X-App-Version", fields->app_version);
	return key_copy(parser, "Idempotency-Key", fields->idempotency_key) &&
		   key_copy(parser, "If-Match", fields->if_match);
}

/* The first of that name, of any text, cut after so many characters. */
static void
name_copy(const HttpParser *parser, const char *name, char *out)
{
	HttpText text;
	bool is_utf8;
	size_t at = 0;
	size_t len = 0;

	if (!http_field_find(parser, name, &text))
		return;
	is_utf8 = utf8_is_valid(text.at, text.len);
	for (int count = 0; count < LIMIT_CONTEXT_FIELD && at < text.len; count++)
		at += char_copy(text, at, is_utf8, out, &len);
	out[len] = '\0';
}

/* Header fields that are no UTF-8 are Latin-1, which has no printing character below U+00A0. */
static size_t
char_copy(HttpText text, size_t at, bool is_utf8, char *out, size_t *out_len)
{
	unsigned char byte = (unsigned char) text.at[at];
	char latin[2] = {(char) (0xc0 | byte >> 6), (char) (0x80 | (byte & 0x3f))};
	const char *from = text.at + at;
	size_t len = is_utf8 ? utf8_length(from, text.len - at) : 1;
	size_t step = len;

	if (byte < 0x20 || byte == 0x7f || (!is_utf8 && byte >= 0x80 && byte < 0xa0))
	{
		from = UNREADABLE;
		len = strlen(UNREADABLE);
	}
	else if (!is_utf8 && byte >= 0xa0)
	{
		from = latin;
		len = sizeof(latin);
	}
	memcpy(out + *out_len, from, len);
	*out_len += len;
	return step;
}

/* Two keys must never become one, so these are taken whole or not at all. */
static bool
key_copy(const HttpParser *parser, const char *name, char out[LIMIT_CONTEXT_FIELD + 1])
{
	HttpText text;

	if (!http_field_find(parser, name, &text))
		return true;
	if (text.len < 1 || text.len > LIMIT_CONTEXT_FIELD || http_field_count(parser, name) > 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			return false;
	memcpy(out, text.at, text.len);
	out[text.len] = '\0';
	return true;
}
