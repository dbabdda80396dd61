/*-------------------------------------------------------------------------
 *
 * provider_store.h
 *	  Every statement that reads or writes a provider's profile.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_PROVIDER_STORE_H
#define KN_PROVIDERS_PROVIDER_STORE_H

#include "base/spi.h"
#include "identity/caller.h"
#include "identity/page.h"
#include "providers/provider.h"
#include "trail/change.h"
#include "utils/jsonb.h"

/* A provider as its profile shows it. */
typedef struct KnProvider
{
	pg_uuid_t id;
	pg_uuid_t organisation;
	char *organisation_name;
	char *type;
	char *name;
	char *facility_code;
	char *area;
	bool has_place;
	double latitude;
	double longitude;
	int n_languages;
	char **languages;
	int n_skills;
	char **skills;
	char *gender;
	bool by_telephone;
	bool is_available;
	TimestampTz available_until;
	bool is_verified;
	bool is_demo;
	int capacity;
	Jsonb *hours; /* NULL when always open */
	TimestampTz created_at;
	bool has_stamp; /* else the reader may not see it, or the profile never changed */
	KnStamp stamp;
	double km; /* from the place asked for; NaN when none was */
	/* for the provider itself and for dispatchers */
	bool has_load;
	int load;
	bool is_dispatchable;
	double ack_minutes; /* NaN when it has not answered yet */
	TimestampTz last_offer_at;
	/* for dispatchers: of its latest offers */
	int accepted;
	int declined;
	int expired;
} KnProvider;

typedef struct KnProviderFilter
{
	char *type; /* NULL any */
	bool filters_available;
	bool is_available;
	bool has_place;
	double latitude;
	double longitude;
	KnPage after; /* by distance its time is a distance */
	int limit;
} KnProviderFilter;

/* Members of a profile that a PATCH sets. */
typedef struct KnProviderPatch
{
	bool sets_languages;
	int n_languages;
	char **languages;
	bool sets_skills;
	int n_skills;
	char **skills;
	bool sets_gender;
	char *gender;
	bool sets_capacity;
	int capacity;
	bool sets_hours;
	Jsonb *hours;
} KnProviderPatch;

/* One row more than the limit when there are more pages; returns the number of rows. */
extern int kn_provider_list(const KnCaller *caller, const KnProviderFilter *filter,
							KnProvider **out);
/* The key of a row in the order of the list. */
extern int64 kn_provider_key(const KnProviderFilter *filter, const KnProvider *provider);
/* The caller's own team; false when it is gone. */
extern bool kn_provider_own(const KnCaller *caller, KnProvider *out);
extern void kn_provider_patch(const KnCaller *caller, const KnProviderPatch *patch);
extern void kn_provider_set_available(const KnCaller *caller, bool available, TimestampTz until);

#endif
