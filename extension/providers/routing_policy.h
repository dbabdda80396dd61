/*-------------------------------------------------------------------------
 *
 * routing_policy.h
 *	  The routing policy in force, parsed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_ROUTING_POLICY_H
#define KN_PROVIDERS_ROUTING_POLICY_H

#include "providers/provider.h"
#include "providers/routing.h"
#include "utils/jsonb.h"

#define KN_POLICY_SERVICES_MAX 32
#define KN_POLICY_WORD_MAX 32

typedef struct KnRoutingWeights
{
	double travel;
	double ack;
	double load;
	double fairness;
	double mismatch;
	double preparedness;
} KnRoutingWeights;

typedef struct KnServiceTypes
{
	char service[KN_POLICY_WORD_MAX];
	int types; /* bit t for type number t */
} KnServiceTypes;

typedef struct KnRoutingPolicy
{
	int version;
	int n_services;
	KnServiceTypes services[KN_POLICY_SERVICES_MAX];
	int never[KN_URGENCIES]; /* types that this urgency is never offered to by itself */
	double radius_km[KN_URGENCIES];
	double base_minutes;
	double detour;
	double speed_kmh;
	double prior_minutes[KN_PROVIDER_TYPES + 1]; /* by type number */
	double prior_weight;                         /* answers the mean of the type counts as */
	double memory;                               /* answers a provider's own mean reaches back */
	double longest_minutes;                      /* an answer counts as no longer than this */
	double load_minutes;
	double fairness_minutes;
	double fairness_hours;
	double mismatch_minutes;
	double preparedness_minutes;
	KnRoutingWeights weights[KN_URGENCIES];
	int cap;
} KnRoutingPolicy;

/* The highest version that can be read; borrowed until the next call. */
extern const KnRoutingPolicy *kn_routing_policy(void);
/*
 * Raises KN5xx naming the member when body is no routing policy; for whoever stores a new
 * version.
 */
extern void kn_routing_policy_check(Jsonb *body);
/* Types that serve the need, bit t for type number t; 0 when the service is unknown. */
extern int kn_routing_types(const KnRoutingPolicy *policy, const char *service, KnUrgency urgency);

#endif
