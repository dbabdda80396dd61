/*-------------------------------------------------------------------------
 *
 * incident_row.h
 *	  The row of a report: made, many at once, and changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_ROW_H
#define KN_CASES_INCIDENT_ROW_H

#include "base/spi.h"
#include "cases/incident.h"
#include "keys/keystore.h"

/*
 * Stores a new report and its memberships.  False: its id, its client's id or its number is taken.
 */
extern bool kn_incident_insert(const KnIncident *incident, const KnSubject *subject);
/* Many reports of one person with one statement; the rows hold the ids of those that went in. */
extern KnRows kn_incident_insert_many(const KnIncident *const *incidents, int n,
									  const KnSubject *subject);
/* Writes the fields given (present in values) and what was derived from them. */
extern void kn_incident_update(const KnIncident *incident, const KnSubject *subject);

#endif
