/*-------------------------------------------------------------------------
 *
 * push.h
 *	  Records that devices send, many at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_PUSH_H
#define KN_SYNC_PUSH_H

#include "cases/record.h"
#include "sync/cursor.h"

typedef struct KnPush
{
	int n;
	KnWrite *writes;
	KnRecordResult *results;
	const char **tables; /* as the client named them */
	bytea **hashes;      /* of what was sent; NULL of what is not to be remembered */
	bool atomic;         /* any refusal undoes all */
} KnPush;

/*
 * Applies all writes: reports first, deletions last.  What this device sent
 * before with the same content is answered as before and not applied again.
 */
extern void kn_push_apply(KnCall *call, KnPush *push);

/*
 * Gives writes without a version the one their author had by her cursor, or
 * wrote herself: what others have changed since then is left without, and
 * conflicts.
 */
extern void kn_push_bases(KnCall *call, KnPush *push, const KnCursor *since);

/* applied: what a device sent last for a record. */
typedef struct KnApplied
{
	bool known;
	KnRecordStatus status;
	int64 version;
	bytea *hash;
} KnApplied;
extern void kn_applied_find(KnCall *call, const char *device, const KnPush *push, KnApplied *out);
extern void kn_applied_store(KnCall *call, const char *device, const KnPush *push,
							 const KnApplied *before, bytea **hashes);
/* Serialises a device; the last number it sent, -1 when it never did. */
extern int64 kn_device_lock(KnCall *call, const char *device);
extern void kn_device_seq(KnCall *call, const char *device, int64 seq);

#endif
