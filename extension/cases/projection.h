/*-------------------------------------------------------------------------
 *
 * projection.h
 *	  The one renderer of cases: what each relation is shown of them.
 *
 * Answers, lists, frames, pulls and exports all go through here, so that no
 * path shows what another one hides.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_PROJECTION_H
#define KN_CASES_PROJECTION_H

#include "cases/incident.h"
#include "cases/need.h"

/* In what surroundings an incident is shown. */
typedef enum KnShape
{
	KN_SHAPE_DETAIL,
	KN_SHAPE_LIST
} KnShape;

/* One JSON object.  provider is the helper's own team, NULL for others. */
extern void kn_render_incident(KnJson *json, const KnIncident *incident, KnRelation relation,
							   KnShape shape, const KnCaseParts *parts, const pg_uuid_t *provider,
							   const char *hotlines);

/* A helper knows of the needs of her own team only: who else helps is not hers to know. */
extern bool kn_need_visible(const KnNeed *need, const KnCaseParts *parts, KnRelation relation,
							const pg_uuid_t *provider);

/* A need's state as this relation is told it. */
extern const char *kn_need_state_word(KnNeedState state, KnRelation relation);
/* A case's status as this relation is told it. */
extern const char *kn_case_status_word(KnCaseStatus status, KnRelation relation);

/* An offer or acceptance, as the provider's team and dispatchers see it. */
typedef struct KnAssignment
{
	pg_uuid_t id;
	pg_uuid_t provider;
	pg_uuid_t incident;
	pg_uuid_t need;
	char *service;
	KnAssignmentState status;
	char *urgency;
	int level;
	int round;
	TimestampTz offered_at;
	TimestampTz due_at;
	TimestampTz responded_at;
	double distance_km; /* NaN when unknown */
	KnStamp stamp;
	/* the triage card, all from clear columns */
	char *time_bucket;
	char *language;
	char *contact;
	bool has_cell;
	double cell_latitude;
	double cell_longitude;
	char *case_number;
	KnCaseStatus incident_status;
	bool paused; /* she took the case back, and it can be undone */
} KnAssignment;

/* Nothing beyond the card unless the assignment is accepted. */
extern void kn_render_assignment_row(KnJson *json, const KnAssignment *assignment);

/* By id, as the system, for frames: {"type" and "cursor" are the caller's}. */
extern void kn_render_assignment(KnJson *json, const pg_uuid_t *id);
extern const char *kn_urgency_frame(const char *urgency_level); /* medium, high, critical */

#endif
