/*-------------------------------------------------------------------------
 *
 * session_store.h
 *	  The rows of sessions and of the devices they run on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_SESSION_STORE_H
#define KN_IDENTITY_SESSION_STORE_H

#include "base/spi.h"
#include "identity/caller.h"

typedef struct KnSession
{
	pg_uuid_t id;
	pg_uuid_t account;
	KnRole role;
	char *device;
	int64 generation;
	bool is_alive; /* neither ended nor expired, of an active account */
	int n_recent;  /* generations before this one that were current within KN_REUSE_SECONDS */
} KnSession;

extern void kn_session_insert(const pg_uuid_t *id, const pg_uuid_t *account, KnRole role,
							  const char *device);
/* Locks the row; false when there is none. */
extern bool kn_session_lock(const pg_uuid_t *id, KnSession *out);
/* Writes a new generation, which follows the row's unless the database was restored. */
extern void kn_session_rotate(const KnSession *session);
/* Ends one session; false when it had ended. */
extern bool kn_session_end(const pg_uuid_t *id);
/* Ends all of an account's but one, which may be NULL. */
extern void kn_session_end_others(const pg_uuid_t *account, const pg_uuid_t *but);
/* Ends the oldest until KN_SESSIONS_MAX - 1 are left. */
extern void kn_session_make_room(const pg_uuid_t *account);
/* Columns id, device, created_at, rotated_at, expires_at; newest first, as the caller sees them. */
extern KnRows kn_session_list(const pg_uuid_t *account);
extern bool kn_session_is_of(const pg_uuid_t *id, const pg_uuid_t *account);
extern void kn_device_seen(const pg_uuid_t *account, const char *device);

#endif
