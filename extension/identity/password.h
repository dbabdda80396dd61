/*-------------------------------------------------------------------------
 *
 * password.h
 *	  Passwords: what is acceptable, and the Argon2id hash.
 *
 * A hash takes tens of milliseconds and 19 MiB and cannot be interrupted, so
 * the caller limits how many run at once and holds no row lock meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_PASSWORD_H
#define KN_IDENTITY_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#define KN_PASSWORD_MIN 8   /* characters, not bytes */
#define KN_PASSWORD_MAX 128 /* characters, not bytes */
#define KN_PASSWORD_SALT_SIZE 16
#define KN_PASSWORD_HASH_SIZE 32

typedef enum KnPasswordStatus
{
	KN_PASSWORD_OK,
	KN_PASSWORD_SHORT,
	KN_PASSWORD_LONG,
	KN_PASSWORD_COMMON,
	KN_PASSWORD_ENCODING /* not UTF-8, or a NUL inside */
} KnPasswordStatus;

extern KnPasswordStatus kn_password_check(const char *password, size_t len);

/* Argon2id, 19 MiB, two passes, one lane; false only when memory is missing or len is absurd. */
extern bool kn_password_hash(const char *password, size_t len,
							 const unsigned char salt[KN_PASSWORD_SALT_SIZE],
							 unsigned char out[KN_PASSWORD_HASH_SIZE]);

/* In constant time. */
extern bool kn_password_equal(const unsigned char a[KN_PASSWORD_HASH_SIZE],
							  const unsigned char b[KN_PASSWORD_HASH_SIZE]);

#endif /* KN_IDENTITY_PASSWORD_H */
