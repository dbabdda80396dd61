/*-------------------------------------------------------------------------
 *
 * hold.h
 *	  A case that its owner took back, and its way back to her.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_HOLD_H
#define KN_CASES_HOLD_H

#include "cases/need.h"

/*
 * Pauses the open needs of a case that is locked with all its needs, for 72 hours;
 * hidden: from herself as well.  False when it has been taken back before.
 */
extern bool kn_case_hold(const pg_uuid_t *bucket, KnNeed *needs, int n, bool hidden);
/*
 * She withdraws a need that a team had or that is immediate: the team has no more
 * part in it, and for 72 hours the dispatch centre may hear from her that it was not
 * she.  The rest of the case goes on.
 */
extern void kn_need_hold(KnNeed *need, const pg_uuid_t *by);
/* Whoever had the need has it again, and what nobody had is searched for anew. */
extern void kn_hold_resume(KnNeed *need, TimestampTz now);
/* A case that is not hidden and has nothing paused any more is taken back no longer. */
extern void kn_hold_end_if_empty(const pg_uuid_t *bucket);
/* What a paused need that is due means: people are called again, ever more seldom. */
extern void kn_hold_remind(KnNeed *need, TimestampTz now);

#endif
