/*-------------------------------------------------------------------------
 *
 * incident_open.h
 *	  What a new report sets in motion: its needs and their first offers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_OPEN_H
#define KN_CASES_INCIDENT_OPEN_H

#include "cases/escalation.h"

typedef struct KnOpening
{
	KnCaseParts parts; /* the needs; no helper yet */
	KnStep *steps;     /* one per need */
	bool needs_dispatcher;
	const KnIncident *incident; /* borrows until stored */
} KnOpening;

/* Whether a helper reports for somebody, and of which team. */
extern void kn_opening_reporter(KnIncident *incident, const KnCaller *caller);
/* Decides without writing: one need per service, a triage need when none is asked for. */
extern void kn_opening_plan(KnIncident *incident, const KnCasePolicy *policy, TimestampTz now,
							KnRouteMemo *memo, KnOpening *out);
/*
 * Same for services that have no need yet; a need that ended without help is searched for anew.
 * before: what the report named until now.  A service that was met and that she names anew is
 * searched for anew; one that she names no longer ends for the team that met it.
 */
extern void kn_opening_plan_new(const KnIncident *incident, const KnValue *before,
								const KnCasePolicy *policy, TimestampTz now, KnOpening *out);
/* The needs of a report whose routing is left to the worker; returns how many. */
extern int kn_opening_defer(const KnIncident *incident, const KnCasePolicy *policy, TimestampTz now,
							KnNeed *needs);
extern void kn_opening_store(KnOpening *opening, TimestampTz now);
/* The same for many, with a fixed number of statements; moves those that need a dispatcher. */
extern void kn_opening_store_many(KnOpening *openings, int n, TimestampTz now);
/* Another random id for a report whose id is taken. */
extern void kn_opening_rename(KnIncident *incident);

#endif
