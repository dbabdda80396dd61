/*-------------------------------------------------------------------------
 *
 * incident_store.h
 *	  Rows of incidents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_STORE_H
#define KN_CASES_INCIDENT_STORE_H

#include "base/spi.h"
#include "cases/incident.h"
#include "keys/keystore.h"

/* What a new report meets: the survivor's data key, and an earlier report of the same id. */
typedef struct KnIntake
{
	KnSubject subject;
	bool known;
	pg_uuid_t id;
	bytea *created_hash;
	char *language;    /* of her account */
	bool is_anonymous; /* what her account says where a report does not */
} KnIntake;

extern void kn_incident_intake(const pg_uuid_t *owner, bytea *client_key, KnIntake *out);
/* One that is hers and there. */
extern bool kn_incident_load_own(const pg_uuid_t *owner, bytea *client_key, KnIncident *out);
/*
 * Reads an incident as this caller may; fills relation.  text is the id in the
 * path: her own client id for the owner, the incident's id for all others.
 * False when it is not there or not for the caller.
 */
extern bool kn_incident_load(const KnCaller *caller, const char *text, KnIncident *out,
							 KnRelation *relation);
/* Those of ids that the caller may see, with what the caller is to each. */
extern int kn_incident_load_many(const KnCaller *caller, const pg_uuid_t *ids, int n,
								 KnIncident **out, KnRelation **relations);
/* What opens to the ids her phone knows incidents of this owner by: rows (id, spelling). */
extern KnRows kn_incident_spellings(const pg_uuid_t *owner, const pg_uuid_t *ids, int n);
/* One page of a list; rows after (before_at, before_id) in falling order. */
typedef struct KnIncidentFilter
{
	const char *status; /* NULL is any */
	const char *type;
	const char *urgency;
	TimestampTz before_at; /* 0 from the start */
	pg_uuid_t before_id;
	int limit;
} KnIncidentFilter;
extern int kn_incident_list(const KnCaller *caller, const KnIncidentFilter *filter,
							KnIncident **out, KnRelation *relation);

extern void kn_incident_set_status(const pg_uuid_t *id, KnCaseStatus from, KnCaseStatus to,
								   const char *actor, const KnSubject *subject, const char *note,
								   const char *reason);
/*
 * The id under which a report of hers is looked up; returns new.  As she spells it
 * where one is stored so, taken back or not: two of version 1.0 may differ in that only.
 */
extern char *kn_incident_spelt(const pg_uuid_t *owner, const char *text);
/* Whether she has a report of this id of hers and took it back. */
extern bool kn_incident_is_taken_back(const pg_uuid_t *owner, bytea *client_key);
/* Status moves of a case, oldest first, as rows (at, from, to, actor). */
extern KnRows kn_incident_history(const pg_uuid_t *id);
/* Whether the last move by a person was this one, and reopened the case. */
extern bool kn_incident_was_reopened(const pg_uuid_t *id, KnCaseStatus to, const char *actor);
/* Statuses that may follow for an actor, as JSON array text. */
extern char *kn_incident_allowed(KnCaseStatus from, const char *actor, KnCaseStatus to,
								 bool *allowed);
/*
 * Names and how to reach them, for helpers and dispatchers of a named report:
 * hers, or of whoever reported for her, who is not her and whose own telephone
 * number and e-mail are for those only whom that member of staff is reachable for.
 */
extern void kn_incident_render_people(KnJson *json, const KnIncident *incident, bool reachable);
extern bool kn_incident_exists(const pg_uuid_t *id); /* whoever may see it */
extern void kn_incident_owner(const pg_uuid_t *id, pg_uuid_t *owner);
/* A case's urgency changed: counters follow. */
extern void kn_incident_recount(KnCaseStatus status, KnUrgency from, KnUrgency to);
/* False when it is gone. */
extern bool kn_incident_status_lock(const pg_uuid_t *id, KnCaseStatus *status, KnUrgency *urgency);

/* Opens the sealed fields that this reader may see; the others stay absent. */
extern void kn_incident_unseal(KnIncident *incident, KnRelation relation, bool in_person);
/* The same with her key already open, for many incidents of one owner. */
extern void kn_incident_unseal_with(KnIncident *incident, const KnSubject *subject,
									KnRelation relation, bool in_person);
extern bool kn_class_visible(KnFieldClass class, KnRelation relation, bool in_person);

#endif
