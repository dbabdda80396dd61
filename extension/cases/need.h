/*-------------------------------------------------------------------------
 *
 * need.h
 *	  A need: one requested service of an incident, and who is asked for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_NEED_H
#define KN_CASES_NEED_H

#include "base/spi.h"
#include "cases/incident.h"
#include "cases/state.h"

typedef struct KnNeed
{
	pg_uuid_t bucket;
	pg_uuid_t id;
	char *service;
	KnNeedState state; /* written by kn_need_move() */
	KnUrgency urgency;
	int level; /* 1 and up; 0 before the first */
	int round;
	TimestampTz due_at;
	TimestampTz expected_by;
	TimestampTz engaged_at;
	TimestampTz contacted_at;
	TimestampTz created_at;
	Jsonb *escalation; /* the policy's part for its urgency */
} KnNeed;

/* An offer or acceptance as the incident shows it. */
typedef struct KnHelper
{
	pg_uuid_t assignment;
	pg_uuid_t bucket;
	pg_uuid_t provider;
	pg_uuid_t need;
	char *service;
	KnAssignmentState status;
	char *provider_type;
	char *provider_name;
	TimestampTz offered_at;
	double distance_km; /* NaN when unknown */
} KnHelper;

typedef struct KnCaseParts
{
	int n_needs;
	KnNeed *needs;
	int n_helpers;
	KnHelper *helpers;
} KnCaseParts;

extern void kn_need_load_parts(const pg_uuid_t *bucket, KnCaseParts *out);
/* Of many incidents with two statements; out has n entries, in the order of buckets. */
extern void kn_need_load_many(const pg_uuid_t *buckets, int n, KnCaseParts *out);
/* Locks and reads one need as the system; false when there is none. */
extern bool kn_need_lock(const pg_uuid_t *bucket, const pg_uuid_t *id, KnNeed *out);
/* The same of a case that is locked already, whoever calls. */
extern bool kn_need_read(const pg_uuid_t *bucket, const pg_uuid_t *id, KnNeed *out);
/*
 * Locks all needs of a case and then what its teams' capacity stands in, in one order, whoever
 * comes; returns how many needs there are.  Until the transaction ends no need is added.
 */
extern int kn_case_lock(const pg_uuid_t *bucket, KnNeed **needs);
/* The same for several reports of one author: all their needs before any team. */
extern void kn_cases_lock(const pg_uuid_t *owner, Datum *client_keys, int n);
/* Of any cases, in the order of their ids; beside their teams those given are locked as well. */
extern void kn_cases_lock_all(const pg_uuid_t *buckets, int n, const pg_uuid_t *teams, int n_teams);
/* To the state given, in memory; an error when no rule leads there. */
extern void kn_need_move(KnNeed *need, KnNeedState to);
/* Searched for from the beginning: a round of its own, in which every team may be asked. */
extern void kn_need_begin_round(KnNeed *need);
/* State, level, round, rules and times back to the row. */
extern void kn_need_save(const KnNeed *need);
extern void kn_need_insert(const KnNeed *needs, int n);
extern bool kn_need_is_open(const KnNeed *need);
/* Its owner took the case back: it is open, and nobody works on it. */
extern bool kn_need_is_paused(const KnNeed *need);
/* It waits for people: nobody else has it, or it is paused and immediate. */
extern bool kn_need_is_task(const KnNeed *need);
/*
 * Whether a team, NULL for none, has accepted what it has to come to her for, so
 * that it needs the exact place.
 */
extern bool kn_helps_in_person(const KnCaseParts *parts, const pg_uuid_t *provider);

/* Refuses what she may ask for within 30 days of completed only. */
extern void kn_incident_require_recent(const KnIncident *incident);
/*
 * As what a team reads a case: once nothing of it is open for the team, the card is
 * left of what she said.
 */
extern KnRelation kn_helper_reads(const KnCaseParts *parts, KnRelation relation,
								  const pg_uuid_t *provider);

/* Moves the incident's status to what its needs say; stamps and counts. */
extern void kn_incident_follow_needs(const pg_uuid_t *incident);

#endif
