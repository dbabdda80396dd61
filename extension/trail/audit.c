/*-------------------------------------------------------------------------
 *
 * audit.c
 *	  The audit entry, written in the caller's own transaction.
 *
 * Called by the door for acts, protected reads and refusals.  Entries are not
 * chained here: a chain needs a lock that would be held over the commit's
 * flush.  seal.c seals them in batches.  No value of any field is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/spi.h"
#include "keys/keystore.h"
#include "trail/audit.h"

static KnStatement insert_entry = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.audit "
	"(action, outcome, code, actor, actor_role, noun, target, fields, request) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID);

void
kn_audit_write(const KnAuditEntry *entry)
{
	KnArgs args = {0};

	kn_arg_text(&args, entry->action);
	kn_arg_text(&args, entry->outcome);
	kn_arg_text(&args, entry->code);
	kn_arg_bytea(&args, entry->actor ? kn_pseudonym(entry->actor) : NULL);
	kn_arg_text(&args, entry->actor_role);
	kn_arg_text(&args, entry->noun);
	kn_arg_uuid(&args, entry->target);
	kn_arg_text(&args, entry->fields);
	kn_arg_text(&args, entry->request);
	kn_run(&insert_entry, &args);
}
