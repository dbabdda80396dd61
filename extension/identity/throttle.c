/*-------------------------------------------------------------------------
 *
 * throttle.c
 *	  Slowing down who guesses, without ever locking anybody out.
 *
 * Called by session.c and account.c.  What is remembered of a wrong secret is a
 * keyed hash of its Argon2 hash: as slow to try as the password itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/errcodes.h"
#include "base/spi.h"
#include "identity/password.h"
#include "identity/throttle.h"
#include "keys/keystore.h"

#define SUBJECT_SIZE 16
#define NETWORK_MAX 64

static void blind(const char *purpose, const void *data, Size len, unsigned char *out);
static void count(KnCall *call);
static void refuse_for(KnCall *call, int seconds) pg_attribute_noreturn();

/* clang-format off */
static KnStatement find_wait = KN_READ(
	KN_AS_SYSTEM,
	"SELECT pg_catalog.ceil(pg_catalog.date_part('epoch', until - pg_catalog.clock_timestamp()))::integer "
	"  FROM kintaraa.throttle WHERE key = $1 AND until > pg_catalog.clock_timestamp()",
	BYTEAOID);
/* clang-format on */

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
	"              ELSE pg_catalog.clock_timestamp() + pg_catalog.make_interval("
	"                   secs => LEAST($4, pg_catalog.power(2::float8, LEAST(n.failures - $3, 20)))) END, "
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

/* $1 key, $2 limit, $3 hours; no row when the limit is reached */
static KnStatement spend_one = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.throttle AS t (key, failures) VALUES ($1, 1) "
	"ON CONFLICT (key) DO UPDATE SET updated_at = pg_catalog.clock_timestamp(), "
	"  failures = CASE WHEN t.updated_at < pg_catalog.clock_timestamp() "
	"                       - pg_catalog.make_interval(hours => $3) THEN 1 ELSE t.failures + 1 END "
	"WHERE t.failures < $2 OR t.updated_at < pg_catalog.clock_timestamp() "
	"                       - pg_catalog.make_interval(hours => $3) "
	"RETURNING failures",
	BYTEAOID, INT4OID, INT4OID);

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

void
kn_throttle_check(KnCall *call, const KnThrottle *throttle)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	if (kn_run(&find_wait, &args) == 0)
		return;
	rows = kn_rows();
	refuse_for(call, kn_col_int(&rows, 0, 1, 1));
}

static void
refuse_for(KnCall *call, int seconds)
{
	kn_call_extend(call, "retryAfter", psprintf("%d", Max(seconds, 1)));
	kn_refuse(ERRCODE_KN_SLOW_DOWN, "too many attempts",
			  "Wait as many seconds as retryAfter says, then try again.");
}

void
kn_throttle_refuse(KnCall *call, const KnThrottle *throttle, const unsigned char *hash, int code,
				   const char *message)
{
	KnThrottle *state = MemoryContextAlloc(call->memory, sizeof(KnThrottle));

	memcpy(state->key, throttle->key, KN_BLIND_SIZE);
	blind("throttle.secret", hash, KN_PASSWORD_HASH_SIZE, state->secret);
	call->refusal_state = state;
	call->after_refusal = count;
	kn_refuse(code, message, NULL);
}

static void
count(KnCall *call)
{
	const KnThrottle *state = call->refusal_state;
	KnArgs args = {0};

	kn_arg_bytes(&args, state->key, KN_BLIND_SIZE);
	kn_arg_bytes(&args, state->secret, KN_BLIND_SIZE);
	kn_arg_int(&args, KN_THROTTLE_FREE);
	kn_arg_float(&args, KN_THROTTLE_WAIT_MAX, false);
	kn_arg_int(&args, KN_THROTTLE_SECRETS);
	kn_arg_int(&args, KN_THROTTLE_HOURS);
	kn_run(&count_secret, &args);
}

void
kn_throttle_spend(KnCall *call, const KnThrottle *throttle, int limit)
{
	KnArgs args = {0};

	kn_arg_bytes(&args, throttle->key, KN_BLIND_SIZE);
	kn_arg_int(&args, limit);
	kn_arg_int(&args, KN_THROTTLE_HOURS);
	if (kn_run(&spend_one, &args) == 0)
		refuse_for(call, SECS_PER_HOUR);
}
