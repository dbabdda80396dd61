/*-------------------------------------------------------------------------
 *
 * policy_check.c
 *	  Whether a new version of a routing or escalation policy can be read.
 *
 * Called from SQL by setting.c, which lies below this room.  The readers that
 * work with a policy later are the ones that judge it here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "cases/case_policy.h"
#include "providers/routing_policy.h"

static void check_escalation(Jsonb *body);

PG_FUNCTION_INFO_V1(kn_policy_check_sql);

/* kintaraa.policy_check(kind text, body jsonb): raises KN5xx naming the member that is wrong. */
PGDLLEXPORT Datum
kn_policy_check_sql(PG_FUNCTION_ARGS)
{
	char *kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb *body = PG_GETARG_JSONB_P(1);

	if (strcmp(kind, "routing") == 0)
		kn_routing_policy_check(body);
	else if (strcmp(kind, "escalation") == 0)
		check_escalation(body);
	PG_RETURN_VOID();
}

static void
check_escalation(Jsonb *body)
{
	static const char *const urgencies[] = {"routine", "urgent", "immediate", NULL};
	JsonbContainer *root = kn_in_object(body);

	kn_in_only(root, urgencies);
	for (int i = 0; urgencies[i] != NULL; i++)
	{
		JsonbValue *part = kn_in_member(root, urgencies[i]);
		KnEscalation rules;

		if (part == NULL)
			kn_input_error(ERRCODE_KN_FIELD_MISSING, urgencies[i], "a required field is missing",
						   "Send rules for routine, urgent and immediate.");
		kn_escalation_read(JsonbValueToJsonb(part), &rules);
	}
}
