/*-------------------------------------------------------------------------
 *
 * vacancy.c
 *	  Work whose team has nobody left who may do it is searched for anew.
 *
 * A need is owned when an active account can read it (engaged) or answer for it
 * (offered).  Whatever takes the last such account away, a door or a DBA's UPDATE,
 * fires kintaraa.team_lost() or kintaraa.staff_lost(), which end here in the same
 * transaction.  Whoever counted on the team while that transaction ran could not
 * see it; so each lost team leaves a row in team_check, and the worker looks at it
 * again each second until nobody can be left who began before.
 *
 * Locks: all needs of all cases concerned, in the order of the cases' ids, then
 * the teams in the order of theirs, then offers and incidents.  Nobody waits here
 * for anything that comes before a need.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#include "access/barred.h"
#include "cases/assignment.h"
#include "cases/assignment_store.h"
#include "cases/case_policy.h"
#include "cases/escalation.h"
#include "cases/vacancy.h"
#include "providers/provider_dispatch.h"
#include "trail/change.h"

/* Longer than any door may run: whoever read the team before it was lost has ended. */
#define WATCH "interval '2 minutes'"
/* Of one transaction; what is over is taken by the worker, a second later. */
#define CASES_AT_ONCE 500

PG_FUNCTION_INFO_V1(kn_team_vacate_sql);
PG_FUNCTION_INFO_V1(kn_case_vacate_sql);
PG_FUNCTION_INFO_V1(kn_team_check_sql);
PG_FUNCTION_INFO_V1(kn_people_recall_sql);

static int vacate_cases(const pg_uuid_t *buckets, int n, const pg_uuid_t *teams, int n_teams);
static int vacate_case(const pg_uuid_t *bucket);
static void vacate_one(const pg_uuid_t *bucket, const KnRows *rows, uint64 row);
static pg_uuid_t *read_ids(const KnRows *rows, int *n);
static pg_uuid_t *array_ids(ArrayType *array, int *n);

/* Of assignment a and its provider p: nobody active may do this work. */
/* clang-format off */
#define VACANT \
	"NOT (p.is_active AND p.is_verified AND (p.provider_type <> 'police' OR a.service = 'police') " \
	"     AND " KN_NOT_BARRED("a.incident_bucket", KN_PRINCIPALS_OF_TEAM("p")) \
	"     AND (p.by_telephone OR EXISTS (SELECT FROM kintaraa.account s " \
	"           WHERE s.provider_id = p.id AND s.is_active " \
	"             AND " KN_NOT_BARRED("a.incident_bucket", "ARRAY[s.id]") "))) "
#define OPEN_WORK \
	"  FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id " \
	"  JOIN kintaraa.need n ON n.bucket = a.incident_bucket AND n.id = a.need_id " \
	" WHERE " KN_ASSIGNMENT_IS_HELD("a") \
	"   AND " KN_NEED_IS_OPEN("n") " AND " VACANT
/* clang-format on */

static KnStatement select_cases = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT b.bucket FROM (SELECT a.incident_bucket AS bucket, "
	"              pg_catalog.bool_or(a.status = 'accepted') AS is_engaged " OPEN_WORK
	"                 AND a.provider_id = ANY ($1) "
	"        GROUP BY 1 ORDER BY 2 DESC LIMIT $2) b ORDER BY b.bucket",
	UUIDARRAYOID, INT4OID);

static KnStatement select_work = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT a.id, a.need_id, a.provider_id, a.status " OPEN_WORK
	"   AND a.incident_bucket = $1 ORDER BY a.provider_id, a.id",
	UUIDOID);

static KnStatement select_vacant = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT 1 FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id "
	" WHERE a.id = $1 AND " VACANT,
	UUIDOID);

static KnStatement insert_checks = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.team_check (id, provider_id) "
	"SELECT pg_catalog.gen_random_uuid(), t FROM pg_catalog.unnest($1) AS t",
	UUIDARRAYOID);

static KnStatement select_checks = {
	.sql = "SELECT DISTINCT provider_id FROM kintaraa.team_check ORDER BY provider_id",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement delete_checks = {
	.sql = "DELETE FROM kintaraa.team_check WHERE at < pg_catalog.clock_timestamp() - " WATCH
		   "    OR at > pg_catalog.clock_timestamp() + " WATCH,
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

/* clang-format off */
/*
 * Cases with a task of people of which the lost ones had been told.  With an account that is
 * deleted its notices are gone; then they are all that wait.
 */
static KnStatement select_told = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT DISTINCT n.bucket FROM kintaraa.need n JOIN kintaraa.incident i ON i.id = n.bucket "
	" WHERE n.due_at IS NOT NULL AND " KN_NEED_IS_TASK("n", "i")
	"   AND (n.bucket IN (SELECT x.bucket FROM kintaraa.notification x "
	"                      WHERE x.account_id = ANY ($1) AND x.class = 'duty_call') "
	"        OR EXISTS (SELECT FROM pg_catalog.unnest($1) AS gone (id) "
	"                    WHERE NOT EXISTS (SELECT FROM kintaraa.account a WHERE a.id = gone.id))) "
	" ORDER BY n.bucket",
	UUIDARRAYOID);
/* clang-format on */

int
kn_case_vacate(const pg_uuid_t *bucket)
{
	return vacate_cases(bucket, 1, NULL, 0);
}

int
kn_teams_vacate(const pg_uuid_t *teams, int n)
{
	KnArgs args = {0};
	KnRows rows;
	pg_uuid_t *buckets;
	int n_cases;

	kn_arg_uuid_array(&args, teams, n);
	kn_arg_int(&args, CASES_AT_ONCE);
	kn_run(&select_cases, &args);
	rows = kn_rows();
	buckets = read_ids(&rows, &n_cases);
	return vacate_cases(buckets, n_cases, teams, n);
}

bool
kn_work_is_vacant(const pg_uuid_t *assignment)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, assignment);
	return kn_run(&select_vacant, &args) > 0;
}

/* The teams' own rows are locked with those of all others who help in these cases. */
static int
vacate_cases(const pg_uuid_t *buckets, int n, const pg_uuid_t *teams, int n_teams)
{
	int taken = 0;

	kn_cases_lock_all(buckets, n, teams, n_teams);
	for (int i = 0; i < n_teams; i++)
		kn_dispatch_refresh_one(&teams[i], GetCurrentTimestamp());
	for (int i = 0; i < n; i++)
		taken += vacate_case(&buckets[i]);
	return taken;
}

/* Read again under the locks: what was offered may have been accepted meanwhile. */
static int
vacate_case(const pg_uuid_t *bucket)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, bucket);
	kn_run(&select_work, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
		vacate_one(bucket, &rows, row);
	return rows.n;
}

static void
vacate_one(const pg_uuid_t *bucket, const KnRows *rows, uint64 row)
{
	pg_uuid_t assignment;
	pg_uuid_t need_id;
	pg_uuid_t team;
	KnAssignmentState status = kn_col_assignment_state(rows, row, 4);
	KnNeed need;

	kn_col_uuid(rows, row, 1, &assignment);
	kn_col_uuid(rows, row, 2, &need_id);
	kn_col_uuid(rows, row, 3, &team);
	/* its lock is held, and whoever ends the last account may be barred from the case */
	if (!kn_need_read(bucket, &need_id, &need))
		return;
	if (status == KN_ASSIGNMENT_ACCEPTED)
	{
		kn_assignment_move(&assignment, KN_ASSIGNMENT_ACCEPTED, KN_ASSIGNMENT_RELEASED,
						   NULL, NULL, NULL);
		kn_capacity_give_back(&team);
		kn_helper_leave(bucket, &team);
		kn_need_search_anew(&need);
		return;
	}
	kn_assignment_move(&assignment, KN_ASSIGNMENT_PENDING, KN_ASSIGNMENT_WITHDRAWN,
					   NULL, NULL, NULL);
	if (need.state == KN_NEED_OFFERED && kn_assignment_count_pending(bucket, &need_id) == 0)
		kn_escalation_advance(&need, kn_case_policy(), GetCurrentTimestamp());
}

static pg_uuid_t *
read_ids(const KnRows *rows, int *n)
{
	pg_uuid_t *ids = palloc(sizeof(pg_uuid_t) * Max(rows->n, 1));

	*n = rows->n;
	for (int i = 0; i < *n; i++)
		kn_col_uuid(rows, i, 1, &ids[i]);
	return ids;
}

static pg_uuid_t *
array_ids(ArrayType *array, int *n)
{
	Datum *items;
	pg_uuid_t *ids;

	deconstruct_array(array, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &items, NULL, n);
	ids = palloc(sizeof(pg_uuid_t) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		ids[i] = *DatumGetUUIDP(items[i]);
	return ids;
}

/* kintaraa.team_vacate(teams uuid[]) -> integer: for the triggers; the caller stamps. */
PGDLLEXPORT Datum
kn_team_vacate_sql(PG_FUNCTION_ARGS)
{
	int n;
	pg_uuid_t *teams = array_ids(PG_GETARG_ARRAYTYPE_P(0), &n);
	KnArgs args = {0};
	int taken;

	SPI_connect();
	kn_spi_read_only(false);
	kn_arg_uuid_array(&args, teams, n);
	kn_run(&insert_checks, &args);
	taken = kn_teams_vacate(teams, n);
	SPI_finish();
	PG_RETURN_INT32(taken);
}

/* kintaraa.case_vacate(bucket uuid) -> integer: after somebody was barred; the caller stamps. */
PGDLLEXPORT Datum
kn_case_vacate_sql(PG_FUNCTION_ARGS)
{
	int taken;

	SPI_connect();
	kn_spi_read_only(false);
	taken = kn_case_vacate(PG_GETARG_UUID_P(0));
	SPI_finish();
	PG_RETURN_INT32(taken);
}

/* kintaraa.team_check_run() -> integer: the worker's second look; see above. */
PGDLLEXPORT Datum
kn_team_check_sql(PG_FUNCTION_ARGS)
{
	KnRows rows;
	pg_uuid_t *teams;
	int n;
	int taken = 0;

	SPI_connect();
	kn_spi_read_only(false);
	if (kn_run0(&select_checks) > 0)
	{
		rows = kn_rows();
		teams = read_ids(&rows, &n);
		taken = kn_teams_vacate(teams, n);
		/* with as many left as one transaction takes, the rows stay for the next */
		if (taken == 0)
			kn_run0(&delete_checks);
		kn_change_flush(NULL);
	}
	SPI_finish();
	PG_RETURN_INT32(taken);
}

/*
 * kintaraa.people_recall(accounts uuid[]) -> integer
 *	  Calls people for what waits for them and what these accounts, which are no
 *	  longer of the centre, had been told of.
 */
PGDLLEXPORT Datum
kn_people_recall_sql(PG_FUNCTION_ARGS)
{
	int n;
	pg_uuid_t *accounts = array_ids(PG_GETARG_ARRAYTYPE_P(0), &n);
	KnArgs args = {0};
	KnRows rows;

	SPI_connect();
	kn_spi_read_only(false);
	kn_arg_uuid_array(&args, accounts, n);
	kn_run(&select_told, &args);
	rows = kn_rows();
	for (uint64 row = 0; row < rows.n; row++)
	{
		KnNeed need = {0};
		KnStep step = {.calls_people = true};

		kn_col_uuid(&rows, row, 1, &need.bucket);
		kn_escalation_call(&need, &step);
	}
	n = rows.n;
	SPI_finish();
	PG_RETURN_INT32(n);
}
