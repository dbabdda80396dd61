/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Locks that stand for no row, held until the transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "base/lock.h"

static LockAcquireResult acquire(KnLockKind kind, uint64 name, LOCKMODE mode, bool dont_wait);

PG_FUNCTION_INFO_V1(kn_work_lock_sql);

void
kn_lock(KnLock lock)
{
	(void) acquire(KN_LOCK_WORK, lock, ExclusiveLock, false);
}

bool
kn_try_lock(KnLock lock)
{
	return acquire(KN_LOCK_WORK, lock, ExclusiveLock, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
kn_lock_named(KnLockKind kind, const void *name)
{
	uint64 key;

	memcpy(&key, name, sizeof(key));
	(void) acquire(kind, key, ExclusiveLock, false);
}

void
kn_lock_named_shared(KnLockKind kind, const void *name)
{
	uint64 key;

	memcpy(&key, name, sizeof(key));
	(void) acquire(kind, key, ShareLock, false);
}

/* The last field of the tag is what SQL cannot choose: it is 1 or 2 there. */
static LockAcquireResult
acquire(KnLockKind kind, uint64 name, LOCKMODE mode, bool dont_wait)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (name >> 32), (uint32) name, kind);
	return LockAcquire(&tag, mode, false, dont_wait);
}

/* kintaraa.work_lock(work integer): for what is written in SQL. */
PGDLLEXPORT Datum
kn_work_lock_sql(PG_FUNCTION_ARGS)
{
	kn_lock((KnLock) PG_GETARG_INT32(0));
	PG_RETURN_VOID();
}
