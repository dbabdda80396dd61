/*-------------------------------------------------------------------------
 *
 * hash_slot.h
 *	  How many password hashes run at once, over all backends.
 *
 * A hash takes a core and 19 MiB for tens of milliseconds, so a flood of
 * sign-ins waits here and not on every core.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_HASH_SLOT_H
#define KN_IDENTITY_HASH_SLOT_H

/* Waits KN_HASH_WAIT_MS at most, then raises KN602.  Take it before any row lock. */
extern void kn_hash_slot_take(void);
/* Harmless when none is held. */
extern void kn_hash_slot_release(void);

#endif
