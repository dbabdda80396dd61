/*-------------------------------------------------------------------------
 *
 * stumble.c
 *	  One call of a chosen function fails, for LD_PRELOAD.
 *
 * KN_STUMBLE names a file of one Order, which the test writes: in the process pid
 * the call number countdown of the function, counted from now on, fails once as
 * the kernel or the allocator would have it.  With most, every realloc() for more
 * bytes fails as well: memory that stays short.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* in this order stumble.py knows them */
typedef enum Function
{
	MALLOC,
	CALLOC,
	REALLOC,
	RECV,
	SEND,
	SENDMSG,
	READV,
	WRITEV,
	ACCEPT4,
	CONNECT,
	EPOLL_CTL,
	EPOLL_WAIT,
	FCNTL,
	SOCKET
} Function;

typedef struct Order
{
	int32_t pid;
	int32_t function;
	int64_t countdown;
	int64_t fired;
	int64_t most;
} Order;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);

static volatile Order *order;

static void on_end(int number);

__attribute__((constructor)) static void
order_open(void)
{
	const char *path = getenv("KN_STUMBLE");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(Order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	order = at == MAP_FAILED ? NULL : at;
	signal(SIGSEGV, on_end);
	signal(SIGABRT, on_end);
}

/* Where it ended stands in the log of the gateway. */
static void
on_end(int number)
{
	void *frames[32];

	order = NULL;
	backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
	signal(number, SIG_DFL);
	raise(number);
}

static int
stumbles(Function function, int error)
{
	if (order == NULL || order->function != (int32_t) function || order->pid != getpid() ||
		order->countdown <= 0 || --order->countdown > 0)
		return 0;
	order->fired++;
	errno = error;
	return 1;
}

/* The next definition of a function; found once. */
#define NEXT(name)                 \
	static __typeof__(name) *next; \
	if (next == NULL)              \
	next = (__typeof__(name) *) dlsym(RTLD_NEXT, #name)

void *
malloc(size_t size)
{
	return stumbles(MALLOC, ENOMEM) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return stumbles(CALLOC, ENOMEM) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *at, size_t size)
{
	if (order != NULL && order->pid == getpid() && order->most > 0 && size > (size_t) order->most)
	{
		errno = ENOMEM;
		return NULL;
	}
	return stumbles(REALLOC, ENOMEM) ? NULL : __libc_realloc(at, size);
}

ssize_t
recv(int fd, void *to, size_t size, int flags)
{
	NEXT(recv);
	return stumbles(RECV, ECONNRESET) ? -1 : next(fd, to, size, flags);
}

ssize_t
send(int fd, const void *from, size_t size, int flags)
{
	NEXT(send);
	return stumbles(SEND, ENOBUFS) ? -1 : next(fd, from, size, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	NEXT(sendmsg);
	return stumbles(SENDMSG, ENOBUFS) ? -1 : next(fd, message, flags);
}

ssize_t
readv(int fd, const struct iovec *to, int count)
{
	NEXT(readv);
	return stumbles(READV, ECONNRESET) ? -1 : next(fd, to, count);
}

ssize_t
writev(int fd, const struct iovec *from, int count)
{
	NEXT(writev);
	return stumbles(WRITEV, ENOBUFS) ? -1 : next(fd, from, count);
}

int
accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	NEXT(accept4);
	return stumbles(ACCEPT4, EMFILE) ? -1 : next(fd, address, len, flags);
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
	NEXT(connect);
	return stumbles(CONNECT, EADDRNOTAVAIL) ? -1 : next(fd, address, len);
}

int
epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	NEXT(epoll_ctl);
	return stumbles(EPOLL_CTL, ENOMEM) ? -1 : next(epoll, what, fd, event);
}

int
epoll_wait(int epoll, struct epoll_event *events, int most, int ms)
{
	NEXT(epoll_wait);
	return stumbles(EPOLL_WAIT, EINTR) ? -1 : next(epoll, events, most, ms);
}

static int
fcntl_next(const char *name, int fd, int what, void *argument)
{
	static int (*next)(int, int, ...);

	if (next == NULL)
		next = (int (*)(int, int, ...)) dlsym(RTLD_NEXT, name);
	return stumbles(FCNTL, ENOLCK) ? -1 : next(fd, what, argument);
}

int
fcntl(int fd, int what, ...)
{
	va_list more;
	void *argument;

	va_start(more, what);
	argument = va_arg(more, void *);
	va_end(more);
	return fcntl_next("fcntl", fd, what, argument);
}

int
fcntl64(int fd, int what, ...)
{
	va_list more;
	void *argument;

	va_start(more, what);
	argument = va_arg(more, void *);
	va_end(more);
	return fcntl_next("fcntl64", fd, what, argument);
}

int
socket(int family, int kind, int protocol)
{
	NEXT(socket);
	return stumbles(SOCKET, EMFILE) ? -1 : next(family, kind, protocol);
}
