/*-------------------------------------------------------------------------
 *
 * ws.c
 *	  The life of a WebSocket: opening, frames, pings, closing.
 *
 * http.c hands connections over, hub.c delivers frames, ws_command.c answers
 * what clients say.  wslay reads everything and writes control frames; our own
 * text frames are ready-made and go out between its calls, which is safe because
 * its output is always taken whole.  A socket is freed after the loop has left
 * its callbacks.
 *
 *-------------------------------------------------------------------------
 */
#include <event2/buffer.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "clock.h"
#include "config.h"
#include "limits.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "stream.h"
#include "ws_socket.h"

#define NEVER INT64_MAX
#define PINGS_MISSED 2 /* that end it */

TAILQ_HEAD(SocketList, Socket);

static struct SocketList sockets;
static struct SocketList dead;
static struct event *dead_event;
static long socket_count;

static Socket *socket_new(struct event_base *base, const WsOpening *opening);
static bool socket_prepare(Socket *socket, struct event_base *base);
static bool socket_begin(Socket *socket, const WsOpening *opening);
static void socket_free(Socket *socket);
static ssize_t on_wslay_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t len, int flags,
							 void *arg);
static ssize_t on_wslay_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len,
							 int flags, void *arg);
static void on_wslay_message(wslay_event_context_ptr ctx,
							 const struct wslay_event_on_msg_recv_arg *message, void *arg);
static void on_read(struct bufferevent *bev, void *arg);
static void on_written(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);
static void socket_turn(Socket *socket);
static void socket_leave(Socket *socket);
static void socket_deliver(Subscriber *subscriber, Frame *frame);
static void socket_write(Socket *socket, const char *bytes, size_t len);
static bool socket_is_behind(Socket *socket, const Frame *frame);
static void socket_drop(Socket *socket, const Frame *frame);
static void socket_catches_up(Socket *socket);
static void socket_tell(Socket *socket, const Frame *frame);
static void socket_poke(Poke *poke);
static size_t socket_most(const Socket *socket);
static void socket_give_up(Socket *socket);
static void socket_is_stuck(Socket *socket);
static void socket_die(Socket *socket);
static void socket_schedule(Socket *socket);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void socket_ping(Socket *socket);
static void on_dead(evutil_socket_t fd, short what, void *arg);

static const struct wslay_event_callbacks wslay_callbacks = {
	.recv_callback = on_wslay_recv,
	.send_callback = on_wslay_send,
	.on_msg_recv_callback = on_wslay_message,
};

bool
ws_start(struct event_base *base)
{
	TAILQ_INIT(&sockets);
	TAILQ_INIT(&dead);
	dead_event = evtimer_new(base, on_dead, NULL);
	return dead_event != NULL && poke_start(base, socket_poke) && command_start(base);
}

bool
ws_open(struct event_base *base, const WsOpening *opening)
{
	Socket *socket = socket_new(base, opening);

	if (socket == NULL)
		return false;
	socket->bev = opening->bev;
	socket->counted = opening->counted;
	TAILQ_INSERT_TAIL(&sockets, socket, link);
	metrics_set(METRIC_SOCKETS_OPEN, ++socket_count);
	metrics_add(METRIC_SOCKETS_OPENED, 1);
	if (!socket_begin(socket, opening))
		socket_die(socket);
	return true;
}

/* False when the client has gone or cannot be served; from here on it is ours to end. */
static bool
socket_begin(Socket *socket, const WsOpening *opening)
{
	struct iovec head = {(char *) opening->head, opening->head_len};

	bufferevent_setcb(socket->bev, on_read, on_written, on_event, socket);
	if (!stream_write(socket->bev, &head, 1) ||
		bufferevent_enable(socket->bev, EV_READ | EV_WRITE) != 0)
		return false;
	socket_schedule(socket);
	if (opening->token != NULL)
		command_greet(socket, opening->token, opening->joined, opening->joined_len,
					  opening->generation);
	/* Frames may have come together with the request. */
	socket_turn(socket);
	return true;
}

static Socket *
socket_new(struct event_base *base, const WsOpening *opening)
{
	Socket *socket = calloc(1, sizeof(*socket));

	if (socket == NULL)
		return NULL;
	STAILQ_INIT(&socket->waiting);
	socket->context = *opening->context;
	socket->subscriber.deliver = socket_deliver;
	socket->subscriber.left = socket_left;
	socket->hello_by_ms = socket_now_ms() + LIMIT_SOCKET_HELLO_MS;
	socket->ping_at_ms = socket_now_ms() + config_get()->ping_ms;
	socket->ends_at_ms = NEVER;
	socket->close_by_ms = NEVER;
	socket->stuck_at_ms = NEVER;
	socket->lag_most = (size_t) config_get()->socket_buffer;
	if (socket_prepare(socket, base))
		return socket;
	socket_free(socket);
	return NULL;
}

static bool
socket_prepare(Socket *socket, struct event_base *base)
{
	wslay_event_context_ptr wslay;

	socket->timer = evtimer_new(base, on_timer, socket);
	/* When it fails wslay frees the context and leaves the pointer. */
	if (socket->timer == NULL ||
		wslay_event_context_server_init(&wslay, &wslay_callbacks, socket) != 0)
		return false;
	socket->wslay = wslay;
	wslay_event_config_set_max_recv_msg_length(socket->wslay, LIMIT_SOCKET_MESSAGE);
	return true;
}

static void
socket_free(Socket *socket)
{
	command_forget(socket);
	if (socket->wslay != NULL)
		wslay_event_context_free(socket->wslay);
	if (socket->timer != NULL)
		event_free(socket->timer);
	if (socket->bev != NULL)
	{
		loop_forget(bufferevent_getfd(socket->bev));
		bufferevent_free(socket->bev);
		admit_leave(&socket->counted);
	}
	free(socket->token);
	free(socket);
}

static ssize_t
on_wslay_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t len, int flags, void *arg)
{
	Socket *socket = arg;
	size_t taken = socket->state == SOCKET_DEAD ? 0 : bufferevent_read(socket->bev, data, len);

	(void) flags;
	if (taken > 0)
	{
		metrics_add(METRIC_BYTES_IN, (int64_t) taken);
		return (ssize_t) taken;
	}
	wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
	return -1;
}

/* Takes all, always: part of a frame never waits inside wslay. */
static ssize_t
on_wslay_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *arg)
{
	Socket *socket = arg;

	(void) flags;
	if (evbuffer_add(bufferevent_get_output(socket->bev), data, len) == 0)
		return (ssize_t) len;
	wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static void
on_wslay_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *message,
				 void *arg)
{
	Socket *socket = arg;

	(void) ctx;
	socket->was_heard = true;
	if (socket->state >= SOCKET_CLOSING || wslay_is_ctrl_frame(message->opcode))
		return;
	metrics_add(METRIC_SOCKET_MESSAGES_IN, 1);
	if (message->opcode == WSLAY_TEXT_FRAME)
		command_receive(socket, (const char *) message->msg, message->msg_length);
	else
		socket_close(socket, CLOSE_NOT_TEXT);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	Socket *socket = arg;

	(void) bev;
	socket_turn(socket);
	/* What is left came after a close frame: nobody will read it. */
	if (socket->state == SOCKET_CLOSING && !wslay_event_want_read(socket->wslay))
		evbuffer_drain(bufferevent_get_input(socket->bev), SIZE_MAX);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	Socket *socket = arg;

	(void) bev;
	socket->lag_most = (size_t) config_get()->socket_buffer;
	if (socket->is_behind && !socket->has_drained && socket->state < SOCKET_CLOSING)
		socket_catches_up(socket);
	socket_turn(socket);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void) bev;
	(void) what;
	socket_die(arg);
}

/* Lets wslay read and write, and sees whether that was the end. */
static void
socket_turn(Socket *socket)
{
	if (socket->state == SOCKET_DEAD)
		return;
	if (wslay_event_recv(socket->wslay) != 0 || wslay_event_send(socket->wslay) != 0)
	{
		socket_die(socket);
		return;
	}
	if (socket->state == SOCKET_DEAD || wslay_event_want_read(socket->wslay) ||
		wslay_event_want_write(socket->wslay))
	{
		if (socket->state < SOCKET_CLOSING && stream_waiting(socket->bev) > socket_most(socket))
			socket_give_up(socket);
		return;
	}
	if (stream_waiting(socket->bev) == 0)
		socket_die(socket);
	else if (socket->state != SOCKET_CLOSING)
		socket_leave(socket);
}

/* Nothing more is delivered; what waits has a moment to get out. */
static void
socket_leave(Socket *socket)
{
	command_forget(socket);
	socket->state = SOCKET_CLOSING;
	socket->close_by_ms = socket_now_ms() + LIMIT_SOCKET_CLOSE_MS;
	socket_schedule(socket);
}

void
socket_close(Socket *socket, int code)
{
	if (socket->state >= SOCKET_CLOSING)
		return;
	log_line(LEVEL_DEBUG, "socket_close", "id=%s code=%d", socket->context.request_id, code);
	socket_leave(socket);
	if (wslay_event_queue_close(socket->wslay, (uint16_t) code, NULL, 0) != 0 ||
		wslay_event_send(socket->wslay) != 0)
		socket_die(socket);
}

static void
socket_deliver(Subscriber *subscriber, Frame *frame)
{
	Socket *socket = (Socket *) subscriber;

	if (frame->ends_session)
		socket_close(socket, CLOSE_TOKEN);
	else if (socket->is_poked)
		poke_note(&socket->poke, frame->cursor);
	else if (socket_is_behind(socket, frame))
		socket_drop(socket, frame);
	else
		socket_tell(socket, frame);
}

/*
 * Who does not read gets no more until what waits is gone.  The rest of a read
 * of the feed is dropped with its first frame: the frame after a gap must not
 * look like its neighbour.
 */
static bool
socket_is_behind(Socket *socket, const Frame *frame)
{
	size_t waiting = stream_waiting(socket->bev);

	if (socket->is_behind && socket->has_drained && socket->behind_read != hub_reads())
		socket->is_behind = false;
	if (socket->is_behind || waiting == 0 || waiting + frame->len <= socket->lag_most)
		return socket->is_behind;
	metrics_add(METRIC_SOCKETS_BEHIND, 1);
	socket->is_behind = true;
	socket->has_drained = false;
	socket->behind_read = hub_reads();
	socket->unread = stream_unread(socket->bev);
	socket->stuck_at_ms = socket_now_ms() + config_get()->write_ms;
	socket_schedule(socket);
	return true;
}

static void
socket_drop(Socket *socket, const Frame *frame)
{
	if (frame->cursor > socket->dropped)
		socket->dropped = frame->cursor;
	socket->behind_read = hub_reads();
	if (socket->has_drained)
		poke_note(&socket->poke, socket->dropped);
}

/* It reads again: now it hears that there was something. */
static void
socket_catches_up(Socket *socket)
{
	socket->has_drained = true;
	socket->stuck_at_ms = NEVER;
	poke_note(&socket->poke, socket->dropped);
}

/* Every reader is told which cursor it had before, so the last bytes are its own. */
static void
socket_tell(Socket *socket, const Frame *frame)
{
	char tail[FRAME_TAIL];
	struct iovec piece[2] = {{(char *) frame->bytes, frame->len}, {tail, sizeof(tail)}};

	if (frame->is_chained)
		frame_tail(socket->dropped > socket->told ? socket->dropped : socket->told, tail);
	if (frame->told > 0)
		socket->told = frame->told;
	if (!stream_write(socket->bev, piece, frame->is_chained ? 2 : 1))
		socket_die(socket);
}

static void
socket_poke(Poke *poke)
{
	Socket *socket = (Socket *) ((char *) poke - offsetof(Socket, poke));

	socket_send_poke(socket, poke->cursor);
}

void
socket_send_poke(Socket *socket, int64_t cursor)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "{\"type\":\"sync.poke\",\"cursor\":%lld}",
					   (long long) cursor);

	metrics_add(METRIC_POKES, 1);
	socket_send(socket, text, (size_t) len);
}

/* Answers that were asked for count double: only who asks and never reads gets so far. */
static size_t
socket_most(const Socket *socket)
{
	return socket->lag_most + (size_t) config_get()->socket_buffer;
}

/* It can come back with its cursor and misses nothing. */
static void
socket_give_up(Socket *socket)
{
	metrics_add(METRIC_SOCKETS_SLOW, 1);
	socket_close(socket, CLOSE_BUSY);
}

/* Nothing was read for so long?  Whoever reads slowly may go on. */
static void
socket_is_stuck(Socket *socket)
{
	size_t unread = stream_unread(socket->bev);

	if (unread >= socket->unread)
	{
		socket_give_up(socket);
		return;
	}
	socket->unread = unread;
	socket->stuck_at_ms = socket_now_ms() + config_get()->write_ms;
}

void
socket_send(Socket *socket, const char *text, size_t len)
{
	Frame *frame;

	if (socket->state >= SOCKET_CLOSING)
		return;
	frame = frame_new(text, len);
	if (frame == NULL)
	{
		socket_die(socket);
		return;
	}
	socket_write(socket, frame->bytes, frame->len);
	frame_release(frame);
}

static void
socket_write(Socket *socket, const char *bytes, size_t len)
{
	struct iovec piece = {(char *) bytes, len};

	if (!stream_write(socket->bev, &piece, 1))
		socket_die(socket);
}

void
socket_may_lag(Socket *socket)
{
	socket->lag_most = stream_waiting(socket->bev) + (size_t) config_get()->socket_buffer;
}

void
socket_is_greeted(Socket *socket, int64_t ends_at_ms)
{
	socket->state = SOCKET_OPEN;
	socket->hello_by_ms = NEVER;
	socket->ends_at_ms = ends_at_ms;
	socket_schedule(socket);
}

static void
socket_die(Socket *socket)
{
	if (socket->state == SOCKET_DEAD)
		return;
	command_forget(socket);
	socket->state = SOCKET_DEAD;
	bufferevent_setcb(socket->bev, NULL, NULL, NULL, NULL);
	bufferevent_disable(socket->bev, EV_READ | EV_WRITE);
	evtimer_del(socket->timer);
	TAILQ_REMOVE(&sockets, socket, link);
	TAILQ_INSERT_TAIL(&dead, socket, link);
	metrics_set(METRIC_SOCKETS_OPEN, --socket_count);
	event_active(dead_event, EV_TIMEOUT, 0); /* unlike a timer it cannot fail */
}

static void
socket_schedule(Socket *socket)
{
	int64_t due = socket->close_by_ms;
	int64_t wait;
	struct timeval interval;

	if (socket->state < SOCKET_CLOSING)
	{
		due = socket->ping_at_ms < due ? socket->ping_at_ms : due;
		due = socket->hello_by_ms < due ? socket->hello_by_ms : due;
		due = socket->ends_at_ms < due ? socket->ends_at_ms : due;
		due = socket->stuck_at_ms < due ? socket->stuck_at_ms : due;
	}
	wait = due - socket_now_ms();
	if (wait < 1)
		wait = 1;
	interval = (struct timeval){wait / 1000, wait % 1000 * 1000};
	if (evtimer_add(socket->timer, &interval) != 0)
		socket_die(socket);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	Socket *socket = arg;
	int64_t now = socket_now_ms();

	(void) fd;
	(void) what;
	if (socket->close_by_ms <= now)
		socket_die(socket);
	else if (socket->state < SOCKET_CLOSING && socket->ends_at_ms <= now)
		socket_close(socket, CLOSE_TOKEN);
	else if (socket->state < SOCKET_CLOSING && socket->hello_by_ms <= now)
		/* Who has said hello waits for us. */
		socket_close(socket, socket->running == COMMAND_HELLO ? CLOSE_BUSY : CLOSE_TOKEN);
	else if (socket->state < SOCKET_CLOSING && socket->stuck_at_ms <= now)
		socket_is_stuck(socket);
	else if (socket->state < SOCKET_CLOSING && socket->ping_at_ms <= now)
		socket_ping(socket);
	if (socket->state != SOCKET_DEAD)
		socket_schedule(socket);
}

static void
socket_ping(Socket *socket)
{
	const struct wslay_event_msg ping = {.opcode = WSLAY_PING, .msg = NULL, .msg_length = 0};

	socket->missed = socket->was_heard ? 0 : socket->missed + 1;
	socket->was_heard = false;
	socket->ping_at_ms = socket_now_ms() + config_get()->ping_ms;
	if (socket->missed >= PINGS_MISSED || wslay_event_queue_msg(socket->wslay, &ping) != 0 ||
		wslay_event_send(socket->wslay) != 0)
		socket_die(socket);
}

static void
on_dead(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	while (!TAILQ_EMPTY(&dead))
	{
		Socket *socket = TAILQ_FIRST(&dead);

		TAILQ_REMOVE(&dead, socket, link);
		socket_free(socket);
	}
}

void
socket_left(Subscriber *subscriber)
{
	command_rejoin((Socket *) subscriber);
}

void
ws_end_fd(evutil_socket_t fd)
{
	Socket *socket;
	Socket *next;

	for (socket = TAILQ_FIRST(&sockets); socket != NULL; socket = next)
	{
		next = TAILQ_NEXT(socket, link);
		if (bufferevent_getfd(socket->bev) == fd)
			socket_die(socket);
	}
}

void
ws_close(void)
{
	Socket *socket;
	Socket *next;

	for (socket = TAILQ_FIRST(&sockets); socket != NULL; socket = next)
	{
		next = TAILQ_NEXT(socket, link);
		socket_close(socket, CLOSE_GOING_AWAY);
	}
}

long
ws_count(void)
{
	return socket_count;
}

void
ws_stop(void)
{
	while (!TAILQ_EMPTY(&sockets))
		socket_die(TAILQ_FIRST(&sockets));
	on_dead(-1, 0, NULL);
	event_free(dead_event);
	poke_stop();
	command_stop();
}

int64_t
socket_now_ms(void)
{
	return clock_ms();
}
