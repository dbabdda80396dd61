/*-------------------------------------------------------------------------
 *
 * json_text.h
 *	  JSON as text: a writer that escapes, and a strict checker that only scans.
 *
 * The gateway builds small objects (context, query, problem) with the writer and
 * lets bodies pass unread once the checker has seen them.  Neither knows
 * anything of ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_DEFAULT 32
#define JSON_DEPTH_MAX 64
#define JSON_TOP_MEMBERS_MAX 256
#define JSON_NUMBER_MAX 64    /* characters */
#define JSON_EXPONENT_MAX 240 /* with that many digits always inside a double */

/*
 * A growing text.  It starts in the caller's room and moves to memory of its
 * own when that is full.  A failure (no memory, over max) sticks: nothing is
 * added any more and json_text_ok() is false.
 */
typedef struct JsonText
{
	char *at;    /* NUL-terminated while ok */
	size_t len;  /* without the NUL */
	size_t size; /* room at at */
	size_t max;  /* never longer than this */
	char *room;  /* borrows until json_text_free() */
	bool has_failed;
	bool needs_comma;
} JsonText;

extern void json_text_init(JsonText *text, char *room, size_t size, size_t max);
extern void json_text_free(JsonText *text);
extern bool json_text_ok(const JsonText *text);

/* Makes it empty again, keeping its memory. */
extern void json_text_clear(JsonText *text);

/* Bytes as they are. */
extern void json_add_raw(JsonText *text, const char *bytes, size_t len);

/* A quoted string; what is not UTF-8, or a NUL, becomes U+FFFD. */
extern void json_add_string(JsonText *text, const char *bytes, size_t len);
extern void json_add_number(JsonText *text, int64_t number);

/*
 * Structure.  Commas come by themselves between members and items.
 * json_open/json_close take '{' '}' '[' ']'; json_add_name starts a member, then
 * one value follows.  The *_member forms are name and value in one; a NULL
 * string leaves the member out.
 */
extern void json_open(JsonText *text, char bracket);
extern void json_close(JsonText *text, char bracket);
extern void json_add_name(JsonText *text, const char *name);
extern void json_add_string_member(JsonText *text, const char *name, const char *value);
extern void json_add_number_member(JsonText *text, const char *name, int64_t number);

typedef struct JsonFault
{
	size_t offset;      /* of the byte where the text stopped being acceptable */
	const char *reason; /* fixed words, safe to show */
} JsonFault;

/*
 * Is text one JSON value (RFC 8259), and one that PostgreSQL's jsonb and every
 * client read the same way?  Also refused: NUL in any spelling, lone
 * surrogates, bytes that are not UTF-8, more than max_depth brackets inside
 * each other, the same member twice in the outermost object (compared decoded),
 * and numbers that are longer or larger than the limits above.  Allocates
 * nothing; time is linear.
 */
extern bool json_check(const char *text, size_t len, int max_depth, JsonFault *fault);

/*
 * The same, but members of one name may stand in the outermost object, as many as
 * they are: the last one counts, as jsonb and JSON.parse have it.
 */
extern bool json_check_loose(const char *text, size_t len, int max_depth, JsonFault *fault);

/* Does the text begin with a byte order mark? */
extern bool json_has_mark(const char *text, size_t len);
#define JSON_MARK_BYTES 3

/*
 * Writes to out, which is empty, what json_check_loose() accepts if the structure is
 * right: without a byte order mark, U+FFFD for what is no character, and as
 * strings what is no number that fits and what is nested too deeply.  False when
 * memory is short or out is full.
 */
extern bool json_mend(const char *text, size_t len, int max_depth, JsonText *out);

/* Does the text start as an object?  For text that json_check() accepted. */
extern bool json_text_is_object(const char *text, size_t len);

#endif
