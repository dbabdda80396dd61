/*-------------------------------------------------------------------------
 *
 * assignment_store.h
 *	  Rows of assignments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_ASSIGNMENT_STORE_H
#define KN_CASES_ASSIGNMENT_STORE_H

#include "cases/projection.h"
#include "identity/caller.h"

/* The assignment as this caller may see it; false when there is none for it. */
extern bool kn_assignment_load(const KnCaller *caller, const pg_uuid_t *id, KnAssignment *out);
/* Of the caller's own team; rows after (before_at, before_id) in falling order. */
extern int kn_assignment_list(const KnCaller *caller, const char *status, TimestampTz before_at,
							  const pg_uuid_t *before_id, int limit, KnAssignment **out);
/* Those of ids that are the own team's. */
extern int kn_assignment_load_many(const KnCaller *caller, const pg_uuid_t *ids, int n,
								   KnAssignment **out);
/* As the system, whatever its state; false when there is none. */
extern bool kn_assignment_read(const pg_uuid_t *id, KnAssignment *out);
/* The one accepted for a need; false when there is none. */
extern bool kn_assignment_accepted(const pg_uuid_t *bucket, const pg_uuid_t *need,
								   KnAssignment *out);

/* The team's open or accepted assignment for a need; false when it has none. */
extern bool kn_assignment_find(const pg_uuid_t *bucket, const pg_uuid_t *need,
							   const pg_uuid_t *provider, pg_uuid_t *id);

/* Moves one assignment out of a state; false when it is no longer in it. */
extern bool kn_assignment_move(const pg_uuid_t *id, KnAssignmentState from,
							   KnAssignmentState to, const pg_uuid_t *by,
							   const char *decline_code, bytea *note);
/* Withdraws every pending offer of a need; returns how many. */
extern int kn_assignment_withdraw_pending(const pg_uuid_t *bucket, const pg_uuid_t *need);
/* Ends the pending offers of a need that were due by then. */
extern void kn_assignment_expire_pending(const KnNeed *need, TimestampTz now);
/* Offers of a need that became more urgent: until when at most. */
extern void kn_assignment_hurry(const KnNeed *need);
extern int kn_assignment_count_pending(const pg_uuid_t *bucket, const pg_uuid_t *need);
extern void kn_assignment_insert_manual(const KnNeed *need, const pg_uuid_t *provider,
										const pg_uuid_t *id, double distance_km);

/* Capacity: taken in one statement at acceptance, given back when the work ends. */
extern bool kn_capacity_take(const pg_uuid_t *provider);
/* For work that is there already, full or not. */
extern void kn_capacity_take_anyway(const pg_uuid_t *provider);
extern void kn_capacity_give_back(const pg_uuid_t *provider);

/* Membership of a helper's team in an incident's bucket. */
extern void kn_helper_join(const pg_uuid_t *bucket, const pg_uuid_t *provider);
/* Ends it unless another accepted assignment of the team holds it. */
extern void kn_helper_leave(const pg_uuid_t *bucket, const pg_uuid_t *provider);

/* Whether a dispatcher may give this provider work, and how far away it is. */
typedef struct KnEligible
{
	bool exists;
	bool works; /* active, verified and reachable */
	bool barred;
	bool full;
	bool serves; /* its type is one of the need's */
	double distance_km;
} KnEligible;
extern void kn_provider_eligible(const pg_uuid_t *provider, const KnNeed *need, KnEligible *out);

#endif
