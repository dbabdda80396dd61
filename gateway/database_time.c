/*-------------------------------------------------------------------------
 *
 * database_time.c
 *	  Keeps the time of the database, as its answers tell it.
 *
 * keys.c brings a new one each minute.  It is kept beside the monotonic clock, so
 * that neither a wrong clock of this machine nor one that is being set makes
 * good tokens look expired; what it tells is late by as long as an answer
 * takes, which is far below the skew that tokens allow.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "database_time.h"
#include "log.h"
#include "metrics.h"

#define AHEAD_WORTH_A_LINE_MS 10000

static bool is_known;
static int64_t known_ms;    /* of the database */
static int64_t known_at_us; /* of clock_us() */

static int64_t here_ms(void);

void
database_time_note(const char *server_time, int64_t asked_us)
{
	struct tm parts = {0};
	int millis = 0;
	int64_t ahead_ms;

	if (server_time == NULL ||
		sscanf(server_time, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &parts.tm_year, &parts.tm_mon,
			   &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &millis) != 7)
		return;
	parts.tm_year -= 1900;
	parts.tm_mon--;
	known_ms = (int64_t) timegm(&parts) * 1000 + millis;
	known_at_us = asked_us + (clock_us() - asked_us) / 2;
	is_known = true;
	ahead_ms = database_time_ahead_ms();
	metrics_set(METRIC_CLOCK_AHEAD, ahead_ms);
	if (ahead_ms > AHEAD_WORTH_A_LINE_MS || ahead_ms < -AHEAD_WORTH_A_LINE_MS)
		log_line(LEVEL_WARN, "clock_differs", "ahead_ms=%lld", (long long) ahead_ms);
}

bool
database_time_ms(int64_t *now_ms)
{
	*now_ms = is_known ? known_ms + (clock_us() - known_at_us) / 1000 : here_ms();
	return is_known;
}

int64_t
database_time_ahead_ms(void)
{
	int64_t there_ms;

	return database_time_ms(&there_ms) ? here_ms() - there_ms : 0;
}

static int64_t
here_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
