/*-------------------------------------------------------------------------
 *
 * push.h
 *	  Records that devices send, many at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_PUSH_H
#define KN_SYNC_PUSH_H

#include "nodes/pg_list.h"

#include "records/record.h"
#include "sync/cursor.h"

/* A table as the client named it, and the records of it that stay dirty. */
typedef struct KnPushTable
{
	const char *name;
	int n;
	KnJson ids; /* an open array once n > 0 */
} KnPushTable;

typedef struct KnPush
{
	int n;
	int n_odd; /* of no use: what cannot be a record of ours */
	KnWrite *writes;
	KnRecordResult *results;
	KnPushTable **tables;
	JsonbValue *sent; /* each as it came */
	bytea **hashes;   /* of what was sent; NULL of what is not to be remembered */
	List *named;      /* of KnPushTable: all of a push */
	bool atomic;      /* any refusal undoes all */
	bool reports;     /* its author is one who may report */
} KnPush;

/* push_read.c */
extern void kn_push_read_batch(KnPush *push, JsonbContainer *body);
extern void kn_push_read_changes(KnPush *push, JsonbContainer *body);

/* push_keep.c: what was refused for good is kept as it came, once however often it comes. */
extern void kn_push_keep(KnCall *call, KnPush *push);

/* push_answer.c */
extern void kn_push_results(KnCall *call, const KnPush *push);
extern void kn_push_refuse(KnCall *call, const KnPush *push);
extern void kn_push_refuse_stale(KnCall *call, const KnPush *push);
extern void kn_push_name(KnPushTable *table, const char *id);
extern void kn_push_rejected(KnCall *call, const KnPush *push);

/*
 * Applies all writes: reports first, deletions last.  What this device sent
 * before with the same content is answered as before and not applied again.
 */
extern void kn_push_apply(KnCall *call, KnPush *push);

/* Of two ids of version 1.0 that differ in capitals only each write is for the one it spells. */
extern void kn_push_settle_ids(KnCall *call, KnPush *push);
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
