/*-------------------------------------------------------------------------
 *
 * loop.c
 *	  Hears from libevent of descriptors that the kernel does not watch, and keeps
 *	  memory back for it.
 *
 * main.c starts it.  A bufferevent asks for events by itself and looks at no
 * result, so that a connection whose epoll_ctl() failed once would hang until
 * its deadline.  The only one who tells is libevent's log: its words hold the
 * number of the descriptor.  They come from the midst of libevent, hence what
 * follows from them waits for a turn of its own.  Whoever closes a connection first
 * says so here, lest the next one with that number is ended in its place.
 *
 * Several ways of libevent 2.1 cannot stand a failing allocation (a watermark,
 * the set-up of TLS).  It gets a reserve first; everything of ours sees the
 * failure and refuses what it was to serve.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "loop.h"

#define RESERVE_BYTES 262144
#define FAILED_MAX 64 /* in one turn; more of them run into their deadlines */

static struct event *failed_event;
static void (*failed_callback)(evutil_socket_t fd);
static evutil_socket_t failed[FAILED_MAX];
static int failed_count;

static void *reserve; /* owns; NULL while it is lent */

static void *memory_new(size_t size);
static void *memory_resize(void *at, size_t size);
static bool reserve_lend(void);
static void on_words(int severity, const char *words);
static void on_failed(evutil_socket_t fd, short what, void *arg);

void
loop_reserve(void)
{
	reserve = malloc(RESERVE_BYTES);
	event_set_mem_functions(memory_new, memory_resize, free);
}

static void *
memory_new(size_t size)
{
	void *at = malloc(size);

	if (at == NULL && reserve_lend())
		at = malloc(size);
	else if (reserve == NULL)
		reserve = malloc(RESERVE_BYTES);
	return at;
}

static void *
memory_resize(void *at, size_t size)
{
	void *to = realloc(at, size);

	if (to == NULL && size > 0 && reserve_lend())
		to = realloc(at, size);
	return to;
}

static bool
reserve_lend(void)
{
	bool is_there = reserve != NULL;

	free(reserve);
	reserve = NULL;
	return is_there;
}

bool
loop_start(struct event_base *base, void (*callback)(evutil_socket_t fd))
{
	failed_callback = callback;
	failed_event = evtimer_new(base, on_failed, NULL);
	event_set_log_callback(on_words);
	return failed_event != NULL;
}

void
loop_stop(void)
{
	event_set_log_callback(NULL);
	event_free(failed_event);
	failed_event = NULL;
}

void
loop_forget(evutil_socket_t fd)
{
	int kept = 0;

	for (int i = 0; i < failed_count; i++)
		if (failed[i] != fd)
			failed[kept++] = failed[i];
	failed_count = kept;
}

static void
on_words(int severity, const char *words)
{
	const char *at = strstr(words, " on fd ");
	int fd;

	if (severity < EVENT_LOG_WARN)
		return;
	log_often(LEVEL_WARN, "loop", "", "words=%s", log_text(words));
	if (strncmp(words, "Epoll ", 6) != 0 || at == NULL ||
		sscanf(at, " on fd %d failed", &fd) != 1 ||
		failed_count == FAILED_MAX || failed_event == NULL)
		return;
	failed[failed_count++] = fd;
	event_active(failed_event, EV_TIMEOUT, 0);
}

static void
on_failed(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	while (failed_count > 0)
		failed_callback(failed[--failed_count]);
}
