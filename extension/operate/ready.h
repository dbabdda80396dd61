/*-------------------------------------------------------------------------
 *
 * ready.h
 *	  Whether this database has all that the extension stands on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_OPERATE_READY_H
#define KN_OPERATE_READY_H

/* What is missing as a sentence, or NULL.  Needs a transaction with a snapshot. */
extern const char *kn_not_ready(void);

#endif
