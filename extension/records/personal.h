/*-------------------------------------------------------------------------
 *
 * personal.h
 *	  What is hers alone: plan, contacts, preferences, moods, journal.
 *
 * All five are one table and one shape, sealed whole under her data key and
 * kept in her account's bucket, which is never shared.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_PERSONAL_H
#define KN_RECORDS_PERSONAL_H

#include "identity/caller.h"
#include "keys/keystore.h"
#include "records/field.h"
#include "records/record.h"
#include "trail/change.h"

#define KN_PERSONAL_FIELDS_MAX 16

typedef struct KnPersonalNoun
{
	const char *name;
	const KnField *fields;
	int n_fields;
	bool single;    /* one per account, its client id is the noun's name */
	bool last_wins; /* nothing is lost that anybody would miss; of the others both versions stay */
} KnPersonalNoun;

typedef struct KnPersonal
{
	pg_uuid_t id;
	pg_uuid_t owner;
	const KnPersonalNoun *noun;
	char *client_id;      /* of a row as its owner spells it */
	const char *spelling; /* of a new one as sent, NULL where that is the same */
	KnValue values[KN_PERSONAL_FIELDS_MAX];
	char *unreadable; /* JSON object text of what was sent and not understood, NULL when nothing */
	TimestampTz created_at;
	bool deleted;
	KnStamp stamp;
	/* who wrote the present version, and the highest one by anybody else */
	bool has_writer;
	pg_uuid_t writer;
	int64 foreign_version;
} KnPersonal;

extern const KnPersonalNoun kn_personal_nouns[];                 /* ends with one without a name */
extern const KnPersonalNoun *kn_personal_noun(const char *name); /* NULL when there is none */

/*
 * What an id of the owner is looked up by.  Of two that version 1.0 kept apart, though they
 * differ in capitals only, each is found as it is spelt.
 */
extern char *kn_personal_spelt(const KnPersonalNoun *noun, const pg_uuid_t *owner,
							   const char *text);
/* Rows of the owner: one by client id, a set by id, or a page of a noun. */
extern bool kn_personal_find(const KnPersonalNoun *noun, const pg_uuid_t *owner,
							 const char *client_id, bool lock, KnPersonal *out);
extern int kn_personal_load(const pg_uuid_t *owner, const pg_uuid_t *ids, int n, KnPersonal **out);
extern int kn_personal_page(const KnPersonalNoun *noun, const pg_uuid_t *owner,
							TimestampTz before_at, const pg_uuid_t *before_id, int limit,
							KnPersonal **out);
/* False when another one with that client id came first. */
extern bool kn_personal_insert(const KnPersonal *record);
extern void kn_personal_update(const KnPersonal *record); /* also brings a deleted one back */
extern void kn_personal_delete(const KnPersonal *record);

/* As KnWriter has them. */
extern void kn_personal_apply(KnCall *call, const KnWrite *write, KnRecordResult *out);
extern void kn_personal_touch(KnCall *call, const KnWrite *write, KnRecordResult *out);

extern void kn_personal_render(KnJson *json, const KnPersonal *record);

#endif
