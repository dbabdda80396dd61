/*-------------------------------------------------------------------------
 *
 * lock.h
 *	  Locks that stand for no row, held until the transaction ends.
 *
 * They are advisory locks of classes that pg_advisory_lock() and its like do
 * not reach, so that no login can hold up news or deadlines.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_LOCK_H
#define KN_BASE_LOCK_H

#include "postgres.h"

/* Work that one transaction does at a time. */
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

/* What has no number of its own is named by the first bytes of its id or hash. */
typedef enum KnLockKind
{
	KN_LOCK_WORK = 3, /* KnLock; 1 and 2 are SQL's */
	KN_LOCK_GATEWAY = 4,
	KN_LOCK_EMAIL = 5,
} KnLockKind;

/* At least eight bytes. */
extern void kn_lock_named(KnLockKind kind, const void *name);
extern void kn_lock_named_shared(KnLockKind kind, const void *name);

#endif
