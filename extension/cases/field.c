/*-------------------------------------------------------------------------
 *
 * field.c
 *	  What a record that a phone may write consists of, as one table.
 *
 * Called by the nouns that phones own.  Never raises for a value: a phone whose
 * report is refused for its form would be stuck with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/date.h"
#include "utils/datetime.h"

#include "base/limits.h"
#include "cases/field.h"
#include "cases/routing.h"

static void read_members(const KnField *fields, int n, const char *object,
						 JsonbContainer *container, const char *const *owned, KnValue *values,
						 KnLeftovers *left);
static void clear(const KnField *fields, int n, const char *object, const char *key,
				  KnValue *values);
static const KnField *find(const KnField *fields, int n, const char *object, const char *key);
static bool is_object_name(const KnField *fields, int n, const char *key);
static bool read_value(const KnField *field, const char *pointer, JsonbValue *value, KnValue *out,
					   KnLeftovers *left);
static bool read_text(const KnField *field, JsonbValue *value, KnValue *out);
static bool read_point(JsonbValue *value, KnValue *out);
static bool read_json(const KnField *field, JsonbValue *value, KnValue *out);
static bool read_services(const char *pointer, JsonbValue *value, KnValue *out, KnLeftovers *left);
static bool has_form(const char *text, const char *form);
static bool is_date(const char *text);
static bool is_time(const char *text);
static void ignore(KnLeftovers *left, const char *pointer, const char *code, JsonbValue *kept);

void
kn_fields_read(const KnField *fields, int n, JsonbContainer *record, const char *const *owned,
			   KnValue *values, KnLeftovers *left)
{
	memset(values, 0, sizeof(KnValue) * n);
	memset(left, 0, sizeof(*left));
	kn_json_init(&left->ignored);
	kn_json_open(&left->ignored, '[');
	kn_json_init(&left->unreadable);
	kn_json_open(&left->unreadable, '{');
	read_members(fields, n, NULL, record, owned, values, left);
	kn_json_close(&left->ignored, ']');
	kn_json_close(&left->unreadable, '}');
}

static void
read_members(const KnField *fields, int n, const char *object, JsonbContainer *container,
			 const char *const *owned, KnValue *values, KnLeftovers *left)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbValue member;
	JsonbIteratorToken token;
	char *key = NULL;

	while ((token = JsonbIteratorNext(&it, &member, true)) != WJB_DONE)
	{
		const KnField *field;
		char *pointer;

		if (token == WJB_KEY)
			key = pnstrdup(member.val.string.val, member.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (member.type == jbvNull)
		{
			clear(fields, n, object, key, values);
			continue;
		}
		pointer = object ? psprintf("/%s/%s", object, key) : psprintf("/%s", key);
		field = find(fields, n, object, key);
		if (field != NULL)
		{
			KnValue *value = &values[field - fields];

			value->present = read_value(field, pointer, &member, value, left);
			if (!value->present)
				ignore(left, pointer, "not_understood", &member);
		}
		else if (object == NULL && kn_choice_has(owned, key))
		{
			if (strcmp(key, "id") != 0)
				ignore(left, pointer, "server_owned", NULL);
		}
		else if (object == NULL && is_object_name(fields, n, key) && member.type == jbvBinary &&
				 JsonContainerIsObject(member.val.binary.data))
			read_members(fields, n, key, member.val.binary.data, owned, values, left);
		else
			ignore(left, pointer, "unknown_field", &member);
	}
}

/* An object that is null is null in all its members. */
static void
clear(const KnField *fields, int n, const char *object, const char *key, KnValue *values)
{
	const KnField *field = find(fields, n, object, key);

	if (field != NULL)
		values[field - fields].cleared = true;
	for (int i = 0; i < n && object == NULL; i++)
		if (fields[i].object != NULL && strcmp(fields[i].object, key) == 0)
			values[i].cleared = true;
}

static const KnField *
find(const KnField *fields, int n, const char *object, const char *key)
{
	for (int i = 0; i < n; i++)
	{
		const char *of = fields[i].object;
		bool same_object = object == NULL ? of == NULL : of && strcmp(of, object) == 0;

		if (same_object && strcmp(fields[i].key, key) == 0)
			return &fields[i];
	}
	return NULL;
}

static bool
is_object_name(const KnField *fields, int n, const char *key)
{
	for (int i = 0; i < n; i++)
		if (fields[i].object != NULL && strcmp(fields[i].object, key) == 0)
			return true;
	return false;
}

static bool
read_value(const KnField *field, const char *pointer, JsonbValue *value, KnValue *out,
		   KnLeftovers *left)
{
	switch (field->kind)
	{
		case KN_FIELD_BOOL:
			out->flag = value->type == jbvBool && value->val.boolean;
			return value->type == jbvBool;
		case KN_FIELD_NUMBER:
			return value->type == jbvNumeric && kn_number(value, &out->number) &&
				   out->number >= 0 && out->number <= field->max;
		case KN_FIELD_POINT:
			return read_point(value, out);
		case KN_FIELD_SERVICES:
			return read_services(pointer, value, out, left);
		case KN_FIELD_JSON:
			return read_json(field, value, out);
		default:
			return read_text(field, value, out);
	}
}

static bool
read_text(const KnField *field, JsonbValue *value, KnValue *out)
{
	if (value->type != jbvString)
		return false;
	out->text = pnstrdup(value->val.string.val, value->val.string.len);
	switch (field->kind)
	{
		case KN_FIELD_CHOICE:
			return kn_choice_has(field->choices, out->text);
		case KN_FIELD_DATE:
			return is_date(out->text);
		case KN_FIELD_TIME:
			if (!is_time(out->text))
				return false;
			if (strlen(out->text) == strlen("00:00"))
				out->text = psprintf("%s:00", out->text);
			return true;
		default:
			return kn_chars(out->text) <= field->max;
	}
}

static bool
read_point(JsonbValue *value, KnValue *out)
{
	JsonbValue *latitude;
	JsonbValue *longitude;

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return false;
	latitude = kn_in_member(value->val.binary.data, "latitude");
	longitude = kn_in_member(value->val.binary.data, "longitude");
	return latitude && longitude && latitude->type == jbvNumeric && longitude->type == jbvNumeric &&
		   kn_number(latitude, &out->number) && kn_number(longitude, &out->second) &&
		   out->number >= -90 && out->number <= 90 && out->second >= -180 && out->second <= 180;
}

static bool
read_json(const KnField *field, JsonbValue *value, KnValue *out)
{
	KnJson json;

	kn_json_init(&json);
	kn_json_client(&json, value);
	out->text = json.text.data;
	return kn_chars(out->text) <= field->max;
}

/* Known services once each, in the order given; the others are ignored one by one. */
static bool
read_services(const char *pointer, JsonbValue *value, KnValue *out, KnLeftovers *left)
{
	JsonbContainer *array;
	int n;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		return false;
	array = value->val.binary.data;
	n = JsonContainerSize(array);
	out->items = palloc(sizeof(char *) * (KN_SERVICES_MAX + 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(array, i);
		char *service = item->type == jbvString
							? pnstrdup(item->val.string.val, item->val.string.len)
							: NULL;
		bool seen = false;

		for (int j = 0; j < out->n_items && service; j++)
			seen = seen || strcmp(out->items[j], service) == 0;
		if (seen)
			continue;
		if (service == NULL || !kn_service_known(service) || out->n_items >= KN_SERVICES_MAX)
			ignore(left, psprintf("%s/%d", pointer, i), "not_understood", item);
		else
			out->items[out->n_items++] = service;
	}
	return true;
}

/* A digit where the form has 0, otherwise the form's own character. */
static bool
has_form(const char *text, const char *form)
{
	for (; *form != '\0'; form++, text++)
		if (*form == '0' ? (*text < '0' || *text > '9') : *text != *form)
			return false;
	return *text == '\0';
}

static bool
is_date(const char *text)
{
	int year, month, day;

	if (!has_form(text, "0000-00-00") || sscanf(text, "%d-%d-%d", &year, &month, &day) != 3)
		return false;
	return year >= 1900 && year <= 2200 && month >= 1 && month <= 12 && day >= 1 &&
		   day <= day_tab[isleap(year)][month - 1];
}

static bool
is_time(const char *text)
{
	int hour, minute, second = 0;

	if (!has_form(text, "00:00") && !has_form(text, "00:00:00"))
		return false;
	(void) sscanf(text, "%d:%d:%d", &hour, &minute, &second);
	return hour < 24 && minute < 60 && second < 60;
}

static void
ignore(KnLeftovers *left, const char *pointer, const char *code, JsonbValue *kept)
{
	if (left->n++ < KN_IGNORED_MAX)
	{
		kn_json_open(&left->ignored, '{');
		kn_json_pair_text(&left->ignored, "pointer", pointer);
		kn_json_pair_text(&left->ignored, "code", code);
		kn_json_close(&left->ignored, '}');
	}
	if (kept == NULL)
		return;
	left->n_unreadable++;
	kn_json_key(&left->unreadable, pointer);
	kn_json_client(&left->unreadable, kept);
}

void
kn_fields_canonical(const KnField *fields, int n, const KnValue *values, const KnLeftovers *left,
					KnJson *out)
{
	kn_json_init(out);
	kn_json_open(out, '[');
	for (int i = 0; i < n; i++)
		kn_field_write(out, &fields[i], &values[i]);
	kn_json_raw(out, left->unreadable.text.data, left->unreadable.text.len);
	kn_json_close(out, ']');
}

void
kn_field_write(KnJson *json, const KnField *field, const KnValue *value)
{
	if (!value->present)
	{
		if (field->kind == KN_FIELD_SERVICES)
			kn_json_raw(json, "[]", 2);
		else
			kn_json_null(json);
		return;
	}
	switch (field->kind)
	{
		case KN_FIELD_BOOL:
			kn_json_bool(json, value->flag);
			break;
		case KN_FIELD_NUMBER:
			kn_json_float(json, value->number, 1);
			break;
		case KN_FIELD_JSON:
			kn_json_raw(json, value->text, strlen(value->text));
			break;
		case KN_FIELD_POINT:
			kn_json_open(json, '{');
			kn_json_key(json, "latitude");
			kn_json_float(json, value->number, 7);
			kn_json_key(json, "longitude");
			kn_json_float(json, value->second, 7);
			kn_json_close(json, '}');
			break;
		case KN_FIELD_SERVICES:
			kn_json_open(json, '[');
			for (int i = 0; i < value->n_items; i++)
				kn_json_text(json, value->items[i]);
			kn_json_close(json, ']');
			break;
		default:
			kn_json_text(json, value->text);
	}
}
