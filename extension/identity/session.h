/*-------------------------------------------------------------------------
 *
 * session.h
 *	  A session: one sign-in on one device, kept alive by refresh tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_SESSION_H
#define KN_IDENTITY_SESSION_H

#include "identity/account.h"
#include "identity/door.h"

/* Starts a session for the account; returns its id.  device may be NULL. */
extern pg_uuid_t kn_session_start(const KnAccount *account, const char *device);
/* The device of a request: of its body, else of its context; NULL when it has no name. */
extern char *kn_session_device(KnCall *call, JsonbContainer *body);
/* {"user":{…},"tokens":{…}} of a session that just began. */
extern void kn_session_answer(KnCall *call, const KnAccount *account, const pg_uuid_t *session);

#endif
