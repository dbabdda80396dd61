/*-------------------------------------------------------------------------
 *
 * client_id.c
 *	  Ids that phones make: found by a keyed index, read by their owner alone.
 *
 * Called by the writers and stores of records, cases, work and sync, and by the
 * migration that sealed what was there.  Whose id it is and what of are part of
 * the index: two people's same id, or one person's for two nouns, look unlike.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/spi.h"
#include "identity/subject.h"
#include "keys/blind.h"
#include "records/client_id.h"

PG_FUNCTION_INFO_V1(kn_client_key_sql);
PG_FUNCTION_INFO_V1(kn_spelling_seal_sql);

bool
kn_client_id_valid(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= KN_CLIENT_ID_MAX &&
		   strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

char *
kn_client_id_fold(const char *text)
{
	char *folded = pstrdup(text);
	pg_uuid_t id;

	for (char *at = folded; *at != '\0'; at++)
		*at = pg_ascii_tolower((unsigned char) *at);
	return kn_uuid_parse(folded, &id) ? folded : strcpy(folded, text);
}

bool
kn_client_id_uuid(const char *folded, pg_uuid_t *out)
{
	pg_uuid_t id;

	if (!kn_uuid_parse(folded, &id) || id.data[6] >> 4 != 4 || id.data[8] >> 6 != 2)
		return false;
	*out = id;
	return true;
}

bytea *
kn_client_key(const pg_uuid_t *account, const char *noun, const char *folded)
{
	StringInfoData text;
	bytea *key = palloc(VARHDRSZ + KN_BLIND_SIZE);

	initStringInfo(&text);
	appendBinaryStringInfo(&text, (const char *) account->data, UUID_LEN);
	appendStringInfo(&text, "%s/%s", noun, folded);
	SET_VARSIZE(key, VARHDRSZ + KN_BLIND_SIZE);
	if (!kn_blind_index(kn_keystore(), "client_id", text.data, text.len,
						(unsigned char *) VARDATA(key)))
		elog(ERROR, "could not make a blind index");
	pfree(text.data);
	return key;
}

bool
kn_client_key_equal(const bytea *a, const bytea *b)
{
	return VARSIZE_ANY_EXHDR(a) == KN_BLIND_SIZE && VARSIZE_ANY_EXHDR(b) == KN_BLIND_SIZE &&
		   memcmp(VARDATA_ANY(a), VARDATA_ANY(b), KN_BLIND_SIZE) == 0;
}

bytea *
kn_spelling_seal(const KnSubject *subject, const char *place, const pg_uuid_t *row,
				 const char *spelling)
{
	return strcmp(spelling, kn_uuid_text(row)) == 0 ? NULL
													: kn_seal(subject, place, row, spelling);
}

char *
kn_spelling_open(const KnSubject *subject, const char *place, const pg_uuid_t *row, bytea *sealed)
{
	char *spelling = kn_unseal(subject, place, row, sealed);

	return spelling != NULL ? spelling : kn_uuid_text(row);
}

/* kintaraa.client_key(account uuid, noun text, folded text) -> bytea */
PGDLLEXPORT Datum
kn_client_key_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(kn_client_key(PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)),
									text_to_cstring(PG_GETARG_TEXT_PP(2))));
}

/* kintaraa.spelling_seal(account uuid, place text, id uuid, spelling text) -> bytea */
PGDLLEXPORT Datum
kn_spelling_seal_sql(PG_FUNCTION_ARGS)
{
	pg_uuid_t *account = PG_GETARG_UUID_P(0);
	char *place = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *spelling = text_to_cstring(PG_GETARG_TEXT_PP(3));
	KnSubject subject;
	bytea *sealed = NULL;

	SPI_connect();
	kn_account_subject(account, &subject);
	SPI_finish();
	/* of an account that was erased nobody reads it any more */
	if (subject.open)
		sealed = kn_spelling_seal(&subject, place, PG_GETARG_UUID_P(2), spelling);
	kn_subject_forget(&subject);
	if (sealed == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(sealed);
}
