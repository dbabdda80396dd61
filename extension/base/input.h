/*-------------------------------------------------------------------------
 *
 * input.h
 *	  Reading members of a JSON object, or naming the member that is wrong.
 *
 * The strict readers raise KN5xx with the member as pointer; a member that is
 * absent or null reads as NULL unless it is required.  Strings are copies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_INPUT_H
#define KN_BASE_INPUT_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* The member, or NULL when absent; JSON null is returned as jbvNull. */
extern JsonbValue *kn_in_member(JsonbContainer *object, const char *key);
extern bool kn_in_is_object(Jsonb *body);
/* Raises KN501 unless body is an object. */
extern JsonbContainer *kn_in_object(Jsonb *body);
/* A nested object, NULL when absent. */
extern JsonbContainer *kn_in_nested(JsonbContainer *object, const char *key);

extern char *kn_in_text(JsonbContainer *object, const char *key, int min, int max, bool required);
extern char *kn_in_choice(JsonbContainer *object, const char *key, const char *const *choices,
						  bool required);
extern bool kn_in_bool(JsonbContainer *object, const char *key, bool if_absent);
/*
 * A flag that protects whoever sends it: what is no plain no is yes.  guessed
 * tells that it was no plain yes either.
 */
extern bool kn_in_guarded(const JsonbValue *value, bool *guessed);
extern bool kn_in_guard(JsonbContainer *object, const char *key, bool if_absent);
extern bool kn_in_int(JsonbContainer *object, const char *key, int64 min, int64 max, bool required,
					  int64 *out);
extern bool kn_in_float(JsonbContainer *object, const char *key, double min, double max,
						bool required, double *out);
extern bool kn_in_uuid(JsonbContainer *object, const char *key, bool required, pg_uuid_t *out);
/* A time of RFC 3339, to the second. */
extern bool kn_in_time(JsonbContainer *object, const char *key, bool required, TimestampTz *out);
/* Strings of an array; returns their number, -1 when absent. */
extern int kn_in_texts(JsonbContainer *object, const char *key, int max_items, int max_chars,
					   char ***out);
/* Raises KN509 when the object has a member that is not in the NULL-ended list. */
extern void kn_in_only(JsonbContainer *object, const char *const *allowed);
/* A hint that names them. */
extern char *kn_words_of(const char *lead, const char *const *words);

/* A query parameter as text, NULL when absent (query is always an object of strings). */
extern char *kn_query_text(Jsonb *query, const char *key);
extern int kn_query_int(Jsonb *query, const char *key, int min, int max, int if_absent);
extern bool kn_query_uuid(Jsonb *query, const char *key, pg_uuid_t *out);
extern bool kn_query_time(Jsonb *query, const char *key, TimestampTz *out);

/* Number of characters of valid server-encoded text. */
extern int kn_chars(const char *text);
extern bool kn_choice_has(const char *const *choices, const char *value);
/* A number as double without printing it; false when it does not fit. */
extern bool kn_number(const JsonbValue *value, double *out);

extern void kn_input_error(int code, const char *pointer, const char *message, const char *hint)
	pg_attribute_noreturn();

#endif
