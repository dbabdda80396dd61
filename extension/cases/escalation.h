/*-------------------------------------------------------------------------
 *
 * escalation.h
 *	  Who is asked next for a need, and until when.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_ESCALATION_H
#define KN_CASES_ESCALATION_H

#include "base/spi.h"
#include "cases/case_place.h"
#include "cases/case_policy.h"
#include "cases/need.h"
#include "cases/offer.h"
#include "providers/routing_memo.h"

/*
 * Decides the next step of a need: sets its state, level and due time and
 * fills the offers, without writing anything.  asked lists providers already
 * asked in this round.  Needs that are decided together share a memo.
 */
extern void kn_escalation_next(KnNeed *need, const KnCasePlace *place, const pg_uuid_t *asked,
							   int n_asked, const KnCasePolicy *policy, TimestampTz now,
							   KnRouteMemo *memo, KnStep *step);
/* Stores what kn_escalation_next() decided (the need itself is the caller's). */
extern void kn_escalation_store(const KnNeed *need, const KnStep *step, TimestampTz now);
/* Only the call to people that a step may ask for. */
extern void kn_escalation_call(const KnNeed *need, const KnStep *step);
/* The people who are called at the level a need has reached, once more. */
extern void kn_escalation_call_again(const KnNeed *need);
/* Both, for a need that is in the table and locked. */
extern void kn_escalation_advance(KnNeed *need, const KnCasePolicy *policy, TimestampTz now);
/*
 * Searches anew for a need that ended without help, by the rules of today; the
 * incident's status is left to the caller.
 */
extern void kn_escalation_reopen(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy,
								 TimestampTz now);
/* A team has it: until when she is to hear from it before the need counts as stalled. */
extern void kn_escalation_await_contact(KnNeed *need, const KnCasePolicy *policy, TimestampTz now);
/* Teams not to be named again for a need: asked in this round, or gave it back in any. */
extern int kn_escalation_asked(const KnNeed *need, pg_uuid_t **out);
/* What routing is to look for, from the cell of the case. */
extern void kn_escalation_wanted(const KnNeed *need, const KnCasePlace *place,
								 const pg_uuid_t *asked, int n_asked, double radius_factor,
								 KnRouteNeed *out);
/* A need that waits takes the rules of a higher urgency; what is asked already stays asked. */
extern void kn_escalation_hurry(KnNeed *need, KnUrgency urgency, const KnCasePolicy *policy,
								TimestampTz now);
/* Promise to the survivor at the opening of a need: independent of how many decline. */
extern TimestampTz kn_escalation_promise(const KnNeed *need, const KnCasePolicy *policy,
										 TimestampTz now);
/* Whether the clinical clock hurries it; other services keep the urgency she asked for. */
extern bool kn_service_is_clinical(const char *service);
/* Of a need of this case, when it opens. */
extern KnUrgency kn_service_urgency(const char *service, const KnIncident *incident);

#endif
