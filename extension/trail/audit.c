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

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "base/spi.h"
#include "keys/keystore.h"
#include "trail/audit.h"

/*
 * After a restore into another server transaction ids begin anew.  An entry
 * written before the worker has seen that belongs to the epoch it will begin.
 */
static KnStatement insert_entry = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.audit "
	"(action, outcome, code, actor, actor_role, noun, target, fields, request, epoch) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
	"  COALESCE((SELECT CASE WHEN e.system = $10 AND e.database = $11 THEN e.tag "
	"                        ELSE e.tag + 1 END "
	"              FROM kintaraa.epoch e WHERE e.last_tick IS NULL), 1))",
	TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, INT8OID,
	OIDOID);

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
	kn_arg_bigint(&args, (int64) GetSystemIdentifier());
	kn_arg_datum(&args, ObjectIdGetDatum(MyDatabaseId), false);
	kn_run(&insert_entry, &args);
}
