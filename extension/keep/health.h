/*-------------------------------------------------------------------------
 *
 * health.h
 *	  What is missing or dangerous about this server, and how to mend it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEEP_HEALTH_H
#define KN_KEEP_HEALTH_H

/* At server start: warns of log settings that would write plain text. */
extern void kn_health_init(void);

#endif
