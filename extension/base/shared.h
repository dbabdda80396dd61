/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  The one piece of shared memory of the extension.
 *
 * Rooms that need shared memory put their part here; nothing else is shared
 * between backends.  kn_shared() is NULL when the library is not preloaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_SHARED_H
#define KN_BASE_SHARED_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#include "base/sizes.h"

#define KN_TOKEN_LOCKS 16

/* A verified access token, found by the SHA-256 of its text. */
typedef struct KnTokenEntry
{
	unsigned char digest[32];
	unsigned char sub[16];
	unsigned char sid[16];
	char role[16];
	int64 exp;
	int64 iat;
} KnTokenEntry;

typedef struct KnShared
{
	/* worker: woken by commits that stamped something */
	pg_atomic_uint32 dirty;
	Latch *worker_latch; /* under mutex */
	slock_t mutex;
	int worker_pid;                           /* under mutex; 0 when none runs */
	int64 worker_seen_at;                     /* under mutex; TimestampTz of its last turn */
	pg_atomic_uint32 worker_database_missing; /* so that it does not try in vain every second */
	pg_atomic_uint32 epoch_database;          /* where it has checked the epoch; 0 not yet */
	/* since when needs wait that the last sweep had to leave; TimestampTz, 0: it left none */
	pg_atomic_uint64 waiting_since;
	/* password hashing slots */
	pg_atomic_uint32 hashing;
	ConditionVariable hash_slot_free;
	/* refused tokens are counted, never written row by row */
	pg_atomic_uint64 refused_tokens;
	/* verified tokens */
	LWLockPadded *token_locks; /* KN_TOKEN_LOCKS */
	KnTokenEntry tokens[KN_TOKEN_CACHE_ENTRIES];
} KnShared;

extern void kn_shared_init(void);
extern KnShared *kn_shared(void);
/* Sets the worker's latch; called at commit of a transaction that stamped something. */
extern void kn_shared_wake_worker(void);

#endif
