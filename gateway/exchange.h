/*-------------------------------------------------------------------------
 *
 * exchange.h
 *	  One HTTP request and its answer: what it asks for and who serves it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdint.h>

#include "address.h"
#include "answer.h"
#include "body.h"
#include "context.h"
#include "http_parse.h"
#include "poll.h"
#include "request.h"
#include "routes.h"
#include "url.h"
#include "ws_handshake.h"

#define EXCHANGE_HEAD_BYTES 16384

/* The answer lives until the callback returns. */
typedef void (*ExchangeAnswer)(void *owner, const Answer *answer);

typedef enum ExchangeStep
{
	EXCHANGE_READ_BODY, /* feed the body, then exchange_run() */
	EXCHANGE_UPGRADE,   /* handshake holds the accept key */
	EXCHANGE_JOIN,      /* the same, once exchange_join() has been answered with a 101 */
	EXCHANGE_REFUSED    /* call exchange_refuse() with refusal */
} ExchangeStep;

typedef struct Exchange
{
	HttpParser parser;
	Url url;
	RouteMatch match;
	RequestContext context;
	RequestFields fields;
	Problem problem; /* set with EXCHANGE_REFUSED */
	WsHandshake handshake;
	HttpText token;   /* borrows from the head; len 0: none */
	uint64_t account; /* that it is of */
	int generation;   /* of the feed, when it was joined for a WebSocket */
	HttpText origin;
	Asker asker;
	int route; /* for the log and the metrics */
	int64_t since_us;
	bool takes_body;   /* else it is read and dropped */
	BodyIntake intake; /* owns what it holds; handed on with the call */
	Request *request;  /* borrows until answered */
	Poll *poll;        /* the same, of a pull */
	ExchangeAnswer answer;
	void *owner;
	char head[EXCHANGE_HEAD_BYTES]; /* the last: a new exchange clears what is before it */
} Exchange;

/* Reads the settings it needs. */
bool exchange_start(void);
void exchange_stop(void);

/* NULL when memory is short.  peer and owner borrow until exchange_free(). */
Exchange *exchange_new(const Address *peer, bool is_tls, ExchangeAnswer answer, void *owner);
void exchange_free(Exchange *exchange);

/* After HTTP_HEAD_DONE. */
ExchangeStep exchange_head(Exchange *exchange);

/* False when it is too much, then problem says what. */
bool exchange_body(Exchange *exchange, const char *bytes, size_t len);

/* After HTTP_DONE: answers now or later, once. */
void exchange_run(Exchange *exchange);

/*
 * After EXCHANGE_JOIN: answers with the 101 and what the feed said to the token in
 * the address, or with a problem, now or later, once.
 */
void exchange_join(Exchange *exchange);

/* Answers with the problem; fits at any time before an answer. */
void exchange_refuse(Exchange *exchange);
void exchange_refuse_parser(Exchange *exchange, int status, const char *reason);
void exchange_refuse_with(Exchange *exchange, Refusal refusal);

/* The token a WebSocket was opened with in its URL; len 0: none. */
UrlText exchange_url_token(const Exchange *exchange);

#endif
