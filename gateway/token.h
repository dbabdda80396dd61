/*-------------------------------------------------------------------------
 *
 * token.h
 *	  First look at an access token, so that floods never reach the database.
 *
 * The check that counts is the extension's.  This one may only refuse what is
 * surely wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKEN_H
#define TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum TokenVerdict
{
	TOKEN_GOOD,
	TOKEN_UNCHECKED, /* the database shall decide */
	TOKEN_BAD
} TokenVerdict;

/* Only what stands in tokens, and not too long: nothing else may reach a log or the database. */
bool token_is_text(const char *token, size_t len);

bool token_start(void);
void token_stop(void);

/*
 * token ends with a NUL.  account, which may be NULL, gets a number that all
 * tokens of one account share, unless the token is bad; a token that is left to
 * the database has a number of its own, because nobody vouches for what it says.
 */
TokenVerdict token_check(const char *token, size_t len, uint64_t *account);

#endif
