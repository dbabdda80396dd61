/*-------------------------------------------------------------------------
 *
 * status.c
 *	  Whether the background worker is alive, for operators.
 *
 * Called from SQL by kintaraa_ops.worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "base/shared.h"

PG_FUNCTION_INFO_V1(kn_worker_status_sql);

/* kintaraa.worker_status() -> (pid, seen_at, database) */
PGDLLEXPORT Datum
kn_worker_status_sql(PG_FUNCTION_ARGS)
{
	KnShared *shared = kn_shared();
	TupleDesc desc;
	Datum values[3] = {0};
	bool nulls[3] = {true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "worker_status returns a record");
	if (shared != NULL)
	{
		int pid;
		TimestampTz seen_at;

		SpinLockAcquire(&shared->mutex);
		pid = shared->worker_pid;
		seen_at = shared->worker_seen_at;
		SpinLockRelease(&shared->mutex);
		values[0] = Int32GetDatum(pid);
		nulls[0] = pid == 0;
		values[1] = TimestampTzGetDatum(seen_at);
		nulls[1] = seen_at == 0;
		values[2] = CStringGetTextDatum(kn_guc_database);
		nulls[2] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
