/*-------------------------------------------------------------------------
 *
 * main.c
 *	  Starts the parts in order, runs the loop, stops them in reverse.
 *
 *-------------------------------------------------------------------------
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "address.h"
#include "budget.h"
#include "config.h"
#include "db.h"
#include "db_hosts.h"
#include "http.h"
#include "keys.h"
#include "limits.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "poll.h"
#include "routes.h"
#include "subscription.h"
#include "supervisor.h"
#include "tls.h"
#include "token.h"
#include "turn.h"
#include "ws.h"

#define LONG_BODY_BYTES 262144
#define EXIT_SETTING 2
#define STOP_LOOK_MS 20

#ifndef KINTARAA_VERSION
#define KINTARAA_VERSION "1.0"
#endif

static struct event_base *base;
static struct event *stop_timer;
static int64_t stop_by_ms;

static int answer_argument(const char *argument);
static bool settings_are_usable(void);
static void process_harden(void);
static int worker_main(int worker, const int *fds, int count);
static bool worker_start(const int *fds, int count);
static void end_fd(evutil_socket_t fd);
static void on_stop(evutil_socket_t number, short what, void *arg);
static void on_stop_look(evutil_socket_t fd, short what, void *arg);
static void on_reload(evutil_socket_t number, short what, void *arg);
static int64_t now_ms(void);

int
main(int argc, char **argv)
{
	if (argc > 1)
		return answer_argument(argv[1]);
	if (!config_load(stderr) || !settings_are_usable())
		return EXIT_SETTING;
	log_set_level(config_get()->log_level);
	if (*config_unknown() != '\0')
		log_line(LEVEL_WARN, "settings_unknown", "names=%s", config_unknown());
	process_harden();
	routes_start();
	if (!metrics_start((int) config_get()->workers))
		return EXIT_FAILURE;
	return supervisor_run(worker_main);
}

static int
answer_argument(const char *argument)
{
	if (strcmp(argument, "--help") == 0)
		config_help(stdout);
	else if (strcmp(argument, "--version") == 0)
		puts("kintaraa-gateway " KINTARAA_VERSION);
	else
	{
		fprintf(stderr, "kintaraa-gateway takes no argument \"%s\"; --help lists the settings.\n",
				argument);
		return EXIT_SETTING;
	}
	return EXIT_SUCCESS;
}

static bool
settings_are_usable(void)
{
	AddressSet set;
	const char *complaint;

	if (!address_set_read(&set, config_get()->metrics_allow))
		fprintf(stderr, "KINTARAA_METRICS_ALLOW: \"%s\" is not a list as 10.0.0.0/8,fd00::/8.\n",
				config_get()->metrics_allow);
	else if (!address_set_read(&set, config_get()->proxies))
		fprintf(stderr, "KINTARAA_PROXIES: \"%s\" is not a list as 10.0.0.0/8,fd00::/8.\n",
				config_get()->proxies);
	else if (!hosts_start(config_get()->database, &complaint))
		fprintf(stderr, "KINTARAA_DATABASE %s.\n", complaint);
	else
		return tls_start(stderr);
	return false;
}

/* Memory holds tokens: no core file, and nobody of the same user may look in. */
static void
process_harden(void)
{
	/* A tool that asks a whole group for its state must not end the service. */
	static const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL,
								  SIGPWR, SIGTTIN, SIGTTOU, SIGTSTP};
	struct rlimit limit = {0, 0};

	setrlimit(RLIMIT_CORE, &limit);
#ifndef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 0);
#endif
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* Long bodies lie outside the heap, so that freeing them makes the process smaller. */
	mallopt(M_MMAP_THRESHOLD, LONG_BODY_BYTES);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

static int
worker_main(int worker, const int *fds, int count)
{
	metrics_use(worker);
	srand((unsigned) now_ms() ^ (unsigned) worker);
	loop_reserve();
	base = event_base_new();
	if (base == NULL || !worker_start(fds, count))
		return EXIT_FAILURE;
	event_base_dispatch(base);
	http_stop();
	ws_stop();
	poll_stop();
	subscription_stop();
	listen_stop();
	keys_stop();
	token_stop();
	db_stop();
	budget_stop();
	tls_stop();
	loop_stop();
	log_line(LEVEL_INFO, "stopped", "worker=%d", worker);
	log_stop();
	return EXIT_SUCCESS;
}

static bool
worker_start(const int *fds, int count)
{
	struct event *stop = evsignal_new(base, SIGTERM, on_stop, NULL);
	struct event *interrupt = evsignal_new(base, SIGINT, on_stop, NULL);
	struct event *reload = evsignal_new(base, SIGHUP, on_reload, NULL);

	stop_timer = event_new(base, -1, EV_PERSIST, on_stop_look, NULL);
	log_start(base);
	return stop != NULL && interrupt != NULL && reload != NULL && stop_timer != NULL &&
		   evsignal_add(stop, NULL) == 0 && evsignal_add(interrupt, NULL) == 0 &&
		   evsignal_add(reload, NULL) == 0 && loop_start(base, end_fd) && budget_start(base) &&
		   turn_start(base) && db_start(base) && token_start() && keys_start(base) &&
		   subscription_start(base) && poll_start(base) && listen_start(base) &&
		   ws_start(base) && http_start(base, fds, count);
}

static void
end_fd(evutil_socket_t fd)
{
	http_end_fd(fd);
	ws_end_fd(fd);
}

static void
on_stop(evutil_socket_t number, short what, void *arg)
{
	const struct timeval look = {.tv_usec = STOP_LOOK_MS * 1000};

	(void) number;
	(void) what;
	(void) arg;
	if (stop_by_ms != 0)
		return;
	stop_by_ms = now_ms() + config_get()->shutdown_ms;
	http_close();
	poll_close();
	budget_close();
	turn_close();
	ws_close();
	evtimer_add(stop_timer, &look);
}

static void
on_stop_look(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	if ((http_unfinished() == 0 && ws_count() == 0) || now_ms() >= stop_by_ms)
		event_base_loopbreak(base);
}

static void
on_reload(evutil_socket_t number, short what, void *arg)
{
	(void) number;
	(void) what;
	(void) arg;
	tls_reload();
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
