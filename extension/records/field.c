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
#include "providers/routing.h"
#include "records/field.h"
#include "records/word.h"

static void read_members(const KnField *fields, int n, const char *object,
						 JsonbContainer *container, const char *const *owned, KnValue *values,
						 KnLeftovers *left);
static void read_member(const KnField *field, const char *pointer, JsonbValue *member,
						KnValue *value, KnLeftovers *left);
static void clear(const KnField *fields, int n, const char *object, const char *key,
				  KnValue *values);
static const KnField *find(const KnField *fields, int n, const char *object, const char *key);
static bool is_object_name(const KnField *fields, int n, const char *key);
static bool read_value(const KnField *field, const char *pointer, JsonbValue *value, KnValue *out,
					   KnLeftovers *left);
static bool read_text(const KnField *field, JsonbValue *value, KnValue *out, bool plain);
static bool read_point(JsonbValue *value, KnValue *out);
static bool read_json(const KnField *field, JsonbValue *value, KnValue *out);
static bool read_services(const char *pointer, JsonbValue *value, KnValue *out, KnLeftovers *left);
static bool read_choices(const KnField *field, const char *pointer, JsonbValue *value, KnValue *out,
						 KnLeftovers *left);
static void read_service(const char *pointer, JsonbValue *item, KnValue *out, KnLeftovers *left);
static bool add_item(KnValue *out, const char *item);
static void write_entry(KnJson *out, const KnField *field, const KnValue *value);
static void write_number(KnJson *json, const KnField *field, double number);
static int compare_entries(const void *a, const void *b);
static bool has_form(const char *text, const char *form);
static bool is_date(const char *text);
static bool is_time(const char *text);
static void ignore(KnLeftovers *left, const char *pointer, const char *code, JsonbValue *kept);

static void
read_all(const KnField *fields, int n, JsonbContainer *record, const char *const *owned,
		 KnValue *values, KnLeftovers *left)
{
	memset(values, 0, sizeof(KnValue) * n);
	kn_json_init(&left->ignored);
	kn_json_open(&left->ignored, '[');
	kn_json_init(&left->unreadable);
	kn_json_open(&left->unreadable, '{');
	read_members(fields, n, NULL, record, owned, values, left);
	kn_json_close(&left->ignored, ']');
	kn_json_close(&left->unreadable, '}');
}

void
kn_fields_read(const KnField *fields, int n, JsonbContainer *record, const char *const *owned,
			   KnValue *values, KnLeftovers *left)
{
	memset(left, 0, sizeof(*left));
	read_all(fields, n, record, owned, values, left);
}

void
kn_fields_read_plain(const KnField *fields, int n, JsonbContainer *record,
					 const char *const *owned, KnValue *values, KnLeftovers *left)
{
	memset(left, 0, sizeof(*left));
	left->plain = true;
	read_all(fields, n, record, owned, values, left);
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
		field = find(fields, n, object, key);
		if (member.type == jbvNull && !(field && field->kind == KN_FIELD_GUARD && !left->plain))
		{
			clear(fields, n, object, key, values);
			continue;
		}
		pointer = object ? psprintf("/%s/%s", object, key) : psprintf("/%s", key);
		if (field != NULL)
			read_member(field, pointer, &member, &values[field - fields], left);
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

static void
read_member(const KnField *field, const char *pointer, JsonbValue *member, KnValue *value,
			KnLeftovers *left)
{
	value->present = read_value(field, pointer, member, value, left);
	if (value->present && !value->guessed)
		return;
	/* there is nothing of a null to keep */
	ignore(left, pointer, "not_understood", member->type == jbvNull ? NULL : member);
	value->guessed = value->guessed && member->type != jbvNull;
	if (field->if_unreadable != NULL && !left->plain)
	{
		value->present = value->guessed = true;
		value->text = pstrdup(field->if_unreadable);
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
		case KN_FIELD_GUARD:
			out->flag = left->plain ? value->type == jbvBool && value->val.boolean
									: kn_in_guarded(value, &out->guessed);
			return left->plain ? value->type == jbvBool : true;
		case KN_FIELD_NUMBER:
			return value->type == jbvNumeric && kn_number(value, &out->number) &&
				   out->number >= 0 && out->number <= field->max;
		case KN_FIELD_POINT:
			return read_point(value, out);
		case KN_FIELD_SERVICES:
			return read_services(pointer, value, out, left);
		case KN_FIELD_CHOICES:
			return read_choices(field, pointer, value, out, left);
		case KN_FIELD_JSON:
			return read_json(field, value, out);
		default:
			return read_text(field, value, out, left->plain);
	}
}

static bool
read_text(const KnField *field, JsonbValue *value, KnValue *out, bool plain)
{
	const char *word;

	if (value->type != jbvString)
		return false;
	out->text = pnstrdup(value->val.string.val, value->val.string.len);
	switch (field->kind)
	{
		case KN_FIELD_CHOICE:
			if (kn_choice_has(field->choices, out->text))
				return true;
			word = plain ? NULL : kn_word_choice(field->choices, field->words, out->text);
			if (word != NULL)
				out->text = pstrdup(word);
			return word != NULL;
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

/*
 * Known services once each, in the order given; the others are ignored one by
 * one.  A text is a list as people write one.
 */
static bool
read_services(const char *pointer, JsonbValue *value, KnValue *out, KnLeftovers *left)
{
	JsonbContainer *array;
	int n;

	out->items = palloc(sizeof(char *) * (KN_SERVICES_MAX + 1));
	if (value->type == jbvString && !left->plain)
	{
		read_service(pointer, value, out, left);
		return true;
	}
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
	{
		left->services = true;
		return false;
	}
	array = value->val.binary.data;
	n = JsonContainerSize(array);
	for (int i = 0; i < n; i++)
		read_service(psprintf("%s/%d", pointer, i), getIthJsonbValueFromContainer(array, i), out,
					 left);
	return true;
}

static void
read_service(const char *pointer, JsonbValue *item, KnValue *out, KnLeftovers *left)
{
	char *text = item->type == jbvString ? pnstrdup(item->val.string.val, item->val.string.len)
										 : NULL;
	const char *const *words;
	bool understood = text != NULL;

	if (text != NULL && left->plain)
		understood = kn_service_known(text) && add_item(out, text);
	else if (text != NULL)
	{
		understood = kn_word_services(text, &words);
		for (; *words != NULL; words++)
			understood = add_item(out, *words) && understood;
	}
	if (understood)
		return;
	left->services = true;
	ignore(left, pointer, "not_understood", item);
}

/* False when it is one too many. */
static bool
add_item(KnValue *out, const char *item)
{
	for (int i = 0; i < out->n_items; i++)
		if (strcmp(out->items[i], item) == 0)
			return true;
	if (out->n_items >= KN_SERVICES_MAX)
		return false;
	out->items[out->n_items++] = pstrdup(item);
	return true;
}

/* As with services, what is not known is ignored one by one, and the rest stands. */
static bool
read_choices(const KnField *field, const char *pointer, JsonbValue *value, KnValue *out,
			 KnLeftovers *left)
{
	JsonbContainer *array = value->type == jbvBinary ? value->val.binary.data : NULL;
	int n;

	if (array == NULL || !JsonContainerIsArray(array))
		return false;
	out->items = palloc(sizeof(char *) * KN_SERVICES_MAX);
	n = JsonContainerSize(array);
	for (int i = 0; i < n; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(array, i);
		const char *word = NULL;

		if (item->type == jbvString)
			word = kn_word_choice(field->choices, field->words,
								  pnstrdup(item->val.string.val, item->val.string.len));
		if (word == NULL || !add_item(out, word))
			ignore(left, psprintf("%s/%d", pointer, i), "not_understood", item);
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
	KnJson text;

	if (left->n++ < KN_IGNORED_MAX)
	{
		kn_json_open(&left->ignored, '{');
		kn_json_pair_text(&left->ignored, "pointer", pointer);
		kn_json_pair_text(&left->ignored, "code", code);
		kn_json_close(&left->ignored, '}');
	}
	if (kept == NULL)
		return;
	kn_json_init(&text);
	kn_json_client(&text, kept);
	if (left->n_unreadable % KN_IGNORED_MAX == 0)
	{
		Size size = sizeof(KnEntry) * (left->n_unreadable + KN_IGNORED_MAX);

		left->entries = left->entries ? repalloc_huge(left->entries, size) : palloc(size);
	}
	left->entries[left->n_unreadable++] = (KnEntry){.pointer = pointer, .json = text.text.data};
	kn_json_key(&left->unreadable, pointer);
	kn_json_raw(&left->unreadable, text.text.data, text.text.len);
}

/*
 * By name and in the order of the names: a field that a later version knows, or
 * no longer knows, leaves the text of what was sent before as it is.  What was
 * sent and not understood counts as it came, under its pointer.
 */
void
kn_fields_canonical(const KnField *fields, int n, const KnValue *values, const KnLeftovers *left,
					KnJson *out)
{
	KnEntry *entries = palloc_extended(sizeof(KnEntry) * (n + left->n_unreadable + 1),
									   MCXT_ALLOC_HUGE);
	int *starts = palloc(sizeof(int) * (n + 1));
	int used = 0;
	KnJson all; /* one buffer, because a buffer a field costs more than the fields */

	kn_json_init(&all);
	for (int i = 0; i < n; i++)
	{
		/* a guess follows from what was not understood, which counts below */
		if (!values[i].present || values[i].guessed)
			continue;
		starts[used++] = all.text.len;
		write_entry(&all, &fields[i], &values[i]);
	}
	for (int i = 0; i < used; i++)
	{
		entries[i].pointer = all.text.data + starts[i];
		entries[i].json = entries[i].pointer + strlen(entries[i].pointer) + 1;
	}
	memcpy(entries + used, left->entries, sizeof(KnEntry) * left->n_unreadable);
	used += left->n_unreadable;
	qsort(entries, used, sizeof(KnEntry), compare_entries);
	kn_json_init(out);
	kn_json_open(out, '{');
	for (int i = 0; i < used; i++)
	{
		kn_json_key(out, entries[i].pointer);
		kn_json_raw(out, entries[i].json, strlen(entries[i].json));
	}
	kn_json_close(out, '}');
	pfree(all.text.data);
	pfree(starts);
	pfree(entries);
}

/* Its pointer and its value, each with a zero behind it. */
static void
write_entry(KnJson *out, const KnField *field, const KnValue *value)
{
	appendStringInfoChar(&out->text, '/');
	if (field->object)
	{
		appendStringInfoString(&out->text, field->object);
		appendStringInfoChar(&out->text, '/');
	}
	appendStringInfoString(&out->text, field->key);
	appendStringInfoChar(&out->text, '\0');
	out->comma = false;
	if (field->kind == KN_FIELD_NUMBER)
		write_number(out, field, value->number);
	else
		kn_field_write(out, field, value);
	appendStringInfoChar(&out->text, '\0');
}

/* As a client writes it: 12 and not 12.0. */
static void
write_number(KnJson *json, const KnField *field, double number)
{
	if (number == (double) (int64) number)
		kn_json_int(json, (int64) number);
	else
		kn_json_float(json, number, 1);
}

static int
compare_entries(const void *a, const void *b)
{
	const KnEntry *left = a;
	const KnEntry *right = b;
	int order = strcmp(left->pointer, right->pointer);

	return order != 0 ? order : strcmp(left->json, right->json);
}

/* As version 1.0 did: all its fields by position, then what it could not read. */
void
kn_fields_canonical_plain(const KnField *fields, int n, const KnValue *values,
						  const KnLeftovers *left, KnJson *out)
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
		if (field->kind == KN_FIELD_SERVICES || field->kind == KN_FIELD_CHOICES)
			kn_json_raw(json, "[]", 2);
		else
			kn_json_null(json);
		return;
	}
	switch (field->kind)
	{
		case KN_FIELD_BOOL:
		case KN_FIELD_GUARD:
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
		case KN_FIELD_CHOICES:
			kn_json_open(json, '[');
			for (int i = 0; i < value->n_items; i++)
				kn_json_text(json, value->items[i]);
			kn_json_close(json, ']');
			break;
		default:
			kn_json_text(json, value->text);
	}
}
