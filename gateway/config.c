/*-------------------------------------------------------------------------
 *
 * config.c
 *	  One table of settings: name, type, default, bounds, help.
 *
 * Read by main.c before anything else exists.  A value that cannot be used ends
 * the program at once; nothing is guessed and nothing is changed later.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "limits.h"

typedef enum SettingType
{
	SETTING_TEXT,
	SETTING_COUNT,
	SETTING_BYTES,
	SETTING_TIME /* whole number with ms, s or min behind it; alone it means seconds */
} SettingType;

typedef struct Setting
{
	const char *name;
	SettingType type;
	const char *fallback;
	int64_t min;
	int64_t max;
	size_t at; /* offset in Config */
	const char *help;
} Setting;

#define AT(member) offsetof(Config, member)
#define HOUR_MS 3600000

extern char **environ;

/* clang-format off */
static const Setting settings[] = {
	{"KINTARAA_BODY_TIMEOUT",        SETTING_TIME,  "30s",             50, HOUR_MS, AT(body_ms),
		"A whole request body must arrive within this time."},
	{"KINTARAA_DATABASE",            SETTING_TEXT,  "dbname=kintaraa",  0, 0, AT(database),
		"Connection string of the gateway's own database login."},
	{"KINTARAA_ERRORS_URL",          SETTING_TEXT,  "urn:kintaraa:error", 0, 0, AT(errors_url),
		"Start of the \"type\" of an error; '#' and the code follow."},
	{"KINTARAA_FILE_CONNECTIONS",    SETTING_COUNT, "1",                1, LIMIT_LANE_CONNECTIONS, AT(lane_connections[LANE_FILE]),
		"Database connections of each worker for files."},
	{"KINTARAA_FILE_TIMEOUT",        SETTING_TIME,  "10s",             50, HOUR_MS, AT(lane_ms[LANE_FILE]),
		"A statement of the file lane is stopped after this time."},
	{"KINTARAA_HASH_CONNECTIONS",    SETTING_COUNT, "1",                1, LIMIT_LANE_CONNECTIONS, AT(lane_connections[LANE_HASH]),
		"Database connections of each worker for signing in."},
	{"KINTARAA_HASH_TIMEOUT",        SETTING_TIME,  "10s",             50, HOUR_MS, AT(lane_ms[LANE_HASH]),
		"A statement of the hash lane is stopped after this time."},
	{"KINTARAA_HEAD_TIMEOUT",        SETTING_TIME,  "10s",             50, HOUR_MS, AT(head_ms),
		"Request line and headers must arrive within this time."},
	{"KINTARAA_IDLE_TIMEOUT",        SETTING_TIME,  "60s",             50, HOUR_MS, AT(idle_ms),
		"A connection may be quiet this long between two requests."},
	{"KINTARAA_LISTEN",              SETTING_TEXT,  "127.0.0.1:8080",   0, 0, AT(listen),
		"Addresses to listen on, ADDRESS:PORT or [ADDRESS]:PORT, separated by commas."},
	{"KINTARAA_LOG_LEVEL",           SETTING_TEXT,  "info",             0, 0, AT(log_level),
		"What is worth a line: debug, info, warn or error."},
	{"KINTARAA_MAX_BODY",            SETTING_BYTES, "1048576",          1, 67108864, AT(max_body),
		"A request body may be this long."},
	{"KINTARAA_MAX_CONNECTIONS",     SETTING_COUNT, "0",                0, 1000000, AT(max_connections),
		"Open connections of each worker; 0 means as many as descriptors allow."},
	{"KINTARAA_MAX_PARKED",          SETTING_COUNT, "2000",             0, 100000, AT(max_parked),
		"Pulls of each worker that may wait for news; more are answered at once."},
	{"KINTARAA_MAX_PER_ADDRESS",     SETTING_COUNT, "0",                0, 1000000, AT(max_per_address),
		"Open connections from one address (IPv6: /64), loopback excepted; 0 means no limit."},
	{"KINTARAA_METRICS_ALLOW",       SETTING_TEXT,  "",                 0, 0, AT(metrics_allow),
		"Networks besides loopback that may read /metrics and /readyz, as 10.0.0.0/8,fd00::/8."},
	{"KINTARAA_NORMAL_CONNECTIONS",  SETTING_COUNT, "8",                1, LIMIT_LANE_CONNECTIONS, AT(lane_connections[LANE_NORMAL]),
		"Database connections of each worker for ordinary work."},
	{"KINTARAA_NORMAL_TIMEOUT",      SETTING_TIME,  "10s",             50, HOUR_MS, AT(lane_ms[LANE_NORMAL]),
		"A statement of the normal lane is stopped after this time."},
	{"KINTARAA_ORIGINS",             SETTING_TEXT,  "",                 0, 0, AT(origins),
		"Web origins that may call from a browser, separated by commas; * means any."},
	{"KINTARAA_PING_INTERVAL",       SETTING_TIME,  "30s",             50, HOUR_MS, AT(ping_ms),
		"A quiet WebSocket is pinged this often; two missed answers end it."},
	{"KINTARAA_PROXIES",             SETTING_TEXT,  "",                 0, 0, AT(proxies),
		"Networks of front proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."},
	{"KINTARAA_QUEUE_LIMIT",         SETTING_COUNT, "512",              1, 100000, AT(queue_limit),
		"Requests of any other lane that may wait for a database connection."},
	{"KINTARAA_QUEUE_TIMEOUT",       SETTING_TIME,  "5s",              50, HOUR_MS, AT(queue_ms),
		"A request waits this long for a database connection."},
	{"KINTARAA_READ_BUDGET",         SETTING_TIME,  "2s",              50, HOUR_MS, AT(read_budget_ms),
		"Time on database connections that one account may save up for reading in bulk."},
	{"KINTARAA_READ_SHARE",          SETTING_COUNT, "4",                0, 100, AT(read_share),
		"Percent of a database connection it earns all the time; 0 means that nobody waits."},
	{"KINTARAA_READ_TIMEOUT",        SETTING_TIME,  "30s",             50, HOUR_MS, AT(read_ms),
		"A reading waits this long for its account to have earned it."},
	{"KINTARAA_REPORT_CONNECTIONS",  SETTING_COUNT, "1",                1, LIMIT_LANE_CONNECTIONS, AT(lane_connections[LANE_REPORT]),
		"Database connections of each worker for reports and audit."},
	{"KINTARAA_REPORT_TIMEOUT",      SETTING_TIME,  "60s",             50, HOUR_MS, AT(lane_ms[LANE_REPORT]),
		"A statement of the report lane is stopped after this time."},
	{"KINTARAA_SHUTDOWN_TIMEOUT",    SETTING_TIME,  "10s",             50, HOUR_MS, AT(shutdown_ms),
		"Requests in flight may finish this long after SIGTERM."},
	{"KINTARAA_SOCKET_BUFFER",       SETTING_BYTES, "262144",        4096, 67108864, AT(socket_buffer),
		"Unread frames kept for one WebSocket; more are dropped, and it is told to pull."},
	{"KINTARAA_SOS_CONNECTIONS",     SETTING_COUNT, "4",                1, LIMIT_LANE_CONNECTIONS, AT(lane_connections[LANE_SOS]),
		"Database connections of each worker reserved for reports and calls for help."},
	{"KINTARAA_SOS_QUEUE_LIMIT",     SETTING_COUNT, "4096",             1, 100000, AT(sos_queue_limit),
		"Reports and calls for help that may wait for a database connection."},
	{"KINTARAA_SOS_TIMEOUT",         SETTING_TIME,  "5s",              50, HOUR_MS, AT(lane_ms[LANE_SOS]),
		"A statement of the sos lane is stopped after this time."},
	{"KINTARAA_TLS_CERT",            SETTING_TEXT,  "",                 0, 0, AT(tls_cert),
		"PEM file with the certificate chain; with KINTARAA_TLS_KEY it turns TLS on."},
	{"KINTARAA_TLS_KEY",             SETTING_TEXT,  "",                 0, 0, AT(tls_key),
		"PEM file with the private key."},
	{"KINTARAA_WORKERS",             SETTING_COUNT, "1",                1, LIMIT_WORKERS, AT(workers),
		"Processes that serve; each has database connections of its own."},
	{"KINTARAA_WRITE_TIMEOUT",       SETTING_TIME,  "30s",             50, HOUR_MS, AT(write_ms),
		"An answer may stand still this long because its reader does not read."},
};
/* clang-format on */

#define SETTING_TOTAL ((int) (sizeof(settings) / sizeof(settings[0])))

static Config current;

static bool setting_read(const Setting *setting, const char *text, FILE *complaint);
static bool number_read(const Setting *setting, const char *text, int64_t *number);
static int64_t time_unit(const char *unit);
static bool config_check(FILE *complaint);
static bool name_is_known(const char *entry);

bool
config_load(FILE *complaint)
{
	for (int i = 0; i < SETTING_TOTAL; i++)
	{
		const char *text = getenv(settings[i].name);

		if (text == NULL)
			text = settings[i].fallback;
		if (!setting_read(&settings[i], text, complaint))
			return false;
	}
	return config_check(complaint);
}

static bool
setting_read(const Setting *setting, const char *text, FILE *complaint)
{
	char *member = (char *) &current + setting->at;
	int64_t number;

	if (setting->type == SETTING_TEXT)
	{
		*(const char **) member = text;
		return true;
	}
	if (number_read(setting, text, &number) && number >= setting->min && number <= setting->max)
	{
		*(int64_t *) member = number;
		return true;
	}
	fprintf(complaint, "%s: \"%s\" is not %s from %lld to %lld%s.\n", setting->name, text,
			setting->type == SETTING_TIME ? "a time as 500ms, 10s or 2min"
										  : "a whole number",
			(long long) setting->min, (long long) setting->max,
			setting->type == SETTING_TIME ? " ms" : "");
	return false;
}

static bool
number_read(const Setting *setting, const char *text, int64_t *number)
{
	char *end;
	int64_t unit = 1;

	if (!isdigit((unsigned char) *text))
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	if (errno != 0 || *number > INT32_MAX)
		return false;
	if (setting->type == SETTING_TIME)
		unit = time_unit(end);
	else if (*end != '\0')
		return false;
	*number *= unit;
	return unit > 0;
}

/* In milliseconds; 0 for what is no unit. */
static int64_t
time_unit(const char *unit)
{
	if (strcmp(unit, "ms") == 0)
		return 1;
	if (strcmp(unit, "s") == 0 || *unit == '\0')
		return 1000;
	if (strcmp(unit, "min") == 0)
		return 60000;
	return 0;
}

/* What only two settings together can be wrong about. */
static bool
config_check(FILE *complaint)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	bool is_level = false;

	for (int i = 0; i < 4; i++)
		is_level = is_level || strcmp(current.log_level, levels[i]) == 0;
	if (!is_level)
	{
		fprintf(complaint, "KINTARAA_LOG_LEVEL: \"%s\" is none of debug, info, warn, error.\n",
				current.log_level);
		return false;
	}
	if ((*current.tls_cert == '\0') != (*current.tls_key == '\0'))
	{
		fprintf(complaint, "KINTARAA_TLS_CERT and KINTARAA_TLS_KEY must be set together.\n");
		return false;
	}
	return true;
}

void
config_help(FILE *out)
{
	static const char *const types[] = {"text", "count", "bytes", "time"};

	fprintf(out, "kintaraa-gateway carries HTTP and WebSocket to PostgreSQL.\n"
				 "It takes no arguments but --help and --version; settings are read from the "
				 "environment:\n\n");
	for (int i = 0; i < SETTING_TOTAL; i++)
		fprintf(out, "%s  (%s, default \"%s\")\n    %s\n", settings[i].name,
				types[settings[i].type], settings[i].fallback, settings[i].help);
}

const char *
config_unknown(void)
{
	static char names[1024];
	size_t len = 0;

	for (char **entry = environ; *entry != NULL; entry++)
	{
		size_t size = strcspn(*entry, "=");

		if (strncmp(*entry, "KINTARAA_", 9) != 0 || name_is_known(*entry) ||
			len + size + 2 > sizeof(names))
			continue;
		memcpy(names + len, *entry, size);
		len += size;
		names[len++] = ',';
	}
	names[len > 0 ? len - 1 : 0] = '\0';
	return names;
}

static bool
name_is_known(const char *entry)
{
	for (int i = 0; i < SETTING_TOTAL; i++)
	{
		size_t len = strlen(settings[i].name);

		if (strncmp(entry, settings[i].name, len) == 0 && entry[len] == '=')
			return true;
	}
	return false;
}

const Config *
config_get(void)
{
	return &current;
}
