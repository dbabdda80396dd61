/*-------------------------------------------------------------------------
 *
 * writer.h
 *	  How the records of one noun are written when a device sends them.
 *
 * A noun that devices write has one of these beside its rules; the table of all
 * stands in sync/writers.c, so that no record knows another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_WRITER_H
#define KN_RECORDS_WRITER_H

#include "records/record.h"

typedef struct KnWriter
{
	const char *noun; /* NULL of the one for all personal nouns */
	/*
	 * Writes nothing twice and loses nothing; never raises for what a phone cannot
	 * mend.  A noun has one of the two: all of a push at once, or each alone in
	 * a subtransaction, so that one which fails takes no other with it.
	 */
	void (*apply_many)(KnCall *call, const KnWrite *writes, KnRecordResult *results, int n);
	void (*apply)(KnCall *call, const KnWrite *write, KnRecordResult *result);
	/* Sends it again to whoever pulls, and shows it as it stands; NULL where that is not needed. */
	void (*touch)(KnCall *call, const KnWrite *write, KnRecordResult *result);
} KnWriter;

#endif
