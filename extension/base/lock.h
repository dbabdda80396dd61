/*-------------------------------------------------------------------------
 *
 * lock.h
 *	  Work that one transaction does at a time, each by an advisory lock.
 *
 * Held until the transaction ends.  All are pairs of KN_LOCK_CLASS and one of
 * these, so that nobody takes another's by mistake.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_LOCK_H
#define KN_BASE_LOCK_H

#define KN_LOCK_CLASS 7521

typedef enum KnLock
{
	KN_LOCK_MIGRATE = 1, /* taken in sql/30_migrate.sql */
	KN_LOCK_SEAL = 2,
	KN_LOCK_COUNTS = 3, /* taken in sql/40_function_worker.sql */
	KN_LOCK_TICK = 4,
	KN_LOCK_ROUTING = 5,
	KN_LOCK_POLICY = 6,
	KN_LOCK_SWEEP = 7,
} KnLock;

extern void kn_lock(KnLock lock);
/* False when another transaction has it. */
extern bool kn_try_lock(KnLock lock);

#endif
