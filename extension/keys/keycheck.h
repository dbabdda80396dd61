/*-------------------------------------------------------------------------
 *
 * keycheck.h
 *	  Whether a key ring is the one that this database is sealed under.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_KEYCHECK_H
#define KN_KEYS_KEYCHECK_H

#include "keys/keyring.h"

typedef enum KnKeyFit
{
	KN_KEY_FITS,
	KN_KEY_LACKING, /* a key that was used here is not in the ring: an older copy of the file */
	KN_KEY_FOREIGN, /* another ring */
} KnKeyFit;

/* Needs a snapshot; a database that has recorded nothing is fitted by every ring. */
extern KnKeyFit kn_keycheck_fit(const KnKeyring *ring);
/* How many keys this database has recorded. */
extern int kn_keycheck_count(void);
/* Writes what is new of the ring, once it is proven on an account; needs an SPI connection. */
extern void kn_keycheck_record(const KnKeyring *ring);
/* Whether something was sealed here, apart from check values; needs an SPI connection. */
extern bool kn_keycheck_sealed(void);
extern void kn_keycheck_forget(void);

#endif
