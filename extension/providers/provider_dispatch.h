/*-------------------------------------------------------------------------
 *
 * provider_dispatch.h
 *	  Keeping the narrow row of each provider true.
 *
 * All need an SPI connection; the SQL functions of the same names open their
 * own and stamp what they changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_PROVIDER_DISPATCH_H
#define KN_PROVIDERS_PROVIDER_DISPATCH_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Derives rows anew from provider, account and the hour; returns how many changed. */
extern int kn_dispatch_refresh(TimestampTz now);
/* The same for one provider, by doors that change what its row is derived from. */
extern int kn_dispatch_refresh_one(const pg_uuid_t *provider, TimestampTz now);
/* Folds offers and answers committed since the last time into mean and last offer. */
extern int kn_dispatch_fold(void);
/* Counts load anew from the open acceptances; returns how many were wrong. */
extern int kn_dispatch_recount(void);

#endif
