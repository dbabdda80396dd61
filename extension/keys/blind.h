/*-------------------------------------------------------------------------
 *
 * blind.h
 *	  Keyed look-ups: a row is found by a number that cannot be read in it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_BLIND_H
#define KN_KEYS_BLIND_H

#include "keys/hash.h"
#include "keys/keyring.h"

#define KN_BLIND_SIZE 16

/* Uses the current index key; purpose is the name of the column, 1..KN_PURPOSE_MAX bytes. */
extern bool kn_blind_index(const KnKeyring *ring, const char *purpose,
						   const char *normalised, size_t len,
						   unsigned char out[KN_BLIND_SIZE]);

/* The same under a key of the ring, for looking up what an older key indexed. */
extern bool kn_blind_index_with(const KnKeyring *ring, const KnKey *key, const char *purpose,
								const char *normalised, size_t len,
								unsigned char out[KN_BLIND_SIZE]);

extern bool kn_hmac(const KnKey *key, const void *data, size_t len,
					unsigned char out[KN_SHA256_SIZE]);

#endif /* KN_KEYS_BLIND_H */
