/*-------------------------------------------------------------------------
 *
 * push_answer.c
 *	  What a device is told of the records it sent.
 *
 * Called by push.c.  A phone with WatermelonDB takes for stored what is not
 * named: every record that is not stored as a record of hers is named.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errcodes.h"
#include "sync/push.h"

typedef bool (*Blocks)(const KnRecordResult *result);

static bool is_undone(const KnRecordResult *result);
static bool is_stale(const KnRecordResult *result);
static void refuse(KnCall *call, const KnPush *push, Blocks blocks);

void
kn_push_results(KnCall *call, const KnPush *push)
{
	KnJson *json = &call->json;

	kn_json_open(json, '{');
	kn_json_key(json, "results");
	kn_json_open(json, '[');
	for (int i = 0; i < push->n; i++)
	{
		const KnRecordResult *result = &push->results[i];

		kn_json_open(json, '{');
		kn_json_pair_text(json, "table", push->tables[i]->name);
		kn_json_pair_text(json, "id", push->writes[i].spelling);
		kn_json_pair_text(json, "status", kn_record_status_names[result->status]);
		if (result->replayed)
			kn_json_pair_bool(json, "replayed", true);
		if (result->stamp.version != 0)
			kn_json_pair_int(json, "serverVersion", result->stamp.version);
		if (result->stamp.updated_at != 0)
			kn_json_pair_time(json, "updatedAt", result->stamp.updated_at);
		if (result->code)
			kn_json_pair_text(json, "code", result->code);
		if (result->current && result->status != KN_RECORD_APPLIED)
		{
			kn_json_key(json, "current");
			kn_json_raw(json, result->current, strlen(result->current));
		}
		if (result->has_archive)
			kn_json_pair_uuid(json, "archiveId", &result->archive);
		if (result->drop)
			kn_json_pair_bool(json, "drop", true);
		kn_json_close(json, '}');
	}
	kn_json_close(json, ']');
	kn_json_close(json, '}');
}

/* All or nothing: whatever is not stored undoes the rest. */
void
kn_push_refuse(KnCall *call, const KnPush *push)
{
	refuse(call, push, is_undone);
}

static bool
is_undone(const KnRecordResult *result)
{
	return result->status >= KN_RECORD_CONFLICT;
}

/* Only what the next pull mends: anything else would be refused for ever. */
void
kn_push_refuse_stale(KnCall *call, const KnPush *push)
{
	refuse(call, push, is_stale);
}

static bool
is_stale(const KnRecordResult *result)
{
	return result->status == KN_RECORD_CONFLICT && !result->drop && result->code != NULL &&
		   (strcmp(result->code, "version") == 0 || strcmp(result->code, "no_base") == 0);
}

static void
refuse(KnCall *call, const KnPush *push, Blocks blocks)
{
	KnJson conflicts;
	int n = 0;

	kn_json_init(&conflicts);
	kn_json_open(&conflicts, '[');
	for (int i = 0; i < push->n; i++)
	{
		const KnRecordResult *result = &push->results[i];

		if (!blocks(result))
			continue;
		n++;
		kn_json_open(&conflicts, '{');
		kn_json_pair_text(&conflicts, "table", push->tables[i]->name);
		kn_json_pair_text(&conflicts, "id", push->writes[i].spelling);
		kn_json_pair_text(&conflicts, "status", kn_record_status_names[result->status]);
		kn_json_pair_text(&conflicts, "code", result->code);
		if (result->current)
		{
			kn_json_key(&conflicts, "current");
			kn_json_raw(&conflicts, result->current, strlen(result->current));
		}
		kn_json_close(&conflicts, '}');
	}
	kn_json_close(&conflicts, ']');
	if (n == 0)
		return;
	kn_call_extend(call, "conflicts", conflicts.text.data);
	kn_refuse(ERRCODE_KN_VERSION_CONFLICT, "some records were changed on the server since",
			  "Pull, then push again.");
}

void
kn_push_name(KnPushTable *table, const char *id)
{
	if (table->n++ == 0)
	{
		kn_json_init(&table->ids);
		kn_json_open(&table->ids, '[');
	}
	kn_json_text(&table->ids, id);
}

/* What stays dirty on the phone: what may succeed later, and what it alone can keep as it is. */
void
kn_push_rejected(KnCall *call, const KnPush *push)
{
	KnJson *json = &call->json;
	bool any = false;
	ListCell *cell;

	for (int i = 0; i < push->n; i++)
		if (push->results[i].status == KN_RECORD_RETRY ||
			push->results[i].status == KN_RECORD_INVALID)
			kn_push_name(push->tables[i], push->writes[i].spelling);
	foreach(cell, push->named)
	{
		KnPushTable *table = lfirst(cell);

		if (table->n == 0)
			continue;
		if (!any)
		{
			kn_json_key(json, "experimentalRejectedIds");
			kn_json_open(json, '{');
		}
		any = true;
		kn_json_close(&table->ids, ']');
		kn_json_key(json, table->name);
		kn_json_raw(json, table->ids.text.data, table->ids.text.len);
	}
	if (any)
		kn_json_close(json, '}');
}
