/*-------------------------------------------------------------------------
 *
 * offer.h
 *	  Storing offers, for one need or for many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_OFFER_H
#define KN_CASES_OFFER_H

#include "base/sizes.h"
#include "cases/need.h"
#include "providers/routing.h"

/* An offer that is about to be stored. */
typedef struct KnOffer
{
	pg_uuid_t id;
	KnCandidate candidate;
} KnOffer;

typedef struct KnStep
{
	int n_offers;
	KnOffer offers[KN_OFFERS_MAX];
	int policy_version; /* of routing */
	bool capped;
	bool calls_people; /* dispatchers or officers are to be called */
	bool officers;
} KnStep;

/* The offers of n needs with one statement; a need without offers is passed over. */
extern void kn_offers_insert(const KnNeed *needs, const KnStep *steps, int n, TimestampTz now);

#endif
