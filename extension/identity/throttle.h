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
	unsigned char secret[KN_BLIND_SIZE]; /* the wrong secret, for kn_throttle_count */
} KnThrottle;

/* what: 1..KN_PURPOSE_MAX bytes; subject: 16 bytes, of an e-mail's index or an account's id. */
extern void kn_throttle_init(KnThrottle *throttle, const char *what, const unsigned char *subject,
							 const char *network);
/* Raises KN601 with retryAfter while a wait is on. */
extern void kn_throttle_check(KnCall *call, const KnThrottle *throttle);
/* Raises code; the secret of that hash is counted although the refusal undoes the body. */
extern void kn_throttle_refuse(KnCall *call, const KnThrottle *throttle, const unsigned char *hash,
							   int code, const char *message) pg_attribute_noreturn();

/* For registrations: raises KN601 when the network made limit of them, else counts one more. */
extern void kn_throttle_spend(KnCall *call, const KnThrottle *throttle, int limit);

#endif
