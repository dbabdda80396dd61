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
#include "identity/attempt.h"
#include "identity/door.h"

/*
 * Starts a session and answers {"user":{…},"tokens":{…},"deviceToken":…,
 * "otherAccounts":…}; device may be NULL.
 */
extern void kn_session_begin(KnCall *call, const KnAccount *account, const KnAttempt *attempt,
							 const KnOpened *opened, const char *device);
/* The device of a request: of its body, else of its context; NULL when it has no name. */
extern char *kn_session_device(KnCall *call, JsonbContainer *body);
/* The token of a known device in a body, or NULL. */
extern char *kn_session_device_token(JsonbContainer *body);

#endif
