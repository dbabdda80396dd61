/*-------------------------------------------------------------------------
 *
 * client_id.h
 *	  Ids that phones make: found by a keyed index, read by their owner alone.
 *
 * Such an id may hold a person's words.  A row has the index of its folded form
 * and, sealed, the spelling that came first, where that is not the row's own id.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_CLIENT_ID_H
#define KN_RECORDS_CLIENT_ID_H

#include "keys/keystore.h"

extern bool kn_client_id_valid(const char *text);
/* What an id is looked up by: of a UUID capitals and small letters are one.  Returns new. */
extern char *kn_client_id_fold(const char *text);
/*
 * A folded id as the one for everybody: a UUID of version 4.  Of other versions
 * some tell the device and the moment, and of those that are none nobody knows.
 */
extern bool kn_client_id_uuid(const char *folded, pg_uuid_t *out);

/* The index of a folded id among those that an account made for a noun; returns new. */
extern bytea *kn_client_key(const pg_uuid_t *account, const char *noun, const char *folded);

extern bool kn_client_key_equal(const bytea *a, const bytea *b);

/* NULL where the spelling is the row's id.  place is "table.spelling". */
extern bytea *kn_spelling_seal(const KnSubject *subject, const char *place, const pg_uuid_t *row,
							   const char *spelling);
/* Returns new; the row's id where nothing is sealed or its owner is erased. */
extern char *kn_spelling_open(const KnSubject *subject, const char *place, const pg_uuid_t *row,
							  bytea *sealed);

#endif
