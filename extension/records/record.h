/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Records that clients make: what is sent, what comes of it.
 *
 * POST, PUT, PATCH, the batch and the push of a phone's database write through
 * the noun's writer (writer.h), so that one rule decides about replays,
 * versions, conflicts and lost scope.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_RECORD_H
#define KN_RECORDS_RECORD_H

#include "identity/door.h"
#include "records/client_id.h"
#include "trail/change.h"

typedef enum KnRecordStatus
{
	KN_RECORD_APPLIED,
	KN_RECORD_UNCHANGED, /* what is stored is what was sent */
	KN_RECORD_MERGED,    /* some of it was kept, the rest archived */
	KN_RECORD_CONFLICT,  /* the server's version stays, the one sent is archived */
	KN_RECORD_PARKED,    /* the author lost the scope; kept for her and a supervisor */
	KN_RECORD_RETRY,     /* not now: what it depends on failed */
	KN_RECORD_INVALID    /* never */
} KnRecordStatus;

extern const char *const kn_record_status_names[];

typedef struct KnWrite
{
	const char *noun;
	const char *client_id; /* folded */
	const char *spelling;  /* as sent; NULL where it is the same */
	bool is_delete;
	bool has_base;
	int64 base;  /* serverVersion that the author had before her */
	bool is_new; /* the author says that she has none of it, whatever her cursor has seen */
	JsonbContainer *data;
} KnWrite;

typedef struct KnRecordResult
{
	KnRecordStatus status;
	bool replayed;
	bool created;
	bool drop; /* the client may forget the record */
	KnStamp stamp;
	const char *code; /* of a refusal, NULL when none */
	char *current;    /* the record as the caller may see it now, JSON text; NULL when gone */
	bool has_archive;
	pg_uuid_t archive;
} KnRecordResult;

/* Of two writes of one record in a request the second was made upon what the first left. */
extern void kn_write_follow(KnWrite *write, const KnWrite *before, const KnRecordResult *result);
/* Answers a conflict of a single write, with current and archiveId; what it wrote stays. */
extern void kn_record_answer_conflict(KnCall *call, const KnRecordResult *result);

/*
 * A version is stale for a writer when somebody else wrote after its base.  A base
 * above newest is of what the database has lost: then nobody saw what another wrote.
 */
extern bool kn_version_conflicts(int64 base, int64 newest, int64 version, int64 foreign_version,
								 bool has_writer, const pg_uuid_t *row_writer,
								 const pg_uuid_t *writer);

#endif
