/*-------------------------------------------------------------------------
 *
 * request.h
 *	  The life of one call of a door, from its parameters to its reply.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "lane.h"
#include "limits.h"
#include "problem.h"
#include "url.h"

/* borrows: until the reply callback returns */
typedef struct Reply
{
	int status;
	bool is_problem;
	const char *body; /* NULL: none */
	size_t body_len;
	int retry_after;   /* seconds; 0 for none */
	int64_t waited_ms; /* for news, as its caller wanted, or for its budget */
} Reply;

typedef void (*RequestReply)(void *owner, const Reply *reply);

/* Header fields that doors know: UTF-8, "" when absent. */
typedef struct RequestFields
{
	char device[4 * LIMIT_CONTEXT_FIELD + 1];
	char app_version[4 * LIMIT_CONTEXT_FIELD + 1];
	char idempotency_key[LIMIT_CONTEXT_FIELD + 1];
	char if_match[LIMIT_CONTEXT_FIELD + 1];
} RequestFields;

/* What a door may know of who asks besides the token. */
typedef struct RequestContext
{
	char request_id[LIMIT_REQUEST_ID + 1];
	char network[64];
	Language language;
} RequestContext;

/* borrows until request_start() returns */
typedef struct RequestInput
{
	const char *door;
	Lane lane;
	bool is_read;
	int most_ms;       /* wait no longer than this for the database; 0: as the lane does */
	uint64_t account;  /* whose budget pays; 0: nobody's */
	const char *token; /* NULL: none */
	size_t token_len;
	const UrlText *parameter;
	int parameter_count;
	const UrlPair *pair;
	int pair_count;
	const RequestContext *context;
	const RequestFields *fields; /* NULL: none */
	RequestReply reply;
	void *owner;
} RequestInput;

typedef struct Request Request;

/*
 * Sends the call on its way.  takes the body, whatever happens; NULL: none.  reply
 * is called exactly once, later, unless request_abandon() comes first; the
 * request is borrowed until then.  NULL when memory is short: reply is not called.
 */
Request *request_start(const RequestInput *input, Body *body);

/* Does it wait for its budget? */
bool request_is_waiting(const Request *request);

/* The owner is gone.  What runs may finish; what waits is dropped. */
void request_abandon(Request *request);

#endif
