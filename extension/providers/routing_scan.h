/*-------------------------------------------------------------------------
 *
 * routing_scan.h
 *	  Rows of provider_dispatch in the order of a lower bound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_ROUTING_SCAN_H
#define KN_PROVIDERS_ROUTING_SCAN_H

#include "access/genam.h"
#include "executor/tuptable.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "providers/provider.h"

/* Per type: three frames of longitude, or two kinds of acknowledgement. */
#define KN_STREAMS_MAX (KN_PROVIDER_TYPES * 3)

typedef struct KnDispatchRow
{
	pg_uuid_t provider;
	pg_uuid_t organisation;
	int ptype;
	double latitude; /* both NaN in a scan without a place when the row has none */
	double longitude;
	int gender;
	int64 langs;
	int64 skills;
	int load;
	int capacity;
	bool has_ack;
	double ack_minutes;
	TimestampTz last_offer_at; /* 0 when never */
} KnDispatchRow;

typedef struct KnStream
{
	int ptype;
	int frame;    /* longitude shifted by so many turns; or 1 for rows without acknowledgement */
	double bound; /* no row still to come from this stream lies below it */
	bool has_row; /* the slot holds the next row */
	bool is_open;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} KnStream;

typedef struct KnScan
{
	Relation table;
	Relation index;
	bool has_place;
	double latitude;
	double longitude;
	int n;
	int last;                            /* stream of the last row */
	double limit[KN_PROVIDER_TYPES + 1]; /* by type: rows with a higher bound are not wanted */
	KnStream streams[KN_STREAMS_MAX];
} KnScan;

/*
 * No provider of the type acknowledges quicker, by what the active snapshot
 * sees; at most the prior, which counts for those that never did.
 */
extern void kn_scan_least_ack(int types, const double *prior_minutes, double *least);
/* Bounds are planar degrees from the place; the caller sets the limits. */
extern void kn_scan_near(KnScan *scan, int types, double latitude, double longitude);
/*
 * Bounds are minutes of acknowledgement, without limit at first; rows of equal bound and type
 * come in the order of id.
 */
extern void kn_scan_anywhere(KnScan *scan, int types, const double *prior_minutes);
/* The row with the smallest bound among those within their type's limit.  Each row comes once. */
extern bool kn_scan_next(KnScan *scan, KnDispatchRow *row);
/* Nothing more is wanted of the stream that gave the last row. */
extern void kn_scan_drop_stream(KnScan *scan);
extern void kn_scan_end(KnScan *scan);

#endif
