/*-------------------------------------------------------------------------
 *
 * assignment.h
 *	  Ending what a need has, whoever ends it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_ASSIGNMENT_H
#define KN_CASES_ASSIGNMENT_H

#include "cases/need.h"

/*
 * Withdraws a need's open offers and ends its accepted assignment in the given
 * state (released or withdrawn): capacity goes back, the team loses the case.
 */
extern void kn_need_clear(const KnNeed *need, KnAssignmentState accepted_to, const pg_uuid_t *by);
/* Nobody has the need any more: other teams are asked, and she is told.  The need is locked. */
extern void kn_need_search_anew(KnNeed *need);
/* Offers of it were withdrawn: with none left the next teams are asked.  The case is locked. */
extern void kn_need_go_on(const pg_uuid_t *bucket, const pg_uuid_t *id);
/* The team of a need that has ended has nothing of the case any more. */
extern void kn_need_part(const KnNeed *need, const pg_uuid_t *by);
/*
 * She left a team: it is not asked for her case again, nor any longer.  The case is
 * locked, and nothing of it is held in memory that is offered to the team.
 */
extern void kn_team_left(const pg_uuid_t *bucket, const pg_uuid_t *team);
/* Closes a need for good: met, unmet or withdrawn.  The need is locked. */
extern void kn_need_close(KnNeed *need, KnNeedState state, const pg_uuid_t *by);

#endif
