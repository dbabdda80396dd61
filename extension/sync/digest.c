/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  What a device should have, in brief: to find out that it has not.
 *
 * Called from SQL (doors sync_digest, sync_manifest).  A digest is, for each
 * noun, the number of records and the exclusive or of the first eight bytes of
 * SHA-256 of "noun/id/serverVersion", ids as the caller knows them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "access/barred.h"
#include "base/errcodes.h"
#include "base/filter.h"
#include "base/spi.h"
#include "cases/incident.h"
#include "identity/door.h"
#include "identity/subject.h"
#include "keys/hash.h"
#include "records/client_id.h"
#include "records/personal.h"
#include "sync/wire.h"
#include "trail/change.h"

/* clang-format off */
#define RECORDS \
	"WITH mine AS (SELECT DISTINCT m.bucket FROM kintaraa.member m " \
	"               WHERE m.principal = ANY ($1) AND NOT m.revoked " \
	"                 AND " KN_NOT_BARRED("m.bucket", "$1") "), " \
	"record AS (" \
	"  SELECT 'incident' AS noun, " \
	"         i.id, CASE WHEN i.owner_id = $2 THEN i.spelling_sealed END AS spelling_sealed, c.version " \
	"    FROM mine JOIN kintaraa.incident i ON i.id = mine.bucket AND i.deleted_at IS NULL " \
	"   CROSS JOIN " KN_STAMP_OF("i.id", "'incident'", "i.id") \
	"  UNION ALL SELECT 'note', n.id, CASE WHEN n.author_id = $2 THEN n.spelling_sealed END, c.version " \
	"    FROM mine JOIN kintaraa.note n ON n.bucket = mine.bucket AND n.provider_id = ANY ($1) " \
	"   CROSS JOIN " KN_STAMP_OF("n.bucket", "'note'", "n.id") \
	"  UNION ALL SELECT 'assignment', a.id, NULL, c.version " \
	"    FROM kintaraa.assignment a CROSS JOIN " KN_STAMP_OF("a.provider_id", "'assignment'", "a.id") \
	"   WHERE a.provider_id = ANY ($1) AND " KN_NOT_BARRED("a.incident_bucket", "$1") \
	"  UNION ALL SELECT 'notification', n.id, NULL, c.version " \
	"    FROM kintaraa.notification n CROSS JOIN " \
	KN_STAMP_OF("n.account_id", "'notification'", "n.id") \
	"   WHERE n.account_id = $2 AND " KN_NOT_BARRED("n.bucket", "$1") \
	"  UNION ALL SELECT 'account', c.id, NULL, c.version FROM kintaraa.change c " \
	"     WHERE c.bucket = $2 AND c.noun = 'account' AND c.id = $2 " \
	"  UNION ALL SELECT p.noun, p.id, p.spelling_sealed, c.version " \
	"    FROM kintaraa.personal p CROSS JOIN " KN_STAMP_OF("p.owner_id", "p.noun", "p.id") \
	"   WHERE p.owner_id = $2 AND p.deleted_at IS NULL) "
/* clang-format on */

static KnStatement select_digest = KN_READ(
	KN_AS_SYSTEM,
	RECORDS "SELECT r.id, r.spelling_sealed, r.version, r.noun FROM record r "
			" ORDER BY r.noun",
	UUIDARRAYOID, UUIDOID);

static KnStatement select_manifest = KN_READ(
	KN_AS_SYSTEM,
	RECORDS "SELECT r.id, r.spelling_sealed, r.version FROM record r "
			" WHERE r.noun = $3 AND ($4 IS NULL OR r.id > $4) ORDER BY r.id LIMIT $5",
	UUIDARRAYOID, UUIDOID, TEXTOID, UUIDOID, INT4OID);

#define MANIFEST_MAX 2000

#define UINT64_HEX "%" INT64_MODIFIER "x"

static char *id_of(const KnSubject *subject, const char *noun, const KnRows *rows, uint64 row);
static uint64 hash_of(const char *noun, const char *id, int64 version);
static void note_shown(KnCall *call, const KnRows *rows, uint64 n);

/* GET /sync/digest -> {"nouns":{noun:{"count","hash"}}} */
static void
sync_digest(KnCall *call)
{
	KnArgs args = {0};
	KnRows rows;
	KnSubject subject;
	uint64 hash = 0;
	int64 n = 0;

	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_arg_uuid(&args, &call->caller->account);
	kn_run(&select_digest, &args);
	rows = kn_rows();
	kn_account_subject(&call->caller->account, &subject);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "nouns");
	kn_json_open(&call->json, '{');
	for (uint64 i = 0; i < rows.n; i++)
	{
		char *noun = kn_col_text(&rows, i, 4);

		hash ^= hash_of(noun, id_of(&subject, noun, &rows, i), kn_col_bigint(&rows, i, 3, 0));
		n++;
		if (i + 1 < rows.n && strcmp(kn_col_text(&rows, i + 1, 4), noun) == 0)
			continue;
		kn_json_key(&call->json, noun);
		kn_json_open(&call->json, '{');
		kn_json_pair_int(&call->json, "count", n);
		kn_json_pair_text(&call->json, "hash", psprintf(UINT64_HEX, hash));
		kn_json_close(&call->json, '}');
		hash = 0;
		n = 0;
	}
	kn_subject_forget(&subject);
	kn_json_close(&call->json, '}');
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_digest, sync_digest, KN_ROLE_ANY, KN_DOOR_READS,
		"GET /sync/digest: number and hash of what the caller should have, by noun.");

/* GET /sync/manifest ?noun &after -> {"items":[{"id","serverVersion"}],"next"} */
static void
sync_manifest(KnCall *call)
{
	static const KnFilter filters[] = {{"noun", NULL}, {"after", NULL}, KN_FILTER_END};
	char *noun = kn_query_text(call->query, "noun");
	char *text = kn_query_text(call->query, "after");
	pg_uuid_t after;
	KnSubject subject;
	KnArgs args = {0};
	KnRows rows;
	uint64 n;

	kn_filters_check(call->query, filters);
	if (noun == NULL || kn_wire_by_noun(noun) == NULL)
		kn_input_error(ERRCODE_KN_QUERY, "noun", "the noun is not one that is synced",
					   "Send a noun of the digest.");
	kn_arg_uuid_array(&args, call->caller->principals, call->caller->n_principals);
	kn_arg_uuid(&args, &call->caller->account);
	kn_arg_text(&args, noun);
	/* an after of version 1.0 was an id of her phone: such a list begins anew */
	kn_arg_uuid(&args, text != NULL && kn_uuid_parse(text, &after) ? &after : NULL);
	kn_arg_int(&args, MANIFEST_MAX + 1);
	kn_run(&select_manifest, &args);
	rows = kn_rows();
	n = Min(rows.n, MANIFEST_MAX);
	call->noun = noun;
	note_shown(call, &rows, n);
	kn_account_subject(&call->caller->account, &subject);
	kn_json_open(&call->json, '{');
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (uint64 i = 0; i < n; i++)
	{
		kn_json_open(&call->json, '{');
		kn_json_pair_text(&call->json, "id", id_of(&subject, noun, &rows, i));
		kn_json_pair_int(&call->json, "serverVersion", kn_col_bigint(&rows, i, 3, 0));
		kn_json_close(&call->json, '}');
	}
	kn_subject_forget(&subject);
	kn_json_close(&call->json, ']');
	if (rows.n > n)
		kn_col_uuid(&rows, n - 1, 1, &after);
	kn_json_pair_text(&call->json, "next", rows.n > n ? kn_uuid_text(&after) : NULL);
	kn_json_close(&call->json, '}');
}
KN_DOOR(sync_manifest, sync_manifest, KN_ROLE_ANY, KN_DOOR_READS | KN_DOOR_AUDITED,
		"GET /sync/manifest: ids and versions of a noun. Query: noun, after.");

/* As the caller knows it. */
static char *
id_of(const KnSubject *subject, const char *noun, const KnRows *rows, uint64 row)
{
	const char *place = kn_personal_noun(noun) != NULL ? "personal.spelling"
						: strcmp(noun, "note") == 0    ? "note.spelling"
													   : KN_INCIDENT_SPELLING;
	pg_uuid_t id;

	kn_col_uuid(rows, row, 1, &id);
	return kn_spelling_open(subject, place, &id, kn_col_bytea(rows, row, 2));
}

static uint64
hash_of(const char *noun, const char *id, int64 version)
{
	char *text = psprintf("%s/%s/" INT64_FORMAT, noun, id, version);
	unsigned char digest[KN_SHA256_SIZE];
	uint64 first = 0;

	kn_sha256(text, strlen(text), digest);
	for (int i = 0; i < 8; i++)
		first = first << 8 | digest[i];
	pfree(text);
	return first;
}

/* Of staff, what is of cases. */
static void
note_shown(KnCall *call, const KnRows *rows, uint64 n)
{
	static const char *const of_cases[] = {"incident", "note", "assignment", NULL};

	call->unaudited =
		call->caller->role == KN_ROLE_SURVIVOR || !kn_choice_has(of_cases, call->noun);
	for (uint64 i = 0; i < n && !call->unaudited; i++)
	{
		pg_uuid_t id;

		kn_col_uuid(rows, i, 1, &id);
		kn_call_shown(call, &id, 1);
	}
}
