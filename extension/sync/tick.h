/*-------------------------------------------------------------------------
 *
 * tick.h
 *	  Ticks: snapshots with a number, written by the worker of the primary.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_TICK_H
#define KN_SYNC_TICK_H

#include "base/spi.h"

/*
 * Writes a tick when something committed since the last one (or anyway when
 * forced) and tells the listeners in the same transaction.  Returns the tick,
 * 0 when there was nothing; covered is the number of changed rows, counted no
 * further than KN_TICK_COUNTED.  Needs an SPI connection.
 */
extern int64 kn_tick_write(bool force, int *covered);

/* The first one since the server has started, in an epoch that was begun before. */
extern int64 kn_tick_write_first(void);

/*
 * Compares this server with the epoch on record and begins a new one when it
 * is another: returns whether it did.  Needs an SPI connection.
 */
extern bool kn_epoch_check(void);
/* Whether the ticks here were made on this server and this history.  Needs an SPI connection. */
extern bool kn_epoch_is_ours(void);

#endif
