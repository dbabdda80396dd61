/*-------------------------------------------------------------------------
 *
 * body.h
 *	  The body of a call: text that somebody owns and that is counted until freed.
 *
 * A body is handed on as an argument and never lies in a struct that is
 * borrowed: whoever is given one has it, and nobody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "inflate.h"

typedef struct Body
{
	size_t len;
	size_t size; /* counted */
	char text[]; /* ends with a NUL */
} Body;

/* returns new (free with body_free); NULL when memory is short, or too much is held by all */
Body *body_new(const char *text, size_t len);

/* takes; NULL is nothing */
void body_free(Body *body);

/* Bytes that all bodies hold. */
size_t body_total(void);

typedef enum BodyVerdict
{
	BODY_OK,
	BODY_TOO_LONG,
	BODY_BUSY,  /* memory is short, or all bodies together are too long */
	BODY_BROKEN /* is no gzip */
} BodyVerdict;

/* What arrives of one body, piece by piece; empty when zeroed. */
typedef struct BodyIntake
{
	Body *body;         /* owns; NULL until something comes */
	Inflater *inflater; /* owns; from the first byte of a packed body */
	size_t most;
	bool is_packed;
	BodyVerdict verdict; /* of the last piece */
} BodyIntake;

/* Grows with what arrives, so a promised length alone costs nothing. */
BodyVerdict body_add(BodyIntake *intake, const char *bytes, size_t len);

/* Has all of a packed body come?  Of any other it says yes. */
bool body_is_whole(const BodyIntake *intake);

/* returns new (free with body_free): what came, and forgets it; NULL when nothing did */
Body *body_take(BodyIntake *intake);

/* Frees what is there. */
void body_drop(BodyIntake *intake);

#endif
