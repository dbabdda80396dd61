/*-------------------------------------------------------------------------
 *
 * incident.h
 *	  An incident: what is known of one report, and who may be shown what.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_H
#define KN_CASES_INCIDENT_H

#include "base/json.h"
#include "base/sizes.h"
#include "cases/state.h"
#include "identity/caller.h"
#include "providers/routing.h"
#include "records/field.h"
#include "trail/change.h"

/* Fields a phone writes, in the order of incident_fields. */
typedef enum KnIncidentField
{
	KN_INCIDENT_TYPE,
	KN_INCIDENT_DATE,
	KN_INCIDENT_TIME,
	KN_INCIDENT_DESCRIPTION,
	KN_INCIDENT_SEVERITY,
	KN_INCIDENT_URGENCY,
	KN_INCIDENT_SERVICES,
	KN_INCIDENT_ANONYMOUS,
	KN_INCIDENT_ADDRESS,
	KN_INCIDENT_PLACE,
	KN_INCIDENT_POINT,
	KN_INCIDENT_ACCURACY,
	KN_INCIDENT_SOURCE,
	KN_INCIDENT_COMMUNICATION,
	KN_INCIDENT_GENDER,
	KN_INCIDENT_PROXIMITY,
	KN_INCIDENT_TRIAGE_TEAMS,
#ifdef KN_LATER_FIELD
	KN_INCIDENT_LATER, /* for test/long/test_later_field.py */
#endif
	KN_INCIDENT_FIELDS
} KnIncidentField;

/* Of version 1.0, for the hashes it stored; a field that is new comes after these. */
#define KN_INCIDENT_FIELDS_PLAIN (KN_INCIDENT_PROXIMITY + 1)

extern const KnField kn_incident_fields[KN_INCIDENT_FIELDS];
extern const char *const kn_incident_owned[];

/* What the reader of an incident is to it; decides every output. */
typedef enum KnRelation
{
	KN_NO_RELATION,
	KN_OWNER,
	KN_HELPER,
	KN_CANDIDATE, /* an offer that is not accepted: the card only */
	KN_DISPATCHER
} KnRelation;

typedef struct KnIncident
{
	pg_uuid_t id;
	pg_uuid_t owner;
	/* of one that is sent: her id for it, folded, and as she spells it or NULL where that is it */
	char *client_id;
	const char *spelling;
	bytea *client_key;      /* what it is found by */
	bytea *spelling_sealed; /* of one that is stored: her id as it came first */
	char *language;         /* of her account; filled for routing */
	char *case_number;
	KnCaseStatus status;
	KnUrgency asked;   /* as reported, routine when not said */
	KnUrgency urgency; /* of the case, after the clinical clock */
	KnValue values[KN_INCIDENT_FIELDS];
	bool triage; /* what she asked for was not understood: a person looks at it */
	int n_suggested;
	char *suggested[KN_SERVICES_MAX];
	bool has_cell;
	double cell_latitude;
	double cell_longitude;
	bool by_provider;          /* reported for her by a helper */
	pg_uuid_t reporter_team;   /* of a new one by a helper: not asked to help */
	TimestampTz occurred_from; /* 0 when unknown */
	TimestampTz occurred_to;
	TimestampTz created_at;
	TimestampTz deleted_at;
	TimestampTz held_until; /* she took it back and it can be undone until then; 0 when not */
	TimestampTz closed_at;  /* completed or closed since; 0 while it goes on */
	char *ignored;          /* JSON array text */
	const char *unreadable; /* of a new one: what could not be understood, JSON text or NULL */
	/* as stored; opened for the classes a reader may see by kn_incident_unseal() */
	bytea *description_sealed;
	bytea *address_sealed;
	bytea *place_sealed;
	bytea *point_sealed;
	bytea *created_hash;
	int64 edited_version; /* of her last own edit */
	bool has_editor;
	pg_uuid_t edited_by;
	int64 edited_foreign_version; /* of her words by another device than that */
	KnStamp stamp;
} KnIncident;

extern const char *const kn_incident_types[];

/* What a phone sent: its fields, what is ignored of it, and its keyed hash. */
extern void kn_incident_read(JsonbContainer *record, KnIncident *incident, KnLeftovers *left);
/* Whether a stored hash is of the same payload; also one that version 1.0 made. */
extern bool kn_incident_hash_matches(const bytea *stored, const KnIncident *sent,
									 JsonbContainer *record);
/* Place: snapped cell, clinical interval and urgency from what was reported. */
extern void kn_incident_derive(KnIncident *incident, TimestampTz now);
/* The id that its owner knows it by. */
extern const char *kn_incident_own_id(const KnIncident *incident);
#define KN_INCIDENT_SPELLING "incident.spelling" /* as it is sealed */

#endif
