/*-------------------------------------------------------------------------
 *
 * supervisor.h
 *	  The parent process: it holds the listening sockets and keeps workers alive.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stdbool.h>

/* Serves on these listening sockets until told to stop; returns the exit status. */
typedef int (*WorkerMain)(int worker, const int *fds, int count);

/* Returns the exit status of the program. */
int supervisor_run(WorkerMain worker_main);

#endif
