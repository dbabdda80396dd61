/*-------------------------------------------------------------------------
 *
 * incident_number.h
 *	  The number of a case, which people read to each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_NUMBER_H
#define KN_CASES_INCIDENT_NUMBER_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#define KN_CASE_NUMBER_TRIES 5

/* KIN-YYYYMMDD-nnnnnnnnc: day in Nairobi, eight random digits and a check digit. */
extern char *kn_case_number(TimestampTz at);
/* As somebody typed it, in its one spelling; raises KN508 when it can be no number of ours. */
extern char *kn_case_number_parse(const char *text);
/* The incident of a number, whoever may see it; false when there is none. */
extern bool kn_case_number_find(const char *number, pg_uuid_t *incident);

#endif
