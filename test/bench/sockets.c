/*
 * Opens many WebSockets to the gateway, makes events in the database, and says when they arrived.
 *
 *     sockets PORT PLAN DSN SQL
 *
 * PLAN has lines "count token": that many sockets say hello with that token.  SQL is a file with
 * one statement whose parameter $1 is the id of the incident it creates.  Prints
 * "open COUNT SECONDS", then obeys lines of standard input until it ends:
 *
 *     events RATE SECONDS WATCHERS    creates incidents at that rate, each for WATCHERS sockets
 *     hold SECONDS                    only answers pings
 *
 * and prints for each "done EVENTS FRAMES MISSING first50 first99 last50 last99 SECONDS", times in
 * milliseconds from the database's answer to the commit to the first and to the last frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define OPENING_MOST 128 /* handshakes at once */
#define OPEN_SECONDS 60
#define EVENTS_MOST 20000
#define LATE_SECONDS 5
#define BUFFER 65536

typedef struct Socket
{
	int fd;
	const char *token;
	bool upgraded;
	bool joined;
	char *rest; /* of a frame that came in part */
	size_t rest_len;
} Socket;

typedef struct Event
{
	double committed;
	double first;
	double last;
	int frames;
} Event;

static Socket *sockets;
static int n_sockets;
static int n_open;
static int n_started;
static int poller;
static struct sockaddr_in address;
static PGconn *database;
static bool busy;
static unsigned run;
static Event *events;
static int n_events;
static int watchers;
static long frames;
static double *sorted;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static double
now_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t len;
	char *text = malloc(1 << 20);

	if (file == NULL)
		die("cannot read %s", path);
	len = fread(text, 1, (1 << 20) - 1, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

static void
read_plan(char *text)
{
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
	{
		char *token;
		long count = strtol(line, &token, 10);

		sockets = realloc(sockets, sizeof(Socket) * (n_sockets + count));
		for (long i = 0; i < count; i++)
			sockets[n_sockets++] = (Socket){.fd = -1, .token = token + 1};
	}
}

static void
start_one(Socket *socket_)
{
	static const char request[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
								  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
								  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = socket_};
	int on = 1;

	socket_->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (socket_->fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(socket_->fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		die("connect: %s", strerror(errno));
	setsockopt(socket_->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (write(socket_->fd, request, sizeof(request) - 1) != (ssize_t) sizeof(request) - 1)
		die("handshake: %s", strerror(errno));
	fcntl(socket_->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(poller, EPOLL_CTL_ADD, socket_->fd, &want);
}

/* A client's frames are masked; a mask of zeros leaves the payload as it is. */
static void
send_frame(const Socket *to, int opcode, const char *payload, size_t len)
{
	unsigned char frame[4096];
	size_t at = 0;

	if (len > sizeof(frame) - 16)
		die("a message is too long");
	frame[at++] = 0x80 | opcode;
	if (len < 126)
		frame[at++] = 0x80 | len;
	else
	{
		frame[at++] = 0x80 | 126;
		frame[at++] = len >> 8;
		frame[at++] = len & 0xff;
	}
	memset(frame + at, 0, 4);
	memcpy(frame + at + 4, payload, len);
	if (write(to->fd, frame, at + 4 + len) != (ssize_t) (at + 4 + len))
		die("write: %s", strerror(errno));
}

static void
say_hello(const Socket *to)
{
	char text[2048];
	int len = snprintf(text, sizeof(text), "{\"type\":\"hello\",\"token\":\"%s\",\"cursor\":null}",
					   to->token);

	send_frame(to, 1, text, len);
}

/* Ids of ours are "RRRRRRRR-0000-4000-8000-0000EEEEEEEE": run and event. */
static void
note_event(const char *text, size_t len)
{
	static const char key[] = "\"incidentId\":\"";
	const char *id = memmem(text, len, key, sizeof(key) - 1);
	Event *event;
	unsigned of_run;
	unsigned long number;

	if (id == NULL || (size_t) (text + len - id) < sizeof(key) - 1 + 36)
		return;
	id += sizeof(key) - 1;
	of_run = strtoul((char[9]){id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]}, NULL, 16);
	number = strtoul((char[9]){id[28], id[29], id[30], id[31], id[32], id[33], id[34], id[35]},
					 NULL, 16);
	if (of_run != run || number >= (unsigned long) n_events)
		return;
	event = &events[number];
	if (event->frames >= watchers)
		return;
	event->last = now_ms();
	if (event->frames++ == 0)
		event->first = event->last;
	frames++;
}

static void
take_message(Socket *from, int opcode, const char *payload, size_t len)
{
	if (opcode == 9)
		send_frame(from, 10, payload, len);
	else if (opcode == 8)
		die("the gateway closed a socket with %d",
			len < 2 ? 0 : (unsigned char) payload[0] << 8 | (unsigned char) payload[1]);
	else if (!from->joined)
	{
		if (memmem(payload, len, "\"hello.result\"", 14) == NULL)
			die("hello was answered with %.*s", (int) len, payload);
		from->joined = true;
		n_open++;
	}
	else
		note_event(payload, len);
}

/* Takes what is complete; returns how much that was. */
static size_t
take_frames(Socket *from, const char *data, size_t len)
{
	size_t at = 0;

	while (len - at >= 2)
	{
		const unsigned char *head = (const unsigned char *) data + at;
		size_t size = head[1] & 0x7f;
		size_t skip = 2;

		if (size == 126 && len - at >= 4)
		{
			size = head[2] << 8 | head[3];
			skip = 4;
		}
		else if (size >= 126)
		{
			if (size == 127)
				die("a frame of more than 64 KB");
			break;
		}
		if (len - at < skip + size)
			break;
		take_message(from, head[0] & 0x0f, data + at + skip, size);
		at += skip + size;
	}
	return at;
}

static size_t
take_handshake(Socket *from, const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	if (end == NULL)
		return 0;
	if (len < 12 || memcmp(data + 9, "101", 3) != 0)
		die("no upgrade: %.*s", (int) (end - data), data);
	from->upgraded = true;
	say_hello(from);
	return end + 4 - data;
}

static void
read_socket(Socket *from)
{
	static char buffer[2 * BUFFER];
	size_t len = from->rest_len;
	size_t used = 0;
	ssize_t got;

	memcpy(buffer, from->rest ? from->rest : "", len);
	got = read(from->fd, buffer + len, BUFFER);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		die("a socket ended: %s", got < 0 ? strerror(errno) : "end of file");
	len += got;
	if (!from->upgraded)
		used = take_handshake(from, buffer, len);
	if (from->upgraded)
		used += take_frames(from, buffer + used, len - used);
	free(from->rest);
	from->rest = NULL;
	from->rest_len = len - used;
	if (from->rest_len > BUFFER)
		die("a frame does not end");
	if (from->rest_len > 0)
		from->rest = memcpy(malloc(from->rest_len), buffer + used, from->rest_len);
}

static void
read_database(void)
{
	PGresult *result;

	if (!PQconsumeInput(database))
		die("database: %s", PQerrorMessage(database));
	while (busy && !PQisBusy(database))
	{
		result = PQgetResult(database);
		if (result == NULL)
		{
			events[n_events - 1].committed = now_ms();
			busy = false;
		}
		else if (PQresultStatus(result) != PGRES_TUPLES_OK ||
				 strcmp(PQgetvalue(result, 0, 0), "created") != 0)
			die("event: %s", PQresultErrorMessage(result));
		PQclear(result);
	}
}

static void
wait_for_news(double until)
{
	struct epoll_event ready[64];
	double left = until - now_ms();
	int n = epoll_wait(poller, ready, 64, left > 0 ? (int) left + (left < 1) : 0);

	for (int i = 0; i < n; i++)
		if (ready[i].data.ptr == NULL)
			read_database();
	for (int i = 0; i < n; i++)
		if (ready[i].data.ptr != NULL)
			read_socket(ready[i].data.ptr);
}

static void
open_all(void)
{
	double start = now_ms();

	while (n_open < n_sockets)
	{
		while (n_started < n_sockets && n_started - n_open < OPENING_MOST)
			start_one(&sockets[n_started++]);
		wait_for_news(now_ms() + 100);
		if (now_ms() - start > OPEN_SECONDS * 1e3)
			die("only %d of %d sockets opened", n_open, n_sockets);
	}
	printf("open %d %.3f\n", n_open, (now_ms() - start) / 1e3);
	fflush(stdout);
}

static void
make_event(void)
{
	char id[37];
	const char *values[1] = {id};

	snprintf(id, sizeof(id), "%08x-0000-4000-8000-0000%08x", run, (unsigned) n_events);
	events[n_events] = (Event){0};
	n_events++;
	if (!PQsendQueryPrepared(database, "event", 1, values, NULL, NULL, 0))
		die("database: %s", PQerrorMessage(database));
	busy = true;
}

static int
compare(const void *a, const void *b)
{
	double left = *(const double *) a;
	double right = *(const double *) b;

	return left < right ? -1 : left > right;
}

static double
percentile(int n, double share)
{
	return n == 0 ? 0 : sorted[(int) ((n - 1) * share + 0.5)];
}

static void
print_latencies(bool last)
{
	int n = 0;

	for (int i = 0; i < n_events; i++)
	{
		double at = (last ? events[i].last : events[i].first) - events[i].committed;

		if (events[i].frames > 0)
			sorted[n++] = at > 0 ? at : 0;
	}
	qsort(sorted, n, sizeof(double), compare);
	printf(" %.3f %.3f", percentile(n, 0.5), percentile(n, 0.99));
}

static void
run_events(double rate, double seconds)
{
	double start = now_ms();
	double end = start + seconds * 1e3;

	run = (unsigned) time(NULL) << 8 ^ (unsigned) getpid() ^ run;
	n_events = 0;
	frames = 0;
	while (now_ms() < end || busy ||
		   (frames < (long) n_events * watchers && now_ms() < end + LATE_SECONDS * 1e3))
	{
		double due = start + n_events * 1e3 / rate;

		if (!busy && due < end && now_ms() >= due && now_ms() < end && n_events < EVENTS_MOST)
			make_event();
		due = start + n_events * 1e3 / rate;
		wait_for_news(!busy && due < end ? due : now_ms() + 10);
	}
	printf("done %d %ld %ld", n_events, frames, (long) n_events * watchers - frames);
	print_latencies(false);
	print_latencies(true);
	printf(" %.3f\n", (now_ms() - start) / 1e3);
}

static void
hold(double seconds)
{
	double end = now_ms() + seconds * 1e3;

	n_events = 0;
	while (now_ms() < end)
		wait_for_news(end);
	printf("done 0 0 0 0 0 0 0 %.3f\n", seconds);
}

static void
open_database(const char *dsn, const char *sql)
{
	struct epoll_event want = {.events = EPOLLIN, .data.ptr = NULL};
	PGresult *result;

	database = PQconnectdb(dsn);
	if (PQstatus(database) != CONNECTION_OK)
		die("database: %s", PQerrorMessage(database));
	result = PQprepare(database, "event", sql, 1, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("event: %s", PQresultErrorMessage(result));
	PQclear(result);
	epoll_ctl(poller, EPOLL_CTL_ADD, PQsocket(database), &want);
}

int
main(int argc, char **argv)
{
	char line[256];
	double rate;
	double seconds;

	if (argc != 5)
		die("usage: sockets PORT PLAN DSN SQL");
	address = (struct sockaddr_in){.sin_family = AF_INET,
								   .sin_port = htons(atoi(argv[1])),
								   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	poller = epoll_create1(EPOLL_CLOEXEC);
	events = calloc(EVENTS_MOST, sizeof(Event));
	sorted = calloc(EVENTS_MOST, sizeof(double));
	read_plan(read_file(argv[2]));
	open_database(argv[3], read_file(argv[4]));
	open_all();
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		if (sscanf(line, "events %lf %lf %d", &rate, &seconds, &watchers) == 3)
			run_events(rate, seconds);
		else if (sscanf(line, "hold %lf", &seconds) == 1)
			hold(seconds);
		else
			die("cannot obey %s", line);
		fflush(stdout);
	}
	return 0;
}
