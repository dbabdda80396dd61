/*-------------------------------------------------------------------------
 *
 * log.c
 *	  Lines for people and programs who watch the gateway.
 *
 * Called by everybody.  Lines of level warn and above leave at once, others
 * within a tenth of a second, together: at ten thousand requests a second a
 * system call per line would cost more than the request.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define LINE_MAX_BYTES 1024
#define FLUSH_MS 100
#define OFTEN_MAX 16 /* events with keys that are held back at once */
#define OFTEN_TEXT 400
#define OFTEN_MS 1000

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static LogLevel threshold = LEVEL_INFO;
/* One kind of line that comes often. */
typedef struct Often
{
	const char *event; /* NULL: free */
	LogLevel level;
	char key[32];
	int64_t until_ms; /* no other line before */
	long held;        /* since the last one */
	char text[OFTEN_TEXT];
} Often;

static Often often[OFTEN_MAX];
static struct event *often_timer;
static struct event *flush_timer;
static char gathered[65536];
static size_t gathered_len;

static Often *often_find(const char *event, const char *key);
static void often_write(Often *one, int64_t now);
static void on_often(evutil_socket_t fd, short what, void *arg);
static size_t line_start(char *line, size_t size, LogLevel level, const char *event);
static void line_add(const char *line, size_t len, LogLevel level);
static void flush(void);
static void flush_due(evutil_socket_t fd, short what, void *arg);

void
log_set_level(const char *name)
{
	for (int i = LEVEL_DEBUG; i <= LEVEL_ERROR; i++)
		if (strcmp(name, level_names[i]) == 0)
			threshold = (LogLevel) i;
}

void
log_start(struct event_base *base)
{
	flush_timer = evtimer_new(base, flush_due, NULL);
	often_timer = evtimer_new(base, on_often, NULL);
}

void
log_stop(void)
{
	for (int i = 0; i < OFTEN_MAX; i++)
		often_write(&often[i], clock_ms());
	flush();
	if (flush_timer != NULL)
		event_free(flush_timer);
	if (often_timer != NULL)
		event_free(often_timer);
	flush_timer = often_timer = NULL;
}

int
log_wants(LogLevel level)
{
	return level >= threshold;
}

void
log_line(LogLevel level, const char *event, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	size_t len;
	int added;
	va_list args;

	if (level < threshold)
		return;
	len = line_start(line, sizeof(line), level, event);
	va_start(args, format);
	added = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	if (added > 0)
		len += (size_t) added < sizeof(line) - len - 1 ? (size_t) added : sizeof(line) - len - 2;
	line[len++] = '\n';
	line_add(line, len, level);
}

void
log_often(LogLevel level, const char *event, const char *key, const char *format, ...)
{
	const struct timeval second = {.tv_sec = 1};
	Often *one;
	int64_t now = clock_ms();
	va_list args;

	if (level < threshold)
		return;
	one = often_find(event, key);
	one->level = level;
	va_start(args, format);
	vsnprintf(one->text, sizeof(one->text), format, args);
	va_end(args);
	one->held++;
	if (one->until_ms <= now || often_timer == NULL)
		often_write(one, now);
	else if (!evtimer_pending(often_timer, NULL) && evtimer_add(often_timer, &second) != 0)
		often_write(one, now);
}

/* In place of the one that was written longest ago, if it is new. */
static Often *
often_find(const char *event, const char *key)
{
	Often *oldest = often;

	for (int i = 0; i < OFTEN_MAX; i++)
	{
		Often *one = &often[i];

		if (one->event != NULL && strcmp(one->event, event) == 0 &&
			strncmp(one->key, key, sizeof(one->key) - 1) == 0)
			return one;
		if (one->until_ms < oldest->until_ms)
			oldest = one;
	}
	often_write(oldest, clock_ms());
	*oldest = (Often){.event = event};
	snprintf(oldest->key, sizeof(oldest->key), "%s", key);
	return oldest;
}

static void
often_write(Often *one, int64_t now)
{
	if (one->held == 1)
		log_line(one->level, one->event, "%s", one->text);
	else if (one->held > 1)
		log_line(one->level, one->event, "%s times=%ld", one->text, one->held);
	one->held = 0;
	one->until_ms = now + OFTEN_MS;
}

static void
on_often(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	for (int i = 0; i < OFTEN_MAX; i++)
		if (often[i].held > 0)
			often_write(&often[i], clock_ms());
}

/* The date is formatted once a second, not once a line. */
static size_t
line_start(char *line, size_t size, LogLevel level, const char *event)
{
	static time_t second;
	static char date[32];
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second)
	{
		second = now.tv_sec;
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &parts));
	}
	return (size_t) snprintf(line, size, "time=%s.%03ldZ level=%s event=%s ", date,
							 now.tv_nsec / 1000000, level_names[level], event);
}

static void
line_add(const char *line, size_t len, LogLevel level)
{
	const struct timeval wait = {.tv_usec = FLUSH_MS * 1000};

	if (gathered_len + len > sizeof(gathered))
		flush();
	memcpy(gathered + gathered_len, line, len);
	gathered_len += len;
	if (flush_timer == NULL || level >= LEVEL_WARN || gathered_len > sizeof(gathered) / 2)
		flush();
	else if (!evtimer_pending(flush_timer, NULL))
		evtimer_add(flush_timer, &wait);
}

/* A log that cannot be written is lost: serving goes on. */
static void
flush(void)
{
	size_t done = 0;

	while (done < gathered_len)
	{
		ssize_t n = write(STDERR_FILENO, gathered + done, gathered_len - done);

		if (n <= 0)
			break;
		done += (size_t) n;
	}
	gathered_len = 0;
}

static void
flush_due(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	flush();
}

const char *
log_text(const char *text)
{
	static char clean[256];
	size_t len = 0;

	for (; text != NULL && *text != '\0' && len + 1 < sizeof(clean); text++)
		clean[len++] = (*text > ' ' && *text < 127 && *text != '"' && *text != '=') ? *text : '_';
	clean[len] = '\0';
	return clean;
}
