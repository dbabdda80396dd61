/*-------------------------------------------------------------------------
 *
 * account.h
 *	  An account: one person who takes part.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_ACCOUNT_H
#define KN_IDENTITY_ACCOUNT_H

#include "base/json.h"
#include "identity/caller.h"
#include "trail/change.h"

/* Texts are plain and NULL when unknown or erased. */
typedef struct KnAccount
{
	pg_uuid_t id;
	KnRole role;
	char *email;
	char *first_name;
	char *last_name;
	char *phone; /* E.164 */
	bool has_provider;
	pg_uuid_t provider;
	char *provider_type;
	bool has_centre;
	pg_uuid_t centre;
	bool is_anonymous;
	char *language;
	bool is_active;
	TimestampTz created_at;
	KnStamp stamp;
} KnAccount;

/* A team won or lost somebody: whether it can be sent cases is worked out anew. */
extern void kn_account_staff_changed(void);
/* The object "user" of an answer. */
extern void kn_account_json(KnJson *json, const KnAccount *account);

#endif
