/*-------------------------------------------------------------------------
 *
 * installed.h
 *	  Whether this database holds what the library stands on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_INSTALLED_H
#define KN_BASE_INSTALLED_H

#include "postgres.h"

typedef struct KnInstalled
{
	const char *version; /* of the extension in the catalogue; NULL: it is not there */
	int migrations;      /* that have run */
	int lost_rules;      /* policies, triggers and row security: gone or switched off */
} KnInstalled;

/* A reason why not and what to do; both NULL when it does. */
typedef struct KnLack
{
	const char *reason;
	const char *hint;
} KnLack;

extern void kn_installed_init(void);
/* Looks at the catalogue. */
extern void kn_installed_read(KnInstalled *out);
/* What is lacking, looked up anew only after something of the database's structure has changed. */
extern KnLack kn_installed_lack(void);
/* False when something changed since everything was found. */
extern bool kn_installed_is_known(void);
/* Raises KN901 with the way out unless everything is there. */
extern void kn_installed_require(void);

#endif /* KN_BASE_INSTALLED_H */
