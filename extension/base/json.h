/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Writing JSON text once, left to right.
 *
 * A writer owns a StringInfo in the memory context it was opened in.  Commas
 * are its business, nesting is the caller's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_JSON_H
#define KN_BASE_JSON_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct KnJson
{
	StringInfoData text;
	bool comma; /* the next value needs one before it */
} KnJson;

extern void kn_json_init(KnJson *json);
extern void kn_json_open(KnJson *json, char bracket);  /* '{' or '[' */
extern void kn_json_close(KnJson *json, char bracket); /* '}' or ']' */
extern void kn_json_key(KnJson *json, const char *key);

extern void kn_json_text(KnJson *json, const char *value); /* NULL writes null */
extern void kn_json_int(KnJson *json, int64 value);
extern void kn_json_float(KnJson *json, double value, int decimals);
extern void kn_json_bool(KnJson *json, bool value);
extern void kn_json_null(KnJson *json);
extern void kn_json_uuid(KnJson *json, const pg_uuid_t *value);
/* RFC 3339 UTC, milliseconds; 0 is null */
extern void kn_json_time(KnJson *json, TimestampTz value);
extern void kn_json_raw(KnJson *json, const char *ready, int len); /* text that is JSON already */

/* key and value in one call */
extern void kn_json_pair_text(KnJson *json, const char *key, const char *value);
extern void kn_json_pair_int(KnJson *json, const char *key, int64 value);
extern void kn_json_pair_bool(KnJson *json, const char *key, bool value);
extern void kn_json_pair_uuid(KnJson *json, const char *key, const pg_uuid_t *value);
extern void kn_json_pair_time(KnJson *json, const char *key, TimestampTz value);
extern void kn_json_pair_texts(KnJson *json, const char *key, char *const *values, int n);

/*
 * Client JSON written back as text: members in jsonb's order, so equal values
 * give equal text.  A number of more than KN_JSON_NUMBER_DIGITS digits becomes
 * null: ten bytes of client text must not become a hundred thousand.
 */
extern void kn_json_client(KnJson *json, JsonbValue *value);

extern char *kn_uuid_text(const pg_uuid_t *value);           /* returns new, lower case */
extern bool kn_uuid_parse(const char *text, pg_uuid_t *out); /* lower-case form only */
extern bool kn_uuid_equal(const pg_uuid_t *a, const pg_uuid_t *b);
extern void kn_time_text(TimestampTz value, char *out, size_t size); /* RFC 3339 UTC, ms */

#endif
