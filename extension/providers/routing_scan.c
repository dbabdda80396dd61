/*-------------------------------------------------------------------------
 *
 * routing_scan.c
 *	  Rows of provider_dispatch in the order of a lower bound.
 *
 * Called from routing.c.  With a place it merges nearest-neighbour scans of the
 * GiST index, one for each type; without one it merges b-tree scans by
 * acknowledgement.  The scans are bare, that is, index conditions only: with
 * other conditions in the query the planner leaves the ordered scan.
 *
 * The plane is cut where longitude jumps from 180 to -180.  So each type has
 * three frames: the place itself and the place a turn to either side.  A row
 * belongs to the one frame in which it is reached the short way round, and is
 * passed over in the others.  A frame across the cut starts with the distance
 * to the cut as its bound and is only opened when that comes up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "utils/fmgroids.h"
#include "utils/geo_decls.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/index.h"
#include "providers/routing_scan.h"

/* Columns in the order of migrations/0006. */
enum
{
	COLUMN_PROVIDER = 1,
	COLUMN_ORGANISATION,
	COLUMN_PTYPE,
	COLUMN_POS,
	COLUMN_DISPATCHABLE,
	COLUMN_REMOTE_OK,
	COLUMN_GENDER,
	COLUMN_LANGS,
	COLUMN_SKILLS,
	COLUMN_LOAD,
	COLUMN_CAPACITY,
	COLUMN_ACK_MINUTES,
	COLUMN_LAST_OFFER_AT
};

#define KEY_PTYPE 1
#define KEY_SECOND 2

static KnIndex place_index = {.table_name = "provider_dispatch",
							  .index_name = "provider_dispatch_place_idx"};
static KnIndex ack_index = {.table_name = "provider_dispatch",
							.index_name = "provider_dispatch_ack_idx"};

static void add_stream(KnScan *scan, int ptype, int frame, double bound);
static double least_of(Relation table, Relation index, int ptype, double least);
static void acks_of(ScanKeyData *keys, int ptype, int null_test);
static int lowest(const KnScan *scan);
static void advance(KnScan *scan, KnStream *stream);
static void open_stream(KnScan *scan, KnStream *stream);
static void open_near(KnScan *scan, KnStream *stream);
static void open_anywhere(KnScan *scan, KnStream *stream);
static bool belongs(const KnScan *scan, const KnStream *stream);
static double bound_of_row(const KnScan *scan, const KnStream *stream);
static void read_row(TupleTableSlot *slot, KnDispatchRow *row);

void
kn_scan_near(KnScan *scan, int types, double latitude, double longitude)
{
	memset(scan, 0, sizeof(*scan));
	scan->has_place = true;
	scan->latitude = latitude;
	scan->longitude = longitude;
	kn_index_open(&place_index, &scan->table, &scan->index);
	for (int ptype = 1; ptype <= KN_PROVIDER_TYPES; ptype++)
	{
		if ((types & 1 << ptype) == 0)
			continue;
		add_stream(scan, ptype, 0, 0.0);
		add_stream(scan, ptype, 1, 180.0 - longitude);
		add_stream(scan, ptype, -1, 180.0 + longitude);
	}
}

void
kn_scan_anywhere(KnScan *scan, int types, const double *prior_minutes)
{
	memset(scan, 0, sizeof(*scan));
	kn_index_open(&ack_index, &scan->table, &scan->index);
	for (int ptype = 1; ptype <= KN_PROVIDER_TYPES; ptype++)
	{
		if ((types & 1 << ptype) == 0)
			continue;
		add_stream(scan, ptype, 0, 0.0);
		add_stream(scan, ptype, 1, prior_minutes[ptype]);
		scan->limit[ptype] = INFINITY;
	}
}

static void
add_stream(KnScan *scan, int ptype, int frame, double bound)
{
	KnStream *stream = &scan->streams[scan->n++];

	stream->ptype = ptype;
	stream->frame = frame;
	stream->bound = bound;
}

void
kn_scan_least_ack(int types, const double *prior_minutes, double *least)
{
	Relation table;
	Relation index;

	kn_index_open(&ack_index, &table, &index);
	for (int ptype = 1; ptype <= KN_PROVIDER_TYPES; ptype++)
		if (types & 1 << ptype)
			least[ptype] = least_of(table, index, ptype, prior_minutes[ptype]);
	kn_index_close(table, index);
}

/* The first entry of the index is the quickest answer. */
static double
least_of(Relation table, Relation index, int ptype, double least)
{
	ScanKeyData keys[2];
	IndexScanDesc scan = index_beginscan(table, index, GetActiveSnapshot(), 2, 0);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	bool is_null;

	acks_of(keys, ptype, SK_SEARCHNOTNULL);
	index_rescan(scan, keys, 2, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		least = Min(least, DatumGetFloat4(slot_getattr(slot, COLUMN_ACK_MINUTES, &is_null)));
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return least;
}

static void
acks_of(ScanKeyData *keys, int ptype, int null_test)
{
	ScanKeyInit(&keys[0], KEY_PTYPE, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(ptype));
	ScanKeyEntryInitialize(&keys[1], SK_ISNULL | null_test, KEY_SECOND, InvalidStrategy, InvalidOid,
						   InvalidOid, InvalidOid, (Datum) 0);
}

bool
kn_scan_next(KnScan *scan, KnDispatchRow *row)
{
	for (;;)
	{
		int at = lowest(scan);
		KnStream *stream = &scan->streams[at];

		if (at < 0)
			return false;
		if (!stream->has_row)
		{
			advance(scan, stream);
			continue;
		}
		read_row(stream->slot, row);
		stream->has_row = false;
		scan->last = at;
		return true;
	}
}

static int
lowest(const KnScan *scan)
{
	int best = -1;

	for (int i = 0; i < scan->n; i++)
	{
		const KnStream *stream = &scan->streams[i];

		if (isinf(stream->bound) || stream->bound > scan->limit[stream->ptype])
			continue;
		if (best < 0 || stream->bound < scan->streams[best].bound)
			best = i;
	}
	return best;
}

/*
 * Fetches one row.  A row of another frame only moves the bound, so that the
 * limit also ends a frame that holds nothing but such rows.
 */
static void
advance(KnScan *scan, KnStream *stream)
{
	if (!stream->is_open)
		open_stream(scan, stream);
	if (!index_getnext_slot(stream->scan, ForwardScanDirection, stream->slot))
	{
		stream->bound = INFINITY;
		return;
	}
	stream->bound = bound_of_row(scan, stream);
	stream->has_row = belongs(scan, stream);
}

static void
open_stream(KnScan *scan, KnStream *stream)
{
	stream->slot = table_slot_create(scan->table, NULL);
	if (scan->has_place)
		open_near(scan, stream);
	else
		open_anywhere(scan, stream);
	stream->is_open = true;
}

static void
open_near(KnScan *scan, KnStream *stream)
{
	ScanKeyData type;
	ScanKeyData order;
	Point *centre = palloc(sizeof(Point));

	centre->x = scan->longitude - 360.0 * stream->frame;
	centre->y = scan->latitude;
	ScanKeyInit(&type, KEY_PTYPE, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(stream->ptype));
	ScanKeyEntryInitialize(&order, SK_ORDER_BY, KEY_SECOND, RTKNNSearchStrategyNumber, InvalidOid,
						   InvalidOid, F_POINT_DISTANCE, PointPGetDatum(centre));
	stream->scan = index_beginscan(scan->table, scan->index, GetActiveSnapshot(), 1, 1);
	index_rescan(stream->scan, &type, 1, &order, 1);
}

static void
open_anywhere(KnScan *scan, KnStream *stream)
{
	ScanKeyData keys[2];

	acks_of(keys, stream->ptype, stream->frame == 0 ? SK_SEARCHNOTNULL : SK_SEARCHNULL);
	stream->scan = index_beginscan(scan->table, scan->index, GetActiveSnapshot(), 2, 0);
	index_rescan(stream->scan, keys, 2, NULL, 0);
}

/* The raw difference alone decides the frame, so that rounding puts no row in two or in none. */
static bool
belongs(const KnScan *scan, const KnStream *stream)
{
	bool is_null;
	Point *pos;
	double difference;

	if (!scan->has_place)
		return true;
	pos = DatumGetPointP(slot_getattr(stream->slot, COLUMN_POS, &is_null));
	if (is_null)
		return false;
	difference = pos->x - scan->longitude;
	return stream->frame == (difference < -180.0) - (difference > 180.0);
}

static double
bound_of_row(const KnScan *scan, const KnStream *stream)
{
	bool is_null;
	Datum value;

	if (scan->has_place)
		return stream->scan->xs_orderbynulls[0] ? stream->bound
												: DatumGetFloat8(stream->scan->xs_orderbyvals[0]);
	value = slot_getattr(stream->slot, COLUMN_ACK_MINUTES, &is_null);
	return is_null ? stream->bound : DatumGetFloat4(value);
}

static void
read_row(TupleTableSlot *slot, KnDispatchRow *row)
{
	Datum *values;
	bool *nulls;

	slot_getsomeattrs(slot, COLUMN_LAST_OFFER_AT);
	values = slot->tts_values - 1;
	nulls = slot->tts_isnull - 1;
	row->provider = *DatumGetUUIDP(values[COLUMN_PROVIDER]);
	row->organisation = *DatumGetUUIDP(values[COLUMN_ORGANISATION]);
	row->ptype = DatumGetInt16(values[COLUMN_PTYPE]);
	row->longitude = nulls[COLUMN_POS] ? NAN : DatumGetPointP(values[COLUMN_POS])->x;
	row->latitude = nulls[COLUMN_POS] ? NAN : DatumGetPointP(values[COLUMN_POS])->y;
	row->gender = DatumGetInt16(values[COLUMN_GENDER]);
	row->langs = DatumGetInt64(values[COLUMN_LANGS]);
	row->skills = DatumGetInt64(values[COLUMN_SKILLS]);
	row->load = DatumGetInt32(values[COLUMN_LOAD]);
	row->capacity = DatumGetInt32(values[COLUMN_CAPACITY]);
	row->has_ack = !nulls[COLUMN_ACK_MINUTES];
	row->ack_minutes = row->has_ack ? DatumGetFloat4(values[COLUMN_ACK_MINUTES]) : 0.0;
	row->last_offer_at = nulls[COLUMN_LAST_OFFER_AT]
							 ? 0
							 : DatumGetTimestampTz(values[COLUMN_LAST_OFFER_AT]);
}

void
kn_scan_drop_stream(KnScan *scan)
{
	scan->streams[scan->last].bound = INFINITY;
}

void
kn_scan_end(KnScan *scan)
{
	for (int i = 0; i < scan->n; i++)
	{
		if (!scan->streams[i].is_open)
			continue;
		index_endscan(scan->streams[i].scan);
		ExecDropSingleTupleTableSlot(scan->streams[i].slot);
	}
	kn_index_close(scan->table, scan->index);
}
