/*-------------------------------------------------------------------------
 *
 * database_time.h
 *	  What time it is for the database, whatever the clock of this machine says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DATABASE_TIME_H
#define DATABASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* From an answer: its serverTime, and clock_us() when it was asked for.  NULL changes nothing. */
void database_time_note(const char *server_time, int64_t asked_us);

/* Milliseconds since 1970.  False before the first answer: then it is this machine's time. */
bool database_time_ms(int64_t *now_ms);

/* By how many milliseconds this machine is ahead. */
int64_t database_time_ahead_ms(void);

#endif
