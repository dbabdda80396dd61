/*-------------------------------------------------------------------------
 *
 * keys.h
 *	  The public keys that access tokens are signed with, learnt from the database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KEYS_H
#define KEYS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Key
{
	char header[256]; /* the first segment of every token of this key, byte for byte */
	size_t header_len;
	char *pem; /* owns */
	size_t pem_len;
} Key;

bool keys_start(struct event_base *base);
void keys_stop(void);

/* Asks the database again, but not more often than once a second. */
void keys_refresh(void);

/* Were the keys asked for within the last second and are they here? */
bool keys_are_fresh(void);

/* Key whose header the token starts with; NULL when there is none. */
const Key *keys_find(const char *token, size_t header_len);
bool keys_are_known(void);

/*
 * The JWKS as the database wrote it; NULL when not known yet.  borrows until
 * the next turn of the loop
 */
const char *keys_text(size_t *len);

#endif
