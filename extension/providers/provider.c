/*-------------------------------------------------------------------------
 *
 * provider.c
 *	  Who helps: the directory, and a team's own profile.
 *
 * Called from SQL (doors provider_list, provider_get, provider_update,
 * provider_availability).  Rows are in provider_store.c.  What a profile
 * changes is routed by from the same transaction on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "base/errcodes.h"
#include "base/limits.h"
#include "identity/door.h"
#include "identity/page.h"
#include "providers/provider_dispatch.h"
#include "providers/provider_store.h"
#include "providers/shift.h"

#define AVAILABLE_DAYS_MAX 366
#define CAPACITY_MAX 10000

static void read_filter(KnCall *call, KnProviderFilter *filter);
static void read_near(KnCall *call, KnProviderFilter *filter);
static void render(KnCall *call, const KnProvider *provider, bool is_own);
static void render_place(KnJson *json, const KnProvider *provider);
static void render_profile(KnJson *json, const KnProvider *provider);
static void render_dispatch(KnJson *json, const KnProvider *provider, bool is_own);
static void show_own(KnCall *call);
static void read_patch(KnCall *call, KnProviderPatch *patch);
static bool read_words(JsonbContainer *body, const char *key, const char *const *words, int *n,
					   char ***out);
static void read_gender(JsonbContainer *body, KnProviderPatch *patch);
static void read_hours(JsonbContainer *body, KnProviderPatch *patch);
static TimestampTz read_until(JsonbContainer *body);

/* GET /providers ?type &available &near=latitude,longitude &limit &after -> {"items","next"} */
static void
provider_list(KnCall *call)
{
	KnProviderFilter filter = {0};
	KnProvider *providers;
	int n;
	int shown;

	call->noun = "provider";
	read_filter(call, &filter);
	n = kn_provider_list(call->caller, &filter, &providers);
	shown = Min(n, filter.limit);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (int i = 0; i < shown; i++)
		render(call, &providers[i], false);
	kn_json_close(&call->json, ']');
	if (shown > 0)
		kn_page_next(call, n > shown, kn_provider_key(&filter, &providers[shown - 1]),
					 &providers[shown - 1].id);
	else
		kn_json_pair_text(&call->json, "next", NULL);
	kn_json_close(&call->json, '}');
}
KN_DOOR(provider_list, provider_list, KN_ROLE_PROVIDER | KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_READS | KN_DOOR_DISPATCH,
		"GET /providers: the directory, for staff. Query: type, available, near "
		"(latitude,longitude), limit, after.");

static void
read_filter(KnCall *call, KnProviderFilter *filter)
{
	static const char *const truth[] = {"true", "false", NULL};
	static const KnFilter filters[] = {{"type", kn_provider_types},
									   {"available", truth},
									   {"near", NULL},
									   KN_FILTER_PAGE,
									   KN_FILTER_END};
	char *available = kn_query_text(call->query, "available");

	kn_filters_check(call->query, filters);
	filter->limit = kn_page_limit(call);
	filter->after = kn_page_after(call);
	filter->type = kn_query_text(call->query, "type");
	filter->filters_available = available != NULL;
	filter->is_available = available && strcmp(available, "true") == 0;
	read_near(call, filter);
}

static void
read_near(KnCall *call, KnProviderFilter *filter)
{
	char *near = kn_query_text(call->query, "near");
	char rest;

	if (near == NULL)
		return;
	filter->has_place = true;
	if (sscanf(near, "%lf,%lf%c", &filter->latitude, &filter->longitude, &rest) != 2 ||
		!(fabs(filter->latitude) <= 90.0) || !(fabs(filter->longitude) <= 180.0))
		kn_input_error(ERRCODE_KN_QUERY, "near", "the place is not latitude and longitude",
					   "Send degrees, such as near=-1.28,36.82.");
}

static void
render(KnCall *call, const KnProvider *provider, bool is_own)
{
	bool dispatch = (call->caller->role & (KN_ROLE_DISPATCHER | KN_ROLE_ADMIN)) != 0;
	KnJson *json = &call->json;

	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "id", &provider->id);
	kn_json_pair_text(json, "name", provider->name);
	kn_json_pair_text(json, "providerType", provider->type);
	kn_json_key(json, "organisation");
	kn_json_open(json, '{');
	kn_json_pair_uuid(json, "id", &provider->organisation);
	kn_json_pair_text(json, "name", provider->organisation_name);
	kn_json_close(json, '}');
	render_place(json, provider);
	render_profile(json, provider);
	if (is_own || dispatch)
		render_dispatch(json, provider, is_own);
	if (is_own || dispatch || provider->has_stamp)
	{
		kn_json_pair_time(json, "updatedAt",
						  provider->has_stamp ? provider->stamp.updated_at : provider->created_at);
		kn_json_pair_int(json, "serverVersion",
						 provider->has_stamp ? provider->stamp.version : 1);
	}
	kn_json_close(json, '}');
}

static void
render_place(KnJson *json, const KnProvider *provider)
{
	kn_json_pair_text(json, "facilityCode", provider->facility_code);
	kn_json_pair_text(json, "area", provider->area);
	kn_json_key(json, "coordinates");
	if (provider->has_place)
	{
		kn_json_open(json, '{');
		kn_json_key(json, "latitude");
		kn_json_float(json, provider->latitude, 6);
		kn_json_key(json, "longitude");
		kn_json_float(json, provider->longitude, 6);
		kn_json_close(json, '}');
	}
	else
		kn_json_null(json);
	if (!isnan(provider->km))
	{
		kn_json_key(json, "distanceKm");
		kn_json_float(json, provider->km, 1);
	}
}

static void
render_profile(KnJson *json, const KnProvider *provider)
{
	kn_json_pair_texts(json, "languages", provider->languages, provider->n_languages);
	kn_json_pair_texts(json, "skills", provider->skills, provider->n_skills);
	kn_json_pair_text(json, "gender", provider->gender);
	kn_json_pair_bool(json, "byTelephone", provider->by_telephone);
	kn_json_pair_bool(json, "available", provider->is_available);
	kn_json_pair_time(json, "availableUntil", provider->available_until);
	kn_json_pair_bool(json, "verified", provider->is_verified);
	kn_json_pair_bool(json, "demo", provider->is_demo);
}

static void
render_dispatch(KnJson *json, const KnProvider *provider, bool is_own)
{
	JsonbValue hours;

	kn_json_pair_int(json, "capacity", provider->capacity);
	kn_json_pair_int(json, "load", provider->load);
	kn_json_pair_bool(json, "dispatchable", provider->is_dispatchable);
	kn_json_key(json, "hours");
	if (provider->hours)
	{
		JsonbToJsonbValue(provider->hours, &hours);
		kn_json_client(json, &hours);
	}
	else
		kn_json_null(json);
	if (is_own)
		return;
	kn_json_key(json, "answerMinutes");
	kn_json_float(json, provider->ack_minutes, 1);
	kn_json_pair_time(json, "lastOfferAt", provider->last_offer_at);
	kn_json_key(json, "lastOffers");
	kn_json_open(json, '{');
	kn_json_pair_int(json, "accepted", provider->accepted);
	kn_json_pair_int(json, "declined", provider->declined);
	kn_json_pair_int(json, "expired", provider->expired);
	kn_json_close(json, '}');
}

/* GET /providers/me -> the caller's own team */
static void
provider_get(KnCall *call)
{
	show_own(call);
}
KN_DOOR(provider_get, provider_get, KN_ROLE_PROVIDER, KN_DOOR_READS,
		"GET /providers/me: the profile of the caller's team.");

static void
show_own(KnCall *call)
{
	KnProvider provider;

	if (!kn_provider_own(call->caller, &provider))
		kn_refuse_absent();
	kn_call_target(call, "provider", &provider.id);
	render(call, &provider, true);
}

/* PATCH /providers/me {"languages","skills","gender","capacity","hours"} -> the profile */
static void
provider_update(KnCall *call)
{
	KnProviderPatch patch = {0};

	read_patch(call, &patch);
	kn_provider_patch(call->caller, &patch);
	kn_dispatch_refresh_one(&call->caller->provider, GetCurrentTimestamp());
	kn_call_flush(call);
	show_own(call);
}
KN_DOOR(provider_update, provider_update, KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"PATCH /providers/me: changes the profile of the caller's team.");

static void
read_patch(KnCall *call, KnProviderPatch *patch)
{
	static const char *const members[] = {"languages", "skills", "gender", "capacity", "hours",
										  NULL};
	JsonbContainer *body = kn_in_object(call->body);
	int64 capacity = 0;

	kn_in_only(body, members);
	patch->sets_languages = read_words(body, "languages", kn_languages, &patch->n_languages,
									   &patch->languages);
	patch->sets_skills = read_words(body, "skills", kn_skills, &patch->n_skills, &patch->skills);
	read_gender(body, patch);
	patch->sets_capacity = kn_in_int(body, "capacity", 0, CAPACITY_MAX, false, &capacity);
	patch->capacity = (int) capacity;
	read_hours(body, patch);
}

/* Null empties the list. */
static bool
read_words(JsonbContainer *body, const char *key, const char *const *words, int *n, char ***out)
{
	if (kn_in_member(body, key) == NULL)
		return false;
	*n = kn_in_texts(body, key, KN_WORDS_MAX, KN_NAME_MAX, out);
	for (int i = 0; i < *n; i++)
		if (!kn_choice_has(words, (*out)[i]))
			kn_input_error(ERRCODE_KN_FIELD_VALUE, psprintf("%s/%d", key, i),
						   "the word is unknown", kn_words_of("Send words of these:", words));
	*n = Max(*n, 0);
	return true;
}

static void
read_gender(JsonbContainer *body, KnProviderPatch *patch)
{
	patch->sets_gender = kn_in_member(body, "gender") != NULL;
	patch->gender = kn_in_choice(body, "gender", kn_genders, false);
}

/* Null is always open. */
static void
read_hours(JsonbContainer *body, KnProviderPatch *patch)
{
	JsonbValue *hours = kn_in_member(body, "hours");

	patch->sets_hours = hours != NULL;
	if (hours == NULL || hours->type == jbvNull)
		return;
	kn_shift_check(kn_in_nested(body, "hours"));
	patch->hours = JsonbValueToJsonb(hours);
}

/* PUT /providers/me/availability {"available","until"?} -> the profile */
static void
provider_availability(KnCall *call)
{
	static const char *const members[] = {"available", "until", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	bool available;

	kn_in_only(body, members);
	if (kn_in_member(body, "available") == NULL)
		kn_input_error(ERRCODE_KN_FIELD_MISSING, "available", "a required field is missing",
					   "Send true or false.");
	available = kn_in_bool(body, "available", false);
	kn_provider_set_available(call->caller, available, read_until(body));
	kn_dispatch_refresh_one(&call->caller->provider, GetCurrentTimestamp());
	kn_call_flush(call);
	call->fields = "available";
	show_own(call);
}
KN_DOOR(provider_availability, provider_availability, KN_ROLE_PROVIDER, KN_DOOR_AUDITED,
		"PUT /providers/me/availability: whether the team takes cases, for good or until a "
		"time.");

/* When availability turns over by itself; 0 when never. */
static TimestampTz
read_until(JsonbContainer *body)
{
	TimestampTz until;
	TimestampTz now = GetCurrentTimestamp();

	if (!kn_in_time(body, "until", false, &until))
		return 0;
	if (until <= now || until > now + AVAILABLE_DAYS_MAX * USECS_PER_DAY)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "until", "the time is past or more than a year away",
					   "Send a time to come, or leave it out.");
	return until;
}
