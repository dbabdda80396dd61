/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Work that one transaction does at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/lock.h"

void
kn_lock(KnLock lock)
{
	DirectFunctionCall2(pg_advisory_xact_lock_int4, Int32GetDatum(KN_LOCK_CLASS),
						Int32GetDatum(lock));
}

bool
kn_try_lock(KnLock lock)
{
	return DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4,
											Int32GetDatum(KN_LOCK_CLASS), Int32GetDatum(lock)));
}
