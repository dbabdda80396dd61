/*-------------------------------------------------------------------------
 *
 * migration.c
 *	  The migrations built into the library, as rows.
 *
 * Called from SQL by kintaraa.migrate().  The bytes are those of the files.
 * COMMIT where there can be none says "invalid transaction termination" and
 * nothing of what to do, so migrate() asks here first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"

#include "base/migration_table.h"

PG_FUNCTION_INFO_V1(kn_migrations_sql);
PG_FUNCTION_INFO_V1(kn_migrate_alone_sql);

/* kintaraa.migrations() -> setof (number, name, hash, script) */
PGDLLEXPORT Datum
kn_migrations_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < kn_migration_count; i++)
	{
		const KnMigration *step = &kn_migrations[i];
		Datum values[4];
		bool nulls[4] = {false};

		values[0] = Int32GetDatum(step->number);
		values[1] = CStringGetTextDatum(step->name);
		values[2] = CStringGetTextDatum(step->sha256);
		values[3] = PointerGetDatum(cstring_to_text_with_len(step->start, step->end - step->start));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* kintaraa.migrate_alone(): an error where the caller cannot commit. */
PGDLLEXPORT Datum
kn_migrate_alone_sql(PG_FUNCTION_ARGS)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR, errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("kintaraa.migrate() commits after each migration and must be called alone"),
				errhint("Call it outside BEGIN and psql -1, with nothing else in the same -c, and "
						"from no function."));
	PG_RETURN_NULL();
}
