/*-------------------------------------------------------------------------
 *
 * poke.h
 *	  "There is something new": many pieces of news become one short word.
 *
 *-------------------------------------------------------------------------
 */
#ifndef POKE_H
#define POKE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define POKE_STEPS 6

/* All zero at first. */
typedef struct Poke
{
	TAILQ_ENTRY(Poke) link;
	bool is_waiting;
	uint8_t step; /* how long the next one waits */
	int64_t cursor;
	int64_t due_ms; /* of the last one while none waits */
} Poke;

bool poke_start(struct event_base *base, void (*send)(Poke *poke));
void poke_stop(void);

/* Something happened up to the cursor. */
void poke_note(Poke *poke, int64_t cursor);
void poke_forget(Poke *poke);

#endif
