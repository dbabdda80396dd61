/*-------------------------------------------------------------------------
 *
 * page.c
 *	  Pages of a list: by key, so that they are complete.
 *
 * A page's key holds nothing that the caller has not seen in the page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "identity/page.h"

int
kn_page_limit(KnCall *call)
{
	return kn_query_int(call->query, "limit", 1, KN_LIST_MAX, KN_LIST_DEFAULT);
}

KnPage
kn_page_after(KnCall *call)
{
	char *text = kn_query_text(call->query, "after");
	KnPage page = {0};
	long long at;
	int used = 0;

	if (text == NULL || *text == '\0')
		return page;
	if (sscanf(text, "%lld.%n", &at, &used) != 1 || used == 0 ||
		!kn_uuid_parse(text + used, &page.id) || at <= 0 || !IS_VALID_TIMESTAMP(at))
		kn_input_error(ERRCODE_KN_QUERY, "after", "the page key is not one of ours",
					   "Send the next of the page before, or leave it out.");
	page.at = at;
	return page;
}

void
kn_page_next(KnCall *call, bool more, TimestampTz at, const pg_uuid_t *id)
{
	char *key = more ? psprintf("%lld.%s", (long long) at, kn_uuid_text(id)) : NULL;

	kn_json_pair_text(&call->json, "next", key);
}
