/*-------------------------------------------------------------------------
 *
 * session_store.c
 *	  The rows of sessions and of the devices they run on.
 *
 * Called by session.c, account.c and admin.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/limits.h"
#include "identity/session_store.h"

static void arg_life(KnArgs *args, KnRole role);

static KnStatement insert_session = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.session (id, account_id, device, rotated_at, expires_at) "
	"VALUES ($1, $2, $3, pg_catalog.clock_timestamp(), "
	"        pg_catalog.clock_timestamp() + pg_catalog.make_interval(hours => $4))",
	UUIDOID, UUIDOID, TEXTOID, INT4OID);

/* The clock, not the transaction's start: whoever held the lock before rotated after that. */
static KnStatement lock_session = KN_WRITE(
	KN_AS_SYSTEM,
	"SELECT s.account_id, a.role, s.device, s.generation, "
	"       s.revoked_at IS NULL AND s.expires_at > pg_catalog.clock_timestamp() AND a.is_active, "
	"       (SELECT pg_catalog.count(*) FROM pg_catalog.unnest(s.recent) AS r (ended_at) "
	"         WHERE r.ended_at > pg_catalog.clock_timestamp() "
	"                            - pg_catalog.make_interval(secs => $2)) "
	"  FROM kintaraa.session s JOIN kintaraa.account a ON a.id = s.account_id "
	" WHERE s.id = $1 FOR NO KEY UPDATE OF s",
	UUIDOID, FLOAT8OID);

static KnStatement rotate_session = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.session SET generation = $2, rotated_at = pg_catalog.clock_timestamp(), "
	"       expires_at = pg_catalog.clock_timestamp() + pg_catalog.make_interval(hours => $3), "
	"       recent = CASE WHEN generation + 1 = $2 THEN "
	"                     recent[pg_catalog.cardinality(recent) + 1 - $4:] ELSE '{}' END "
	"                || pg_catalog.clock_timestamp() "
	" WHERE id = $1",
	UUIDOID, INT8OID, INT4OID, INT4OID);

/* clang-format off */
static KnStatement end_session = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.session SET revoked_at = pg_catalog.now() WHERE id = $1 AND revoked_at IS NULL",
	UUIDOID);
/* clang-format on */

static KnStatement end_others = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.session SET revoked_at = pg_catalog.now() "
	" WHERE account_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL "
	"   AND expires_at > pg_catalog.now()",
	UUIDOID, UUIDOID);

static KnStatement make_room = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.session SET revoked_at = pg_catalog.now() WHERE id IN "
	"(SELECT s.id FROM kintaraa.session s "
	"  WHERE s.account_id = $1 AND s.revoked_at IS NULL AND s.expires_at > pg_catalog.now() "
	"  ORDER BY s.rotated_at DESC, s.id OFFSET $2)",
	UUIDOID, INT4OID);

static KnStatement list_sessions = KN_READ(
	KN_AS_DOOR,
	"SELECT id, device, created_at, rotated_at, expires_at FROM kintaraa.session "
	" WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > pg_catalog.now() "
	" ORDER BY rotated_at DESC, id LIMIT $2",
	UUIDOID, INT4OID);

static KnStatement is_of = KN_READ(
	KN_AS_DOOR,
	"SELECT FROM kintaraa.session WHERE id = $1 AND account_id = $2",
	UUIDOID, UUIDOID);

static KnStatement device_seen = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.device (account_id, id) VALUES ($1, $2) "
	"ON CONFLICT (account_id, id) DO UPDATE SET seen_at = pg_catalog.now()",
	UUIDOID, TEXTOID);

/* A phone of hers may lie unused for months; a place of work is entered anew each day. */
static void
arg_life(KnArgs *args, KnRole role)
{
	kn_arg_int(args, role == KN_ROLE_SURVIVOR ? KN_SURVIVOR_SESSION_DAYS * 24
											  : KN_STAFF_SESSION_HOURS);
}

void
kn_session_insert(const pg_uuid_t *id, const pg_uuid_t *account, KnRole role, const char *device)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_uuid(&args, account);
	kn_arg_text(&args, device);
	arg_life(&args, role);
	kn_run(&insert_session, &args);
}

bool
kn_session_lock(const pg_uuid_t *id, KnSession *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	kn_arg_float(&args, KN_REUSE_SECONDS, false);
	if (kn_run(&lock_session, &args) == 0)
		return false;
	rows = kn_rows();
	out->id = *id;
	kn_col_uuid(&rows, 0, 1, &out->account);
	out->role = kn_role_parse(kn_col_text(&rows, 0, 2));
	out->device = kn_col_text(&rows, 0, 3);
	out->generation = kn_col_bigint(&rows, 0, 4, 0);
	out->is_alive = kn_col_bool(&rows, 0, 5);
	out->n_recent = (int) kn_col_bigint(&rows, 0, 6, 0);
	return true;
}

void
kn_session_rotate(const KnSession *session)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &session->id);
	kn_arg_bigint(&args, session->generation);
	arg_life(&args, session->role);
	kn_arg_int(&args, Min(session->n_recent, KN_RECENT_MAX - 1));
	kn_run(&rotate_session, &args);
}

bool
kn_session_end(const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	return kn_run(&end_session, &args) == 1;
}

void
kn_session_end_others(const pg_uuid_t *account, const pg_uuid_t *but)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, account);
	kn_arg_uuid(&args, but);
	kn_run(&end_others, &args);
}

void
kn_session_make_room(const pg_uuid_t *account)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, account);
	kn_arg_int(&args, KN_SESSIONS_MAX - 1);
	kn_run(&make_room, &args);
}

KnRows
kn_session_list(const pg_uuid_t *account)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, account);
	kn_arg_int(&args, KN_LIST_MAX);
	kn_run(&list_sessions, &args);
	return kn_rows();
}

bool
kn_session_is_of(const pg_uuid_t *id, const pg_uuid_t *account)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	kn_arg_uuid(&args, account);
	return kn_run(&is_of, &args) == 1;
}

void
kn_device_seen(const pg_uuid_t *account, const char *device)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, account);
	kn_arg_text(&args, device);
	kn_run(&device_seen, &args);
}
