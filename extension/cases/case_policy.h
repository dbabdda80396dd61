/*-------------------------------------------------------------------------
 *
 * case_policy.h
 *	  The rules in force: routing mode, hotlines, escalation.
 *
 * Read once per backend and again when a policy or setting changes; the
 * trigger kintaraa.policy_changed tells every backend.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_CASE_POLICY_H
#define KN_CASES_CASE_POLICY_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "providers/routing.h"

typedef enum KnAsked
{
	KN_ASK_PROVIDERS,
	KN_ASK_DISPATCHERS,
	KN_ASK_OFFICERS
} KnAsked;

typedef struct KnLevel
{
	KnAsked who;
	int k;
	double radius_factor;
	double minutes;
	bool working; /* minutes of the centre's working hours */
} KnLevel;

#define KN_LEVELS_MAX 8

typedef struct KnEscalation
{
	int n_levels;
	KnLevel levels[KN_LEVELS_MAX];
	double contact_minutes;
	bool contact_working;
} KnEscalation;

typedef struct KnCasePolicy
{
	bool manual;     /* every need waits for a dispatcher */
	char *hotlines;  /* JSON array text */
	int version;     /* of the escalation policy */
	Jsonb *parts[3]; /* of the escalation policy, by KnUrgency */
	pg_uuid_t centre;
	char *zone;
	int opens; /* minutes after local midnight */
	int closes;
} KnCasePolicy;

/* Valid until the next call; needs an SPI connection. */
extern const KnCasePolicy *kn_case_policy(void);
/* Reads one urgency's part; raises KN504 naming what is wrong, so that it also checks input. */
extern void kn_escalation_read(Jsonb *part, KnEscalation *out);

/* from plus minutes, of the centre's working time when working. */
extern TimestampTz kn_due_at(const KnCasePolicy *policy, TimestampTz from, double minutes,
							 bool working);

#endif
