/*-------------------------------------------------------------------------
 *
 * told.h
 *	  Rules that a backend reads once, and anew when it is told that they changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_TOLD_H
#define KN_BASE_TOLD_H

/* At the loading of the library. */
extern void kn_told_init(void);

/*
 * Counts what the server told of changed relations, from 1 on.  What was read
 * when it stood where it stands now is still right.  Take it before reading, and
 * keep it once all is read: so a change that is told meanwhile wins, and so does
 * an error.  Read under the newest snapshot: that of the statement may be older
 * than the change, which is told once.
 */
extern uint64 kn_told(void);

#endif
