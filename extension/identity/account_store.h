/*-------------------------------------------------------------------------
 *
 * account_store.h
 *	  The rows of accounts: sealed in, opened out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_ACCOUNT_STORE_H
#define KN_IDENTITY_ACCOUNT_STORE_H

#include "base/limits.h"
#include "base/spi.h"
#include "identity/account.h"
#include "identity/secret.h"

/* False when there is none; with lock the row stays locked.  Not active ones are found too. */
extern bool kn_account_find(const pg_uuid_t *id, bool lock, KnAccount *out);
/* Seals and inserts with a data key of its own; fills id and created_at. */
extern void kn_account_insert(KnAccount *account, const KnEmail *email, const unsigned char *hash);
/* Writes names, telephone number, language and is_anonymous. */
extern void kn_account_write_profile(const KnAccount *account);

/* One registration of an e-mail at a time, until the transaction ends. */
extern void kn_account_lock_email(const KnEmail *email);
/* The newest active account of that e-mail and password. */
extern bool kn_account_match(const KnEmail *email, const unsigned char *hash, pg_uuid_t *id);
/* The account this registration made a moment ago; code is the index of its invitation or NULL. */
extern bool kn_account_replayed(const KnEmail *email, const unsigned char *hash,
								const unsigned char *code, pg_uuid_t *id);
/* True when old was the password and now new is. */
extern bool kn_account_change_password(const pg_uuid_t *id, const unsigned char *old,
									   const unsigned char *new);

/* A page of accounts, newest first, as columns id, role, is_active, created_at, provider_id. */
extern KnRows kn_account_page(const char *role, TimestampTz before, const pg_uuid_t *before_id,
							  int limit);
/* Locks the active administrators and returns how many there are. */
extern int kn_account_lock_admins(void);
extern void kn_account_switch_off(const pg_uuid_t *id);

#endif
