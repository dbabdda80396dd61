/*-------------------------------------------------------------------------
 *
 * field.h
 *	  One sealed field: AES-256-GCM with a named key and bound context.
 *
 * Layout: version (1), key id (2, big endian), nonce (12), ciphertext, tag (16).
 * Version and key id are authenticated in front of the caller's context, which
 * should name table, column and row, so that no sealed field can be moved.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_FIELD_H
#define KN_KEYS_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys/keyring.h"

#define KN_FIELD_OVERHEAD 31
#define KN_FIELD_MAX (1 << 30) /* plain bytes; above any value PostgreSQL can store */

#define KN_WRAPPED_SIZE (KN_KEY_SIZE + KN_FIELD_OVERHEAD)

/* out holds len + KN_FIELD_OVERHEAD bytes and does not overlap plain. */
extern bool kn_field_seal(const unsigned char key[KN_KEY_SIZE], uint16_t key_id,
						  const void *aad, size_t aad_len,
						  const void *plain, size_t len, unsigned char *out);

/* plain_out holds len - KN_FIELD_OVERHEAD bytes; after false they are zero. */
extern bool kn_field_open(const unsigned char key[KN_KEY_SIZE], uint16_t *key_id_out,
						  const void *aad, size_t aad_len,
						  const unsigned char *sealed, size_t len, unsigned char *plain_out);

/* Reads the key id without proving it. */
extern bool kn_field_key_id(const unsigned char *sealed, size_t len, uint16_t *id);

/* A data key: 32 random bytes, sealed by the current wrapping key.  The caller cleanses plain. */
extern bool kn_datakey_new(const KnKeyring *ring, const void *aad, size_t aad_len,
						   unsigned char plain[KN_KEY_SIZE],
						   unsigned char wrapped[KN_WRAPPED_SIZE]);
extern bool kn_datakey_unwrap(const KnKeyring *ring, const void *aad, size_t aad_len,
							  const unsigned char wrapped[KN_WRAPPED_SIZE],
							  unsigned char plain[KN_KEY_SIZE]);

#endif /* KN_KEYS_FIELD_H */
