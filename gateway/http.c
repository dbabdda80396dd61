/*-------------------------------------------------------------------------
 *
 * http.c
 *	  The life of a client connection.
 *
 * The event loop calls it; it feeds exchange.c and hands upgraded connections to
 * ws.c.  A connection is always in one state, and each state is a list: every
 * member of a list waits equally long, so the first one is the first to be
 * late.  conn_enter() alone moves a connection.  Reading never stops, so that a
 * client who leaves is noticed at once; what it sends meanwhile waits in the
 * input buffer, and a connection is freed only after the loop has left its
 * callbacks.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admit.h"
#include "clock.h"
#include "config.h"
#include "exchange.h"
#include "http.h"
#include "limits.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "stream.h"
#include "tls.h"
#include "ws.h"

typedef enum ConnState
{
	CONN_HANDSHAKE, /* TLS */
	CONN_IDLE,      /* between two requests */
	CONN_HEAD,
	CONN_BODY,
	CONN_WAITING, /* for the answer */
	CONN_WRITING,
	CONN_LINGER, /* answered with an error: reads on, so that the answer is not lost */
	CONN_DEAD,
	CONN_STATES
} ConnState;

typedef struct Conn
{
	TAILQ_ENTRY(Conn) link;
	ConnState state;
	bool closes;     /* after the answer in hand */
	bool is_whole;   /* the request was read to its end */
	bool is_reading; /* conn_read() is below us on the stack */
	bool is_full;    /* more unread input than is kept: nothing is taken from the kernel */
	bool is_tls;
	int64_t deadline_ms;
	size_t lingered;
	size_t unread;           /* by the client, when the patience of CONN_WRITING began */
	struct bufferevent *bev; /* owns; NULL once it is a WebSocket */
	Exchange *exchange;      /* owns; NULL while idle */
	Address peer;
	Address counted; /* what admit.c counts it under */
} Conn;

TAILQ_HEAD(ConnList, Conn);

static struct event_base *loop;
static struct ConnList lists[CONN_STATES];
static long counts[CONN_STATES];
static int64_t patience_ms[CONN_STATES]; /* 0: for ever, something else ends it */
static struct evconnlistener *listeners[LIMIT_LISTENERS];
static int listener_count;
static struct event *sweep_timer;
static struct event *dead_event;
static bool is_paused;        /* nothing is accepted */
static int64_t pause_ends_ms; /* at the earliest */
static AddressSet front;      /* proxies of ours are not counted as one client */
static bool is_closing;

static void patience_set(void);
static long connections_most(void);
static bool listener_start(int fd);
static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
					  int from_len, void *arg);
static bool conn_admit(Conn *conn, evutil_socket_t fd, const struct sockaddr *from);
static void conn_turn_away(evutil_socket_t fd);
static void on_accept_error(struct evconnlistener *listener, void *arg);
static void accept_pause(void);
static void make_room(void);
static void accept_resume(void);
static void conn_enter(Conn *conn, ConnState state);
static void conn_regulate(Conn *conn);
static void on_read(struct bufferevent *bev, void *arg);
static void on_written(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);
static void conn_read(Conn *conn);
static bool conn_feed(Conn *conn);
static void conn_parsed(Conn *conn, HttpEvent event, const char *body, size_t body_len);
static void conn_head(Conn *conn);
static void conn_upgrade(Conn *conn, const Answer *joined);
static void conn_refuse_parser(Conn *conn);
static void conn_answer(void *owner, const Answer *answer);
static bool conn_write(Conn *conn, const Answer *answer);
static void conn_written(Conn *conn);
static void conn_linger(Conn *conn);
static void conn_drain(Conn *conn);
static void conn_next(Conn *conn);
static void conn_late(Conn *conn);
static void conn_free(Conn *conn);
static void on_sweep(evutil_socket_t fd, short what, void *arg);
static void on_dead(evutil_socket_t fd, short what, void *arg);

bool
http_start(struct event_base *base, const int *fds, int count)
{
	const struct timeval often = {.tv_usec = LIMIT_SWEEP_MS * 1000};

	loop = base;
	is_closing = false;
	for (int i = 0; i < CONN_STATES; i++)
		TAILQ_INIT(&lists[i]);
	patience_set();
	if (!exchange_start() || !address_set_read(&front, config_get()->proxies))
		return false;
	admit_start(connections_most(), config_get()->max_per_address);
	admit_when_room(accept_resume);
	sweep_timer = event_new(base, -1, EV_PERSIST, on_sweep, NULL);
	dead_event = evtimer_new(base, on_dead, NULL);
	if (sweep_timer == NULL || dead_event == NULL ||
		evtimer_add(sweep_timer, &often) != 0)
		return false;
	for (int i = 0; i < count; i++)
		if (!listener_start(fds[i]))
			return false;
	return true;
}

static void
patience_set(void)
{
	const Config *config = config_get();

	patience_ms[CONN_HANDSHAKE] = LIMIT_HANDSHAKE_MS;
	patience_ms[CONN_IDLE] = config->idle_ms;
	patience_ms[CONN_HEAD] = config->head_ms;
	patience_ms[CONN_BODY] = config->body_ms;
	patience_ms[CONN_WRITING] = config->write_ms;
	patience_ms[CONN_LINGER] = LIMIT_LINGER_MS;
}

/* Below what descriptors allow: the database must be reachable when it is full. */
static long
connections_most(void)
{
	struct rlimit limit;
	long most = (long) config_get()->max_connections;
	long allowed = 1024;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		allowed = limit.rlim_cur > 1000000 ? 1000000 : (long) limit.rlim_cur;
	allowed -= LIMIT_RESERVED_FDS;
	for (int lane = 0; lane < LANE_COUNT; lane++)
		allowed -= config_get()->lane_connections[lane];
	if (allowed < 16)
		allowed = 16;
	return most > 0 && most < allowed ? most : allowed;
}

static bool
listener_start(int fd)
{
	struct evconnlistener *listener =
		evconnlistener_new(loop, on_accept, NULL,
						   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	if (listener == NULL)
		return false;
	evconnlistener_set_error_cb(listener, on_accept_error);
	listeners[listener_count++] = listener;
	return true;
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		  int from_len, void *arg)
{
	Conn *conn = calloc(1, sizeof(*conn));

	(void) listener;
	(void) from_len;
	(void) arg;
	metrics_add(METRIC_CONNECTIONS_ACCEPTED, 1);
	if (conn == NULL || !conn_admit(conn, fd, from))
	{
		metrics_add(METRIC_CONNECTIONS_REFUSED, 1);
		free(conn);
		conn_turn_away(fd);
		return;
	}
	metrics_set(METRIC_CONNECTIONS_OPEN, admit_count());
	if (admit_is_full())
	{
		accept_pause();
		make_room();
	}
}

/*
 * Whoever keeps connections and sends nothing must not shut out who has something to
 * say: those that have been quiet longest end, keep-alive ones first.
 */
static void
make_room(void)
{
	const struct
	{
		ConnState state;
		int64_t quiet_ms;
	} quiet[] = {{CONN_IDLE, LIMIT_ROOM_IDLE_MS}, {CONN_HEAD, LIMIT_ROOM_HEAD_MS}};
	int64_t now = clock_ms();
	int made = 0;

	for (int i = 0; i < 2; i++)
	{
		Conn *conn;

		while (made < LIMIT_ROOM && (conn = TAILQ_FIRST(&lists[quiet[i].state])) != NULL &&
			   conn->deadline_ms - patience_ms[quiet[i].state] + quiet[i].quiet_ms <= now)
		{
			conn_enter(conn, CONN_DEAD);
			made++;
		}
	}
}

/* False leaves the descriptor to the caller; after that the bufferevent owns it. */
static bool
conn_admit(Conn *conn, evutil_socket_t fd, const struct sockaddr *from)
{
	address_from(&conn->peer, from);
	conn->counted = conn->peer;
	if (address_set_has(&front, &conn->peer))
		address_read(&conn->counted, "::1", 3);
	if (!admit_enter(&conn->counted))
		return false;
	conn->is_tls = tls_is_on();
	conn->bev = conn->is_tls ? tls_accept(loop, fd)
							 : bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (conn->bev == NULL)
	{
		admit_leave(&conn->counted);
		return false;
	}
	bufferevent_setcb(conn->bev, on_read, on_written, on_event, conn);
	conn->state = CONN_DEAD;
	TAILQ_INSERT_TAIL(&lists[CONN_DEAD], conn, link);
	counts[CONN_DEAD]++;
	conn_enter(conn, conn->is_tls ? CONN_HANDSHAKE : CONN_HEAD);
	if (bufferevent_enable(conn->bev, EV_READ | EV_WRITE) != 0)
		conn_enter(conn, CONN_DEAD);
	return true;
}

/* One short word if the kernel takes it at once; a stranger gets no memory of ours. */
static void
conn_turn_away(evutil_socket_t fd)
{
	static const char answer[] = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n"
								 "Content-Length: 0\r\nConnection: close\r\n\r\n";

	if (!tls_is_on())
		(void) !send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	evutil_closesocket(fd);
}

/* Without a pause the loop would spin on a socket it cannot accept. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void) listener;
	(void) arg;
	log_often(LEVEL_WARN, "accept_failed", "", "error=%s open=%ld", log_text(strerror(errno)),
			  admit_count());
	pause_ends_ms = clock_ms() + LIMIT_ACCEPT_PAUSE_MS;
	accept_pause();
}

static void
accept_pause(void)
{
	is_paused = true;
	for (int i = 0; i < listener_count; i++)
		evconnlistener_disable(listeners[i]);
}

/* The sweep tries again what does not succeed here. */
static void
accept_resume(void)
{
	is_paused = false;
	for (int i = 0; i < listener_count && !is_closing; i++)
		if (evconnlistener_enable(listeners[i]) != 0)
			is_paused = true;
}

/* The only place that changes a state. */
static void
conn_enter(Conn *conn, ConnState state)
{
	TAILQ_REMOVE(&lists[conn->state], conn, link);
	counts[conn->state]--;
	conn->state = state;
	conn->deadline_ms = patience_ms[state] > 0 ? clock_ms() + patience_ms[state] : INT64_MAX;
	TAILQ_INSERT_TAIL(&lists[state], conn, link);
	counts[state]++;
	if (state != CONN_DEAD)
		return;
	if (conn->bev != NULL)
	{
		bufferevent_setcb(conn->bev, NULL, NULL, NULL, NULL);
		bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
	}
	event_active(dead_event, EV_TIMEOUT, 0); /* unlike a timer it cannot fail */
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void) bev;
	conn_read(arg);
}

/* Output ran empty. */
static void
on_written(struct bufferevent *bev, void *arg)
{
	Conn *conn = arg;

	(void) bev;
	if (conn->state != CONN_WRITING)
		return;
	conn_written(conn);
	conn_read(conn);
}

/* A client that closes its side only is taken as gone, too. */
static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	Conn *conn = arg;

	if (what & BEV_EVENT_CONNECTED)
	{
		if (conn->state == CONN_HANDSHAKE)
			conn_enter(conn, CONN_HEAD);
		return;
	}
	if (conn->state == CONN_HANDSHAKE)
	{
		metrics_add(METRIC_TLS_FAILED, 1);
		tls_log_failure(bev);
	}
	conn_enter(conn, CONN_DEAD);
}

static void
conn_read(Conn *conn)
{
	if (conn->is_reading)
		return;
	conn->is_reading = true;
	while (conn->state == CONN_IDLE || conn->state == CONN_HEAD || conn->state == CONN_BODY)
		if (!conn_feed(conn))
			break;
	conn->is_reading = false;
	if (conn->state == CONN_LINGER)
		conn_drain(conn);
	conn_regulate(conn);
}

/*
 * What waits for an answer before it stays small.  A watermark of libevent would
 * do the same, but it falls over when memory is short.
 */
static void
conn_regulate(Conn *conn)
{
	bool is_full;

	if (conn->state == CONN_DEAD)
		return;
	is_full = evbuffer_get_length(bufferevent_get_input(conn->bev)) >= LIMIT_INPUT_BYTES;
	if (is_full == conn->is_full)
		return;
	conn->is_full = is_full;
	if (is_full)
		bufferevent_disable(conn->bev, EV_READ);
	else if (bufferevent_enable(conn->bev, EV_READ) != 0)
		conn_enter(conn, CONN_DEAD);
}

/* Feeds the next piece of input.  False when there is nothing to do. */
static bool
conn_feed(Conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t len = evbuffer_get_contiguous_space(input);
	const char *data = len > 0 ? (char *) evbuffer_pullup(input, (ev_ssize_t) len) : "";
	const char *body = NULL;
	size_t body_len = 0;
	size_t used = 0;
	HttpEvent event;

	if (len == 0 && conn->state != CONN_BODY)
		return false;
	if (conn->exchange == NULL)
		conn->exchange = exchange_new(&conn->peer, conn->is_tls, conn_answer, conn);
	if (conn->exchange == NULL)
	{
		conn_enter(conn, CONN_DEAD);
		return false;
	}
	event = http_parser_feed(&conn->exchange->parser, data, len, &used, &body, &body_len);
	metrics_add(METRIC_BYTES_IN, (int64_t) used);
	if (event != HTTP_BODY_DATA)
		evbuffer_drain(input, used);
	conn_parsed(conn, event, body, body_len);
	if (event == HTTP_BODY_DATA)
		evbuffer_drain(input, used);
	return used > 0 || event != HTTP_NEED_MORE;
}

static void
conn_parsed(Conn *conn, HttpEvent event, const char *body, size_t body_len)
{
	switch (event)
	{
		case HTTP_NEED_MORE:
			if (conn->state == CONN_IDLE && !http_parser_is_idle(&conn->exchange->parser))
				conn_enter(conn, CONN_HEAD);
			break;
		case HTTP_HEAD_DONE:
			conn_head(conn);
			break;
		case HTTP_BODY_DATA:
			if (exchange_body(conn->exchange, body, body_len))
				break;
			conn->closes = true;
			conn_enter(conn, CONN_WAITING);
			exchange_refuse(conn->exchange);
			break;
		case HTTP_DONE:
			conn->closes = !conn->exchange->parser.keep_alive;
			conn->is_whole = true;
			conn_enter(conn, CONN_WAITING);
			exchange_run(conn->exchange);
			break;
		case HTTP_REFUSED:
			conn_refuse_parser(conn);
			break;
	}
}

static void
conn_head(Conn *conn)
{
	const HttpParser *parser = &conn->exchange->parser;
	struct iovec piece = {ANSWER_CONTINUE, sizeof(ANSWER_CONTINUE) - 1};

	switch (exchange_head(conn->exchange))
	{
		case EXCHANGE_READ_BODY:
			conn_enter(conn, CONN_BODY);
			if (parser->expect_continue && !stream_write(conn->bev, &piece, 1))
				conn_enter(conn, CONN_DEAD);
			break;
		case EXCHANGE_UPGRADE:
			conn_enter(conn, CONN_WAITING);
			conn_upgrade(conn, NULL);
			break;
		case EXCHANGE_JOIN:
			conn->closes = !parser->keep_alive;
			conn_enter(conn, CONN_WAITING);
			exchange_join(conn->exchange);
			break;
		case EXCHANGE_REFUSED:
			/* A body nobody wants is not read to its end. */
			conn->closes = parser->has_body || !parser->keep_alive;
			conn_enter(conn, CONN_WAITING);
			exchange_refuse(conn->exchange);
			break;
	}
}

/*
 * The bytes that follow are frames and stay in the input buffer.  joined is what the
 * feed said; NULL: the token is still to come.
 */
static void
conn_upgrade(Conn *conn, const Answer *joined)
{
	Exchange *exchange = conn->exchange;
	UrlText token = exchange_url_token(exchange);
	char head[ANSWER_HEAD_MAX];
	WsOpening opening = {
		.bev = conn->bev,
		.counted = conn->counted,
		.context = &exchange->context,
		.head = head,
		.head_len = answer_upgrade(exchange->handshake.accept, exchange->context.request_id, head),
		.token = joined != NULL ? token.at : NULL,
		.joined = joined != NULL ? joined->body : NULL,
		.joined_len = joined != NULL ? joined->body_len : 0,
		.generation = exchange->generation,
	};

	if (!is_closing && ws_open(loop, &opening))
	{
		conn->bev = NULL;
		exchange_free(exchange);
		conn->exchange = NULL;
		conn_enter(conn, CONN_DEAD);
		return;
	}
	conn->closes = true;
	exchange_refuse_with(exchange, is_closing ? REFUSAL_STOPPING : REFUSAL_BUSY);
}

static void
conn_refuse_parser(Conn *conn)
{
	const HttpParser *parser = &conn->exchange->parser;

	metrics_add(METRIC_REQUESTS_MALFORMED, 1);
	conn->closes = true;
	conn_enter(conn, CONN_WAITING);
	exchange_refuse_parser(conn->exchange, parser->status, parser->reason);
}

/* The exchange is done with: nobody touches it after this callback. */
static void
conn_answer(void *owner, const Answer *answer)
{
	Conn *conn = owner;
	bool is_sent;

	if (conn->state != CONN_WAITING)
		return;
	if (answer->status == 101)
	{
		conn_upgrade(conn, answer);
		return;
	}
	conn->closes = conn->closes || is_closing;
	is_sent = conn_write(conn, answer);
	exchange_free(conn->exchange);
	conn->exchange = NULL;
	if (!is_sent)
		conn_enter(conn, CONN_DEAD);
	else if (stream_waiting(conn->bev) > 0)
	{
		conn->unread = stream_unread(conn->bev);
		conn_enter(conn, CONN_WRITING);
	}
	else
		conn_written(conn);
	conn_read(conn);
}

static bool
conn_write(Conn *conn, const Answer *answer)
{
	char head[ANSWER_HEAD_MAX];
	Answer whole = *answer;
	struct iovec piece[2] = {{head, 0}, {(char *) answer->body, answer->body_len}};

	whole.keeps_alive = !conn->closes;
	piece[0].iov_len = answer_head(&whole, head);
	return stream_write(conn->bev, piece, answer->is_head || answer->body_len == 0 ? 1 : 2);
}

static void
conn_written(Conn *conn)
{
	if (!conn->closes)
		conn_next(conn);
	else if (conn->is_whole && evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0)
		conn_enter(conn, CONN_DEAD);
	else
		conn_linger(conn);
}

static void
conn_next(Conn *conn)
{
	conn->is_whole = false;
	conn_enter(conn, is_closing ? CONN_DEAD : CONN_IDLE);
}

/* Closing now would reset the connection and take the answer away from who still sends. */
static void
conn_linger(Conn *conn)
{
	tls_goodbye(conn->bev);
	shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
	conn_enter(conn, CONN_LINGER);
}

static void
conn_drain(Conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t len = evbuffer_get_length(input);

	conn->lingered += len;
	evbuffer_drain(input, len);
	if (conn->lingered > LIMIT_LINGER_BYTES)
		conn_enter(conn, CONN_DEAD);
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = clock_ms();

	(void) fd;
	(void) what;
	(void) arg;
	for (int state = 0; state < CONN_DEAD; state++)
	{
		Conn *conn;

		while ((conn = TAILQ_FIRST(&lists[state])) != NULL && conn->deadline_ms <= now)
			conn_late(conn);
	}
	metrics_set(METRIC_CONNECTIONS_OPEN, admit_count());
	if (is_paused && admit_is_full())
		make_room();
	if (is_paused && pause_ends_ms <= now && !admit_is_full())
		accept_resume();
}

/* Moves the connection out of its list, or to its end. */
static void
conn_late(Conn *conn)
{
	size_t unread = stream_unread(conn->bev);

	switch (conn->state)
	{
		case CONN_HEAD:
		case CONN_BODY:
			metrics_add(METRIC_REQUESTS_TIMED_OUT, 1);
			conn->closes = true;
			if (conn->exchange == NULL)
				conn->exchange = exchange_new(&conn->peer, conn->is_tls, conn_answer, conn);
			conn_enter(conn, conn->exchange != NULL ? CONN_WAITING : CONN_DEAD);
			if (conn->exchange != NULL)
				exchange_refuse_with(conn->exchange, REFUSAL_TIMEOUT);
			break;
		case CONN_WRITING:
			conn_enter(conn, unread < conn->unread ? CONN_WRITING : CONN_DEAD);
			conn->unread = unread;
			break;
		default:
			conn_enter(conn, CONN_DEAD);
	}
}

static void
on_dead(evutil_socket_t fd, short what, void *arg)
{
	Conn *conn;

	(void) fd;
	(void) what;
	(void) arg;
	while ((conn = TAILQ_FIRST(&lists[CONN_DEAD])) != NULL)
		conn_free(conn);
}

static void
conn_free(Conn *conn)
{
	TAILQ_REMOVE(&lists[conn->state], conn, link);
	counts[conn->state]--;
	if (conn->exchange != NULL)
		exchange_free(conn->exchange);
	if (conn->bev != NULL)
	{
		loop_forget(bufferevent_getfd(conn->bev));
		bufferevent_free(conn->bev);
		admit_leave(&conn->counted);
	}
	free(conn);
}

void
http_close(void)
{
	Conn *conn;
	Conn *next;

	is_closing = true;
	for (int i = 0; i < listener_count; i++)
		evconnlistener_free(listeners[i]);
	listener_count = 0;
	while ((conn = TAILQ_FIRST(&lists[CONN_IDLE])) != NULL)
		conn_enter(conn, CONN_DEAD);
	for (conn = TAILQ_FIRST(&lists[CONN_HEAD]); conn != NULL; conn = next)
	{
		next = TAILQ_NEXT(conn, link);
		if (conn->exchange == NULL)
			conn_enter(conn, CONN_DEAD);
	}
}

long
http_unfinished(void)
{
	return counts[CONN_HEAD] + counts[CONN_BODY] + counts[CONN_WAITING] + counts[CONN_WRITING] +
		   counts[CONN_LINGER];
}

void
http_end_fd(evutil_socket_t fd)
{
	for (int state = 0; state < CONN_DEAD; state++)
	{
		Conn *conn;
		Conn *next;

		for (conn = TAILQ_FIRST(&lists[state]); conn != NULL; conn = next)
		{
			next = TAILQ_NEXT(conn, link);
			if (bufferevent_getfd(conn->bev) == fd)
				conn_enter(conn, CONN_DEAD);
		}
	}
}

void
http_stop(void)
{
	for (int state = 0; state < CONN_STATES; state++)
		while (!TAILQ_EMPTY(&lists[state]))
			conn_free(TAILQ_FIRST(&lists[state]));
	exchange_stop();
	event_free(sweep_timer);
	event_free(dead_event);
}
