/*-------------------------------------------------------------------------
 *
 * sight.c
 *	  What a caller may see: the net of row security under every door.
 *
 * Called by policies, for each row.  A bucket is seen by whoever is a member
 * of it and not barred from it; to each principal its own bucket is open.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "access/barred.h"
#include "base/index.h"
#include "base/json.h"

static bool is_own(const KnCaller *caller, const pg_uuid_t *bucket);
static bool is_member(const KnCaller *caller, const pg_uuid_t *bucket, bool *owns);

PG_FUNCTION_INFO_V1(kn_can_see);

/* The order of the columns is that of the constants below. */
static KnIndex member_index = {
	.table_name = "member", .index_name = "member_pkey", .columns = {"revoked", "relation"}};

enum
{
	MEMBER_REVOKED,
	MEMBER_RELATION
};

/*
 * kintaraa.can_see(bucket uuid) -> boolean
 *	  Whether one of the caller's principals is a member of the bucket and none
 *	  is barred from it; each is a member of its own.
 */
PGDLLEXPORT Datum
kn_can_see(PG_FUNCTION_ARGS)
{
	pg_uuid_t *bucket = PG_GETARG_UUID_P(0);
	const KnCaller *caller = kn_caller();
	bool owns;

	if (caller == NULL)
		PG_RETURN_BOOL(false);
	if (is_own(caller, bucket))
		PG_RETURN_BOOL(true);
	if (!is_member(caller, bucket, &owns))
		PG_RETURN_BOOL(false);
	/* a survivor is nothing but the owner, whom nobody bars from her own case */
	PG_RETURN_BOOL((owns && caller->n_principals == 1) || !kn_barred(bucket));
}

static bool
is_own(const KnCaller *caller, const pg_uuid_t *bucket)
{
	for (int i = 0; i < caller->n_principals; i++)
		if (kn_uuid_equal(&caller->principals[i], bucket))
			return true;
	return false;
}

static bool
is_member(const KnCaller *caller, const pg_uuid_t *bucket, bool *owns)
{
	KnProbe probe;
	bool is = false;

	*owns = false;
	kn_probe_begin(&probe, &member_index);
	for (int i = 0; i < caller->n_principals && !is; i++)
	{
		const pg_uuid_t *keys[] = {&caller->principals[i], bucket};

		is = kn_probe(&probe, keys, 2) && !DatumGetBool(probe.value[MEMBER_REVOKED]);
		if (is)
			*owns = strcmp(TextDatumGetCString(probe.value[MEMBER_RELATION]), "owner") == 0;
	}
	kn_probe_end(&probe);
	return is;
}
