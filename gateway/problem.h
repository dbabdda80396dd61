/*-------------------------------------------------------------------------
 *
 * problem.h
 *	  Every error answer there is, as RFC 9457 problem details.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROBLEM_H
#define PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "db.h"
#include "json_text.h"

typedef enum Language
{
	LANGUAGE_EN,
	LANGUAGE_SW
} Language;

/* What the gateway refuses by itself; the table is in problem.c. */
typedef enum Refusal
{
	REFUSAL_MALFORMED,
	REFUSAL_URL,
	REFUSAL_HEADER,
	REFUSAL_NO_TOKEN,
	REFUSAL_BAD_TOKEN,
	REFUSAL_ORIGIN,
	REFUSAL_ADDRESS,
	REFUSAL_NO_PATH,
	REFUSAL_METHOD,
	REFUSAL_TIMEOUT,
	REFUSAL_TOO_LARGE,
	REFUSAL_URL_LONG,
	REFUSAL_EXPECT,
	REFUSAL_JSON,
	REFUSAL_FRAME,
	REFUSAL_PACKED,
	REFUSAL_ENCODING,
	REFUSAL_WAIT,
	REFUSAL_UPGRADE,
	REFUSAL_TOO_MANY,
	REFUSAL_HEAD_LARGE,
	REFUSAL_SERVER,
	REFUSAL_NO_METHOD,
	REFUSAL_BUSY,
	REFUSAL_STOPPING,
	REFUSAL_UNKNOWN_OUTCOME,
	REFUSAL_NO_ANSWER,
	REFUSAL_NO_KEYS,
	REFUSAL_VERSION
} Refusal;

#define PROBLEM_CODE_SIZE 8

/* texts borrow from what the problem was made of */
typedef struct Problem
{
	int status;
	int retry_after; /* seconds; 0 for none */
	bool is_fault;   /* of the server: to be looked at by its operator */
	char code[PROBLEM_CODE_SIZE];
	const char *detail;
	const char *hint;
	const char *column;  /* becomes the pointer */
	const char *members; /* JSON object of a door; its members are copied as they are */
	size_t members_len;
} Problem;

void problem_of_refusal(Problem *problem, Refusal refusal);

/* From the status and the fixed word of a parser. */
void problem_of_parser(Problem *problem, int status, const char *reason);
void problem_of_url(Problem *problem, int status, const char *reason);

/* From a call that brought no row. */
void problem_of_answer(Problem *problem, const DbAnswer *answer);

/* From a door's outcome that is a refusal. */
void problem_of_outcome(Problem *problem, int status, const char *body, size_t body_len);

/* Ticket and wait of a refusal that sends the request to wait; false when it does not. */
bool problem_turn(const char *body, size_t body_len, char *ticket, size_t size, int *wait_ms);

/* instance is the request id; may be NULL */
void problem_write(JsonText *out, const Problem *problem, Language language, const char *instance);

/* Status of a door's outcome; 0 when there is no such word. */
int problem_outcome_status(const char *word);

/* The better liked of our languages in an Accept-Language. */
Language problem_language(const char *accept, size_t len);
const char *problem_language_name(Language language);

#endif
