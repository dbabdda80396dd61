/*-------------------------------------------------------------------------
 *
 * ws_socket.h
 *	  One WebSocket, as ws.c (its life) and ws_command.c (what it says) share it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WS_SOCKET_H
#define WS_SOCKET_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>
#include <wslay/wslay.h>

#include "poke.h"
#include "subscription.h"
#include "ws.h"

/* Close codes of RFC 6455 and of ours. */
#define CLOSE_GOING_AWAY 1001
#define CLOSE_NOT_TEXT 1003
#define CLOSE_INTERNAL 1011
#define CLOSE_BUSY 1013
#define CLOSE_TOKEN 4401
#define CLOSE_REFUSED 4403
#define CLOSE_EPOCH 4409

typedef enum SocketState
{
	SOCKET_GREETING, /* before the answer to the first hello */
	SOCKET_OPEN,
	SOCKET_CLOSING, /* a close frame is on its way */
	SOCKET_DEAD     /* freed at the end of the turn */
} SocketState;

typedef enum CommandKind
{
	COMMAND_NONE,
	COMMAND_HELLO,
	COMMAND_REJOIN, /* ours: the feed was started anew */
	COMMAND_STATUS
} CommandKind;

/* A message that waits for the command before it. */
typedef struct Message
{
	STAILQ_ENTRY(Message) link;
	size_t len;
	char text[];
} Message;

STAILQ_HEAD(MessageList, Message);

typedef struct Socket
{
	Subscriber subscriber;
	TAILQ_ENTRY(Socket) link;      /* of all, or of the dead */
	TAILQ_ENTRY(Socket) join_link; /* of those whose hello waits for its turn */
	TAILQ_ENTRY(Socket) rejoin_link;
	SocketState state;
	bool waits_to_join;
	bool waits_to_rejoin;
	bool was_heard;     /* since the last ping */
	int missed;         /* pings */
	bool is_poked;      /* is told that there is news, never what */
	bool next_is_poked; /* of the hello that runs */
	bool is_behind;     /* news was dropped because it does not read */
	bool has_drained;   /* and since then it has read all that was left */
	int behind_read;    /* of the feed, when it fell behind */
	int64_t told;       /* the cursor it was told last */
	int64_t next_told;  /* the one in the hello that runs; -1: none */
	int64_t dropped;    /* the newest cursor it was not told */
	Poke poke;
	size_t unread;                 /* by it, when the patience with it began */
	size_t lag_most;               /* bytes that may wait to be sent */
	struct bufferevent *bev;       /* owns */
	wslay_event_context_ptr wslay; /* owns */
	struct event *timer;           /* owns; fires at the nearest of the next five */
	int64_t hello_by_ms;
	int64_t ping_at_ms;
	int64_t ends_at_ms;
	int64_t close_by_ms;
	int64_t stuck_at_ms;
	Address counted;
	char *token;      /* owns; of the last hello that worked */
	char *next_token; /* owns; of the hello that runs */
	CommandKind running;
	int running_generation; /* of the feed when it began */
	int command_count;
	Request *request;       /* borrows until replied */
	char *running_ref;      /* owns; the sender's own mark, as JSON, or NULL */
	char *running_incident; /* owns */
	struct MessageList waiting;
	int waiting_count;
	RequestContext context;
} Socket;

/* Life: ws.c */
void socket_send(Socket *socket, const char *text, size_t len);
void socket_close(Socket *socket, int code);

/* There is news up to the cursor. */
void socket_send_poke(Socket *socket, int64_t cursor);

/* The subscription is gone: it gets another. */
void socket_left(Subscriber *subscriber);

/* What waits now was asked for and does not count against the reader. */
void socket_may_lag(Socket *socket);
void socket_is_greeted(Socket *socket, int64_t ends_at_ms);
int64_t socket_now_ms(void);

/* Words: ws_command.c */
bool command_start(struct event_base *base);
void command_stop(void);
void command_receive(Socket *socket, const char *text, size_t len);

/* The feed was joined before the socket was opened; body is its answer. */
void command_greet(Socket *socket, const char *token, const char *body, size_t len,
				   int generation);
void command_rejoin(Socket *socket);
void command_forget(Socket *socket);

#endif
