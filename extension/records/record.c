/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Records that clients make: what is sent, what comes of it.
 *
 * Called by the writers of records, cases and work, and by sync/.  Versions are
 * compared, never clocks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/limits.h"
#include "records/record.h"

const char *const kn_record_status_names[] = {"applied", "unchanged", "merged", "conflict",
											  "parked", "retry", "invalid"};

bool
kn_version_conflicts(int64 base, int64 newest, int64 version, int64 foreign_version,
					 bool has_writer, const pg_uuid_t *row_writer, const pg_uuid_t *writer)
{
	bool own = has_writer && kn_uuid_equal(row_writer, writer);

	return base < (own ? foreign_version : version) || (!own && base > newest);
}

void
kn_write_follow(KnWrite *write, const KnWrite *before, const KnRecordResult *result)
{
	if (result->status != KN_RECORD_APPLIED || before->is_delete ||
		strcmp(before->noun, write->noun) != 0 ||
		strcmp(before->client_id, write->client_id) != 0)
		return;
	write->base = write->has_base ? Max(write->base, result->stamp.version) : result->stamp.version;
	write->has_base = true;
}

void
kn_record_answer_conflict(KnCall *call, const KnRecordResult *result)
{
	bool gone = result->code != NULL && strcmp(result->code, "deleted") == 0;
	KnJson *json = &call->json;

	call->outcome = gone ? KN_GONE : KN_CONFLICT;
	kn_json_open(json, '{');
	kn_json_pair_text(json, "code", "KN407");
	kn_json_pair_text(json, "detail",
					  gone ? "the record was deleted"
						   : "the record was changed since the version you had");
	kn_json_pair_text(json, "hint",
					  gone ? "What you sent is kept; make a new record with a new id."
						   : "Look at current, then send your change with its serverVersion.");
	if (result->current)
	{
		kn_json_key(json, "current");
		kn_json_raw(json, result->current, strlen(result->current));
	}
	if (result->has_archive)
		kn_json_pair_uuid(json, "archiveId", &result->archive);
	kn_json_close(json, '}');
}
