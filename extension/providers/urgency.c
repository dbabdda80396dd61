/*-------------------------------------------------------------------------
 *
 * urgency.c
 *	  How soon somebody must come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "providers/urgency.h"

const char *const kn_urgency_names[] = {"routine", "urgent", "immediate", NULL};

KnUrgency
kn_urgency_parse(const char *name)
{
	for (int i = KN_ROUTINE; name != NULL && i <= KN_IMMEDIATE; i++)
		if (strcmp(kn_urgency_names[i], name) == 0)
			return (KnUrgency) i;
	return KN_ROUTINE;
}
