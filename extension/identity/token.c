/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Access tokens: made and verified, with a cache of verified ones.
 *
 * Called by caller.c and session.c.  The cache is keyed by the SHA-256 of the
 * token's exact text and holds only what a valid signature was seen on; it
 * spares the elliptic curve, never the look at exp and at the session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "base/errcodes.h"
#include "base/limits.h"
#include "base/shared.h"
#include "identity/token.h"
#include "keys/hash.h"
#include "keys/keystore.h"

#define WAYS 4 /* entries looked at for one digest */

static bool cache_find(const unsigned char *digest, KnClaims *claims);
static void cache_store(const unsigned char *digest, const KnClaims *claims);
static KnTokenEntry *cache_set(const unsigned char *digest, LWLock **lock);
static void refuse(KnJwsStatus status) pg_attribute_noreturn();

void
kn_token_verify(const char *token, KnClaims *claims)
{
	unsigned char digest[32];
	int64 now = (int64) time(NULL);
	size_t len = strlen(token);
	KnJwsStatus status;

	kn_sha256(token, len, digest);
	if (cache_find(digest, claims))
	{
		if (claims->exp + KN_SKEW_SECONDS <= now)
			refuse(KN_JWS_EXPIRED);
		return;
	}
	status = kn_jws_verify(kn_keystore(), token, len, now, KN_SKEW_SECONDS, claims);
	if (status != KN_JWS_OK)
		refuse(status);
	cache_store(digest, claims);
}

/* Which check failed stays inside: the answer would help a forger. */
static void
refuse(KnJwsStatus status)
{
	if (status == KN_JWS_EXPIRED)
		ereport(ERROR,
				errcode(ERRCODE_KN_TOKEN_EXPIRED),
				errmsg("the access token has expired"),
				errhint("Get a new one with the refresh token."));
	ereport(ERROR,
			errcode(ERRCODE_KN_TOKEN_INVALID),
			errmsg("the access token is not valid"),
			errhint("Sign in again."));
	pg_unreachable();
}

char *
kn_token_make(const pg_uuid_t *account, const pg_uuid_t *session, const char *role)
{
	KnClaims claims = {0};
	char token[KN_JWS_MAX];

	memcpy(claims.sub, account->data, UUID_LEN);
	memcpy(claims.sid, session->data, UUID_LEN);
	strlcpy(claims.role, role, sizeof(claims.role));
	claims.iat = (int64) time(NULL);
	claims.exp = claims.iat + KN_ACCESS_SECONDS;
	if (!kn_jws_sign(kn_keystore(), &claims, token, sizeof(token)))
		elog(ERROR, "could not sign an access token");
	return pstrdup(token);
}

static KnTokenEntry *
cache_set(const unsigned char *digest, LWLock **lock)
{
	KnShared *shared = kn_shared();
	uint32 slot;

	if (shared == NULL)
		return NULL;
	memcpy(&slot, digest, sizeof(slot));
	slot %= KN_TOKEN_CACHE_ENTRIES / WAYS;
	*lock = &shared->token_locks[slot % KN_TOKEN_LOCKS].lock;
	return &shared->tokens[slot * WAYS];
}

static bool
cache_find(const unsigned char *digest, KnClaims *claims)
{
	LWLock *lock;
	KnTokenEntry *set = cache_set(digest, &lock);
	bool found = false;

	if (set == NULL)
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < WAYS && !found; i++)
	{
		if (set[i].exp == 0 || memcmp(set[i].digest, digest, 32) != 0)
			continue;
		memcpy(claims->sub, set[i].sub, UUID_LEN);
		memcpy(claims->sid, set[i].sid, UUID_LEN);
		memcpy(claims->role, set[i].role, sizeof(claims->role));
		claims->exp = set[i].exp;
		claims->iat = set[i].iat;
		found = true;
	}
	LWLockRelease(lock);
	return found;
}

/* The entry that ends first makes room. */
static void
cache_store(const unsigned char *digest, const KnClaims *claims)
{
	LWLock *lock;
	KnTokenEntry *set = cache_set(digest, &lock);
	KnTokenEntry *victim = set;

	if (set == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 1; i < WAYS; i++)
		if (set[i].exp < victim->exp)
			victim = &set[i];
	memcpy(victim->digest, digest, 32);
	memcpy(victim->sub, claims->sub, UUID_LEN);
	memcpy(victim->sid, claims->sid, UUID_LEN);
	memcpy(victim->role, claims->role, sizeof(victim->role));
	victim->exp = claims->exp;
	victim->iat = claims->iat;
	LWLockRelease(lock);
}
