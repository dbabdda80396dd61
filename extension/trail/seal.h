/*-------------------------------------------------------------------------
 *
 * seal.h
 *	  Seals over the audit trail, so that a changed entry is found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_TRAIL_SEAL_H
#define KN_TRAIL_SEAL_H

#include "postgres.h"

/* Seals what is finished; returns the number of entries.  Needs an SPI connection. */
extern int64 kn_audit_seal(void);
/* Writes the newest root to the server log, where whoever can write the table cannot reach it. */
extern void kn_audit_log_root(void);

#endif
