/*-------------------------------------------------------------------------
 *
 * health_settings.c
 *	  Settings of the server that would write plain text or lose what was
 *	  answered.
 *
 * Called at server start and by kintaraa.health().  Statements of the gateway
 * hold no values, their parameters do: none of these may bring parameters or
 * rows into the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "operate/health.h"

typedef struct Setting
{
	const char *name;
	bool writes_log;
	const char *good[4]; /* NULL-ended */
	const char *hint;
} Setting;

/* clang-format off */
static const Setting settings[] = {
	{"log_error_verbosity", true, {"terse", NULL},
	 "Set log_error_verbosity = terse: details of errors quote rows."},
	{"log_parameter_max_length", true, {"0", NULL},
	 "Set log_parameter_max_length = 0: parameters are what clients sent."},
	{"log_parameter_max_length_on_error", true, {"0", NULL},
	 "Set log_parameter_max_length_on_error = 0: parameters are what clients sent."},
	{"log_min_error_statement", true, {"panic", NULL},
	 "Set log_min_error_statement = panic: failed statements typed by hand hold values."},
	{"log_statement", true, {"none", "ddl", NULL},
	 "Set log_statement = none or ddl: statements typed by hand hold values."},
	{"debug_print_parse", true, {"off", NULL}, "Set debug_print_parse = off: trees hold values."},
	{"debug_print_rewritten", true, {"off", NULL}, "Set debug_print_rewritten = off: trees hold values."},
	{"debug_print_plan", true, {"off", NULL}, "Set debug_print_plan = off: trees hold values."},
	{"fsync", false, {"on", NULL}, "Set fsync = on: an answer means that the report is on disk."},
	{"full_page_writes", false, {"on", NULL}, "Set full_page_writes = on: torn pages lose reports."},
	{"synchronous_commit", false, {"on", "remote_apply", NULL},
	 "Set synchronous_commit = on: an answer means that the report is on disk."},
	{"data_checksums", false, {"on", NULL},
	 "Stop the server and run pg_checksums --enable, so that a rotten disk is noticed."},
};
/* clang-format on */

static bool is_good(const Setting *setting, const char *value);

void
kn_settings_check(KnSettingReport report, void *arg, bool log_only)
{
	for (int i = 0; i < lengthof(settings); i++)
	{
		const Setting *setting = &settings[i];
		const char *value;

		if (log_only && !setting->writes_log)
			continue;
		/* what other sessions get; this one may differ */
		value = log_only ? GetConfigOption(setting->name, true, false)
						 : GetConfigOptionResetString(setting->name);
		report(arg, setting->name, value,
			   value != NULL && is_good(setting, value) ? NULL : setting->hint);
	}
}

static bool
is_good(const Setting *setting, const char *value)
{
	for (int i = 0; setting->good[i] != NULL; i++)
		if (strcmp(setting->good[i], value) == 0)
			return true;
	return false;
}
