/*-------------------------------------------------------------------------
 *
 * notify.h
 *	  Telling a person that there is something: a class, never a text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_NOTIFY_NOTIFY_H
#define KN_NOTIFY_NOTIFY_H

#include "utils/uuid.h"

/* Tells the owner of a case that something changed. */
extern void kn_notify_owner(const pg_uuid_t *bucket);
/* Calls whoever is on duty, officers or dispatchers, may know of the case and can act. */
extern void kn_notify_duty(const pg_uuid_t *bucket, bool officers);
/* Takes back what a principal of staff was told of a case: to a barred one there is nothing. */
extern void kn_notify_take_back(const pg_uuid_t *bucket, const pg_uuid_t *principal);

#endif
