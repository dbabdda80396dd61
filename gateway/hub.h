/*-------------------------------------------------------------------------
 *
 * hub.h
 *	  Who wants which news: subscriptions and the fan-out to them.
 *
 * It knows numbers and callbacks, not sockets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUB_H
#define HUB_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* A WebSocket frame, made once for all who get it. */
typedef struct Frame
{
	int count; /* how many hold it */
	int64_t cursor;
	int64_t told;      /* what its reader has once it has read it; 0: it does not say */
	bool ends_session; /* instead of being sent: the socket closes */
	bool is_chained;   /* the number of the frame before and a brace are still to follow */
	size_t len;
	char bytes[];
} Frame;

/* What follows the bytes of a chained frame: digits with blanks before them, and the brace. */
#define FRAME_TAIL 20

typedef struct Subscriber Subscriber;

typedef enum Standing
{
	STANDING_OUT,    /* not joined */
	STANDING_FRESH,  /* joined after the read that runs has begun: waits for the next */
	STANDING_BEHIND, /* the read that runs begins early for it */
	STANDING_SETTLED /* has what all have */
} Standing;

struct Subscriber
{
	LIST_ENTRY(Subscriber) link;
	LIST_ENTRY(Subscriber) standing_link; /* of the fresh and of those behind */
	Standing standing;
	int64_t id;
	int64_t from; /* has all news up to this cursor */
	void (*deliver)(Subscriber *subscriber, Frame *frame);
	void (*left)(Subscriber *subscriber); /* the feed starts anew: subscribed no more */
};

typedef struct HubEvents
{
	void (*drained)(void);    /* all that was given to hub_send() is delivered */
	void (*wanted)(void);     /* the feed should be read now */
	void (*distrusted)(void); /* the database does not know this gateway: start anew */
} HubEvents;

bool hub_start(struct event_base *base, const HubEvents *events);
void hub_stop(void);

/* Id, from, deliver and left are set. */
void hub_join(Subscriber *subscriber);
void hub_leave(Subscriber *subscriber);
long hub_count(void);

/* returns new (give back with frame_release); text is UTF-8 JSON */
Frame *frame_new(const char *text, size_t len);

/*
 * A piece of news: text is an object, and each reader is told the cursor it had
 * before, as "prev".
 */
Frame *frame_chained(const char *text, size_t len, int64_t cursor, int64_t told);
void frame_tail(int64_t prev, char tail[FRAME_TAIL]);
void frame_release(Frame *frame);

/*
 * Delivers to these subscriptions, some now and the rest in the next turns, in
 * the order of the calls.  takes frame and ids (free)
 */
bool hub_send(Frame *frame, int64_t *ids, size_t count);
bool hub_is_busy(void);

/* Delivers all that is left, at once. */
void hub_flush(void);

/* Nobody gets what was sent and is not delivered yet. */
void hub_discard(void);

/* A read of the feed begins: returns the cursor after which to read. */
int64_t hub_read_begins(void);

/* It is over and delivered: all who took part have the news up to cursor. */
void hub_read_ends(int64_t cursor);

/* It failed: nobody is taken to have anything of it. */
void hub_read_failed(void);

/*
 * The feed starts anew under another gateway id: nobody is subscribed any more.
 * Everybody's from is set to what they have, and their left() is called.
 */
void hub_restart(const char *gateway, int64_t cursor);

/* The link is back, and with it all subscriptions. */
void hub_resume(const char *gateway);

/* NULL while the feed is down. */
const char *hub_gateway(void);
void hub_feed_is_down(void);

/* The database did not know our gateway id. */
void hub_distrust(void);

/* Has the feed been read a moment ago, and all of it delivered? */
bool hub_is_fresh(void);

/* Another number for each read of the feed. */
int hub_reads(void);

/* Another number after each restart. */
int hub_generation(void);

/* What a subscriber has. */
int64_t hub_position(const Subscriber *subscriber);

#endif
