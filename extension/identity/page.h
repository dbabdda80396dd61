/*-------------------------------------------------------------------------
 *
 * page.h
 *	  Pages of a list: by key, so that they are complete.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_PAGE_H
#define KN_IDENTITY_PAGE_H

#include "base/filter.h"
#include "identity/door.h"

/* The last row of the page before; at is 0 for the first page. */
typedef struct KnPage
{
	TimestampTz at;
	pg_uuid_t id;
} KnPage;

/* ?limit, 1 to KN_LIST_MAX. */
extern int kn_page_limit(KnCall *call);
/* ?after, a "next" of an earlier page; raises KN508 for anything else. */
extern KnPage kn_page_after(KnCall *call);
/* Writes the member next: a text, or null when this page is the last. */
extern void kn_page_next(KnCall *call, bool more, TimestampTz at, const pg_uuid_t *id);

#endif
