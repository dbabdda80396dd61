/*-------------------------------------------------------------------------
 *
 * wire.h
 *	  Records as the two kinds of clients name them.
 *
 * JSON clients get the records of the API by noun.  WatermelonDB gets flat
 * rows: members of nested objects joined by _, camelCase as snake_case, times
 * as milliseconds, arrays as JSON text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_WIRE_H
#define KN_SYNC_WIRE_H

#include "base/json.h"

typedef struct KnWireNoun
{
	const char *noun;
	const char *plural; /* member of the answer of updates */
	const char *table;  /* of a WatermelonDB schema */
} KnWireNoun;

#define KN_WIRE_NOUNS 10

extern const KnWireNoun kn_wire_nouns[KN_WIRE_NOUNS];
extern const KnWireNoun *kn_wire_by_noun(const char *noun);
extern const KnWireNoun *kn_wire_by_table(const char *table); /* NULL when unknown */

/* A record of the API as a flat row. */
extern void kn_wire_flatten(KnJson *out, const char *record, int len);
/* The blanked row of a removed record: its id and removed = true. */
extern void kn_wire_blank(KnJson *out, const char *id);
/*
 * A flat row as a record of the API, for the noun's writer.  changed: the names
 * of the columns to take, joined by commas, and with one all of its object's,
 * null where the phone emptied them; NULL for all that are not null.
 */
extern Jsonb *kn_wire_nest(JsonbContainer *row, const char *changed);

#endif
