/*-------------------------------------------------------------------------
 *
 * utf8.h
 *	  Is this UTF-8?  Shared by url.c and the two json files; pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Length of the character at bytes (RFC 3629: shortest form, no surrogates, up to
 * U+10FFFF), or 0 when there is none.  len must be at least 1.
 */
extern size_t utf8_length(const char *bytes, size_t len);

extern bool utf8_is_valid(const char *bytes, size_t len);

#endif
