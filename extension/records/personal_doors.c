/*-------------------------------------------------------------------------
 *
 * personal_doors.c
 *	  The doors to what is hers alone.
 *
 * Called from SQL (doors personal_*).  The path names the noun as it stands in
 * a URL; a noun of which there is one per account has its own name as client id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errcodes.h"
#include "identity/door.h"
#include "identity/page.h"
#include "records/personal.h"

static const KnPersonalNoun *noun_of(KnCall *call);
static char *client_id_of(KnCall *call, const KnPersonalNoun *noun);
static void answer(KnCall *call, const KnRecordResult *result);

static const KnPersonalNoun *
noun_of(KnCall *call)
{
	const KnPersonalNoun *noun = call->n_path > 0 ? kn_personal_noun(call->path[0]) : NULL;

	if (noun == NULL)
		kn_refuse_absent();
	call->noun = noun->name;
	return noun;
}

static char *
client_id_of(KnCall *call, const KnPersonalNoun *noun)
{
	if (call->n_path > 1 && kn_client_id_valid(call->path[1]))
		return kn_personal_spelt(noun, &call->caller->account, call->path[1]);
	if (call->n_path < 2 && noun->single)
		return pstrdup(noun->name);
	kn_input_error(ERRCODE_KN_ID_FORM, "id", "the id has the wrong form",
				   "Send 1 to 64 characters of A-Z a-z 0-9 _ . -.");
}

/* GET /me/records/{noun} ?limit &after -> {"items","next"} */
static void
personal_list(KnCall *call)
{
	static const KnFilter filters[] = {KN_FILTER_PAGE, KN_FILTER_END};
	const KnPersonalNoun *noun = noun_of(call);
	int limit = kn_page_limit(call);
	KnPage page = kn_page_after(call);
	KnPersonal *items;
	int n;

	kn_filters_check(call->query, filters);
	n = kn_personal_page(noun, &call->caller->account, page.at, &page.id, limit + 1, &items);

	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (int i = 0; i < Min(n, limit); i++)
		kn_personal_render(&call->json, &items[i]);
	kn_json_close(&call->json, ']');
	kn_page_next(call, n > limit, n > limit ? items[limit - 1].created_at : 0,
				 n > limit ? &items[limit - 1].id : NULL);
	kn_json_close(&call->json, '}');
}
KN_DOOR(personal_list, personal_list, KN_ROLE_ANY, KN_DOOR_READS,
		"GET /me/records/{noun}: a page of her own records. Path: noun. Query: limit, after.");

/* GET /me/records/{noun}/{id} -> the record. */
static void
personal_get(KnCall *call)
{
	const KnPersonalNoun *noun = noun_of(call);
	KnPersonal record;

	if (!kn_personal_find(noun, &call->caller->account, client_id_of(call, noun), false, &record) ||
		record.deleted)
		kn_refuse_absent();
	kn_personal_render(&call->json, &record);
}
KN_DOOR(personal_get, personal_get, KN_ROLE_ANY, KN_DOOR_READS,
		"GET /me/records/{noun}/{id}: one of her own records. Path: noun, id.");

/*
 * PUT /me/records/{noun}/{id} -> the record; serverVersion in the body is the version she
 * changed.
 */
static void
personal_put(KnCall *call)
{
	const KnPersonalNoun *noun = noun_of(call);
	KnWrite write = {.noun = noun->name,
					 .client_id = client_id_of(call, noun),
					 .spelling = call->n_path > 1 ? call->path[1] : NULL,
					 .data = kn_in_object(call->body)};
	KnRecordResult result;

	write.has_base = kn_in_int(write.data, "serverVersion", 0, PG_INT32_MAX, false, &write.base);
	kn_personal_apply(call, &write, &result);
	answer(call, &result);
}
KN_DOOR(personal_put, personal_put, KN_ROLE_ANY, KN_DOOR_AUDITED | KN_DOOR_UPLOAD,
		"PUT /me/records/{noun}/{id}: stores it. Path: noun, id. Body: its fields, "
		"serverVersion.");

/* DELETE /me/records/{noun}/{id} -> none; of what is not there too. */
static void
personal_delete(KnCall *call)
{
	const KnPersonalNoun *noun = noun_of(call);
	KnWrite write = {.noun = noun->name, .client_id = client_id_of(call, noun), .is_delete = true};
	KnRecordResult result;

	kn_personal_apply(call, &write, &result);
	call->outcome = KN_NONE;
}
KN_DOOR(personal_delete, personal_delete, KN_ROLE_ANY, KN_DOOR_AUDITED,
		"DELETE /me/records/{noun}/{id}: deletes it. Path: noun, id.");

static void
answer(KnCall *call, const KnRecordResult *result)
{
	if (result->status == KN_RECORD_CONFLICT)
	{
		kn_record_answer_conflict(call, result);
		return;
	}
	if (result->created)
		call->outcome = KN_CREATED;
	kn_json_raw(&call->json, result->current, strlen(result->current));
}
