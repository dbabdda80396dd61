/*-------------------------------------------------------------------------
 *
 * hash_slot.c
 *	  How many password hashes run at once, over all backends.
 *
 * Called by attempt.c around each hash.  A slot is given back by its holder, by
 * the holder's PG_FINALLY, and at the latest when the backend ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/errcodes.h"
#include "base/guc.h"
#include "base/limits.h"
#include "base/shared.h"
#include "identity/door.h"
#include "identity/hash_slot.h"

#define NAP_MS 200 /* a wake-up that went to a backend that gave up costs no more than this */

static bool held = false;

static bool try_take(void);
static void at_exit(int code, Datum arg);

void
kn_hash_slot_take(void)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), KN_HASH_WAIT_MS);
	ConditionVariable *freed = &kn_shared()->hash_slot_free;

	if (try_take())
		return;
	ConditionVariablePrepareToSleep(freed);
	while (!try_take())
	{
		long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		if (left <= 0)
		{
			ConditionVariableCancelSleep();
			kn_refuse(ERRCODE_KN_BUSY, "too many people are signing in at once",
					  "Try again in a few seconds.");
		}
		(void) ConditionVariableTimedSleep(freed, Min(left, NAP_MS), PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

static bool
try_take(void)
{
	static bool watches_exit = false;
	pg_atomic_uint32 *hashing = &kn_shared()->hashing;
	uint32 running = pg_atomic_read_u32(hashing);

	if (!watches_exit)
	{
		before_shmem_exit(at_exit, (Datum) 0);
		watches_exit = true;
	}
	while (running < (uint32) kn_guc_hash_slots)
	{
		if (pg_atomic_compare_exchange_u32(hashing, &running, running + 1))
		{
			held = true;
			return true;
		}
	}
	return false;
}

void
kn_hash_slot_release(void)
{
	if (!held)
		return;
	held = false;
	pg_atomic_fetch_sub_u32(&kn_shared()->hashing, 1);
	ConditionVariableSignal(&kn_shared()->hash_slot_free);
}

static void
at_exit(int code, Datum arg)
{
	kn_hash_slot_release();
}
