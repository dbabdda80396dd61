/*-------------------------------------------------------------------------
 *
 * barred.c
 *	  Whether the caller is barred from a case.
 *
 * Called by sight.c, for each row, by policies of row security, once for a
 * statement, and by need_store.c under its locks.  The first two read indexes
 * and start no plan: nearly every case has no row there, and nearly nobody is
 * barred from any.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "access/barred.h"
#include "base/index.h"
#include "base/json.h"
#include "base/spi.h"
#include "identity/door.h"

PG_FUNCTION_INFO_V1(kn_barred_from);

static KnIndex bucket_index = {
	.table_name = "barred", .index_name = "barred_pkey", .columns = {"principal"}};
static KnIndex principal_index = {
	.table_name = "barred", .index_name = "barred_principal_idx", .columns = {"bucket"}};

static KnStatement select_barred = KN_FRESH(
	KN_AS_SYSTEM, "SELECT 1 WHERE " KN_BARRED("$1", "$2"), UUIDOID, UUIDARRAYOID);

static KnStatement insert_barred = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.barred (bucket, principal, at) "
	"VALUES ($1, $2, pg_catalog.clock_timestamp()) ON CONFLICT DO NOTHING",
	UUIDOID, UUIDOID);

bool
kn_barred(const pg_uuid_t *bucket)
{
	const KnCaller *caller = kn_caller();
	const pg_uuid_t *keys[] = {bucket};
	KnProbe probe;
	bool barred = false;

	if (caller == NULL)
		return true;
	kn_probe_begin(&probe, &bucket_index);
	for (bool found = kn_probe(&probe, keys, 1); found && !barred; found = kn_probe_next(&probe))
		for (int i = 0; i < caller->n_principals; i++)
			barred = barred ||
					 kn_uuid_equal(DatumGetUUIDP(probe.value[0]), &caller->principals[i]);
	kn_probe_end(&probe);
	return barred;
}

void
kn_barred_refuse(const pg_uuid_t *bucket)
{
	const KnCaller *caller = kn_caller();
	KnArgs args = {0};

	/* a survivor is nothing but the owner, whom nobody bars */
	if (caller == NULL || caller->role == KN_ROLE_SURVIVOR)
		return;
	kn_arg_uuid(&args, bucket);
	kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
	if (kn_run(&select_barred, &args) > 0)
		kn_refuse_absent();
}

bool
kn_barred_add(const pg_uuid_t *bucket, const pg_uuid_t *principal)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, principal);
	return kn_run(&insert_barred, &args) == 1;
}

/* kintaraa.barred_from() -> uuid[]: buckets from which the proven caller is barred. */
PGDLLEXPORT Datum
kn_barred_from(PG_FUNCTION_ARGS)
{
	const KnCaller *caller = kn_caller();
	KnArgs args = {0};
	pg_uuid_t *buckets = NULL;
	int n = 0;
	int max = 0;
	KnProbe probe;

	if (caller != NULL)
		kn_probe_begin(&probe, &principal_index);
	for (int i = 0; caller != NULL && i < caller->n_principals; i++)
	{
		const pg_uuid_t *keys[] = {&caller->principals[i]};

		for (bool found = kn_probe(&probe, keys, 1); found; found = kn_probe_next(&probe))
		{
			if (n == max)
			{
				int wanted = Max(16, max * 2);

				buckets = buckets ? repalloc(buckets, sizeof(pg_uuid_t) * wanted)
								  : palloc(sizeof(pg_uuid_t) * wanted);
				max = wanted;
			}
			buckets[n++] = *DatumGetUUIDP(probe.value[0]);
		}
	}
	if (caller != NULL)
		kn_probe_end(&probe);
	kn_arg_uuid_array(&args, buckets, n);
	PG_RETURN_DATUM(args.value[0]);
}
