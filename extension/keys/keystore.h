/*-------------------------------------------------------------------------
 *
 * keystore.h
 *	  The key ring of this server, as the rest of the extension uses it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_KEYSTORE_H
#define KN_KEYS_KEYSTORE_H

#include "base/installed.h"
#include "keys/field.h"
#include "keys/jws.h"
#include "keys/keyring.h"
#include "keys/vault.h"
#include "utils/uuid.h"

/* The loaded ring; raises KN901 with a hint when there is none. */
extern const KnKeyring *kn_keystore(void);
/* What is wrong with the file, as a backend that has not read it yet would find it. */
extern KnLack kn_keystore_lack(void);

/*
 * A data key for the length of one statement; close with kn_subject_forget.  The
 * key lies in the vault, which wipes it whether or not anybody remembers to.
 */
typedef struct KnSubject
{
	pg_uuid_t id;
	bool open;
	KnVaultKey key;
} KnSubject;

/* Makes a key for a new subject; wrapped holds KN_WRAPPED_SIZE bytes for the row. */
/* Notes check values of keys in force that have none; returns how many those were. */
extern int kn_keystore_record(void);
extern void kn_subject_new(KnSubject *subject, const pg_uuid_t *id, unsigned char *wrapped);
/* Unwraps; a NULL wrapped key (erased subject) leaves it closed. */
extern void kn_subject_open(KnSubject *subject, const pg_uuid_t *id, bytea *wrapped);
extern void kn_subject_forget(KnSubject *subject);

/*
 * A sealed field is bound to its place: "table.column" and the row's id.  NULL
 * in, NULL out.  Opening raises when the bytes were moved or changed, and
 * returns NULL for an erased subject.
 */
extern bytea *kn_seal(const KnSubject *subject, const char *place, const pg_uuid_t *row,
					  const char *plain);
extern char *kn_unseal(const KnSubject *subject, const char *place, const pg_uuid_t *row,
					   bytea *sealed);

/* HMAC of a record's canonical text under the hash key; returns new, 32 bytes. */
extern bytea *kn_record_hash(const char *text, int len);
/* The keyed pseudonym of an account in the audit trail; returns new, 16 bytes. */
extern bytea *kn_pseudonym(const pg_uuid_t *account);
/* Another one for each case of the same account. */
extern bytea *kn_pseudonym_of_case(const pg_uuid_t *account, const pg_uuid_t *target);

/* Told when a superuser made or changed the key ring, by which function; may be NULL. */
extern void (*kn_keyring_news)(const char *action);

#endif
