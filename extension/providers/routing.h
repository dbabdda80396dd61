/*-------------------------------------------------------------------------
 *
 * routing.h
 *	  Where to: the best providers for one need, with the reasons.
 *
 * A pure reading: it reserves nothing, and the same rows, need, policy and time
 * give the same ranking.  It drives index scans itself under the active
 * snapshot, so that it needs no SPI connection and no role.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_ROUTING_H
#define KN_PROVIDERS_ROUTING_H

#include "base/json.h"
#include "base/sizes.h"
#include "providers/sphere.h"
#include "providers/urgency.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define KN_TRIAGE "triage" /* the need of a report that asks for no service: a dispatcher looks */

/* What one need asks for.  Numbers and masks are provider.h's; zero asks nothing. */
typedef struct KnRouteNeed
{
	bool has_place; /* without a place distance does not count */
	double latitude;
	double longitude;
	const char *service;
	KnUrgency urgency;
	int types;            /* bit t for type number t; 0 is those of the policy */
	double radius_factor; /* of the policy's radius; 0 is 1 */
	int required_gender;
	int preferred_gender;
	int64 required_langs;      /* any one of them will do */
	int64 preferred_langs;     /* any one of them will do */
	int64 required_skills;     /* all of them */
	const pg_uuid_t *excluded; /* providers and organisations: barred, declined, already asked */
	int n_excluded;
} KnRouteNeed;

/* Terms are minutes as they count in cost; their sum is cost, rounded to a millionth. */
typedef struct KnCandidate
{
	pg_uuid_t provider;
	pg_uuid_t organisation;
	int ptype;
	double km; /* on the sphere; -1 without a place */
	double cost;
	double travel;
	double ack;
	double load;
	double fairness;
	double mismatch;
	double preparedness;
	TimestampTz last_offer_at; /* 0 when never */
} KnCandidate;

typedef enum KnRejection
{
	KN_REJECTED_EXCLUDED,
	KN_REJECTED_CAPACITY,
	KN_REJECTED_GENDER,
	KN_REJECTED_LANGUAGE,
	KN_REJECTED_SKILL,
	KN_REJECTED_RADIUS,
	KN_REJECTIONS
} KnRejection;

typedef struct KnRoute
{
	int n;
	KnCandidate best[KN_OFFERS_MAX]; /* cheapest first; ties: longest idle, then provider id */
	int visited;                     /* rows read */
	bool capped;                     /* the policy's cap ended the scan before the bound did */
	int policy_version;
	int rejected[KN_REJECTIONS]; /* among the rows read */
} KnRoute;

/* The best k (at most KN_OFFERS_MAX) providers; none when the service is unknown. */
extern void kn_route(const KnRouteNeed *need, int k, TimestampTz now, KnRoute *out);
/* JSON text with the terms of the cost, kept with the offer.  Returns new. */
extern char *kn_candidate_components(const KnCandidate *candidate);
/* Whether the policy in force knows which types serve it. */
extern bool kn_service_known(const char *service);

#endif
