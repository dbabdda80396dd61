/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Writing JSON text once, left to right.
 *
 * Called by every renderer.  No answer is ever built as jsonb and printed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/decimal.h"
#include "base/json.h"
#include "base/limits.h"

static void before_value(KnJson *json);
static void quote(KnJson *json, const char *value);
static void client_scalar(KnJson *json, JsonbValue *value);
static void client_container(KnJson *json, JsonbContainer *container);
static bool number_is_short(Numeric number);

void
kn_json_init(KnJson *json)
{
	initStringInfo(&json->text);
	json->comma = false;
}

static void
before_value(KnJson *json)
{
	if (json->comma)
		appendStringInfoChar(&json->text, ',');
	json->comma = true;
}

void
kn_json_open(KnJson *json, char bracket)
{
	before_value(json);
	appendStringInfoChar(&json->text, bracket);
	json->comma = false;
}

void
kn_json_close(KnJson *json, char bracket)
{
	appendStringInfoChar(&json->text, bracket);
	json->comma = true;
}

void
kn_json_key(KnJson *json, const char *key)
{
	before_value(json);
	quote(json, key);
	appendStringInfoChar(&json->text, ':');
	json->comma = false;
}

void
kn_json_text(KnJson *json, const char *value)
{
	if (value == NULL)
	{
		kn_json_null(json);
		return;
	}
	before_value(json);
	quote(json, value);
}

/* Nearly all text has nothing to escape, and escape_json() goes byte by byte. */
static void
quote(KnJson *json, const char *value)
{
	const char *end = value;

	while ((unsigned char) *end >= ' ' && *end != '"' && *end != '\\')
		end++;
	if (*end != '\0')
	{
		escape_json(&json->text, value);
		return;
	}
	appendStringInfoChar(&json->text, '"');
	appendBinaryStringInfo(&json->text, value, end - value);
	appendStringInfoChar(&json->text, '"');
}

void
kn_json_int(KnJson *json, int64 value)
{
	before_value(json);
	appendStringInfo(&json->text, INT64_FORMAT, value);
}

void
kn_json_float(KnJson *json, double value, int decimals)
{
	char text[KN_DECIMAL_SIZE];

	before_value(json);
	if (kn_decimal_text(value, decimals, text))
		appendStringInfoString(&json->text, text);
	else if (isnan(value) || isinf(value))
		appendStringInfoString(&json->text, "null");
	else
		appendStringInfo(&json->text, "%.*f", decimals, value);
}

void
kn_json_bool(KnJson *json, bool value)
{
	before_value(json);
	appendStringInfoString(&json->text, value ? "true" : "false");
}

void
kn_json_null(KnJson *json)
{
	before_value(json);
	appendStringInfoString(&json->text, "null");
}

void
kn_json_uuid(KnJson *json, const pg_uuid_t *value)
{
	if (value == NULL)
	{
		kn_json_null(json);
		return;
	}
	before_value(json);
	quote(json, kn_uuid_text(value));
}

void
kn_json_time(KnJson *json, TimestampTz value)
{
	char text[MAXDATELEN];

	if (value == 0)
	{
		kn_json_null(json);
		return;
	}
	before_value(json);
	kn_time_text(value, text, sizeof(text));
	quote(json, text);
}

void
kn_json_raw(KnJson *json, const char *ready, int len)
{
	before_value(json);
	appendBinaryStringInfo(&json->text, ready, len);
}

void
kn_json_pair_text(KnJson *json, const char *key, const char *value)
{
	kn_json_key(json, key);
	kn_json_text(json, value);
}

void
kn_json_pair_int(KnJson *json, const char *key, int64 value)
{
	kn_json_key(json, key);
	kn_json_int(json, value);
}

void
kn_json_pair_bool(KnJson *json, const char *key, bool value)
{
	kn_json_key(json, key);
	kn_json_bool(json, value);
}

void
kn_json_pair_uuid(KnJson *json, const char *key, const pg_uuid_t *value)
{
	kn_json_key(json, key);
	kn_json_uuid(json, value);
}

void
kn_json_pair_time(KnJson *json, const char *key, TimestampTz value)
{
	kn_json_key(json, key);
	kn_json_time(json, value);
}

void
kn_json_pair_texts(KnJson *json, const char *key, char *const *values, int n)
{
	kn_json_key(json, key);
	kn_json_open(json, '[');
	for (int i = 0; i < n; i++)
		kn_json_text(json, values[i]);
	kn_json_close(json, ']');
}

void
kn_json_client(KnJson *json, JsonbValue *value)
{
	if (value->type == jbvBinary)
		client_container(json, value->val.binary.data);
	else
		client_scalar(json, value);
}

static void
client_container(KnJson *json, JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbValue value;
	JsonbIteratorToken token;
	bool scalar = JsonContainerIsScalar(container);

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_BEGIN_OBJECT:
				kn_json_open(json, '{');
				break;
			case WJB_END_OBJECT:
				kn_json_close(json, '}');
				break;
			case WJB_BEGIN_ARRAY:
				if (!scalar)
					kn_json_open(json, '[');
				break;
			case WJB_END_ARRAY:
				if (!scalar)
					kn_json_close(json, ']');
				break;
			case WJB_KEY:
				kn_json_key(json, pnstrdup(value.val.string.val, value.val.string.len));
				break;
			default:
				client_scalar(json, &value);
				break;
		}
	}
}

static void
client_scalar(KnJson *json, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			kn_json_text(json, pnstrdup(value->val.string.val, value->val.string.len));
			break;
		case jbvBool:
			kn_json_bool(json, value->val.boolean);
			break;
		case jbvNumeric:
			if (number_is_short(value->val.numeric))
			{
				char *digits = DatumGetCString(
					DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));

				kn_json_raw(json, digits, strlen(digits));
				break;
			}
			/* FALLTHROUGH */
		default:
			kn_json_null(json);
	}
}

/* Compares, never prints: printing 1e131071 is the attack. */
static bool
number_is_short(Numeric number)
{
	static Numeric largest = NULL;
	Datum absolute = DirectFunctionCall1(numeric_abs, NumericGetDatum(number));
	int32 scale = DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number)));

	if (largest == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		largest = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum("1e20"),
													  ObjectIdGetDatum(InvalidOid),
													  Int32GetDatum(-1)));
		MemoryContextSwitchTo(old);
	}
	return scale <= KN_JSON_NUMBER_DIGITS / 2 &&
		   DatumGetBool(DirectFunctionCall2(numeric_lt, absolute, NumericGetDatum(largest)));
}

char *
kn_uuid_text(const pg_uuid_t *value)
{
	static const char hex[] = "0123456789abcdef";
	char *text = palloc(37);
	char *at = text;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[value->data[i] >> 4];
		*at++ = hex[value->data[i] & 15];
	}
	*at = '\0';
	return text;
}

bool
kn_uuid_parse(const char *text, pg_uuid_t *out)
{
	int at = 0;

	if (text == NULL || strlen(text) != 36)
		return false;
	for (int i = 0; i < UUID_LEN; i++)
	{
		int byte = 0;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (text[at++] != '-')
				return false;
		for (int half = 0; half < 2; half++)
		{
			char c = text[at++];

			if (c >= '0' && c <= '9')
				byte = byte * 16 + (c - '0');
			else if (c >= 'a' && c <= 'f')
				byte = byte * 16 + (c - 'a' + 10);
			else
				return false;
		}
		out->data[i] = byte;
	}
	return true;
}

bool
kn_uuid_equal(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

void
kn_time_text(TimestampTz value, char *out, size_t size)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (timestamp2tm(value, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year, tm.tm_mon, tm.tm_mday,
			 tm.tm_hour, tm.tm_min, tm.tm_sec, (int) (fsec / 1000));
}
