/*-------------------------------------------------------------------------
 *
 * subject.c
 *	  The data key of an account, under which its words are sealed.
 *
 * Called by records, cases, work and sync.  The caller forgets the key with
 * kn_subject_forget() as soon as it has sealed or unsealed what it came for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/spi.h"
#include "identity/subject.h"

static KnStatement select_subject = KN_READ(
	KN_AS_SYSTEM, "SELECT wrapped FROM kintaraa.subject_key WHERE subject = $1", UUIDOID);

void
kn_account_subject(const pg_uuid_t *account, KnSubject *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, account);
	kn_run(&select_subject, &args);
	rows = kn_rows();
	kn_subject_open(out, account, rows.n ? kn_col_bytea(&rows, 0, 1) : NULL);
}
