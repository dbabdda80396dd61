/*-------------------------------------------------------------------------
 *
 * filter.c
 *	  What may be asked of a list: one table for each list, one reader.
 *
 * Called by every door that lists.  A filter that is passed over answers
 * another question than the one asked: with too much, where somebody opens the
 * wrong case, or with nothing, where five people wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errcodes.h"
#include "base/filter.h"
#include "base/input.h"

static void refuse_name(const KnFilter *filters) pg_attribute_noreturn();
static void refuse_value(const KnFilter *filter) pg_attribute_noreturn();

void
kn_filters_check(Jsonb *query, const KnFilter *filters)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue key;

	if (!kn_in_is_object(query))
		return;
	it = JsonbIteratorInit(&query->root);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		const KnFilter *filter = filters;
		char *name;
		char *value;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		while (filter->name != NULL && strcmp(filter->name, name) != 0)
			filter++;
		if (filter->name == NULL)
			refuse_name(filters);
		value = kn_query_text(query, name);
		if (filter->words != NULL && (value == NULL || !kn_choice_has(filter->words, value)))
			refuse_value(filter);
	}
}

/* It has no pointer: that would quote what was sent. */
static void
refuse_name(const KnFilter *filters)
{
	StringInfoData hint;

	initStringInfo(&hint);
	if (filters->name == NULL)
		appendStringInfoString(&hint, "Send none.");
	else
		appendStringInfoString(&hint, "It knows:");
	for (int i = 0; filters[i].name != NULL; i++)
		appendStringInfo(&hint, "%s %s%s", i ? "," : "", filters[i].name,
						 filters[i + 1].name ? "" : ".");
	kn_input_error(ERRCODE_KN_QUERY, NULL, "this list has no such query parameter", hint.data);
}

static void
refuse_value(const KnFilter *filter)
{
	StringInfoData hint;

	initStringInfo(&hint);
	appendStringInfoString(&hint, "Send one of:");
	for (int i = 0; filter->words[i] != NULL; i++)
		appendStringInfo(&hint, "%s %s%s", i ? "," : "", filter->words[i],
						 filter->words[i + 1] ? "" : ".");
	kn_input_error(ERRCODE_KN_QUERY, filter->name, "a query parameter has an unknown value",
				   hint.data);
}
