/*-------------------------------------------------------------------------
 *
 * column.c
 *	  The columns of a noun as one table: texts, arguments and reader.
 *
 * Called by the stores of nouns.  Texts are made at first use and live as long
 * as the backend.  An array inside an array is handed over as its text, since
 * SQL has no array of arrays of different lengths.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "records/column.h"
#include "records/field.h"

static bool is_written(const KnColumn *column, KnColumnWrite write);
static Oid type_of(const KnColumn *column);
static void bind_one(const KnColumn *column, const char *row, const pg_uuid_t *id,
					 const KnSubject *subject, KnArgs *args);
static void bind_value(const KnColumn *column, const KnValue *value, KnArgs *args);
static bytea *seal_one(const KnColumn *column, const void *also, const pg_uuid_t *id,
					   const KnSubject *subject);
static void read_one(const KnColumn *column, const KnRows *rows, uint64 row, int at, char *out);
static void read_value(const KnColumn *column, const KnRows *rows, uint64 row, int at,
					   KnValue *value);
static void read_texts(const KnRows *rows, uint64 row, int at, char **texts, int *n);
static int word_number(const KnColumn *column, const char *word);

static bool
is_written(const KnColumn *column, KnColumnWrite write)
{
	if (column->use == KN_COLUMN_CHANGED)
		return true;
	return column->use == (write == KN_COLUMNS_NEW ? KN_COLUMN_KEPT : KN_COLUMN_LATER);
}

static Oid
type_of(const KnColumn *column)
{
	switch (column->kind)
	{
		case KN_COLUMN_UUID:
			return UUIDOID;
		case KN_COLUMN_TEXT:
		case KN_COLUMN_WORD:
		case KN_COLUMN_EITHER:
		case KN_COLUMN_VALUE:
			return TEXTOID;
		case KN_COLUMN_BOOL:
		case KN_COLUMN_VALUE_FLAG:
			return BOOLOID;
		case KN_COLUMN_INT:
			return INT4OID;
		case KN_COLUMN_BIGINT:
			return INT8OID;
		case KN_COLUMN_TIME:
			return TIMESTAMPTZOID;
		case KN_COLUMN_FLOAT:
		case KN_COLUMN_VALUE_NUMBER:
			return FLOAT8OID;
		case KN_COLUMN_JSONB:
			return JSONBOID;
		case KN_COLUMN_TEXTS:
		case KN_COLUMN_VALUE_ITEMS:
			return TEXTARRAYOID;
		case KN_COLUMN_BYTES:
		case KN_COLUMN_SEALED:
		case KN_COLUMN_SEALED_POINT:
		case KN_COLUMN_SEALED_TEXT:
			return BYTEAOID;
	}
	return InvalidOid;
}

char *
kn_columns_insert(const KnColumns *columns, bool many)
{
	StringInfoData names;
	StringInfoData values;
	int n = 0;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < columns->n; i++)
	{
		const KnColumn *column = &columns->columns[i];
		const char *comma = n > 0 ? ", " : "";
		bool is_nested = many && type_of(column) == TEXTARRAYOID;

		if (!is_written(column, KN_COLUMNS_NEW))
			continue;
		appendStringInfo(&names, "%s%s", comma, column->name);
		appendStringInfo(&values, many ? "%s($%d)[r]%s%s" : "%s$%d%s%s", comma, ++n,
						 is_nested ? "::text[]" : "", column->cast);
	}
	if (!many)
		return psprintf("INSERT INTO %s (%s) VALUES (%s)", columns->table, names.data, values.data);
	return psprintf("INSERT INTO %s (%s) SELECT %s FROM pg_catalog.generate_series(1, $%d) AS r",
					columns->table, names.data, values.data, n + 1);
}

char *
kn_columns_update(const KnColumns *columns, int after)
{
	StringInfoData text;
	int n = after;

	initStringInfo(&text);
	appendStringInfo(&text, "UPDATE %s SET ", columns->table);
	for (int i = 0; i < columns->n; i++)
		if (is_written(&columns->columns[i], KN_COLUMNS_CHANGE))
		{
			appendStringInfo(&text, "%s%s = $%d%s", n > after ? ", " : "",
							 columns->columns[i].name, n + 1, columns->columns[i].cast);
			n++;
		}
	return text.data;
}

int
kn_columns_parameter(const KnColumns *columns, const char *name, int after)
{
	for (int i = 0; i < columns->n; i++)
	{
		after += is_written(&columns->columns[i], KN_COLUMNS_CHANGE);
		if (strcmp(columns->columns[i].name, name) == 0)
			return after;
	}
	elog(ERROR, "%s has no column %s", columns->table, name);
}

void
kn_columns_state(const KnColumns *columns, KnColumnWrite write, bool many, const char *sql,
				 KnStatement *statement)
{
	int n = statement->nargs;
	Oid *types = MemoryContextAlloc(TopMemoryContext, sizeof(Oid) * (n + columns->n + 1));

	if (n > 0)
		memcpy(types, statement->types, sizeof(Oid) * n);
	for (int i = 0; i < columns->n; i++)
	{
		Oid type = type_of(&columns->columns[i]);

		if (!is_written(&columns->columns[i], write))
			continue;
		if (many && type != TEXTARRAYOID)
			type = get_array_type(type);
		types[n++] = type;
	}
	if (many)
		types[n++] = INT4OID;
	statement->types = types;
	statement->nargs = n;
	statement->sql = MemoryContextStrdup(TopMemoryContext, sql);
}

void
kn_columns_bind(const KnColumns *columns, KnColumnWrite write, const void *row,
				const pg_uuid_t *id, const KnSubject *subject, KnArgs *args)
{
	for (int i = 0; i < columns->n; i++)
		if (is_written(&columns->columns[i], write))
			bind_one(&columns->columns[i], row, id, subject, args);
}

static void
bind_one(const KnColumn *column, const char *row, const pg_uuid_t *id, const KnSubject *subject,
		 KnArgs *args)
{
	const void *at = row + column->at;
	const void *also = row + column->also;
	bool is_there = column->also == 0 || *(const bool *) also;

	switch (column->kind)
	{
		case KN_COLUMN_UUID:
			kn_arg_uuid(args, is_there ? (const pg_uuid_t *) at : NULL);
			break;
		case KN_COLUMN_TEXT:
			kn_arg_text(args, *(char *const *) at);
			break;
		case KN_COLUMN_WORD:
			kn_arg_text(args, ((const char *const *) column->of)[*(const int *) at]);
			break;
		case KN_COLUMN_EITHER:
			kn_arg_text(args, ((const char *const *) column->of)[*(const bool *) at]);
			break;
		case KN_COLUMN_BOOL:
			kn_arg_bool(args, *(const bool *) at);
			break;
		case KN_COLUMN_INT:
			kn_arg_int(args, *(const int *) at);
			break;
		case KN_COLUMN_BIGINT:
			kn_arg_datum(args, Int64GetDatum(*(const int64 *) at), *(const int64 *) at == -1);
			break;
		case KN_COLUMN_TIME:
			kn_arg_time_or_null(args, *(const TimestampTz *) at);
			break;
		case KN_COLUMN_FLOAT:
			kn_arg_float(args, *(const double *) at, !is_there);
			break;
		case KN_COLUMN_JSONB:
			kn_arg_datum(args, JsonbPGetDatum(*(Jsonb *const *) at), *(Jsonb *const *) at == NULL);
			break;
		case KN_COLUMN_BYTES:
			kn_arg_bytea(args, *(bytea *const *) at);
			break;
		case KN_COLUMN_TEXTS:
			kn_arg_text_array(args, (char *const *) at, *(const int *) also);
			break;
		case KN_COLUMN_VALUE:
		case KN_COLUMN_VALUE_FLAG:
		case KN_COLUMN_VALUE_NUMBER:
		case KN_COLUMN_VALUE_ITEMS:
			bind_value(column, at, args);
			break;
		case KN_COLUMN_SEALED:
		case KN_COLUMN_SEALED_POINT:
		case KN_COLUMN_SEALED_TEXT:
			kn_arg_bytea(args, seal_one(column, also, id, subject));
			break;
	}
}

static void
bind_value(const KnColumn *column, const KnValue *value, KnArgs *args)
{
	if (column->kind == KN_COLUMN_VALUE)
		kn_arg_text(args, value->present ? value->text : NULL);
	else if (column->kind == KN_COLUMN_VALUE_FLAG)
		kn_arg_bool(args, value->flag);
	else if (column->kind == KN_COLUMN_VALUE_NUMBER)
		kn_arg_float(args, value->number, !value->present);
	else
		kn_arg_text_array(args, value->items, value->n_items);
}

static bytea *
seal_one(const KnColumn *column, const void *also, const pg_uuid_t *id, const KnSubject *subject)
{
	const KnValue *value = also;

	if (column->kind == KN_COLUMN_SEALED_TEXT)
		return kn_seal(subject, column->of, id, *(const char *const *) also);
	if (column->kind == KN_COLUMN_SEALED)
		return kn_seal(subject, column->of, id, value->text);
	if (!value->present)
		return NULL;
	return kn_seal(subject, column->of, id, psprintf("%.7f %.7f", value->number, value->second));
}

void
kn_columns_bind_many(const KnColumns *columns, const KnArgs *rows, int n, KnArgs *args)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	bool *nulls = palloc(sizeof(bool) * Max(n, 1));
	int at = 0;

	for (int i = 0; i < columns->n; i++)
	{
		Oid type = type_of(&columns->columns[i]);
		bool is_nested = type == TEXTARRAYOID;

		if (!is_written(&columns->columns[i], KN_COLUMNS_NEW))
			continue;
		for (int row = 0; row < n; row++)
		{
			nulls[row] = rows[row].null[at] == 'n';
			items[row] = rows[row].value[at];
			if (is_nested)
				items[row] =
					CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT, items[row]));
		}
		kn_arg_array(args, is_nested ? TEXTOID : type, items, nulls, n);
		kn_arg_read_by_index(args);
		at++;
	}
	kn_arg_int(args, n);
}

void
kn_columns_read(const KnColumns *columns, const KnRows *rows, uint64 row, void *out)
{
	for (int i = 0; i < columns->n_read; i++)
		read_one(&columns->columns[i], rows, row, i + 1, out);
}

static void
read_one(const KnColumn *column, const KnRows *rows, uint64 row, int at, char *out)
{
	void *into = out + column->at;
	void *also = out + column->also;

	switch (column->kind)
	{
		case KN_COLUMN_UUID:
		{
			bool is_there = kn_col_uuid(rows, row, at, (pg_uuid_t *) into);

			if (column->also != 0)
				*(bool *) also = is_there;
			break;
		}
		case KN_COLUMN_TEXT:
			*(char **) into = kn_col_text(rows, row, at);
			break;
		case KN_COLUMN_WORD:
			*(int *) into = word_number(column, kn_col_text(rows, row, at));
			break;
		case KN_COLUMN_EITHER:
			*(bool *) into = word_number(column, kn_col_text(rows, row, at)) == 1;
			break;
		case KN_COLUMN_BOOL:
			*(bool *) into = kn_col_bool(rows, row, at);
			break;
		case KN_COLUMN_INT:
			*(int *) into = kn_col_int(rows, row, at, 0);
			break;
		case KN_COLUMN_BIGINT:
			*(int64 *) into = kn_col_bigint(rows, row, at, -1);
			break;
		case KN_COLUMN_TIME:
			*(TimestampTz *) into = kn_col_time(rows, row, at);
			break;
		case KN_COLUMN_FLOAT:
			if (column->also != 0)
				*(bool *) also = !kn_col_is_null(rows, row, at);
			*(double *) into = kn_col_float(rows, row, at, 0);
			break;
		case KN_COLUMN_JSONB:
		{
			bool is_null;
			Datum value = kn_col(rows, row, at, &is_null);

			*(Jsonb **) into = is_null ? NULL : DatumGetJsonbPCopy(value);
			break;
		}
		case KN_COLUMN_TEXTS:
			read_texts(rows, row, at, into, also);
			break;
		case KN_COLUMN_VALUE:
		case KN_COLUMN_VALUE_FLAG:
		case KN_COLUMN_VALUE_NUMBER:
		case KN_COLUMN_VALUE_ITEMS:
			read_value(column, rows, row, at, into);
			break;
		case KN_COLUMN_BYTES:
		case KN_COLUMN_SEALED:
		case KN_COLUMN_SEALED_POINT:
		case KN_COLUMN_SEALED_TEXT:
			*(bytea **) into = kn_col_bytea(rows, row, at);
			break;
	}
}

static void
read_texts(const KnRows *rows, uint64 row, int at, char **texts, int *n)
{
	char **items = kn_col_text_array(rows, row, at, n);

	*n = Min(*n, KN_SERVICES_MAX);
	for (int i = 0; i < *n; i++)
		texts[i] = items[i];
}

/* Flags and lists are never NULL: no answer is no, none is an empty list. */
static void
read_value(const KnColumn *column, const KnRows *rows, uint64 row, int at, KnValue *value)
{
	value->present = true;
	if (column->kind == KN_COLUMN_VALUE_FLAG)
		value->flag = kn_col_bool(rows, row, at);
	else if (column->kind == KN_COLUMN_VALUE_ITEMS)
		value->items = kn_col_text_array(rows, row, at, &value->n_items);
	else if (column->kind == KN_COLUMN_VALUE)
		value->text = kn_col_text(rows, row, at);
	else
		value->number = kn_col_float(rows, row, at, 0);
	if (column->kind == KN_COLUMN_VALUE || column->kind == KN_COLUMN_VALUE_NUMBER)
		value->present = !kn_col_is_null(rows, row, at);
}

static int
word_number(const KnColumn *column, const char *word)
{
	const char *const *words = column->of;

	for (int i = 0; word != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	elog(ERROR, "column %s holds an unknown word", column->name);
}
