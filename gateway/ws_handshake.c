/*-------------------------------------------------------------------------
 *
 * ws_handshake.c
 *	  Checks the opening handshake of a WebSocket and computes its answer.
 *
 * Called by the WebSocket code; reads the head through http_parse.h.  The only
 * foreign call is SHA-1 from OpenSSL, which RFC 6455 prescribes as a fingerprint, not as
 * a secret.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "ws_handshake.h"

#define KEY_LEN 24
#define KEY_BYTES 16
#define ORIGIN_SEPARATORS " ,"

static const char version_hint[] = "Send Sec-WebSocket-Version: 13.";
static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static bool refuse(WsHandshake *handshake, int status, const char *reason);
static bool is_key(HttpText key);
static int base64_value(char byte);
static bool is_same_host(const HttpParser *parser, HttpText origin);
static bool text_equals(HttpText text, const char *word, size_t len);

bool
ws_handshake_check(const HttpParser *parser, WsHandshake *handshake)
{
	HttpText version;
	HttpText key;

	if (parser->method != HTTP_GET || parser->minor != 1 || parser->has_body)
		return refuse(handshake, 400, "A WebSocket is opened by GET in HTTP/1.1 without a body.");
	if (!parser->wants_upgrade || !http_field_has_token(parser, "upgrade", "websocket"))
		return refuse(handshake, 426, "Open a WebSocket here; the API is under /api.");
	if (!http_field_find(parser, "sec-websocket-version", &version))
		return refuse(handshake, 400, version_hint);
	if (!http_text_is(version, "13"))
		return refuse(handshake, 426, version_hint);
	if (!http_field_find(parser, "sec-websocket-key", &key) ||
		!ws_accept_key(key, handshake->accept))
		return refuse(handshake, 400, "Send Sec-WebSocket-Key: 16 bytes in base64.");
	handshake->status = 0;
	handshake->reason = NULL;
	return true;
}

static bool
refuse(WsHandshake *handshake, int status, const char *reason)
{
	handshake->status = status;
	handshake->reason = reason;
	return false;
}

bool
ws_accept_key(HttpText key, char accept[WS_ACCEPT_SIZE])
{
	char text[KEY_LEN + sizeof(accept_guid) - 1];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;

	if (!is_key(key))
		return false;
	memcpy(text, key.at, KEY_LEN);
	memcpy(text + KEY_LEN, accept_guid, sizeof(accept_guid) - 1);
	if (EVP_Digest(text, sizeof(text), digest, &digest_len, EVP_sha1(), NULL) != 1)
		return false;
	EVP_EncodeBlock((unsigned char *) accept, digest, (int) digest_len);
	return true;
}

/* Sixteen bytes in base64: 22 letters, of which the last carries four zero bits, and "==". */
static bool
is_key(HttpText key)
{
	if (key.len != KEY_LEN || memcmp(key.at + KEY_LEN - 2, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < KEY_LEN - 2; i++)
		if (base64_value(key.at[i]) < 0)
			return false;
	return (base64_value(key.at[KEY_LEN - 3]) & 15) == 0;
}

static int
base64_value(char byte)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = byte != '\0' ? strchr(alphabet, byte) : NULL;

	return found != NULL ? (int) (found - alphabet) : -1;
}

bool
ws_origin_is_allowed(const HttpParser *parser, const char *allowed)
{
	HttpText origin;
	const char *at = allowed != NULL ? allowed : "";

	if (!http_field_find(parser, "origin", &origin))
		return true;
	if (is_same_host(parser, origin))
		return true;
	while (*(at += strspn(at, ORIGIN_SEPARATORS)) != '\0')
	{
		size_t len = strcspn(at, ORIGIN_SEPARATORS);

		if ((len == 1 && *at == '*') || text_equals(origin, at, len))
			return true;
		at += len;
	}
	return false;
}

static bool
is_same_host(const HttpParser *parser, HttpText origin)
{
	HttpText host = http_host(parser);
	size_t scheme = 0;

	if (origin.len > 7 && strncasecmp(origin.at, "http://", 7) == 0)
		scheme = 7;
	else if (origin.len > 8 && strncasecmp(origin.at, "https://", 8) == 0)
		scheme = 8;
	if (scheme == 0 || host.len == 0)
		return false;
	return text_equals((HttpText){origin.at + scheme, origin.len - scheme}, host.at, host.len);
}

static bool
text_equals(HttpText text, const char *word, size_t len)
{
	return text.len == len && strncasecmp(text.at, word, len) == 0;
}
