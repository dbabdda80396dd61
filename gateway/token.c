/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Filter, cache and signature check of access tokens.
 *
 * http.c and ws.c ask before they call a door.  In order: the header segment
 * must be byte for byte that of a known key; a token seen before is known by
 * its whole text until it expires; others are verified with libjwt, at most so
 * many a second, because that costs the only thread most of a millisecond.
 *
 *-------------------------------------------------------------------------
 */
#include <jwt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "jansson_prelude.h"
#include "keys.h"
#include "limits.h"
#include "metrics.h"
#include "token.h"

#define WAYS 4
#define SETS (LIMIT_TOKEN_CACHE / WAYS)
#define SKEW_SECONDS 30

typedef struct Entry
{
	char *text; /* owns */
	size_t len;
	uint64_t hash;
	long not_before;
	long expires;
} Entry;

static Entry *cache; /* owns SETS rows of WAYS */
static uint64_t seed;

static TokenVerdict token_decide(const char *token, size_t len);
static Entry *cache_find(const char *token, size_t len, uint64_t hash);
static void cache_keep(const char *token, size_t len, uint64_t hash, long expires, long before);
static bool may_verify(void);
static bool token_verify(const char *token, const Key *key, long *expires, long *before);
static bool claims_are_ours(jwt_t *jwt, long *expires, long *before);
static bool claim_is(json_t *claims, const char *name);
static uint64_t token_hash(const char *token, size_t len);

bool
token_start(void)
{
	cache = calloc(LIMIT_TOKEN_CACHE, sizeof(Entry));
	return cache != NULL && getrandom(&seed, sizeof(seed), 0) == sizeof(seed);
}

void
token_stop(void)
{
	for (int i = 0; cache != NULL && i < LIMIT_TOKEN_CACHE; i++)
		free(cache[i].text);
	free(cache);
	cache = NULL;
}

TokenVerdict
token_check(const char *token, size_t len)
{
	TokenVerdict verdict = token_decide(token, len);

	if (verdict == TOKEN_BAD)
		metrics_add(METRIC_TOKENS_REFUSED, 1);
	if (verdict == TOKEN_UNCHECKED)
		metrics_add(METRIC_TOKENS_UNCHECKED, 1);
	return verdict;
}

static TokenVerdict
token_decide(const char *token, size_t len)
{
	const char *dot = memchr(token, '.', len);
	const Key *key;
	uint64_t hash;
	Entry *entry;
	long expires;
	long before;
	long now = (long) time(NULL);

	if (dot == NULL || len > LIMIT_TOKEN)
		return TOKEN_BAD;
	key = keys_find(token, (size_t) (dot - token));
	if (key == NULL && keys_are_fresh())
		return TOKEN_BAD;
	if (key == NULL)
	{
		keys_refresh();
		return TOKEN_UNCHECKED;
	}
	hash = token_hash(token, len);
	entry = cache_find(token, len, hash);
	if (entry != NULL)
	{
		metrics_add(METRIC_TOKENS_CACHED, 1);
		return entry->expires > now && entry->not_before <= now + SKEW_SECONDS ? TOKEN_GOOD
																			   : TOKEN_BAD;
	}
	if (!may_verify())
		return TOKEN_UNCHECKED;
	if (!token_verify(token, key, &expires, &before) || expires <= now ||
		before > now + SKEW_SECONDS)
		return TOKEN_BAD;
	metrics_add(METRIC_TOKENS_VERIFIED, 1);
	cache_keep(token, len, hash, expires, before);
	return TOKEN_GOOD;
}

/* Two texts can carry the same signed claims, so only the whole text is a key. */
static Entry *
cache_find(const char *token, size_t len, uint64_t hash)
{
	Entry *set = &cache[hash % SETS * WAYS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].hash == hash && set[i].len == len && memcmp(set[i].text, token, len) == 0)
			return &set[i];
	return NULL;
}

/* In place of the one that ends first. */
static void
cache_keep(const char *token, size_t len, uint64_t hash, long expires, long before)
{
	Entry *set = &cache[hash % SETS * WAYS];
	Entry *oldest = set;
	char *copy = malloc(len);

	if (copy == NULL)
		return;
	for (int i = 1; i < WAYS; i++)
		if (set[i].expires < oldest->expires)
			oldest = &set[i];
	free(oldest->text);
	memcpy(copy, token, len);
	*oldest = (Entry){copy, len, hash, before, expires};
}

static bool
may_verify(void)
{
	static time_t second;
	static int done;
	time_t now = time(NULL);

	if (now != second)
		done = 0;
	second = now;
	return done++ < LIMIT_VERIFY_PER_SECOND;
}

/* libjwt takes the algorithm from the token, so it is compared once more. */
static bool
token_verify(const char *token, const Key *key, long *expires, long *before)
{
	jwt_t *jwt = NULL;
	bool is_good;

	if (jwt_decode(&jwt, token, (const unsigned char *) key->pem, (int) key->pem_len) != 0)
		return false;
	is_good = jwt_get_alg(jwt) == JWT_ALG_ES256 && claims_are_ours(jwt, expires, before);
	jwt_free(jwt);
	return is_good;
}

/*
 * libjwt looks at none of these by itself, and its own reader of numbers says 0
 * for a string; so the claims are read as JSON.
 */
static bool
claims_are_ours(jwt_t *jwt, long *expires, long *before)
{
	char *text = jwt_get_grants_json(jwt, NULL);
	json_t *claims = text == NULL ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *nbf = json_object_get(claims, "nbf");
	bool is_ours = claim_is(claims, "iss") && claim_is(claims, "aud") &&
				   json_is_integer(json_object_get(claims, "exp")) &&
				   (nbf == NULL || json_is_integer(nbf));

	*expires = (long) json_integer_value(json_object_get(claims, "exp"));
	*before = (long) json_integer_value(nbf);
	json_decref(claims);
	free(text);
	return is_ours;
}

static bool
claim_is(json_t *claims, const char *name)
{
	const char *value = json_string_value(json_object_get(claims, name));

	return value != NULL && strcmp(value, "kintaraa") == 0;
}

static uint64_t
token_hash(const char *token, size_t len)
{
	uint64_t hash = seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) token[i]) * 0x100000001b3u;
	return hash ^ hash >> 29;
}
