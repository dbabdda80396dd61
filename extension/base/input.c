/*-------------------------------------------------------------------------
 *
 * input.c
 *	  Reading members of a JSON object, or naming the member that is wrong.
 *
 * Called by every door with a body or a query.  A message never quotes what
 * the client sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/numeric.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "base/json.h"

static JsonbValue *present(JsonbContainer *object, const char *key, bool required);
static bool time_parse(const char *text, TimestampTz *out);
static bool zone_parse(const char *text, int *seconds);
static bool trimmed(const JsonbValue *value, char *out, int size);

void
kn_input_error(int code, const char *pointer, const char *message, const char *hint)
{
	ereport(ERROR,
			errcode(code),
			errmsg("%s", message),
			hint ? errhint("%s", hint) : 0,
			pointer ? err_generic_string(PG_DIAG_COLUMN_NAME, pointer) : 0);
	pg_unreachable();
}

JsonbValue *
kn_in_member(JsonbContainer *object, const char *key)
{
	return object ? getKeyJsonValueFromContainer(object, key, strlen(key), NULL) : NULL;
}

bool
kn_in_is_object(Jsonb *body)
{
	return body != NULL && JB_ROOT_IS_OBJECT(body);
}

JsonbContainer *
kn_in_object(Jsonb *body)
{
	if (!kn_in_is_object(body))
		kn_input_error(ERRCODE_KN_BODY_SHAPE, NULL, "the body is not a JSON object",
					   "Send a JSON object.");
	return &body->root;
}

/* The member unless it is absent or null. */
static JsonbValue *
present(JsonbContainer *object, const char *key, bool required)
{
	JsonbValue *value = kn_in_member(object, key);

	if (value != NULL && value->type != jbvNull)
		return value;
	if (required)
		kn_input_error(ERRCODE_KN_FIELD_MISSING, key, "a required field is missing",
					   "Send the field that pointer names.");
	return NULL;
}

JsonbContainer *
kn_in_nested(JsonbContainer *object, const char *key)
{
	JsonbValue *value = present(object, key, false);

	if (value == NULL)
		return NULL;
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		kn_input_error(ERRCODE_KN_FIELD_TYPE, key, "the field is not an object",
					   "Send a JSON object.");
	return value->val.binary.data;
}

int
kn_chars(const char *text)
{
	return pg_mbstrlen(text);
}

char *
kn_in_text(JsonbContainer *object, const char *key, int min, int max, bool required)
{
	JsonbValue *value = present(object, key, required);
	char *text;
	int chars;

	if (value == NULL)
		return NULL;
	if (value->type != jbvString)
		kn_input_error(ERRCODE_KN_FIELD_TYPE, key, "the field is not a string",
					   "Send a JSON string.");
	text = pnstrdup(value->val.string.val, value->val.string.len);
	chars = kn_chars(text);
	if (chars < min || chars > max)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, key, "the field is too short or too long",
					   psprintf("Send %d to %d characters.", min, max));
	return text;
}

bool
kn_choice_has(const char *const *choices, const char *value)
{
	for (; *choices != NULL; choices++)
		if (strcmp(*choices, value) == 0)
			return true;
	return false;
}

char *
kn_in_choice(JsonbContainer *object, const char *key, const char *const *choices, bool required)
{
	char *text = kn_in_text(object, key, 0, 200, required);

	if (text == NULL || kn_choice_has(choices, text))
		return text;
	kn_input_error(ERRCODE_KN_FIELD_VALUE, key, "the field has an unknown value",
				   kn_words_of("Send one of:", choices));
}

char *
kn_words_of(const char *lead, const char *const *words)
{
	StringInfoData hint;

	initStringInfo(&hint);
	appendStringInfoString(&hint, lead);
	for (int i = 0; words[i] != NULL; i++)
		appendStringInfo(&hint, "%s %s", i ? "," : "", words[i]);
	appendStringInfoChar(&hint, '.');
	return hint.data;
}

bool
kn_in_bool(JsonbContainer *object, const char *key, bool if_absent)
{
	JsonbValue *value = present(object, key, false);

	if (value == NULL)
		return if_absent;
	if (value->type != jbvBool)
		kn_input_error(ERRCODE_KN_FIELD_TYPE, key, "the field is not true or false",
					   "Send true or false.");
	return value->val.boolean;
}

bool
kn_in_guarded(const JsonbValue *value, bool *guessed)
{
	static const char *const no[] = {"false", "0", "no", "off", NULL};
	static const char *const yes[] = {"true", "1", "yes", "on", NULL};
	char text[8];
	double number;

	*guessed = false;
	if (value->type == jbvBool)
		return value->val.boolean;
	if (value->type == jbvNumeric && kn_number(value, &number) && (number == 0 || number == 1))
		return number == 1;
	if (value->type == jbvString && trimmed(value, text, sizeof(text)))
	{
		if (kn_choice_has(no, text))
			return false;
		*guessed = !kn_choice_has(yes, text);
		return true;
	}
	*guessed = true;
	return true;
}

bool
kn_in_guard(JsonbContainer *object, const char *key, bool if_absent)
{
	JsonbValue *value = kn_in_member(object, key);
	bool guessed;

	return value == NULL ? if_absent : kn_in_guarded(value, &guessed);
}

/* In small letters and without blanks around; false when it is longer than any word of ours. */
static bool
trimmed(const JsonbValue *value, char *out, int size)
{
	const char *at = value->val.string.val;
	const char *end = at + value->val.string.len;
	int n = 0;

	while (at < end && isspace((unsigned char) *at))
		at++;
	while (end > at && isspace((unsigned char) end[-1]))
		end--;
	if (end - at >= size)
		return false;
	while (at < end)
		out[n++] = pg_ascii_tolower((unsigned char) *at++);
	out[n] = '\0';
	return true;
}

bool
kn_number(const JsonbValue *value, double *out)
{
	static const double limit = 1e18;
	Datum number = NumericGetDatum(value->val.numeric);
	Datum bound = DirectFunctionCall1(int8_numeric, Int64GetDatum((int64) limit));

	if (value->type != jbvNumeric || numeric_is_nan(value->val.numeric) ||
		!DatumGetBool(DirectFunctionCall2(numeric_lt, DirectFunctionCall1(numeric_abs, number),
										  bound)))
		return false;
	number = DirectFunctionCall2(numeric_round, number, Int32GetDatum(12));
	*out = DatumGetFloat8(DirectFunctionCall1(numeric_float8, number));
	return true;
}

bool
kn_in_float(JsonbContainer *object, const char *key, double min, double max, bool required,
			double *out)
{
	JsonbValue *value = present(object, key, required);

	if (value == NULL)
		return false;
	if (value->type != jbvNumeric)
		kn_input_error(ERRCODE_KN_FIELD_TYPE, key, "the field is not a number",
					   "Send a JSON number.");
	if (!kn_number(value, out) || *out < min || *out > max)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, key, "the number is out of range",
					   psprintf("Send a number from %g to %g.", min, max));
	return true;
}

bool
kn_in_int(JsonbContainer *object, const char *key, int64 min, int64 max, bool required, int64 *out)
{
	double number;

	if (!kn_in_float(object, key, (double) min, (double) max, required, &number))
		return false;
	if (floor(number) != number)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, key, "the number is not a whole number",
					   "Send a whole number.");
	/* a double is exact up to 2^53 only */
	*out = DatumGetInt64(DirectFunctionCall1(
		numeric_int8, NumericGetDatum(kn_in_member(object, key)->val.numeric)));
	if (*out < min || *out > max)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, key, "the number is out of range",
					   psprintf("Send a number from " INT64_FORMAT " to " INT64_FORMAT ".", min,
								max));
	return true;
}

bool
kn_in_uuid(JsonbContainer *object, const char *key, bool required, pg_uuid_t *out)
{
	char *text = kn_in_text(object, key, 0, 200, required);

	if (text == NULL)
		return false;
	if (!kn_uuid_parse(text, out))
		kn_input_error(ERRCODE_KN_ID_FORM, key, "the field is not an id",
					   "Send a lower-case UUID.");
	return true;
}

bool
kn_in_time(JsonbContainer *object, const char *key, bool required, TimestampTz *out)
{
	char *text = kn_in_text(object, key, 0, 200, required);

	if (text == NULL)
		return false;
	if (!time_parse(text, out))
		kn_input_error(ERRCODE_KN_FIELD_VALUE, key, "the time is not of the form of RFC 3339",
					   "Send a time such as 2026-02-15T06:00:00Z.");
	return true;
}

static bool
time_parse(const char *text, TimestampTz *out)
{
	struct pg_tm tm = {0};
	int used = 0;
	int zone;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6 ||
		used != 19 || tm.tm_year < 1 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > day_tab[isleap(tm.tm_year)][tm.tm_mon - 1] || tm.tm_hour < 0 ||
		tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	text += used;
	if (*text == '.')
	{
		if (!isdigit((unsigned char) *++text))
			return false;
		text += strspn(text, "0123456789");
	}
	if (!zone_parse(text, &zone))
		return false;
	return tm2timestamp(&tm, 0, &zone, out) == 0;
}

/* Seconds west of Greenwich, as the server counts them. */
static bool
zone_parse(const char *text, int *seconds)
{
	int hours;
	int minutes;
	int used = 0;

	*seconds = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if ((*text != '+' && *text != '-') ||
		sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 ||
		text[6] != '\0' || hours < 0 || hours > 15 || minutes < 0 || minutes > 59)
		return false;
	*seconds = (*text == '+' ? -1 : 1) * (hours * 60 + minutes) * 60;
	return true;
}

int
kn_in_texts(JsonbContainer *object, const char *key, int max_items, int max_chars, char ***out)
{
	JsonbValue *value = present(object, key, false);
	JsonbContainer *array;
	int n;

	if (value == NULL)
		return -1;
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		kn_input_error(ERRCODE_KN_FIELD_TYPE, key, "the field is not an array",
					   "Send an array of strings.");
	array = value->val.binary.data;
	n = JsonContainerSize(array);
	if (n > max_items)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, key, "the array has too many items",
					   psprintf("Send at most %d items.", max_items));
	*out = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(array, i);

		if (item->type != jbvString)
			kn_input_error(ERRCODE_KN_FIELD_TYPE, key, "an item is not a string",
						   "Send an array of strings.");
		(*out)[i] = pnstrdup(item->val.string.val, item->val.string.len);
		if (kn_chars((*out)[i]) > max_chars)
			kn_input_error(ERRCODE_KN_FIELD_LENGTH, key, "an item is too long",
						   psprintf("Send at most %d characters per item.", max_chars));
	}
	return n;
}

/* It has no pointer: that would quote what was sent. */
void
kn_in_only(JsonbContainer *object, const char *const *allowed)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue key;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
		if (token == WJB_KEY &&
			!kn_choice_has(allowed, pnstrdup(key.val.string.val, key.val.string.len)))
			kn_input_error(ERRCODE_KN_FIELD_UNKNOWN, NULL, "the body has a field that is not known",
						   kn_words_of("Known here are:", allowed));
}

char *
kn_query_text(Jsonb *query, const char *key)
{
	JsonbValue *value = kn_in_is_object(query) ? kn_in_member(&query->root, key) : NULL;

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

int
kn_query_int(Jsonb *query, const char *key, int min, int max, int if_absent)
{
	char *text = kn_query_text(query, key);
	char *end;
	long number;

	if (text == NULL)
		return if_absent;
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || *text == '\0' || *end != '\0' || number < min || number > max)
		kn_input_error(ERRCODE_KN_QUERY, key, "a query parameter is not a number in range",
					   psprintf("Send a whole number from %d to %d.", min, max));
	return (int) number;
}

bool
kn_query_uuid(Jsonb *query, const char *key, pg_uuid_t *out)
{
	char *text = kn_query_text(query, key);

	if (text == NULL)
		return false;
	if (!kn_uuid_parse(text, out))
		kn_input_error(ERRCODE_KN_QUERY, key, "a query parameter is not an id",
					   "Send a lower-case UUID.");
	return true;
}

bool
kn_query_time(Jsonb *query, const char *key, TimestampTz *out)
{
	char *text = kn_query_text(query, key);

	if (text == NULL)
		return false;
	if (!time_parse(text, out))
		kn_input_error(ERRCODE_KN_QUERY, key, "a query parameter is not a time",
					   "Send a time such as 2026-02-15T06:00:00Z.");
	return true;
}
