/*-------------------------------------------------------------------------
 *
 * wire.c
 *	  Records as the two kinds of clients name them.
 *
 * Called by sync_doors.c and push.c.  The flat shape is derived from the record
 * by rule, so that no second list of columns can fall behind the first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "base/input.h"
#include "sync/wire.h"

static void flatten_object(KnJson *out, JsonbContainer *object, const char *prefix);
static void flatten_value(KnJson *out, const char *column, JsonbValue *value);
static bool is_time(const char *column);
static bool time_value(const JsonbValue *value, int64 *ms);
static char *snake(const char *prefix, const char *key, int len);
static bool is_own_of_phone(const char *column);
static bool is_changed(const char *changed, const char *column);
static bool splits(const char *column, const char *object);
static void nest_member(KnJson *json, const char *key, JsonbValue *value);
static char *camel(const char *text);

/* clang-format off */
const KnWireNoun kn_wire_nouns[KN_WIRE_NOUNS] = {
	{"incident",          "incidents",         "incidents"},
	{"assignment",        "assignments",       "assignments"},
	{"notification",      "notifications",     "notifications"},
	{"account",           "profiles",          "profiles"},
	{"safety_plan",       "safetyPlans",       "safety_plans"},
	{"emergency_contact", "emergencyContacts", "emergency_contacts"},
	{"preference",        "preferences",       "preferences"},
	{"mood_entry",        "moodEntries",       "mood_entries"},
	{"journal_entry",     "journalEntries",    "journal_entries"},
	{"note",              "notes",             "notes"},
};
/* clang-format on */

/* Objects whose members are columns of their own; every other object is JSON text. */
static const char *const nested[] = {"location", "coordinates", "providerPreferences", "incident",
									 "cell", NULL};

const KnWireNoun *
kn_wire_by_noun(const char *noun)
{
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
		if (strcmp(kn_wire_nouns[i].noun, noun) == 0)
			return &kn_wire_nouns[i];
	return NULL;
}

const KnWireNoun *
kn_wire_by_table(const char *table)
{
	for (int i = 0; i < KN_WIRE_NOUNS; i++)
		if (strcmp(kn_wire_nouns[i].table, table) == 0)
			return &kn_wire_nouns[i];
	return NULL;
}

void
kn_wire_flatten(KnJson *out, const char *record, int len)
{
	Jsonb *parsed =
		DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(record, len))));

	kn_json_open(out, '{');
	flatten_object(out, &parsed->root, "");
	kn_json_pair_bool(out, "removed", false);
	kn_json_close(out, '}');
}

static void
flatten_object(KnJson *out, JsonbContainer *object, const char *prefix)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue value;
	JsonbIteratorToken token;
	char *key = NULL;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data) &&
			kn_choice_has(nested, key))
			flatten_object(out, value.val.binary.data,
						   psprintf("%s_", snake(prefix, key, strlen(key))));
		else
			flatten_value(out, snake(prefix, key, strlen(key)), &value);
	}
}

static void
flatten_value(KnJson *out, const char *column, JsonbValue *value)
{
	int64 ms;

	kn_json_key(out, column);
	if (value->type == jbvBinary)
	{
		KnJson text;

		kn_json_init(&text);
		kn_json_client(&text, value);
		kn_json_text(out, text.text.data);
	}
	else if (is_time(column) && time_value(value, &ms))
		kn_json_int(out, ms);
	else
		kn_json_client(out, value);
}

static bool
is_time(const char *column)
{
	size_t len = strlen(column);

	return (len > 3 && strcmp(column + len - 3, "_at") == 0) ||
		   (len > 3 && strcmp(column + len - 3, "_by") == 0);
}

static bool
time_value(const JsonbValue *value, int64 *ms)
{
	int year, month, day, hour, minute, second, fraction;
	char text[32];

	if (value->type != jbvString || value->val.string.len >= (int) sizeof(text))
		return false;
	memcpy(text, value->val.string.val, value->val.string.len);
	text[value->val.string.len] = '\0';
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &year, &month, &day, &hour, &minute, &second,
			   &fraction) != 7)
		return false;
	*ms = ((int64) (date2j(year, month, day) - UNIX_EPOCH_JDATE) * SECS_PER_DAY + hour * 3600 +
		   minute * 60 + second) *
			  1000 +
		  fraction;
	return true;
}

static char *
snake(const char *prefix, const char *key, int len)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, prefix);
	for (int i = 0; i < len; i++)
	{
		if (isupper((unsigned char) key[i]))
			appendStringInfoChar(&out, '_');
		appendStringInfoChar(&out, tolower((unsigned char) key[i]));
	}
	return out.data;
}

void
kn_wire_blank(KnJson *out, const char *id)
{
	kn_json_open(out, '{');
	kn_json_pair_text(out, "id", id);
	kn_json_pair_bool(out, "removed", true);
	kn_json_close(out, '}');
}

/*
 * The columns a phone may write lie in two objects at most; what the phone's
 * database adds for itself (_status, _changed) is not part of the record.
 */
Jsonb *
kn_wire_nest(JsonbContainer *row, const char *changed)
{
	static const char *const objects[] = {"location_coordinates_", "location_",
										  "provider_preferences_", NULL};
	KnJson json;
	KnJson part[3];
	bool used[3] = {false, false, false};
	bool has_point = false;
	JsonbIterator *it = JsonbIteratorInit(row);
	JsonbValue value;
	JsonbIteratorToken token;
	char *key = NULL;

	kn_json_init(&json);
	kn_json_open(&json, '{');
	for (int i = 0; i < 3; i++)
	{
		kn_json_init(&part[i]);
		kn_json_open(&part[i], '{');
	}
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		int at = 0;

		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE || is_own_of_phone(key) ||
			(changed ? !is_changed(changed, key)
					 : value.type == jbvNull && strcmp(key, "is_anonymous") != 0))
			continue;
		while (objects[at] != NULL && !splits(key, objects[at]))
			at++;
		if (objects[at] == NULL)
			nest_member(&json, camel(key), &value);
		else
		{
			nest_member(&part[at], camel(key + strlen(objects[at])), &value);
			used[at] = true;
			has_point = has_point || (at == 0 && value.type != jbvNull);
		}
	}
	for (int i = 0; i < 3; i++)
		kn_json_close(&part[i], '}');
	if (used[0])
	{
		part[1].text.len--;
		part[1].comma = used[1];
		kn_json_key(&part[1], "coordinates");
		if (has_point)
			kn_json_raw(&part[1], part[0].text.data, part[0].text.len);
		else
			kn_json_null(&part[1]);
		kn_json_close(&part[1], '}');
	}
	if (used[0] || used[1])
	{
		kn_json_key(&json, "location");
		kn_json_raw(&json, part[1].text.data, part[1].text.len);
	}
	if (used[2])
	{
		kn_json_key(&json, "providerPreferences");
		kn_json_raw(&json, part[2].text.data, part[2].text.len);
	}
	kn_json_close(&json, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.text.data)));
}

static bool
is_own_of_phone(const char *column)
{
	static const char *const columns[] = {"_status", "_changed", "removed", NULL};

	return kn_choice_has(columns, column);
}

/* A point has two columns: half of an object would be none. */
static bool
is_changed(const char *changed, const char *column)
{
	static const char *const whole[] = {"location_", "provider_preferences_"};
	const char *object = NULL;

	for (int i = 0; i < lengthof(whole); i++)
		if (splits(column, whole[i]))
			object = whole[i];
	for (const char *at = changed; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
	{
		size_t len = strcspn(at, ",");

		if ((len == strlen(column) && strncmp(at, column, len) == 0) ||
			(object && strncmp(at, object, strlen(object)) == 0))
			return true;
	}
	return false;
}

static bool
splits(const char *column, const char *object)
{
	return strncmp(column, object, strlen(object)) == 0;
}

/* Lists travel as JSON text in a phone's columns; her own words never count as JSON. */
static void
nest_member(KnJson *json, const char *key, JsonbValue *value)
{
	static const char *const lists[] = {
		"supportServices", "emergencyContacts", "safeLocations", "warningSigns",
		"copingStrategies", "documents", "bagItems", "codeWords", "digitalSafety", "quietHours",
		"safeContact", "settings", "triggers", "activities", "tags", "triageTeams", NULL};

	kn_json_key(json, key);
	if (value->type == jbvString && kn_choice_has(lists, key))
	{
		char *text = pnstrdup(value->val.string.val, value->val.string.len);
		JsonLexContext *lex = makeJsonLexContextCstringLen(text, strlen(text), PG_UTF8, false);

		if (pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS)
		{
			kn_json_raw(json, text, strlen(text));
			return;
		}
	}
	kn_json_client(json, value);
}

static char *
camel(const char *text)
{
	char *out = palloc(strlen(text) + 1);
	char *at = out;

	for (; *text != '\0'; text++)
	{
		if (*text == '_' && text[1] != '\0')
			*at++ = toupper((unsigned char) *++text);
		else
			*at++ = *text;
	}
	*at = '\0';
	return out;
}
