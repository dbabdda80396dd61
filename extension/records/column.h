/*-------------------------------------------------------------------------
 *
 * column.h
 *	  The columns of a noun as one table: what a row is in C and in SQL.
 *
 * From it come the list that a SELECT names, the texts of INSERT and UPDATE with
 * their parameters, the arguments of both and the reader of a row, so that a
 * column is written down once.  A noun lists its columns with a macro that takes
 * a macro:
 *
 *	   #define NEED_COLUMNS(C) \
 *		  C("id",     "", "", KN_COLUMN_UUID, KN_COLUMN_KEPT, AT(id), 0, NULL) \
 *		  C("level", "::int4", "", KN_COLUMN_INT, KN_COLUMN_CHANGED, AT(level), 0, NULL)
 *
 * name, how a SELECT and how a parameter casts it, what it is in C, when it is
 * written, its place in the struct, the place of what belongs to it, and a table
 * of words or the name under which it is sealed.  KN_COLUMN_ROW of each makes the
 * table, KN_COLUMN_OF its part of the SELECT: columns of a result are numbered as
 * they stand there, from 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_RECORDS_COLUMN_H
#define KN_RECORDS_COLUMN_H

#include "base/spi.h"
#include "keys/keystore.h"

typedef enum KnColumnKind
{
	KN_COLUMN_UUID,   /* pg_uuid_t; also: a bool that says whether there is one */
	KN_COLUMN_TEXT,   /* char *, NULL is NULL */
	KN_COLUMN_WORD,   /* an enum by its words */
	KN_COLUMN_EITHER, /* a bool by two words, that for false first */
	KN_COLUMN_BOOL,
	KN_COLUMN_INT,    /* int */
	KN_COLUMN_BIGINT, /* int64, -1 is NULL */
	KN_COLUMN_TIME,   /* TimestampTz, 0 is NULL */
	KN_COLUMN_FLOAT,  /* double; also: a bool that says whether there is one */
	KN_COLUMN_JSONB,  /* Jsonb *, NULL is NULL */
	KN_COLUMN_BYTES,  /* bytea *, NULL is NULL */
	KN_COLUMN_TEXTS,  /* char *[]; also: the int that counts them, at most KN_SERVICES_MAX */
	/* of a KnValue: its text, flag, number, items */
	KN_COLUMN_VALUE,
	KN_COLUMN_VALUE_FLAG,
	KN_COLUMN_VALUE_NUMBER,
	KN_COLUMN_VALUE_ITEMS,
	/*
	 * bytea *, read as it lies; also: the KnValue whose text, or whose two numbers,
	 * or the char * which is sealed when the row is written
	 */
	KN_COLUMN_SEALED,
	KN_COLUMN_SEALED_POINT,
	KN_COLUMN_SEALED_TEXT
} KnColumnKind;

/* When a column is written. */
typedef enum KnColumnUse
{
	KN_COLUMN_KEPT,    /* with a new row, and never changed */
	KN_COLUMN_CHANGED, /* with a new row and with each change */
	KN_COLUMN_LATER,   /* with a change only: a new row has the default */
	KN_COLUMN_READ     /* by other statements */
} KnColumnUse;

typedef enum KnColumnWrite
{
	KN_COLUMNS_NEW,
	KN_COLUMNS_CHANGE
} KnColumnWrite;

typedef struct KnColumn
{
	const char *name;
	const char *cast; /* of a parameter; "" for none */
	KnColumnKind kind;
	KnColumnUse use;
	size_t at;
	size_t also;
	const void *of; /* const char *const * of words, or the name under which it is sealed */
} KnColumn;

#define KN_COLUMN_ROW(name_, out_, in_, kind_, use_, at_, also_, of_) \
	{name_, in_, kind_, use_, at_, also_, of_},

/* The columns of one noun; those that its SELECT names come first. */
typedef struct KnColumns
{
	const char *table; /* with its schema */
	const KnColumn *columns;
	int n;
	int n_read;
} KnColumns;

/*
 * "INSERT INTO table (a, b) VALUES ($1, $2)"; of many rows "… SELECT ($1)[r], ($2)[r]
 * FROM …", where the last parameter counts them.
 */
extern char *kn_columns_insert(const KnColumns *columns, bool many);
/* "UPDATE table SET a = $3, b = $4", after two parameters that are the caller's own. */
extern char *kn_columns_update(const KnColumns *columns, int after);
/* The parameter of a column in that text. */
extern int kn_columns_parameter(const KnColumns *columns, const char *name, int after);
/*
 * Gives a statement its text, once and for as long as the backend lives, and adds the
 * types of such parameters to those that it has.
 */
extern void kn_columns_state(const KnColumns *columns, KnColumnWrite write, bool many,
							 const char *sql, KnStatement *statement);

/*
 * One row's arguments, after those that are there; they point into the row until the
 * statement has run.  subject may be NULL where nothing is sealed.
 */
extern void kn_columns_bind(const KnColumns *columns, KnColumnWrite write, const void *row,
							const pg_uuid_t *id, const KnSubject *subject, KnArgs *args);
/* Of new rows that were bound one by one: an array for each column, and how many they are. */
extern void kn_columns_bind_many(const KnColumns *columns, const KnArgs *rows, int n,
								 KnArgs *args);
/* A row of a SELECT that begins with these columns; what is not theirs is left alone. */
extern void kn_columns_read(const KnColumns *columns, const KnRows *rows, uint64 row, void *out);

#endif
