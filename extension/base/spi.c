/*-------------------------------------------------------------------------
 *
 * spi.c
 *	  Prepared statements run as the role that owns their rights.
 *
 * Called from every *_store.c.  The user is switched for the length of one
 * statement; an error leaves the switch to (sub)transaction abort, which
 * restores the user that was current when it began.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/planner.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/spi.h"

static const char *const actor_name[KN_ACTORS] = {
	[KN_AS_DOOR] = "kintaraa_door",
	[KN_AS_DISPATCH] = "kintaraa_dispatch",
	[KN_AS_SYSTEM] = "kintaraa_system",
};

/* The row read last, taken apart once: columns behind a NULL or a text are far otherwise. */
static struct
{
	SPITupleTable *table;
	uint64 row;
	Datum value[KN_RESULT_COLUMNS];
	bool null[KN_RESULT_COLUMNS];
} last;

/* Ours among the options of a plan, which keeps them for each time it is planned anew. */
#define CURSOR_OPT_BY_INDEX (1 << 30)

static planner_hook_type next_planner = NULL;
static Oid actor_role[KN_ACTORS];
static bool watches_roles = false;
static bool read_only = false;

static void forget_roles(Datum arg, int cacheid, uint32 hashvalue);
static void prepare(KnStatement *statement);
static PlannedStmt *plan_by_index(Query *query, const char *text, int options,
								  ParamListInfo params);

void
kn_arg_datum(KnArgs *args, Datum value, bool is_null)
{
	if (args->n >= KN_STATEMENT_ARGS)
		elog(ERROR, "more than %d parameters", KN_STATEMENT_ARGS);
	args->value[args->n] = value;
	args->null[args->n] = is_null ? 'n' : ' ';
	args->n++;
}

void
kn_arg_uuid(KnArgs *args, const pg_uuid_t *value)
{
	kn_arg_datum(args, UUIDPGetDatum(value), value == NULL);
}

void
kn_arg_text(KnArgs *args, const char *value)
{
	kn_arg_datum(args, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
kn_arg_bytes(KnArgs *args, const void *value, Size len)
{
	bytea *copy = NULL;

	if (value != NULL)
	{
		copy = palloc(VARHDRSZ + len);
		SET_VARSIZE(copy, VARHDRSZ + len);
		memcpy(VARDATA(copy), value, len);
	}
	kn_arg_bytea(args, copy);
}

void
kn_arg_bytea(KnArgs *args, bytea *value)
{
	kn_arg_datum(args, PointerGetDatum(value), value == NULL);
}

void
kn_arg_int(KnArgs *args, int32 value)
{
	kn_arg_datum(args, Int32GetDatum(value), false);
}

void
kn_arg_bigint(KnArgs *args, int64 value)
{
	kn_arg_datum(args, Int64GetDatum(value), false);
}

void
kn_arg_float(KnArgs *args, double value, bool is_null)
{
	kn_arg_datum(args, Float8GetDatum(value), is_null);
}

void
kn_arg_bool(KnArgs *args, bool value)
{
	kn_arg_datum(args, BoolGetDatum(value), false);
}

void
kn_arg_time(KnArgs *args, TimestampTz value)
{
	kn_arg_datum(args, TimestampTzGetDatum(value), false);
}

void
kn_arg_time_or_null(KnArgs *args, TimestampTz value)
{
	kn_arg_datum(args, TimestampTzGetDatum(value), value == 0);
}

void
kn_arg_before(KnArgs *args, TimestampTz at, const pg_uuid_t *id)
{
	static pg_uuid_t last;

	memset(&last, 0xff, sizeof(last));
	kn_arg_time(args, at == 0 ? DT_NOEND : at);
	kn_arg_uuid(args, at == 0 ? &last : id);
}

void
kn_arg_text_array(KnArgs *args, char *const *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		items[i] = CStringGetTextDatum(values[i]);
	kn_arg_datum(args,
				 PointerGetDatum(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT)),
				 false);
}

void
kn_arg_uuid_array(KnArgs *args, const pg_uuid_t *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	ArrayType *array;

	for (int i = 0; i < n; i++)
		items[i] = UUIDPGetDatum(&values[i]);
	array = construct_array(items, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
	kn_arg_datum(args, PointerGetDatum(array), false);
}

void
kn_arg_int_array(KnArgs *args, const int32 *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	ArrayType *array;

	for (int i = 0; i < n; i++)
		items[i] = Int32GetDatum(values[i]);
	array = construct_array(items, n, INT4OID, sizeof(int32), true, TYPALIGN_INT);
	kn_arg_datum(args, PointerGetDatum(array), false);
}

void
kn_arg_time_array(KnArgs *args, const TimestampTz *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	bool *nulls = palloc(sizeof(bool) * Max(n, 1));
	int lower = 1;
	ArrayType *array;

	for (int i = 0; i < n; i++)
	{
		items[i] = TimestampTzGetDatum(values[i]);
		nulls[i] = values[i] == 0;
	}
	array = construct_md_array(items, nulls, 1, &n, &lower, TIMESTAMPTZOID, sizeof(TimestampTz),
							   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	kn_arg_datum(args, PointerGetDatum(array), false);
}

void
kn_arg_float_array(KnArgs *args, const double *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	ArrayType *array;

	for (int i = 0; i < n; i++)
		items[i] = Float8GetDatum(values[i]);
	array = construct_array(items, n, FLOAT8OID, sizeof(double), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	kn_arg_datum(args, PointerGetDatum(array), false);
}

void
kn_arg_bool_array(KnArgs *args, const bool *values, int n)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	ArrayType *array;

	for (int i = 0; i < n; i++)
		items[i] = BoolGetDatum(values[i]);
	array = construct_array(items, n, BOOLOID, sizeof(bool), true, TYPALIGN_CHAR);
	kn_arg_datum(args, PointerGetDatum(array), false);
}

void
kn_arg_array(KnArgs *args, Oid type, Datum *items, bool *nulls, int n)
{
	int lower = 1;
	int16 len;
	bool by_value;
	char align;
	ArrayType *array;

	get_typlenbyvalalign(type, &len, &by_value, &align);
	array = n == 0 ? construct_empty_array(type)
				   : construct_md_array(items, nulls, 1, &n, &lower, type, len, by_value, align);
	kn_arg_datum(args, PointerGetDatum(array), false);
}

void
kn_arg_read_by_index(KnArgs *args)
{
	Datum *array = &args->value[args->n - 1];
	Datum copy = expand_array(*array, CurrentMemoryContext, NULL);
	ExpandedArrayHeader *expanded = (ExpandedArrayHeader *) DatumGetEOHP(copy);

	deconstruct_expanded_array(expanded);
	*array = EOHPGetRODatum(&expanded->hdr);
}

uint64
kn_run(KnStatement *statement, const KnArgs *args)
{
	Oid user;
	int context;
	Oid role = kn_actor_role(statement->actor);
	int result;

	Assert(args->n == statement->nargs);
	GetUserIdAndSecContext(&user, &context);
	if (user != role)
		SetUserIdAndSecContext(role, context | SECURITY_LOCAL_USERID_CHANGE);
	if (statement->plan == NULL)
		prepare(statement);
	result = SPI_execute_plan(statement->plan, (Datum *) args->value, args->null,
							  read_only && !statement->writes, 0);
	last.table = NULL; /* what is read from now on may lie where that row was */
	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
	if (user != role)
		SetUserIdAndSecContext(user, context);
	return SPI_processed;
}

uint64
kn_run0(KnStatement *statement)
{
	KnArgs none = {0};

	return kn_run(statement, &none);
}

static void
prepare(KnStatement *statement)
{
	SPIPlanPtr plan = SPI_prepare_cursor(statement->sql, statement->nargs, (Oid *) statement->types,
										 CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_BY_INDEX);

	if (plan == NULL)
		elog(ERROR, "statement does not prepare: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	statement->plan = plan;
}

void
kn_spi_init(void)
{
	next_planner = planner_hook;
	planner_hook = plan_by_index;
}

/*
 * A plan that was made while a table was empty would read it from end to end
 * for as long as the backend lives; without sequential scans it is right from
 * the first row on.  A bitmap has no order: while somebody has few reports it
 * would be read whole and sorted for each page, and so for ever.  So it is for
 * every planning of our statements, also one after an invalidation, and for
 * nobody else's.
 */
static PlannedStmt *
plan_by_index(Query *query, const char *text, int options, ParamListInfo params)
{
	planner_hook_type plan = next_planner ? next_planner : standard_planner;
	bool seqscan = enable_seqscan;
	bool bitmapscan = enable_bitmapscan;
	PlannedStmt *planned;

	if (!(options & CURSOR_OPT_BY_INDEX))
		return plan(query, text, options, params);
	enable_seqscan = false;
	enable_bitmapscan = false;
	PG_TRY();
	{
		planned = plan(query, text, options, params);
	}
	PG_FINALLY();
	{
		enable_seqscan = seqscan;
		enable_bitmapscan = bitmapscan;
	}
	PG_END_TRY();
	return planned;
}

void
kn_spi_read_only(bool on)
{
	read_only = on;
}

KnRows
kn_rows(void)
{
	return (KnRows){.table = SPI_tuptable, .n = SPI_processed};
}

Datum
kn_col(const KnRows *rows, uint64 row, int column, bool *is_null)
{
	TupleDesc desc = rows->table->tupdesc;

	Assert(row < rows->n && column <= desc->natts);
	if (desc->natts > KN_RESULT_COLUMNS)
		return SPI_getbinval(rows->table->vals[row], desc, column, is_null);
	if (last.table != rows->table || last.row != row)
	{
		heap_deform_tuple(rows->table->vals[row], desc, last.value, last.null);
		last.table = rows->table;
		last.row = row;
	}
	*is_null = last.null[column - 1];
	return last.value[column - 1];
}

bool
kn_col_is_null(const KnRows *rows, uint64 row, int column)
{
	bool is_null;

	(void) kn_col(rows, row, column, &is_null);
	return is_null;
}

char *
kn_col_text(const KnRows *rows, uint64 row, int column)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return is_null ? NULL : TextDatumGetCString(value);
}

bool
kn_col_uuid(const KnRows *rows, uint64 row, int column, pg_uuid_t *out)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	if (is_null)
		return false;
	*out = *DatumGetUUIDP(value);
	return true;
}

bytea *
kn_col_bytea(const KnRows *rows, uint64 row, int column)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return is_null ? NULL : DatumGetByteaPP(value);
}

int32
kn_col_int(const KnRows *rows, uint64 row, int column, int32 if_null)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return is_null ? if_null : DatumGetInt32(value);
}

int64
kn_col_bigint(const KnRows *rows, uint64 row, int column, int64 if_null)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return is_null ? if_null : DatumGetInt64(value);
}

double
kn_col_float(const KnRows *rows, uint64 row, int column, double if_null)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return is_null ? if_null : DatumGetFloat8(value);
}

bool
kn_col_bool(const KnRows *rows, uint64 row, int column)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return !is_null && DatumGetBool(value);
}

TimestampTz
kn_col_time(const KnRows *rows, uint64 row, int column)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);

	return is_null ? 0 : DatumGetTimestampTz(value);
}

char **
kn_col_text_array(const KnRows *rows, uint64 row, int column, int *n)
{
	bool is_null;
	Datum value = kn_col(rows, row, column, &is_null);
	Datum *items;
	char **texts;

	*n = 0;
	if (is_null)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &items, NULL, n);
	texts = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		texts[i] = TextDatumGetCString(items[i]);
	return texts;
}

Oid
kn_actor_role(KnActor actor)
{
	if (!watches_roles)
	{
		CacheRegisterSyscacheCallback(AUTHOID, forget_roles, (Datum) 0);
		watches_roles = true;
	}
	if (!OidIsValid(actor_role[actor]))
		actor_role[actor] = get_role_oid(actor_name[actor], false);
	return actor_role[actor];
}

/* A role of ours may be dropped and made again; its OID is looked up anew then. */
static void
forget_roles(Datum arg, int cacheid, uint32 hashvalue)
{
	memset(actor_role, 0, sizeof(actor_role));
}
