/*-------------------------------------------------------------------------
 *
 * vault.h
 *	  Where open data keys lie, and why none is left behind.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_VAULT_H
#define KN_KEYS_VAULT_H

#include "postgres.h"

#include "keys/keyring.h"

/* Names a place in the vault; number 0 names none.  Copies name the same place. */
typedef struct KnVaultKey
{
	struct KnVaultSlot *slot;
	uint64 number;
} KnVaultKey;

extern void kn_vault_init(void);
/* A place for a key, until it is given back or the (sub)transaction that took it ends. */
extern unsigned char *kn_vault_take(KnVaultKey *out);
/* The key at that place; NULL when it is closed. */
extern const unsigned char *kn_vault_key(const KnVaultKey *key);
/* Wipes it; what is closed stays so. */
extern void kn_vault_give(KnVaultKey *key);

#endif
