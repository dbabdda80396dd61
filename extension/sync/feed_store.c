/*-------------------------------------------------------------------------
 *
 * feed_store.c
 *	  Rows of gateways and subscriptions.
 *
 * Called by feed.c.  Both tables are unlogged: after a crash every gateway
 * starts its feed again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "sync/feed_store.h"

static KnStatement insert_gateway = {
	.sql = "INSERT INTO kintaraa.gateway (id) VALUES (pg_catalog.gen_random_uuid()) RETURNING id",
	.actor = KN_AS_SYSTEM,
	.writes = true,
};

static KnStatement select_gateway = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT g.seen_at < pg_catalog.clock_timestamp() - interval '1 minute', "
	"       EXISTS (SELECT FROM kintaraa.subscription s WHERE s.gateway = g.id "
	"                  AND s.expires_at <= pg_catalog.now()), "
	"       EXISTS (SELECT FROM kintaraa.subscription p WHERE p.gateway = g.id AND p.pokes), "
	"       EXISTS (SELECT FROM kintaraa.subscription a WHERE a.gateway = g.id) "
	"  FROM kintaraa.gateway g WHERE g.id = $1",
	UUIDOID);

static KnStatement touch_gateway = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.gateway SET seen_at = pg_catalog.clock_timestamp() WHERE id = $1",
	UUIDOID);

static KnStatement insert_subscription = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.subscription "
	"  (gateway, principal, id, account_id, session_id, role, expires_at, pokes) "
	"SELECT $1, p, n.id, $3, $4, $5, $6, $7 "
	"  FROM (SELECT pg_catalog.nextval('kintaraa.subscription_id_seq') AS id) n, "
	"       pg_catalog.unnest($2) AS p RETURNING id",
	UUIDOID, UUIDARRAYOID, UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, BOOLOID);

static KnStatement delete_subscription = KN_WRITE(
	KN_AS_SYSTEM,
	"DELETE FROM kintaraa.subscription WHERE gateway = $1 AND id = ANY ($2)",
	UUIDOID, INT8ARRAYOID);

void
kn_gateway_insert(pg_uuid_t *id)
{
	KnRows rows;

	kn_run0(&insert_gateway);
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, id);
}

bool
kn_gateway_known(const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	return kn_run(&select_gateway, &args) == 1;
}

/* Written once a minute: a read of the feed is no write otherwise. */
bool
kn_gateway_seen(const pg_uuid_t *id, KnNews *news)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	if (kn_run(&select_gateway, &args) == 0)
		return false;
	rows = kn_rows();
	news->has_expired = kn_col_bool(&rows, 0, 2);
	news->has_pokes = kn_col_bool(&rows, 0, 3);
	news->has_readers = kn_col_bool(&rows, 0, 4);
	if (kn_col_bool(&rows, 0, 1))
		kn_run(&touch_gateway, &args);
	return true;
}

int64
kn_subscription_insert(const pg_uuid_t *gateway, const KnCaller *caller, TimestampTz expires_at,
					   bool pokes)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, gateway);
	kn_arg_uuid_array(&args, caller->principals, caller->n_principals);
	kn_arg_uuid(&args, &caller->account);
	kn_arg_uuid(&args, &caller->session);
	kn_arg_text(&args, kn_role_name(caller->role));
	kn_arg_time(&args, expires_at);
	kn_arg_bool(&args, pokes);
	kn_run(&insert_subscription, &args);
	rows = kn_rows();
	return kn_col_bigint(&rows, 0, 1, 0);
}

void
kn_subscription_delete(const pg_uuid_t *gateway, Datum *ids, int n)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, gateway);
	kn_arg_datum(&args,
				 PointerGetDatum(construct_array(ids, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
												 TYPALIGN_DOUBLE)),
				 false);
	kn_run(&delete_subscription, &args);
}
