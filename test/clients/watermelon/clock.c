/*-------------------------------------------------------------------------
 *
 * clock.c
 *	  A wall clock that can be set while a program runs, for LD_PRELOAD.
 *
 * Made and used by clock.py.  The file that KN_CLOCK names holds by how many
 * microseconds the clock is ahead.  Monotonic clocks are left alone, as they are
 * when the clock of a machine is set.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000L

static const volatile int64_t *ahead_us;

__attribute__((constructor)) static void
open_file(void)
{
	const char *path = getenv("KN_CLOCK");
	int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (file < 0)
		abort();
	map = mmap(NULL, sizeof(*ahead_us), PROT_READ, MAP_SHARED, file, 0);
	if (map == MAP_FAILED)
		abort();
	close(file);
	ahead_us = map;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
	int result = (int) syscall(SYS_clock_gettime, id, out);
	int64_t ns;

	if (result != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) || ahead_us == NULL)
		return result;
	ns = (int64_t) out->tv_sec * BILLION + out->tv_nsec + *ahead_us * 1000;
	out->tv_sec = (time_t) (ns / BILLION);
	out->tv_nsec = (long) (ns % BILLION);
	return 0;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}
