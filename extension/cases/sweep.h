/*-------------------------------------------------------------------------
 *
 * sweep.h
 *	  Moving on what is due.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_SWEEP_H
#define KN_CASES_SWEEP_H

/*
 * Whether needs of batches have waited for their first routing longer than
 * kintaraa.routing_wait: then who sends a batch has it routed at once, and
 * waits, instead of those whom it is about.
 */
extern bool kn_backlog_is_old(void);

#endif
