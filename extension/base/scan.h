/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  Every row of a small table of ours, which may not be there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_SCAN_H
#define KN_BASE_SCAN_H

#include "postgres.h"

#include "executor/tuptable.h"

/*
 * Calls back for each row and returns how many there are, 0 without the table.
 * Needs a snapshot, no right and no SPI; row may be NULL.
 */
extern int kn_scan_table(const char *name, void (*row)(TupleTableSlot *slot, void *arg), void *arg);

/* Whether there is such a table of ours. */
extern bool kn_scan_exists(const char *name);

#endif /* KN_BASE_SCAN_H */
