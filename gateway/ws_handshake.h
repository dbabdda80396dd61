/*-------------------------------------------------------------------------
 *
 * ws_handshake.h
 *	  The opening handshake of a WebSocket (RFC 6455, section 4.2).
 *
 * Called with a request whose head is complete.  Pure: it checks and computes
 * the accept key; writing the 101 and changing the protocol is the caller's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include <stdbool.h>

#include "http_parse.h"

#define WS_ACCEPT_SIZE 29

typedef struct WsHandshake
{
	char accept[WS_ACCEPT_SIZE]; /* value of Sec-WebSocket-Accept, NUL-terminated */
	int status;                  /* when refused: 400 or 426, which asks for version 13 */
	const char *reason;          /* when refused: fixed word */
} WsHandshake;

/* True when the request is a valid opening handshake; else status and reason say why not. */
extern bool ws_handshake_check(const HttpParser *parser, WsHandshake *handshake);

/*
 * May a page of this Origin open a socket?  Yes without an Origin (not a
 * browser), when it names the host the request was sent to, and when it is one
 * of the space- or comma-separated origins in allowed (may be NULL); "*" there
 * allows any.
 */
extern bool ws_origin_is_allowed(const HttpParser *parser, const char *allowed);

/* Base64 of SHA-1 of key and the fixed GUID; false when the key is not 16 bytes in base64. */
extern bool ws_accept_key(HttpText key, char accept[WS_ACCEPT_SIZE]);

#endif
