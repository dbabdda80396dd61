/*-------------------------------------------------------------------------
 *
 * piece.h
 *	  The pieces of work that the worker does, each in its own transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_WORKER_PIECE_H
#define KN_WORKER_PIECE_H

#include "base/spi.h"

typedef struct KnPiece
{
	const char *name;
	const char *function; /* must exist for the piece to be done; NULL needs none */
	int every_ms;
	int full;                            /* this much work at once means there is more; 0 never */
	int64 (*run)(struct KnPiece *piece); /* NULL runs the statement */
	KnStatement statement;               /* returns how much it did */
	/* state */
	bool absent;
	bool async; /* a crash may undo it without harm */
	int64 due_ms;
	int64 complained_ms; /* 0 never */
} KnPiece;

extern KnPiece kn_pieces[];
extern const int kn_piece_count;

/* Milliseconds of a clock that nobody can set. */
extern int64 kn_monotonic_ms(void);
/* Finds out which functions this version of the SQL side has. */
extern void kn_pieces_find(void);
/* False when it failed; its own complaint is in the log, at most once a minute. */
extern bool kn_piece_run(KnPiece *piece, int64 *done);

#endif
