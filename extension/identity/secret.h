/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  From an e-mail and a password to what rows are found by.
 *
 * The salt is a keyed hash of the e-mail: one hash tests a password against
 * every account of that e-mail, and costs the same when there is none.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_SECRET_H
#define KN_IDENTITY_SECRET_H

#include "base/sizes.h"
#include "identity/password.h"
#include "keys/blind.h"

typedef struct KnEmail
{
	char text[KN_EMAIL_MAX + 1]; /* normalised */
	unsigned char index[KN_BLIND_SIZE];
	unsigned char salt[KN_PASSWORD_SALT_SIZE];
} KnEmail;

/* Raises KN5xx with pointer email unless it is an address. */
extern void kn_secret_email(const char *text, KnEmail *out);
/* Raises KN505 or KN507 unless somebody may choose that password. */
extern void kn_secret_require_strong(char *password, const char *pointer);
/* Within a slot of hash_slot.c.  False when memory is short. */
extern bool kn_secret_hash(const char *password, const KnEmail *email,
						   unsigned char hash[KN_PASSWORD_HASH_SIZE]);

#endif
