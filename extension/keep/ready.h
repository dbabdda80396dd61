/*-------------------------------------------------------------------------
 *
 * ready.h
 *	  Whether this database has all that the extension stands on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEEP_READY_H
#define KN_KEEP_READY_H

typedef struct KnReadiness
{
	bool has_extension;
	int migrations;      /* applied here */
	const char *keyring; /* what is wrong with the key ring, NULL when nothing */
} KnReadiness;

/* Needs a transaction with a snapshot. */
extern void kn_readiness(KnReadiness *out);
/* A sentence that says what is missing, NULL when nothing is. */
extern const char *kn_not_ready(void);

#endif
