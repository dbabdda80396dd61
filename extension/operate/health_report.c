/*-------------------------------------------------------------------------
 *
 * health_report.c
 *	  What was found of the health of the server, one finding after the other.
 *
 * Called by health.c and its parts, which all report to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "operate/health_report.h"

void
kn_health_find(KnReport *report, const char *name, bool indispensable, const char *detail,
			   const char *hint)
{
	KnFinding finding = {.name = name,
						 .ok = hint == NULL,
						 .detail = detail,
						 .hint = hint};

	if (indispensable && hint != NULL)
		report->degraded = true;
	report->take(report, &finding);
}
