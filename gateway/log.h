/*-------------------------------------------------------------------------
 *
 * log.h
 *	  One line per event on standard error, as key=value.
 *
 * Never a query string, a body, a token or a name of a person.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LOG_H
#define LOG_H

#include <event2/event.h>

typedef enum LogLevel
{
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_WARN,
	LEVEL_ERROR
} LogLevel;

/* Before it every line is written at once. */
void log_set_level(const char *name);

/* From now on lines are gathered for a moment, so that many cost one write. */
void log_start(struct event_base *base);
void log_stop(void);

/* Would a line of this level be written? */
int log_wants(LogLevel level);

/* format makes the rest of the line: key=value, separated by blanks; may be "" */
void log_line(LogLevel level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same for what may come in floods: one line a second of the event with that
 * key, a short word; the last of those held back follows with their number.
 */
void log_often(LogLevel level, const char *event, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Makes foreign text fit to be a value: no blanks, quotes, control bytes.  One static buffer. */
const char *log_text(const char *text);

#endif
