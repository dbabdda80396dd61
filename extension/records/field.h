/*-------------------------------------------------------------------------
 *
 * field.h
 *	  What a record that a phone may write consists of, as one table.
 *
 * The table drives reading, hashing and showing, so that no output path can
 * forget a rule another one keeps.  A report is read leniently: what is wrong
 * counts as missing, is kept, and comes back as ignored.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_FIELD_H
#define KN_RECORDS_FIELD_H

#include "base/input.h"
#include "base/json.h"

typedef enum KnFieldKind
{
	KN_FIELD_TEXT,
	KN_FIELD_CHOICE,
	KN_FIELD_BOOL,
	KN_FIELD_GUARD, /* a flag that protects her: whatever is no plain no is yes */
	KN_FIELD_DATE,  /* YYYY-MM-DD */
	KN_FIELD_TIME,  /* HH:MM or HH:MM:SS */
	KN_FIELD_NUMBER,
	KN_FIELD_POINT, /* {"latitude","longitude"} */
	KN_FIELD_SERVICES,
	KN_FIELD_CHOICES, /* any of the choices, each once */
	KN_FIELD_JSON     /* any JSON of at most max characters */
} KnFieldKind;

/* Who may see a field; decisions of the projection are by class, never by name. */
typedef enum KnFieldClass
{
	KN_CLASS_CARD,
	KN_CLASS_CASE,
	KN_CLASS_PLACE,
	KN_CLASS_IDENTITY
} KnFieldClass;

typedef struct KnField
{
	const char *object; /* member of the record that holds it, NULL for the record itself */
	const char *key;
	KnFieldKind kind;
	KnFieldClass class;
	const char *const *choices;
	double max;                 /* characters of a text, bound of a number */
	const struct KnWord *words; /* other words for a choice */
	const char *if_unreadable;  /* the choice on her safe side */
} KnField;

typedef struct KnValue
{
	bool present;
	bool cleared; /* null was sent: a change empties it */
	bool guessed; /* not understood, and taken to be what is safe for her */
	bool flag;
	char *text;
	double number; /* latitude of a point */
	double second; /* longitude of a point */
	int n_items;
	char **items;
} KnValue;

/* One member as it came. */
typedef struct KnEntry
{
	const char *pointer;
	const char *json;
} KnEntry;

/* What lenient reading could not use. */
typedef struct KnLeftovers
{
	bool plain;    /* as version 1.0 read: exact words, no guesses */
	bool services; /* a service among it */
	int n;
	KnJson ignored;    /* [{"pointer","code"},…]; open array while reading */
	KnJson unreadable; /* {"/pointer":value,…} */
	int n_unreadable;
	KnEntry *entries; /* the same one by one */
} KnLeftovers;

/*
 * Reads a record by its table.  owned lists members that only the server
 * writes; nested lists the member objects the table knows.
 */
extern void kn_fields_read(const KnField *fields, int n, JsonbContainer *record,
						   const char *const *owned, KnValue *values, KnLeftovers *left);
/* Canonical text of what was read, for the keyed hash: by name, so that fields may be added. */
extern void kn_fields_canonical(const KnField *fields, int n, const KnValue *values,
								const KnLeftovers *left, KnJson *out);
/* Both as version 1.0 had them, for hashes that it stored. */
extern void kn_fields_read_plain(const KnField *fields, int n, JsonbContainer *record,
								 const char *const *owned, KnValue *values, KnLeftovers *left);
extern void kn_fields_canonical_plain(const KnField *fields, int n, const KnValue *values,
									  const KnLeftovers *left, KnJson *out);
/* Writes one value; absent is null. */
extern void kn_field_write(KnJson *json, const KnField *field, const KnValue *value);

#endif
