/*-------------------------------------------------------------------------
 *
 * shift.h
 *	  Hours of work: is somebody there at this moment?
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_SHIFT_H
#define KN_PROVIDERS_SHIFT_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

/*
 * Whether at lies within a shift of {"mon":[["22:00","06:00"]],…,"closed":["2026-12-25"]}, in
 * the local time of the zone.  A shift belongs to the day it begins on: a closed day has none,
 * and the night before it still ends in the morning.  No object is always open.
 */
extern bool kn_shift_open(JsonbContainer *hours, const char *zone, TimestampTz at);
/* Raises KN5xx when the hours are not of that form. */
extern void kn_shift_check(JsonbContainer *hours);

#endif
