/*-------------------------------------------------------------------------
 *
 * known_device.h
 *	  Devices on which the right password was given before.
 *
 * A token is the account, the device's row and its generation under a MAC; the
 * server makes it, whatever the phone calls itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_KNOWN_DEVICE_H
#define KN_IDENTITY_KNOWN_DEVICE_H

#include "utils/uuid.h"

#include "identity/secret.h"

typedef struct KnKnownDevice
{
	pg_uuid_t id;
	pg_uuid_t account;
} KnKnownDevice;

/* False for a token that is none, dead, or of an account with another e-mail; NULL is none. */
extern bool kn_known_device_find(const char *token, const KnEmail *email, KnKnownDevice *out);
/*
 * The token of the device that just signed in to account; device is what came
 * with it or NULL.  Returns new.
 */
extern char *kn_known_device_token(const KnKnownDevice *device, const pg_uuid_t *account,
								   const pg_uuid_t *session);
/* Tokens of the account, or of the device that signed in that session, are good no more. */
extern void kn_known_device_end_all(const pg_uuid_t *account);
extern void kn_known_device_end(const pg_uuid_t *session);

#endif
