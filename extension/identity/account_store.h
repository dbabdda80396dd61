/*-------------------------------------------------------------------------
 *
 * account_store.h
 *	  The rows of accounts: sealed in, opened out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_ACCOUNT_STORE_H
#define KN_IDENTITY_ACCOUNT_STORE_H

#include "base/spi.h"
#include "identity/account.h"
#include "identity/secret.h"

/* False when there is none; with lock the row stays locked.  Not active ones are found too. */
extern bool kn_account_find(const pg_uuid_t *id, bool lock, KnAccount *out);
/* Seals and inserts with a data key of its own; fills id and created_at. */
extern void kn_account_insert(KnAccount *account, const KnEmail *email, const unsigned char *hash);
/* Writes names, telephone number, language and is_anonymous. */
extern void kn_account_write_profile(const KnAccount *account);

/* One registration or change of password of an e-mail at a time, until the transaction ends. */
extern void kn_account_lock_email(const KnEmail *email);
extern bool kn_account_has_password(const pg_uuid_t *id, const unsigned char *hash);
extern void kn_account_set_password(const pg_uuid_t *id, const unsigned char *hash);

/* A page of accounts, newest first, as columns id, role, is_active, created_at, provider_id. */
extern KnRows kn_account_page(const char *role, TimestampTz before, const pg_uuid_t *before_id,
							  int limit);
/* Active accounts of the roles of which one must be left. */
typedef struct KnStaffCount
{
	int admins;
	int dispatchers;
} KnStaffCount;

/* Locks them and returns how many there are. */
extern KnStaffCount kn_account_lock_last(void);
extern void kn_account_switch_off(const pg_uuid_t *id);

#endif
