/*-------------------------------------------------------------------------
 *
 * bar.h
 *	  Keeping a case from somebody, whatever he has of it already.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_BAR_H
#define KN_CASES_BAR_H

#include "utils/uuid.h"

/*
 * Bars an account, a team, an organisation or a dispatch centre.  What teams
 * have of the case that are barred with it, or have nobody left who may see it,
 * ends, and others are asked.  The case's needs are locked; again is harmless.
 */
extern void kn_case_bar(const pg_uuid_t *bucket, const pg_uuid_t *principal);

#endif
