/*-------------------------------------------------------------------------
 *
 * personal.c
 *	  What is hers alone: plan, contacts, preferences, moods, journal.
 *
 * Its nouns and their fields, and how a record is shown.  Called by the rest of
 * the room and by sync/pull_render.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/limits.h"
#include "records/personal.h"

static const char *const moods[] = {"very_sad", "sad", "neutral", "happy", "very_happy", NULL};

#define TEXT_MAX 20000
#define LIST_MAX 20000

/* clang-format off */
static const KnField safety_plan[] = {
	{NULL, "emergencyContacts", KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "safeLocations",     KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "warningSigns",      KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "copingStrategies",  KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "documents",         KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "bagItems",          KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "codeWords",         KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "digitalSafety",     KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
	{NULL, "notes",             KN_FIELD_TEXT, KN_CLASS_IDENTITY, NULL, TEXT_MAX, NULL, NULL},
	{NULL, "reviewDate",        KN_FIELD_DATE, KN_CLASS_IDENTITY, NULL, 0, NULL, NULL},
};
static const KnField emergency_contact[] = {
	{NULL, "name",         KN_FIELD_TEXT, KN_CLASS_IDENTITY, NULL, 200, NULL, NULL},
	{NULL, "phone",        KN_FIELD_TEXT, KN_CLASS_IDENTITY, NULL, 64, NULL, NULL},
	{NULL, "relationship", KN_FIELD_TEXT, KN_CLASS_IDENTITY, NULL, 200, NULL, NULL},
	{NULL, "isPrimary",    KN_FIELD_BOOL, KN_CLASS_IDENTITY, NULL, 0, NULL, NULL},
};
static const KnField preference[] = {
	{NULL, "shareLocation",  KN_FIELD_BOOL, KN_CLASS_IDENTITY, NULL, 0, NULL, NULL},
	{NULL, "allowMessages",  KN_FIELD_BOOL, KN_CLASS_IDENTITY, NULL, 0, NULL, NULL},
	{NULL, "quietHours",     KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, 1000, NULL, NULL},
	{NULL, "safeContact",    KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, 4000, NULL, NULL},
	{NULL, "settings",       KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, LIST_MAX, NULL, NULL},
};
static const KnField mood_entry[] = {
	{NULL, "date",        KN_FIELD_DATE,   KN_CLASS_IDENTITY, NULL,  0, NULL, NULL},
	{NULL, "mood",        KN_FIELD_CHOICE, KN_CLASS_IDENTITY, moods, 0, NULL, NULL},
	{NULL, "intensity",   KN_FIELD_NUMBER, KN_CLASS_IDENTITY, NULL,  10, NULL, NULL},
	{NULL, "triggers",    KN_FIELD_JSON,   KN_CLASS_IDENTITY, NULL,  4000, NULL, NULL},
	{NULL, "activities",  KN_FIELD_JSON,   KN_CLASS_IDENTITY, NULL,  4000, NULL, NULL},
	{NULL, "notes",       KN_FIELD_TEXT,   KN_CLASS_IDENTITY, NULL,  TEXT_MAX, NULL, NULL},
	{NULL, "sleepHours",  KN_FIELD_NUMBER, KN_CLASS_IDENTITY, NULL,  24, NULL, NULL},
	{NULL, "stressLevel", KN_FIELD_NUMBER, KN_CLASS_IDENTITY, NULL,  10, NULL, NULL},
};
static const KnField journal_entry[] = {
	{NULL, "title",     KN_FIELD_TEXT, KN_CLASS_IDENTITY, NULL, 500, NULL, NULL},
	{NULL, "content",   KN_FIELD_TEXT, KN_CLASS_IDENTITY, NULL, KN_DESCRIPTION_MAX, NULL, NULL},
	{NULL, "mood",      KN_FIELD_CHOICE, KN_CLASS_IDENTITY, moods, 0, NULL, NULL},
	{NULL, "tags",      KN_FIELD_JSON, KN_CLASS_IDENTITY, NULL, 4000, NULL, NULL},
	{NULL, "isPrivate", KN_FIELD_BOOL, KN_CLASS_IDENTITY, NULL, 0, NULL, NULL},
};

const KnPersonalNoun kn_personal_nouns[] = {
	{"safety_plan",       safety_plan,       lengthof(safety_plan),       true,  false},
	{"emergency_contact", emergency_contact, lengthof(emergency_contact), false, false},
	{"preference",        preference,        lengthof(preference),        true,  true},
	{"mood_entry",        mood_entry,        lengthof(mood_entry),        false, true},
	{"journal_entry",     journal_entry,     lengthof(journal_entry),     false, false},
	{NULL,                NULL,              0,                           false, false},
};
/* clang-format on */

const KnPersonalNoun *
kn_personal_noun(const char *name)
{
	for (const KnPersonalNoun *noun = kn_personal_nouns; noun->name != NULL; noun++)
		if (strcmp(noun->name, name) == 0)
			return noun;
	return NULL;
}

void
kn_personal_render(KnJson *json, const KnPersonal *record)
{
	kn_json_open(json, '{');
	kn_json_pair_text(json, "id", record->spelling ? record->spelling : record->client_id);
	for (int i = 0; i < record->noun->n_fields; i++)
	{
		kn_json_key(json, record->noun->fields[i].key);
		kn_field_write(json, &record->noun->fields[i], &record->values[i]);
	}
	kn_json_pair_time(json, "createdAt", record->created_at);
	kn_json_pair_time(json, "updatedAt", record->stamp.updated_at);
	kn_json_pair_int(json, "serverVersion", record->stamp.version);
	kn_json_close(json, '}');
}
