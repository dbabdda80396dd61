/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  The audit entry, written in the caller's own transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_TRAIL_AUDIT_H
#define KN_TRAIL_AUDIT_H

#include "utils/uuid.h"

typedef struct KnAuditEntry
{
	const char *action;      /* the door */
	const char *outcome;     /* as the caller is told */
	const char *code;        /* SQLSTATE of a refusal, else NULL */
	const pg_uuid_t *actor;  /* account, stored as a keyed pseudonym; NULL when unknown */
	bool actor_by_case;      /* the pseudonym is of account and target, none without a target */
	const char *actor_role;  /* NULL when unknown */
	const char *noun;        /* NULL when none */
	const pg_uuid_t *target; /* NULL when none */
	int n_targets;           /* records that were shown */
	const pg_uuid_t *targets;
	const char *fields;  /* names of fields, comma separated; never values; a function's login */
	const char *request; /* request id */
} KnAuditEntry;

extern void kn_audit_init(void);
extern void kn_audit_write(const KnAuditEntry *entry);
/*
 * Of a function for superusers, which has no caller but a login; nothing where the tables
 * are not there yet.  Connects to SPI by itself.
 */
extern void kn_audit_function(const char *action, const char *noun, const pg_uuid_t *target);

#endif
