/*-------------------------------------------------------------------------
 *
 * caller.h
 *	  Who is calling: proven by a token, kept where no SQL can reach it.
 *
 * The caller is set by kn_caller_prove() only, and cleared when the door ends
 * and whenever a transaction does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_CALLER_H
#define KN_IDENTITY_CALLER_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef enum KnRole
{
	KN_ROLE_NONE = 0,
	KN_ROLE_SURVIVOR = 1 << 0,
	KN_ROLE_PROVIDER = 1 << 1,
	KN_ROLE_DISPATCHER = 1 << 2,
	KN_ROLE_ADMIN = 1 << 3,
	KN_ROLE_ANALYST = 1 << 4,
	KN_ROLE_ANY = 31
} KnRole;

#define KN_PRINCIPALS_MAX 4

typedef struct KnCaller
{
	pg_uuid_t account;
	pg_uuid_t session;
	KnRole role;
	bool has_provider;
	pg_uuid_t provider; /* the team a provider's staff account belongs to */
	bool has_organisation;
	pg_uuid_t organisation;
	bool has_centre;
	pg_uuid_t centre; /* the dispatch centre of a dispatcher or administrator */
	int n_principals;
	pg_uuid_t principals[KN_PRINCIPALS_MAX]; /* account, team, organisation, centre */
	TimestampTz expires_at;                  /* of the access token */
} KnCaller;

extern void kn_caller_init(void);
/* Verifies the token and the session; raises KN1xx.  Needs an SPI connection. */
extern const KnCaller *kn_caller_prove(const char *token);
/* NULL when nobody is proven. */
extern const KnCaller *kn_caller(void);
extern void kn_caller_clear(void);

extern const char *kn_role_name(KnRole role);
extern KnRole kn_role_parse(const char *name); /* KN_ROLE_NONE when unknown */

#endif
