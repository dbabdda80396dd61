/*-------------------------------------------------------------------------
 *
 * offer.h
 *	  Storing offers, for one need or for many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_OFFER_H
#define KN_CASES_OFFER_H

#include "cases/escalation.h"

/* The offers of n needs with one statement; a need without offers is passed over. */
extern void kn_offers_insert(const KnNeed *needs, const KnStep *steps, int n, TimestampTz now);

/*
 * Makes the first offers of needs that came in batches and wait for them, at
 * most that many; returns how many it took.
 */
extern int kn_backlog_route(int at_most, const KnCasePolicy *policy, TimestampTz now);

#endif
