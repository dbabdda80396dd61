/*-------------------------------------------------------------------------
 *
 * keyring.h
 *	  The key ring: a file outside the database that holds every secret.
 *
 * A pure file: libc and OpenSSL only, results by return value.  The ring owns
 * its keys; what kn_keyring_current, _find and _at return is borrowed until
 * kn_keyring_free.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_KEYRING_H
#define KN_KEYS_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KN_KEY_SIZE 32

/* a file longer than this, or with more keys, is not a key ring */
#define KN_KEYRING_TEXT_MAX 65536
#define KN_KEYRING_KEYS_MAX 256

#define KN_PURPOSE_MAX 32 /* bytes of a derived key's purpose */

typedef enum KnKeyKind
{
	KN_KEY_WRAP,      /* wraps the data key of each survivor */
	KN_KEY_INDEX,     /* root of the blind indexes */
	KN_KEY_SIGN,      /* ES256, access tokens */
	KN_KEY_REFRESH,   /* HMAC of refresh tokens */
	KN_KEY_PSEUDONYM, /* HMAC of names in the audit trail */
	KN_KEY_HASH,      /* HMAC of records */
	KN_KEY_KINDS
} KnKeyKind;

typedef struct KnKey
{
	uint16_t id;
	KnKeyKind kind;
	int64_t created; /* seconds since 1970 */
	unsigned char secret[KN_KEY_SIZE];
	void *pkey;   /* EVP_PKEY of a signing key, else NULL; owns */
	char kid[24]; /* name of a signing key in tokens, else empty */
} KnKey;

typedef struct KnKeyring KnKeyring;

typedef enum KnKeyringStatus
{
	KN_KEYRING_OK,
	KN_KEYRING_ABSENT,
	KN_KEYRING_LAX_MODE,
	KN_KEYRING_BAD_OWNER,
	KN_KEYRING_MALFORMED,
	KN_KEYRING_EXISTS,
	KN_KEYRING_IO
} KnKeyringStatus;

/* Makes a ring with one key of each kind; never overwrites a file. */
extern KnKeyringStatus kn_keyring_create(const char *path);

/* *out: returns new (free with kn_keyring_free), NULL unless KN_KEYRING_OK. */
extern KnKeyringStatus kn_keyring_load(const char *path, KnKeyring **out);
extern KnKeyringStatus kn_keyring_parse(const char *text, size_t len, KnKeyring **out);

/* Rotation: appends a key with the next id; readers see the old file or the new one. */
extern KnKeyringStatus kn_keyring_add(const char *path, KnKeyKind kind);

/* Cleanses every secret; NULL is allowed. */
extern void kn_keyring_free(KnKeyring *ring);

/* The key with the highest id writes; older ones only read and verify. */
extern const KnKey *kn_keyring_current(const KnKeyring *ring, KnKeyKind kind);
extern const KnKey *kn_keyring_find(const KnKeyring *ring, KnKeyKind kind, uint16_t id);
extern int kn_keyring_count(const KnKeyring *ring, KnKeyKind kind);
extern const KnKey *kn_keyring_at(const KnKeyring *ring, KnKeyKind kind, int i); /* by rising id */

/* A key derived from one of the ring's, kept by the ring; borrowed, NULL on failure. */
extern const unsigned char *kn_keyring_derive(const KnKeyring *ring, const KnKey *key,
											  const char *purpose);

/* A sentence safe to show: names no path and no secret. */
extern const char *kn_keyring_describe(KnKeyringStatus status);

/* Public halves of the signing keys as a JWK set, newest first; false if size is too small. */
extern bool kn_keyring_jwks(const KnKeyring *ring, char *out, size_t size);

#endif /* KN_KEYS_KEYRING_H */
