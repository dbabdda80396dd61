/*-------------------------------------------------------------------------
 *
 * gone.h
 *	  Entry points that a catalogue of an older version still names.
 *
 * The Makefile makes gone.c of entry_points and of what the sources have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_GONE_H
#define KN_BASE_GONE_H

#include "fmgr.h"

#define KN_GONE(name_)          \
	PG_FUNCTION_INFO_V1(name_); \
	PGDLLEXPORT Datum           \
	name_(PG_FUNCTION_ARGS)     \
	{                           \
		return kn_gone(fcinfo); \
	}                           \
	extern Datum name_(PG_FUNCTION_ARGS)

/* Raises KN901: the code in the database is older than the library. */
extern Datum kn_gone(PG_FUNCTION_ARGS);

#endif /* KN_BASE_GONE_H */
