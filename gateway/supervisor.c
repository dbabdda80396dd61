/*-------------------------------------------------------------------------
 *
 * supervisor.c
 *	  Opens the listening sockets, forks the workers and restarts those that die.
 *
 * main.c runs it.  The sockets are opened before the first fork and stay open
 * here, so that a connection that comes while a worker is being restarted waits
 * instead of being refused.  Each worker has sockets of its own, and the kernel
 * spreads connections over them.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "config.h"
#include "limits.h"
#include "log.h"
#include "supervisor.h"

#define EXIT_SETTING 2

typedef struct Worker
{
	pid_t pid; /* 0: not running */
	int64_t start_at_ms;
	int fd[LIMIT_LISTENERS];
} Worker;

static Worker workers[LIMIT_WORKERS];
static int worker_count;
static int fd_count;
static bool is_stopping;
static int exit_status;

static bool sockets_open(void);
static int socket_wait(const struct sockaddr_storage *address, socklen_t len);
static int socket_open(const struct sockaddr_storage *address, socklen_t len);
static void workers_start(WorkerMain worker_main);
static pid_t worker_fork(int index, WorkerMain worker_main);
static void signal_take(int number);
static void children_take(void);
static void child_ended(Worker *worker, int status);
static void workers_signal(int number);
static bool is_any_running(void);
static sigset_t signals_ours(void);
static int64_t now_ms(void);

int
supervisor_run(WorkerMain worker_main)
{
	sigset_t ours = signals_ours();

	worker_count = (int) config_get()->workers;
	if (!sockets_open())
		return EXIT_SETTING;
	sigprocmask(SIG_BLOCK, &ours, NULL);
	while (!is_stopping || is_any_running())
	{
		const struct timespec wait = {.tv_nsec = LIMIT_RESTART_PAUSE_MS * 1000000};
		int number;

		if (!is_stopping)
			workers_start(worker_main);
		number = sigtimedwait(&ours, NULL, &wait);
		if (number > 0)
			signal_take(number);
	}
	return exit_status;
}

static sigset_t
signals_ours(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	return ours;
}

static bool
sockets_open(void)
{
	const char *list = config_get()->listen;

	while (*list != '\0')
	{
		struct sockaddr_storage address;
		socklen_t address_len;
		size_t len = strcspn(list, ", ");

		if (fd_count == LIMIT_LISTENERS ||
			!address_listen(list, len, &address, &address_len))
		{
			fprintf(stderr, "KINTARAA_LISTEN: \"%.*s\" is not ADDRESS:PORT or [ADDRESS]:PORT.\n",
					(int) len, list);
			return false;
		}
		for (int i = 0; i < worker_count; i++)
			if ((workers[i].fd[fd_count] = socket_wait(&address, address_len)) < 0)
			{
				fprintf(stderr, "KINTARAA_LISTEN: cannot listen on %.*s: %s.\n", (int) len, list,
						strerror(errno));
				return false;
			}
		fd_count++;
		list += len;
		list += strspn(list, ", ");
	}
	if (fd_count == 0)
		fprintf(stderr, "KINTARAA_LISTEN is empty: there is nothing to listen on.\n");
	return fd_count > 0;
}

/* The workers of a supervisor that was killed end by themselves; until then the port is theirs. */
static int
socket_wait(const struct sockaddr_storage *address, socklen_t len)
{
	const struct timespec pause = {.tv_nsec = LIMIT_BIND_PAUSE_MS * 1000000};
	const int64_t end = now_ms() + LIMIT_BIND_WAIT_MS;
	bool is_told = false;
	int fd;

	while ((fd = socket_open(address, len)) < 0 && errno == EADDRINUSE && now_ms() < end)
	{
		if (!is_told)
			log_line(LEVEL_WARN, "port_taken", "wait_ms=%d", LIMIT_BIND_WAIT_MS);
		is_told = true;
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* What is set here is inherited by every connection. */
static int
socket_open(const struct sockaddr_storage *address, socklen_t len)
{
	const int on = 1;
	int why;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if ((worker_count == 1 ||
		 setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
		bind(fd, (const struct sockaddr *) address, len) == 0 && listen(fd, LIMIT_BACKLOG) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

static void
workers_start(WorkerMain worker_main)
{
	for (int i = 0; i < worker_count; i++)
	{
		if (workers[i].pid != 0 || workers[i].start_at_ms > now_ms())
			continue;
		workers[i].start_at_ms = now_ms() + LIMIT_RESTART_PAUSE_MS;
		workers[i].pid = worker_fork(i, worker_main);
		log_line(LEVEL_INFO, "worker_start", "worker=%d pid=%d", i, (int) workers[i].pid);
	}
}

/* 0 when there is no process to be had; it is tried again. */
static pid_t
worker_fork(int index, WorkerMain worker_main)
{
	sigset_t ours = signals_ours();
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid > 0 ? pid : 0;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	for (int i = 0; i < worker_count; i++)
		for (int k = 0; i != index && k < fd_count; k++)
			close(workers[i].fd[k]);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	exit(worker_main(index, workers[index].fd, fd_count));
}

static void
signal_take(int number)
{
	if (number == SIGCHLD)
		children_take();
	else if (number == SIGHUP)
		workers_signal(SIGHUP);
	else
	{
		log_line(LEVEL_INFO, "stop", "signal=%d", number);
		is_stopping = true;
		workers_signal(SIGTERM);
	}
}

static void
children_take(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < worker_count; i++)
			if (workers[i].pid == pid)
				child_ended(&workers[i], status);
}

static void
child_ended(Worker *worker, int status)
{
	log_line(is_stopping ? LEVEL_INFO : LEVEL_ERROR, "worker_end", "worker=%d signal=%d status=%d",
			 (int) (worker - workers), WIFSIGNALED(status) ? WTERMSIG(status) : 0,
			 WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	worker->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && is_stopping)
		exit_status = WEXITSTATUS(status);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SETTING)
		return;
	/* Starting it again would say the same again. */
	is_stopping = true;
	exit_status = EXIT_SETTING;
	workers_signal(SIGTERM);
}

static void
workers_signal(int number)
{
	for (int i = 0; i < worker_count; i++)
		if (workers[i].pid > 0)
			kill(workers[i].pid, number);
}

static bool
is_any_running(void)
{
	for (int i = 0; i < worker_count; i++)
		if (workers[i].pid > 0)
			return true;
	return false;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
