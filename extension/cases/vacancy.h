/*-------------------------------------------------------------------------
 *
 * vacancy.h
 *	  Work whose team has nobody left who may do it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_VACANCY_H
#define KN_CASES_VACANCY_H

#include "utils/uuid.h"

/*
 * Takes from every team of one case what it can no longer work on, because it is
 * barred, switched off, unverified or without active staff that is not barred, and
 * searches anew.  Call it after writing what changed; it locks the case's needs,
 * so the caller holds no single one of them.  Returns how many it took.
 */
extern int kn_case_vacate(const pg_uuid_t *bucket);
/* The same for all cases of some teams, whose routing figures are brought up to date as well. */
extern int kn_teams_vacate(const pg_uuid_t *teams, int n);

/* Whether nobody active can do what an assignment is for, whatever its state. */
extern bool kn_work_is_vacant(const pg_uuid_t *assignment);

#endif
