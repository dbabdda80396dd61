/*-------------------------------------------------------------------------
 *
 * incident_change.h
 *	  Her own changes of a report, by whatever way they come.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_CHANGE_H
#define KN_CASES_INCIDENT_CHANGE_H

#include "cases/incident.h"
#include "identity/door.h"

/*
 * Locks the case of her incident and reads it anew with its sealed fields;
 * false when it is gone.  The incident's client id says which.
 */
extern bool kn_incident_lock_own(const KnCaller *caller, KnIncident *incident);
/* Whether another device of hers wrote her words after base. */
extern bool kn_incident_edit_conflicts(const KnCall *call, const KnIncident *incident, int64 base);
/* What of it is a change: null empties what is there, and a guess lowers nothing. */
extern void kn_incident_settle(const KnIncident *stored, KnValue *fresh);
/* A new report that does not say whether it is confidential is as her account is. */
extern void kn_incident_settle_new(KnIncident *incident, bool account_is_anonymous);
/* Replaces the fields that are present, empties those cleared; a new service opens its need. */
extern void kn_incident_change(KnCall *call, KnIncident *incident, const KnValue *fresh);
/* Hides it at once and ends its open needs. */
extern void kn_incident_take_back(KnCall *call, const pg_uuid_t *id);

/* Is what was sent as it stands now, so that nothing is to be done? */
extern bool kn_incident_stands(const KnIncident *stored, const KnValue *fresh);

#endif
