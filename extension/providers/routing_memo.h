/*-------------------------------------------------------------------------
 *
 * routing_memo.h
 *	  Rankings that one statement has made, so that it makes none twice.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_ROUTING_MEMO_H
#define KN_PROVIDERS_ROUTING_MEMO_H

#include "nodes/pg_list.h"

#include "providers/routing.h"

#define KN_ROUTE_MEMO_MAX 16

/*
 * Zero is empty.  Lives as long as one snapshot and no longer; borrows what the
 * needs point to.
 */
typedef struct KnRouteMemo
{
	List *known; /* the last few, newest last */
} KnRouteMemo;

/* As kn_route(); valid until the next call. */
extern const KnRoute *kn_route_once(KnRouteMemo *memo, const KnRouteNeed *need, int k,
									TimestampTz now);

#endif
