/*-------------------------------------------------------------------------
 *
 * incident_fields.c
 *	  The fields of a report, and what follows from them.
 *
 * Called by incident.c, projection.c and the batch.  Unknown time counts as
 * inside every clinical window: uncertainty makes us act sooner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "base/limits.h"
#include "cases/incident.h"
#include "identity/subject.h"
#include "keys/keystore.h"
#include "records/client_id.h"
#include "records/word.h"

#define HASHED_BY_NAME 2
#define CELL_DEGREES 0.045 /* about 5 km */
#define PEP_HOURS 72
#define SLACK_HOURS 6
#define HOUR_USECS ((int64) USECS_PER_HOUR)
/* Nairobi's day: the phone's date may be the day before, in UTC */
#define ZONE_HOURS 3

static bool hides(JsonbContainer *record);
static bytea *hash_by_name(const KnValue *values, int n, const KnLeftovers *left);
static void read_fields(JsonbContainer *record, int n, KnValue *values, KnLeftovers *left);
static bytea *earlier_hash(JsonbContainer *record, int n);
static bool is_same(const bytea *one, const bytea *other);
static bytea *plain_hash(JsonbContainer *record);
static bool was_unreadable(const KnLeftovers *left, const char *pointer);
static void derive_cell(KnIncident *incident);
static void derive_interval(KnIncident *incident, TimestampTz now);
static void apply_clinical_clock(KnIncident *incident, TimestampTz now);
static bool asks_for(const KnIncident *incident, const char *service);

const char *const kn_incident_types[] = {"physical", "sexual", "emotional", "economic",
										 "online", "femicide", "medical", NULL};
static const char *const severities[] = {"low", "medium", "high", NULL};
static const char *const sources[] = {"gps", "pin", "area", "none", NULL};
static const char *const methods[] = {"sms", "call", "secure_message", NULL};
static const char *const genders[] = {"male", "female", "no_preference", NULL};
static const char *const proximities[] = {"nearest", "specific_facility", NULL};
/* Types of teams; police are a service of their own, which she asks for or does not. */
static const char *const triage_teams[] = {"healthcare", "legal", "counseling", "social",
										   "gbv_rescue", "chw", NULL};

/* clang-format off */
static const KnWord team_words[] = {
	{"counselling", "counseling"}, {"health", "healthcare"}, {"medical", "healthcare"},
	{"lawyer", "legal"}, {"rescue", "gbv_rescue"}, {NULL, NULL}};

const KnField kn_incident_fields[KN_INCIDENT_FIELDS] = {
	[KN_INCIDENT_TYPE]          = {NULL, "type", KN_FIELD_CHOICE, KN_CLASS_CASE, kn_incident_types, 0, kn_type_words, NULL},
	[KN_INCIDENT_DATE]          = {NULL, "incidentDate", KN_FIELD_DATE, KN_CLASS_CASE, NULL, 0, NULL, NULL},
	[KN_INCIDENT_TIME]          = {NULL, "incidentTime", KN_FIELD_TIME, KN_CLASS_CASE, NULL, 0, NULL, NULL},
	[KN_INCIDENT_DESCRIPTION]   = {NULL, "description", KN_FIELD_TEXT, KN_CLASS_CASE, NULL, KN_DESCRIPTION_MAX, NULL, NULL},
	[KN_INCIDENT_SEVERITY]      = {NULL, "severity", KN_FIELD_CHOICE, KN_CLASS_CASE, severities, 0, kn_severity_words, NULL},
	[KN_INCIDENT_URGENCY]       = {NULL, "urgencyLevel", KN_FIELD_CHOICE, KN_CLASS_CARD, kn_urgency_names, 0, kn_urgency_words, "urgent"},
	[KN_INCIDENT_SERVICES]      = {NULL, "supportServices", KN_FIELD_SERVICES, KN_CLASS_CARD, NULL, KN_SERVICES_MAX, NULL, NULL},
	[KN_INCIDENT_ANONYMOUS]     = {NULL, "isAnonymous", KN_FIELD_GUARD, KN_CLASS_CARD, NULL, 0, NULL, NULL},
	[KN_INCIDENT_ADDRESS]       = {"location", "address", KN_FIELD_TEXT, KN_CLASS_PLACE, NULL, KN_ADDRESS_MAX, NULL, NULL},
	[KN_INCIDENT_PLACE]         = {"location", "description", KN_FIELD_TEXT, KN_CLASS_PLACE, NULL, KN_ADDRESS_MAX, NULL, NULL},
	[KN_INCIDENT_POINT]         = {"location", "coordinates", KN_FIELD_POINT, KN_CLASS_PLACE, NULL, 0, NULL, NULL},
	[KN_INCIDENT_ACCURACY]      = {"location", "accuracyM", KN_FIELD_NUMBER, KN_CLASS_PLACE, NULL, 1e7, NULL, NULL},
	[KN_INCIDENT_SOURCE]        = {"location", "source", KN_FIELD_CHOICE, KN_CLASS_PLACE, sources, 0, NULL, NULL},
	[KN_INCIDENT_COMMUNICATION] = {"providerPreferences", "communicationMethod", KN_FIELD_CHOICE, KN_CLASS_CARD, methods, 0, NULL, NULL},
	[KN_INCIDENT_GENDER]        = {"providerPreferences", "preferredGender", KN_FIELD_CHOICE, KN_CLASS_CASE, genders, 0, NULL, NULL},
	[KN_INCIDENT_PROXIMITY]     = {"providerPreferences", "proximityPreference", KN_FIELD_CHOICE, KN_CLASS_CASE, proximities, 0, NULL, NULL},
	[KN_INCIDENT_TRIAGE_TEAMS]  = {"providerPreferences", "triageTeams", KN_FIELD_CHOICES, KN_CLASS_CASE, triage_teams, 0, team_words, NULL},
#ifdef KN_LATER_FIELD
	[KN_INCIDENT_LATER]         = {NULL, "later", KN_FIELD_NUMBER, KN_CLASS_CASE, NULL, 1e7, NULL, NULL},
#endif
};

const char *const kn_incident_owned[] = {
	"id", "caseNumber", "status", "anonymity", "needs", "assignments", "missing", "ignored",
	"hotlines", "suggestedServices", "createdAt", "updatedAt", "serverVersion", "serverTime",
	"expectedBy", "reporter", "replayed", "access", NULL};
/* clang-format on */

void
kn_incident_read(JsonbContainer *record, KnIncident *incident, KnLeftovers *left)
{
	read_fields(record, KN_INCIDENT_FIELDS, incident->values, left);
	incident->ignored = left->n ? left->ignored.text.data : NULL;
	incident->triage = left->services || was_unreadable(left, "/type");
	incident->created_hash = hash_by_name(incident->values, KN_INCIDENT_FIELDS, left);
}

/* The first n fields; what the others would be is not understood. */
static void
read_fields(JsonbContainer *record, int n, KnValue *values, KnLeftovers *left)
{
	KnValue *anonymous = &values[KN_INCIDENT_ANONYMOUS];

	kn_fields_read(kn_incident_fields, n, record, kn_incident_owned, values, left);
	if (!anonymous->present && hides(record))
		anonymous->present = anonymous->flag = true;
}

/* With a byte in front that says how it was made; version 1.0 put none. */
static bytea *
hash_by_name(const KnValue *values, int n, const KnLeftovers *left)
{
	KnJson canonical;
	bytea *hash;
	bytea *out;
	Size size;

	kn_fields_canonical(kn_incident_fields, n, values, left, &canonical);
	hash = kn_record_hash(canonical.text.data, canonical.text.len);
	size = VARSIZE_ANY_EXHDR(hash);
	out = palloc(VARHDRSZ + 1 + size);
	SET_VARSIZE(out, VARHDRSZ + 1 + size);
	VARDATA(out)
	[0] = HASHED_BY_NAME;
	memcpy(VARDATA(out) + 1, VARDATA(hash), size);
	return out;
}

/*
 * Where isAnonymous is not there, another name for it can only protect her: no
 * client that says so in its own words is to name her.
 */
static bool
hides(JsonbContainer *record)
{
	static const char *const names[] = {"is_anonymous", "isanonymous", "anonymous",
										"isConfidential", "is_confidential", "confidential", NULL};
	JsonbValue *value = kn_in_member(record, "anonymity");
	bool guessed;

	if (value != NULL && (value->type != jbvString || value->val.string.len != strlen("named") ||
						  strncmp(value->val.string.val, "named", strlen("named")) != 0))
		return true;
	for (int i = 0; names[i] != NULL; i++)
	{
		value = kn_in_member(record, names[i]);
		if (value != NULL && kn_in_guarded(value, &guessed))
			return true;
	}
	return false;
}

static bool
was_unreadable(const KnLeftovers *left, const char *pointer)
{
	for (int i = 0; i < left->n_unreadable; i++)
		if (strcmp(left->entries[i].pointer, pointer) == 0)
			return true;
	return false;
}

/*
 * A phone may know a field before this server does.  What it sent was kept as it
 * came then, and is read now; so a hash of each shorter table is good as well.
 */
bool
kn_incident_hash_matches(const bytea *stored, const KnIncident *sent, JsonbContainer *record)
{
	if (VARSIZE_ANY_EXHDR(stored) != VARSIZE_ANY_EXHDR(sent->created_hash))
		return is_same(stored, plain_hash(record));
	if (is_same(stored, sent->created_hash))
		return true;
	for (int n = KN_INCIDENT_FIELDS - 1; n >= KN_INCIDENT_FIELDS_PLAIN; n--)
		if (is_same(stored, earlier_hash(record, n)))
			return true;
	return false;
}

static bytea *
earlier_hash(JsonbContainer *record, int n)
{
	KnValue values[KN_INCIDENT_FIELDS];
	KnLeftovers left;

	read_fields(record, n, values, &left);
	return hash_by_name(values, n, &left);
}

static bool
is_same(const bytea *one, const bytea *other)
{
	Size size = VARSIZE_ANY_EXHDR(one);

	return size == VARSIZE_ANY_EXHDR(other) &&
		   memcmp(VARDATA_ANY(one), VARDATA_ANY(other), size) == 0;
}

/* Of version 1.0, which knew these fields and took what was not said for false. */
static bytea *
plain_hash(JsonbContainer *record)
{
	KnValue values[KN_INCIDENT_FIELDS];
	KnLeftovers left;
	KnJson canonical;

	kn_fields_read_plain(kn_incident_fields, KN_INCIDENT_FIELDS_PLAIN, record, kn_incident_owned,
						 values, &left);
	values[KN_INCIDENT_ANONYMOUS].present = true;
	kn_fields_canonical_plain(kn_incident_fields, KN_INCIDENT_FIELDS_PLAIN, values, &left,
							  &canonical);
	return kn_record_hash(canonical.text.data, canonical.text.len);
}

const char *
kn_incident_own_id(const KnIncident *incident)
{
	KnSubject subject = {0};
	char *spelling;

	if (incident->spelling != NULL || incident->client_id != NULL)
		return incident->spelling ? incident->spelling : incident->client_id;
	if (incident->spelling_sealed != NULL)
		kn_account_subject(&incident->owner, &subject);
	spelling = kn_spelling_open(&subject, KN_INCIDENT_SPELLING, &incident->id,
								incident->spelling_sealed);
	kn_subject_forget(&subject);
	return spelling;
}

void
kn_incident_derive(KnIncident *incident, TimestampTz now)
{
	const KnValue *asked = &incident->values[KN_INCIDENT_URGENCY];

	incident->asked = asked->present ? kn_urgency_parse(asked->text) : KN_ROUTINE;
	incident->urgency = incident->asked;
	derive_cell(incident);
	derive_interval(incident, now);
	apply_clinical_clock(incident, now);
}

/* The old app sends the middle of Nairobi when it knows no place; that is no place. */
static void
derive_cell(KnIncident *incident)
{
	const KnValue *point = &incident->values[KN_INCIDENT_POINT];
	const KnValue *source = &incident->values[KN_INCIDENT_SOURCE];
	bool nowhere = point->present && fabs(point->number - -1.2921) < 1e-9 &&
				   fabs(point->second - 36.8219) < 1e-9 &&
				   (!source->present || strcmp(source->text, "none") == 0);

	incident->has_cell = point->present && !nowhere;
	if (!incident->has_cell)
		return;
	incident->cell_latitude = (floor(point->number / CELL_DEGREES) + 0.5) * CELL_DEGREES;
	incident->cell_longitude = (floor(point->second / CELL_DEGREES) + 0.5) * CELL_DEGREES;
	incident->cell_latitude = Min(Max(incident->cell_latitude, -90), 90);
	incident->cell_longitude = Min(Max(incident->cell_longitude, -180), 180);
}

/* From the start of the local day given to the end of the next one: the phone's date is UTC's. */
static void
derive_interval(KnIncident *incident, TimestampTz now)
{
	const KnValue *date = &incident->values[KN_INCIDENT_DATE];
	int year, month, day;
	TimestampTz start;

	incident->occurred_from = incident->occurred_to = 0;
	if (!date->present || sscanf(date->text, "%d-%d-%d", &year, &month, &day) != 3)
		return;
	start = (TimestampTz) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY -
			ZONE_HOURS * HOUR_USECS;
	incident->occurred_from = start;
	incident->occurred_to = Min(now, start + 2 * (int64) USECS_PER_DAY);
	if (incident->occurred_to < incident->occurred_from)
		incident->occurred_from = incident->occurred_to = 0;
}

/* Post-exposure prophylaxis works within 72 hours, the sooner the better. */
static void
apply_clinical_clock(KnIncident *incident, TimestampTz now)
{
	const KnValue *type = &incident->values[KN_INCIDENT_TYPE];
	bool unknown = incident->occurred_to == 0;
	bool is_near;
	TimestampTz end;

	if (!type->present || strcmp(type->text, "sexual") != 0)
		return;
	end = incident->occurred_from + PEP_HOURS * HOUR_USECS;
	if (!unknown && now - incident->occurred_to >= PEP_HOURS * HOUR_USECS)
		return;
	is_near = unknown || end - now < SLACK_HOURS * HOUR_USECS;
	incident->urgency = Max(incident->urgency, is_near ? KN_IMMEDIATE : KN_URGENT);
	if (!asks_for(incident, "medical"))
		incident->suggested[incident->n_suggested++] = pstrdup("medical");
}

static bool
asks_for(const KnIncident *incident, const char *service)
{
	const KnValue *services = &incident->values[KN_INCIDENT_SERVICES];

	for (int i = 0; i < services->n_items; i++)
		if (strcmp(services->items[i], service) == 0)
			return true;
	return false;
}
