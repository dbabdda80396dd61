/*-------------------------------------------------------------------------
 *
 * context.h
 *	  Who asks, as far as the head of a request says so.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdbool.h>

#include "address.h"
#include "http_parse.h"
#include "request.h"

/* Whose request it is, besides the token. */
typedef struct Asker
{
	Address peer;  /* behind a proxy of ours: whom the proxy named */
	bool is_tls;   /* between the client and whoever spoke to it first */
	bool is_local; /* on this machine, and nobody forwarded it */
} Asker;

/* Reads the settings it needs; warns of a proxy that may have been forgotten. */
bool context_start(void);

/* asker holds peer and is_tls of the connection; the rest is found out. */
void context_read(RequestContext *context, const HttpParser *parser, Asker *asker);

/* The header fields that doors know.  False when one is not valid that must be. */
bool context_fields(RequestFields *fields, const HttpParser *parser);

/* The caller's own id if it is harmless in a log and in a header field, else a random one. */
void context_id(RequestContext *context, const HttpParser *parser);

#endif
