/*-------------------------------------------------------------------------
 *
 * filter.h
 *	  What may be asked of a list: one table for each list, one reader.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_FILTER_H
#define KN_BASE_FILTER_H

#include "utils/jsonb.h"

typedef struct KnFilter
{
	const char *name;
	const char *const *words; /* NULL-ended; NULL where the list reads the value itself */
} KnFilter;

/*
 * Raises KN508 for a parameter that is not in the NULL-ended table, or that has
 * none of its words: an empty list would say that there is nothing.
 */
extern void kn_filters_check(Jsonb *query, const KnFilter *filters);

#define KN_FILTER_PAGE \
	{"limit", NULL},   \
	{                  \
		"after", NULL  \
	}
#define KN_FILTER_END \
	{                 \
		NULL, NULL    \
	}

#endif
