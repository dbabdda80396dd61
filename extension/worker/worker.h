/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background worker: ticks, deadlines, seals, counters, retention.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_WORKER_WORKER_H
#define KN_WORKER_WORKER_H

/* Registers the worker when the library is preloaded. */
extern void kn_worker_init(void);

#endif
