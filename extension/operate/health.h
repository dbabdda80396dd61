/*-------------------------------------------------------------------------
 *
 * health.h
 *	  What is missing or dangerous about this server, and how to mend it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_OPERATE_HEALTH_H
#define KN_OPERATE_HEALTH_H

#include "postgres.h"

/* At server start: warns of log settings that would write plain text. */
extern void kn_health_init(void);

typedef struct KnReport KnReport;

/* What of the server others can take away: role, standbys, connections, who may connect. */
extern void kn_health_server(KnReport *report);
/* Whether the work goes on: worker, news, deadlines, seals, jobs, people. */
extern void kn_health_work(KnReport *report);

/* What health_settings.c finds; hint is NULL when the setting is fine. */
typedef void (*KnSettingReport)(void *arg, const char *name, const char *value, const char *hint);
/* at_start: the settings as the configuration files give them. */
extern void kn_settings_check(KnSettingReport report, void *arg, bool log_only);

#endif
