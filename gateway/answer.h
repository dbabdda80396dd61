/*-------------------------------------------------------------------------
 *
 * answer.h
 *	  The head of an HTTP answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "http_parse.h"

#define ANSWER_HEAD_MAX 2048

/* borrows: every text, until the answer is written */
typedef struct Answer
{
	int status;
	const char *type; /* NULL: no body */
	const char *body;
	size_t body_len;
	const char *request_id;
	const char *allow;           /* NULL: no such field */
	int retry_after;             /* seconds; 0: no such field */
	const char *accept_encoding; /* NULL: no such field */
	bool is_head;                /* the length is told, the body is not sent */
	bool is_tls;
	bool keeps_alive;
	HttpText origin; /* a web origin that may read the answer; len 0: none */
	bool is_preflight;
} Answer;

/* Returns the length. */
size_t answer_head(const Answer *answer, char out[ANSWER_HEAD_MAX]);

/* The head that ends HTTP and begins a WebSocket. */
size_t answer_upgrade(const char *accept, const char *request_id, char out[ANSWER_HEAD_MAX]);

#define ANSWER_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

#endif
