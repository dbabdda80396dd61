/*-------------------------------------------------------------------------
 *
 * incident_record.h
 *	  Reports that come as records, many at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_RECORD_H
#define KN_CASES_INCIDENT_RECORD_H

#include "records/record.h"

/*
 * Applies n writes of noun incident by their author, each with its result.
 * New reports go in with a fixed number of statements, whatever their number;
 * beyond KN_ROUTE_AT_ONCE of them the worker routes, within a second, unless
 * it is behind.
 */
extern void kn_incident_apply_many(KnCall *call, const KnWrite *writes, KnRecordResult *results,
								   int n);
/* As KnWriter has it. */
extern void kn_incident_touch(KnCall *call, const KnWrite *write, KnRecordResult *result);

#endif
