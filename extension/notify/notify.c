/*-------------------------------------------------------------------------
 *
 * notify.c
 *	  Telling a person that there is something: a class, never a text.
 *
 * Called by cases.  A row of kintaraa.notification is written in the transaction
 * of what it tells of; whatever carries it further reads it after the commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "base/spi.h"
#include "notify/notify.h"
#include "trail/change.h"

#define NOT_BARRED KN_NOT_BARRED("$1", KN_PRINCIPALS_OF_STAFF("a"))

static KnStatement notify_owner = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.notification (id, account_id, class, bucket) "
	"SELECT pg_catalog.gen_random_uuid(), i.owner_id, 'case_update', i.id "
	"  FROM kintaraa.incident i WHERE i.id = $1",
	UUIDOID);

/*
 * Whoever is on duty and may know of it; when that is nobody, the whole centre; and
 * when that is nobody, the administrators.
 */
static KnStatement notify_people = KN_WRITE(
	KN_AS_SYSTEM,
	"WITH able AS MATERIALIZED (SELECT a.id, a.role FROM kintaraa.account a "
	"  WHERE a.centre_id IS NOT NULL AND a.is_active AND " NOT_BARRED "), "
	"called AS (SELECT d.account_id FROM kintaraa.duty d JOIN able ON able.id = d.account_id "
	"            WHERE d.kind = $2 AND pg_catalog.now() BETWEEN d.from_at AND d.to_at), "
	"people AS (SELECT account_id FROM called UNION "
	"           (SELECT id FROM able WHERE role = (CASE WHEN EXISTS (SELECT FROM able WHERE role "
	"                 = 'dispatcher') THEN 'dispatcher' ELSE 'admin' END) "
	"               AND NOT EXISTS (SELECT FROM called) LIMIT 100)) "
	"INSERT INTO kintaraa.notification (id, account_id, class, bucket) "
	"SELECT pg_catalog.gen_random_uuid(), p.account_id, 'duty_call', $1 FROM people p",
	UUIDOID, TEXTOID);

static KnStatement delete_notices = KN_WRITE(
	KN_AS_SYSTEM,
	"DELETE FROM kintaraa.notification n USING kintaraa.account a "
	" WHERE n.bucket = $1 AND a.id = n.account_id "
	"   AND $2 = ANY (" KN_PRINCIPALS_OF_STAFF("a") ")",
	UUIDOID, UUIDOID);

void
kn_notify_owner(const pg_uuid_t *bucket)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_run(&notify_owner, &args);
}

void
kn_notify_duty(const pg_uuid_t *bucket, bool officers)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_text(&args, officers ? "officer" : "dispatcher");
	kn_change_begin_new();
	kn_run(&notify_people, &args);
	kn_change_end_new();
	kn_change_relieve();
}

void
kn_notify_take_back(const pg_uuid_t *bucket, const pg_uuid_t *principal)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, bucket);
	kn_arg_uuid(&args, principal);
	kn_run(&delete_notices, &args);
}
