/*-------------------------------------------------------------------------
 *
 * throttle.c
 *	  Slowing down who guesses, without ever locking anybody out.
 *
 * Called by attempt.c.  What is remembered of a wrong secret is a keyed hash of
 * its Argon2 hash: as slow to try as the password itself.
 *
 * A row is one line of people who try.  failures counts its distinct wrong
 * secrets, until is when the next try may be looked at.  A try that comes before
 * that is given a turn at its end and moves until by a step, so that tries sent
 * side by side are looked at one after the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/guc.h"
#include "base/limits.h"
#include "base/spi.h"
#include "identity/password.h"
#include "identity/throttle.h"
#include "keys/keystore.h"

#define SUBJECT_SIZE 16
#define NETWORK_MAX 64

static void blind(const char *purpose, const void *data, Size len, unsigned char *out);

static KnStatement find_wait = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.throttle "
	" WHERE key = $1 AND failures > $2 AND until > pg_catalog.clock_timestamp()",
	BYTEAOID, INT4OID);

/* $1 key, $2 longest wait, $3 few, $4 step while few were wrong, $5 step after */
static KnStatement take_turn = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.throttle AS t SET until = s.turn + pg_catalog.make_interval("
	"         secs => CASE WHEN t.failures <= $3 THEN $4 ELSE $5 END) "
	"  FROM (SELECT key, GREATEST(until, pg_catalog.clock_timestamp()) AS turn "
	"          FROM kintaraa.throttle WHERE key = $1 FOR UPDATE) AS s "
	" WHERE t.key = s.key "
	"   AND s.turn <= pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $2) "
	"RETURNING s.turn",
	BYTEAOID, FLOAT8OID, INT4OID, FLOAT8OID, FLOAT8OID);

/* $1 key, $2 secret, $3 free, $4 longest wait, $5 remembered, $6 hours */
/* clang-format off */
static KnStatement count_secret = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.throttle AS t (key, failures, secrets, until, updated_at) "
	"VALUES ($1, 1, ARRAY[$2], pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp()) "
	"ON CONFLICT (key) DO UPDATE SET (failures, secrets, until, updated_at) = ("
	"  SELECT n.failures, n.secrets, "
	"         CASE WHEN n.known THEN t.until "
	"              WHEN n.failures <= $3 THEN pg_catalog.clock_timestamp() "
	"              ELSE GREATEST(t.until, pg_catalog.clock_timestamp() + pg_catalog.make_interval("
	"                   secs => LEAST($4, pg_catalog.power(2::float8, LEAST(n.failures - $3, 20))))) END, "
	"         CASE WHEN n.known THEN t.updated_at ELSE pg_catalog.clock_timestamp() END "
	"    FROM (SELECT o.known, "
	"                 CASE WHEN o.stale THEN 1 WHEN o.known THEN t.failures ELSE t.failures + 1 END, "
	"                 CASE WHEN o.stale THEN ARRAY[$2] WHEN o.known THEN t.secrets "
	"                      ELSE (t.secrets || $2)[GREATEST(1, pg_catalog.cardinality(t.secrets) + 2 - $5):] END "
	"            FROM (SELECT s.stale, NOT s.stale AND $2 = ANY (t.secrets) AS known "
	"                    FROM (SELECT t.updated_at < pg_catalog.clock_timestamp() "
	"                                 - pg_catalog.make_interval(hours => $6) AS stale) AS s) AS o) "
	"         AS n (known, failures, secrets))",
	BYTEAOID, BYTEAOID, INT4OID, FLOAT8OID, INT4OID, INT4OID);
/* clang-format on */

static KnStatement is_used_up = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.throttle WHERE key = $1 AND failures >= $2",
	BYTEAOID, INT4OID);

/* until is when the registrations so far would have come at their ordinary pace */
static KnStatement find_pace = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT pg_catalog.ceil(pg_catalog.date_part('epoch', until - pg_catalog.clock_timestamp()) "
	"                       * $2 / 3600 - $2)::integer "
	"  FROM kintaraa.throttle WHERE key = $1 AND until > pg_catalog.clock_timestamp()",
	BYTEAOID, INT4OID);

/* $1 key, $2 registrations an hour, $3 registrations after which no more is remembered */
static KnStatement spend_one = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.throttle AS t (key, failures, until) "
	"VALUES ($1, 1, pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => 3600.0 / $2)) "
	"ON CONFLICT (key) DO UPDATE SET updated_at = pg_catalog.clock_timestamp(), "
	"  until = LEAST(GREATEST(t.until, pg_catalog.clock_timestamp()) "
	"                + pg_catalog.make_interval(secs => 3600.0 / $2), "
	"                pg_catalog.clock_timestamp() "
	"                + pg_catalog.make_interval(secs => $3 * 3600.0 / $2))",
	BYTEAOID, INT4OID, INT4OID);

/*
 * $1 key, $2 now, $3 wait of one alone, $4 longest wait, $5 step.  Behind the longest
 * wait the line begins anew among those who stand in it, so that nobody is sent away.
 */
static KnStatement take_pace_turn = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.throttle AS t (key, failures, until) "
	"VALUES ($1, 0, $2 + pg_catalog.make_interval(secs => $3 + $5)) "
	"ON CONFLICT (key) DO UPDATE SET updated_at = $2, "
	"  until = pg_catalog.make_interval(secs => $5) + "
	"          CASE WHEN t.until BETWEEN $2 + pg_catalog.make_interval(secs => $3) "
	"                                AND $2 + pg_catalog.make_interval(secs => $4) "
	"               THEN t.until ELSE $2 + pg_catalog.make_interval(secs => $3) END "
	"RETURNING until - pg_catalog.make_interval(secs => $5)",
	BYTEAOID, TIMESTAMPTZOID, FLOAT8OID, FLOAT8OID, FLOAT8OID);

void
kn_throttle_init(KnThrottle *throttle, const char *what, const unsigned char *subject,
				 const char *network)
{
	char text[SUBJECT_SIZE + NETWORK_MAX] = {0};

	memcpy(text, subject, SUBJECT_SIZE);
	strlcpy(text + SUBJECT_SIZE, network ? network : "", NETWORK_MAX);
	blind(what, text, sizeof(text), throttle->key);
}

static void
blind(const char *purpose, const void *data, Size len, unsigned char *out)
{
	if (!kn_blind_index(kn_keystore(), purpose, data, len, out))
		elog(ERROR, "could not make a blind index");
}

bool
kn_throttle_waits(const KnThrottle *throttle)
{
	KnArgs args = {0};

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_int(&args, KN_THROTTLE_FREE);
	return kn_run(&find_wait, &args) == 1;
}

bool
kn_throttle_turn(const KnThrottle *throttle, TimestampTz *turn)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_float(&args, KN_TURN_SECONDS, false);
	kn_arg_int(&args, KN_THROTTLE_FEW);
	kn_arg_float(&args, KN_TURN_STEP_FEW, false);
	kn_arg_float(&args, KN_TURN_STEP_MANY, false);
	if (kn_run(&take_turn, &args) == 0)
		return false;
	rows = kn_rows();
	*turn = kn_col_time(&rows, 0, 1);
	return true;
}

void
kn_throttle_count(const KnThrottle *throttle, const unsigned char *hash)
{
	unsigned char secret[KN_BLIND_SIZE];
	KnArgs args = {0};

	blind("throttle.secret", hash, KN_PASSWORD_HASH_SIZE, secret);
	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_bytes(&args, secret, KN_BLIND_SIZE);
	kn_arg_int(&args, KN_THROTTLE_FREE);
	kn_arg_float(&args, KN_THROTTLE_WAIT_MAX, false);
	kn_arg_int(&args, KN_THROTTLE_SECRETS);
	kn_arg_int(&args, KN_THROTTLE_HOURS);
	kn_run(&count_secret, &args);
}

bool
kn_throttle_is_used_up(const KnThrottle *throttle, int limit)
{
	KnArgs args = {0};

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_int(&args, limit);
	return kn_run(&is_used_up, &args) == 1;
}

/* Doubles with each registration beyond the ordinary pace. */
int
kn_throttle_pace(const KnThrottle *throttle)
{
	KnArgs args = {0};
	KnRows rows;
	int over;

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_int(&args, kn_guc_registrations_per_hour);
	if (kn_run(&find_pace, &args) == 0)
		return 0;
	rows = kn_rows();
	over = kn_col_int(&rows, 0, 1, 0) + 1;
	return over <= 0 ? 0 : over > 8 ? KN_REGISTRATION_ALONE
									: Min(1 << over, KN_REGISTRATION_ALONE);
}

TimestampTz
kn_throttle_pace_turn(const KnThrottle *throttle, TimestampTz now, int pace)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_time(&args, now);
	kn_arg_float(&args, pace, false);
	kn_arg_float(&args, KN_REGISTRATION_WAIT, false);
	kn_arg_float(&args, KN_REGISTRATION_STEP, false);
	kn_run(&take_pace_turn, &args);
	rows = kn_rows();
	return kn_col_time(&rows, 0, 1);
}

void
kn_throttle_registered(const KnThrottle *throttle)
{
	KnArgs args = {0};

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_int(&args, kn_guc_registrations_per_hour);
	kn_arg_int(&args, kn_guc_registrations_per_hour + 8);
	kn_run(&spend_one, &args);
}
