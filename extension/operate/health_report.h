/*-------------------------------------------------------------------------
 *
 * health_report.h
 *	  What was found of the health of the server, one finding after the other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_OPERATE_HEALTH_REPORT_H
#define KN_OPERATE_HEALTH_REPORT_H

#include "fmgr.h"
#include "nodes/execnodes.h"

#include "base/json.h"
#include "operate/health.h"

typedef struct KnFinding
{
	const char *name;
	bool ok;
	const char *detail;
	const char *hint; /* NULL when ok */
} KnFinding;

struct KnReport
{
	void (*take)(KnReport *report, const KnFinding *finding);
	ReturnSetInfo *rows; /* of kintaraa.health() */
	KnJson *json;        /* of the door */
	bool degraded;
};

/* hint is NULL when all is well; without what is indispensable requests cannot be served. */
extern void kn_health_find(KnReport *report, const char *name, bool indispensable,
						   const char *detail, const char *hint);

#endif
