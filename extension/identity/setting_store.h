/*-------------------------------------------------------------------------
 *
 * setting_store.h
 *	  The rows of settings and of policies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_SETTING_STORE_H
#define KN_IDENTITY_SETTING_STORE_H

#include "base/spi.h"
#include "utils/jsonb.h"

/* Columns name, value, help, updated_at, by name; only that one unless name is NULL. */
extern KnRows kn_setting_list(const char *name);
extern void kn_setting_write(const char *name, Jsonb *value, const pg_uuid_t *by);

typedef struct KnPolicy
{
	int version;
	Jsonb *body;
	TimestampTz created_at;
} KnPolicy;

/* The version in force; false when there is none. */
extern bool kn_policy_find(const char *kind, KnPolicy *out);
/* One writer of a policy at a time, until the transaction ends. */
extern void kn_policy_lock(void);
extern void kn_policy_insert(const char *kind, KnPolicy *policy, const pg_uuid_t *by);
/* Raises KN5xx when routing or escalation could not be read by those who follow it. */
extern void kn_policy_check(const char *kind, Jsonb *body);

#endif
