/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  The one piece of shared memory of the extension.
 *
 * Called from _PG_init while the postmaster preloads the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "base/shared.h"

static KnShared *shared = NULL;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void request(void);
static void startup(void);

void
kn_shared_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

static void
request(void)
{
	if (previous_request)
		previous_request();
	RequestAddinShmemSpace(sizeof(KnShared));
	RequestNamedLWLockTranche("kintaraa", KN_TOKEN_LOCKS);
}

static void
startup(void)
{
	bool found;

	if (previous_startup)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("kintaraa", sizeof(KnShared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(KnShared));
		pg_atomic_init_u32(&shared->dirty, 0);
		pg_atomic_init_u32(&shared->worker_database_missing, 0);
		pg_atomic_init_u32(&shared->epoch_database, InvalidOid);
		pg_atomic_init_u64(&shared->waiting_since, 0);
		pg_atomic_init_u32(&shared->hashing, 0);
		pg_atomic_init_u64(&shared->refused_tokens, 0);
		ConditionVariableInit(&shared->hash_slot_free);
		SpinLockInit(&shared->mutex);
	}
	shared->token_locks = GetNamedLWLockTranche("kintaraa");
	LWLockRelease(AddinShmemInitLock);
}

KnShared *
kn_shared(void)
{
	return shared;
}

/* The flag spares all but the first of many commits the latch's system call. */
void
kn_shared_wake_worker(void)
{
	Latch *latch;

	if (shared == NULL || pg_atomic_exchange_u32(&shared->dirty, 1) == 1)
		return;
	SpinLockAcquire(&shared->mutex);
	latch = shared->worker_latch;
	SpinLockRelease(&shared->mutex);
	if (latch != NULL)
		SetLatch(latch);
}
