/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  How much time has passed.
 *
 * Both clocks only go forward, from a moment that means nothing.  What time it
 * is for people and tokens is in database_time.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* Cheap; up to 4 ms behind clock_us(). */
static inline int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t
clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#endif
