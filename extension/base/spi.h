/*-------------------------------------------------------------------------
 *
 * spi.h
 *	  Prepared statements run as the role that owns their rights.
 *
 * The only room that calls SPI and the only one that switches user.  A
 * statement says as whom it runs: DOOR sees what row security lets the proven
 * caller see, DISPATCH what dispatchers see, SYSTEM everything its grants
 * allow.  One saved plan per statement, so one plan per owner, made once for
 * all parameters: planning anew each time costs more than any of them runs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_SPI_H
#define KN_BASE_SPI_H

#include "base/sizes.h"
#include "executor/spi.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef enum KnActor
{
	KN_AS_DOOR,
	KN_AS_DISPATCH,
	KN_AS_SYSTEM,
	KN_ACTORS
} KnActor;

typedef struct KnStatement
{
	const char *sql;
	KnActor actor;
	bool writes;
	int nargs;
	const Oid *types;
	SPIPlanPtr plan; /* saved at first use, lives as long as the backend */
} KnStatement;

#define KN_TYPES(...) \
	.types = (const Oid[]){__VA_ARGS__}, .nargs = sizeof((const Oid[]){__VA_ARGS__}) / sizeof(Oid)
#define KN_READ(actor_, sql_, ...)                          \
	{                                                       \
		.sql = sql_, .actor = actor_, KN_TYPES(__VA_ARGS__) \
	}
#define KN_WRITE(actor_, sql_, ...)                                         \
	{                                                                       \
		.sql = sql_, .actor = actor_, .writes = true, KN_TYPES(__VA_ARGS__) \
	}
/* Reads news: the newest snapshot whatever the door's flags say. */
#define KN_FRESH(actor_, sql_, ...)                                         \
	{                                                                       \
		.sql = sql_, .actor = actor_, .writes = true, KN_TYPES(__VA_ARGS__) \
	}

/* Parameters of one execution; a null text, bytea or uuid pointer is SQL NULL. */
typedef struct KnArgs
{
	int n;
	Datum value[KN_STATEMENT_ARGS];
	char null[KN_STATEMENT_ARGS];
} KnArgs;

extern void kn_arg_datum(KnArgs *args, Datum value, bool is_null);
extern void kn_arg_uuid(KnArgs *args, const pg_uuid_t *value);
extern void kn_arg_text(KnArgs *args, const char *value);
extern void kn_arg_bytes(KnArgs *args, const void *value, Size len);
extern void kn_arg_bytea(KnArgs *args, bytea *value);
extern void kn_arg_int(KnArgs *args, int32 value);
extern void kn_arg_bigint(KnArgs *args, int64 value);
extern void kn_arg_float(KnArgs *args, double value, bool is_null);
extern void kn_arg_bool(KnArgs *args, bool value);
extern void kn_arg_time(KnArgs *args, TimestampTz value);
extern void kn_arg_time_or_null(KnArgs *args, TimestampTz value); /* 0 is NULL */
/*
 * A place in a list that begins with the newest: two arguments for a condition
 * (time, id) < ($n, $m), which an index serves as "$n IS NULL OR" would not.
 * At 0 is the beginning.
 */
extern void kn_arg_before(KnArgs *args, TimestampTz at, const pg_uuid_t *id);
extern void kn_arg_text_array(KnArgs *args, char *const *values, int n);
extern void kn_arg_uuid_array(KnArgs *args, const pg_uuid_t *values, int n);
extern void kn_arg_int_array(KnArgs *args, const int32 *values, int n);
extern void kn_arg_time_array(KnArgs *args, const TimestampTz *values, int n); /* 0 is NULL */
extern void kn_arg_float_array(KnArgs *args, const double *values, int n);
extern void kn_arg_bool_array(KnArgs *args, const bool *values, int n);
/* Items of any type. */
extern void kn_arg_array(KnArgs *args, Oid type, Datum *items, bool *nulls, int n);
/* The array given last is read by index: its items are found without going over those before. */
extern void kn_arg_read_by_index(KnArgs *args);

/*
 * Runs a statement inside the current SPI connection.  Returns the number of
 * rows; they stay readable through kn_col_* until the next kn_run or, for rows
 * kept with kn_rows(), until SPI_finish.
 */
extern uint64 kn_run(KnStatement *statement, const KnArgs *args);
/* Same for a statement without parameters. */
extern uint64 kn_run0(KnStatement *statement);

typedef struct KnRows
{
	SPITupleTable *table;
	uint64 n;
} KnRows;

extern KnRows kn_rows(void); /* rows of the last kn_run */

/* Column values of a row; columns count from 1.  Text is a copy in the current context. */
extern Datum kn_col(const KnRows *rows, uint64 row, int column, bool *is_null);
extern bool kn_col_is_null(const KnRows *rows, uint64 row, int column);
extern char *kn_col_text(const KnRows *rows, uint64 row, int column); /* NULL when SQL NULL */
extern bool kn_col_uuid(const KnRows *rows, uint64 row, int column, pg_uuid_t *out);
extern bytea *kn_col_bytea(const KnRows *rows, uint64 row, int column);
extern int32 kn_col_int(const KnRows *rows, uint64 row, int column, int32 if_null);
extern int64 kn_col_bigint(const KnRows *rows, uint64 row, int column, int64 if_null);
extern double kn_col_float(const KnRows *rows, uint64 row, int column, double if_null);
extern bool kn_col_bool(const KnRows *rows, uint64 row, int column);
extern TimestampTz kn_col_time(const KnRows *rows, uint64 row, int column); /* 0 when NULL */
extern char **kn_col_text_array(const KnRows *rows, uint64 row, int column, int *n);

/* Once per process. */
extern void kn_spi_init(void);
/* Role OIDs of ours by actor. */
extern Oid kn_actor_role(KnActor actor);
/* While true, statements that only read run under the snapshot of the calling statement. */
extern void kn_spi_read_only(bool on);

#endif
