/*-------------------------------------------------------------------------
 *
 * throttle.h
 *	  Slowing down who guesses, without ever locking anybody out.
 *
 * Counted are distinct wrong secrets per (what is guessed at, network): a tap
 * that a phone repeats counts once, and a stranger elsewhere slows only
 * himself.  A right secret does not clear the count, or one's own account of
 * the same e-mail would buy free guesses at hers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_THROTTLE_H
#define KN_IDENTITY_THROTTLE_H

#include "identity/door.h"
#include "keys/blind.h"

typedef struct KnThrottle
{
	unsigned char key[KN_BLIND_SIZE];
} KnThrottle;

/*
 * what: 1..KN_PURPOSE_MAX bytes; subject: 16 bytes, of an e-mail's index or an
 * id; network may be NULL.
 */
extern void kn_throttle_init(KnThrottle *throttle, const char *what, const unsigned char *subject,
							 const char *network);
/* Must a try wait for a turn? */
extern bool kn_throttle_waits(const KnThrottle *throttle);
/* Takes the next turn, at most KN_TURN_SECONDS ahead; false when all those are taken. */
extern bool kn_throttle_turn(const KnThrottle *throttle, TimestampTz *turn);
/* One wrong secret more, unless that one was wrong before; hash: its Argon2 hash. */
extern void kn_throttle_count(const KnThrottle *throttle, const unsigned char *hash);
/* Have that many secrets been wrong? */
extern bool kn_throttle_is_used_up(const KnThrottle *throttle, int limit);

/* Registrations of a network: how many seconds the next one waits, and one was made. */
extern int kn_throttle_pace(const KnThrottle *throttle);
/* Takes the next turn of those who wait, pace to KN_REGISTRATION_WAIT seconds ahead. */
extern TimestampTz kn_throttle_pace_turn(const KnThrottle *throttle, TimestampTz now, int pace);
extern void kn_throttle_registered(const KnThrottle *throttle);

#endif
