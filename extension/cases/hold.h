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
/* Whoever had the need has it again, and what nobody had is searched for anew. */
extern void kn_hold_resume(KnNeed *need, TimestampTz now);
/* A case that is not hidden and has nothing paused any more is taken back no longer. */
extern void kn_hold_end_if_empty(const pg_uuid_t *bucket);
/* What a paused need that is due means: people are called again, ever more seldom. */
extern void kn_hold_remind(KnNeed *need, TimestampTz now);

#endif
