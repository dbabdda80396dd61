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
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "database_time.h"
#include "jansson_prelude.h"
#include "keys.h"
#include "limits.h"
#include "metrics.h"
#include "token.h"

#define WAYS 4
#define SETS (LIMIT_TOKEN_CACHE / WAYS)
#define SKEW_SECONDS 30

typedef struct Claims
{
	long not_before;
	long expires;
	uint64_t account;
} Claims;

typedef struct Entry
{
	char *text; /* owns */
	size_t len;
	uint64_t hash;
	Claims claims;
} Entry;

static Entry *cache; /* owns SETS rows of WAYS */
static uint64_t seed;

static TokenVerdict token_decide(const char *token, size_t len, uint64_t hash, uint64_t *account);
static TokenVerdict claims_judge(const Claims *claims);
static Entry *cache_find(const char *token, size_t len, uint64_t hash);
static void cache_keep(const char *token, size_t len, uint64_t hash, const Claims *claims);
static bool may_verify(void);
static bool token_verify(const char *token, const Key *key, Claims *claims);
static bool claims_are_ours(jwt_t *jwt, Claims *claims);
static bool claim_is(json_t *object, const char *name);
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

bool
token_is_text(const char *token, size_t len)
{
	if (len == 0 || len > LIMIT_TOKEN)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		char c = token[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

TokenVerdict
token_check(const char *token, size_t len, uint64_t *account)
{
	uint64_t hash = token_hash(token, len);
	uint64_t of = hash;
	TokenVerdict verdict = token_decide(token, len, hash, &of);

	if (account != NULL)
		*account = of | 1;

	if (verdict == TOKEN_BAD)
		metrics_add(METRIC_TOKENS_REFUSED, 1);
	if (verdict == TOKEN_UNCHECKED)
		metrics_add(METRIC_TOKENS_UNCHECKED, 1);
	return verdict;
}

static TokenVerdict
token_decide(const char *token, size_t len, uint64_t hash, uint64_t *account)
{
	const char *dot = memchr(token, '.', len);
	const Key *key;
	Entry *entry;
	Claims claims;

	if (dot == NULL || !token_is_text(token, len))
		return TOKEN_BAD;
	key = keys_find(token, (size_t) (dot - token));
	if (key == NULL && keys_are_fresh())
		return TOKEN_BAD;
	if (key == NULL)
	{
		keys_refresh();
		return TOKEN_UNCHECKED;
	}
	entry = cache_find(token, len, hash);
	if (entry != NULL)
	{
		metrics_add(METRIC_TOKENS_CACHED, 1);
		*account = entry->claims.account;
		return claims_judge(&entry->claims);
	}
	if (!may_verify())
		return TOKEN_UNCHECKED;
	if (!token_verify(token, key, &claims))
		return TOKEN_BAD;
	if (claims_judge(&claims) != TOKEN_GOOD)
		return claims_judge(&claims);
	metrics_add(METRIC_TOKENS_VERIFIED, 1);
	cache_keep(token, len, hash, &claims);
	*account = claims.account;
	return TOKEN_GOOD;
}

/* Only by the time of the database a token may be refused; a clock here can be wrong. */
static TokenVerdict
claims_judge(const Claims *claims)
{
	int64_t now_ms;
	bool is_known = database_time_ms(&now_ms);
	long now = (long) (now_ms / 1000);

	if (claims->expires > now && claims->not_before <= now + SKEW_SECONDS)
		return TOKEN_GOOD;
	return is_known ? TOKEN_BAD : TOKEN_UNCHECKED;
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
cache_keep(const char *token, size_t len, uint64_t hash, const Claims *claims)
{
	Entry *set = &cache[hash % SETS * WAYS];
	Entry *oldest = set;
	char *copy = malloc(len);

	if (copy == NULL)
		return;
	for (int i = 1; i < WAYS; i++)
		if (set[i].claims.expires < oldest->claims.expires)
			oldest = &set[i];
	free(oldest->text);
	memcpy(copy, token, len);
	*oldest = (Entry){copy, len, hash, *claims};
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
token_verify(const char *token, const Key *key, Claims *claims)
{
	jwt_t *jwt = NULL;
	bool is_good;

	if (jwt_decode(&jwt, token, (const unsigned char *) key->pem, (int) key->pem_len) != 0)
		return false;
	is_good = jwt_get_alg(jwt) == JWT_ALG_ES256 && claims_are_ours(jwt, claims);
	jwt_free(jwt);
	return is_good;
}

/*
 * libjwt looks at none of these by itself, and its own reader of numbers says 0
 * for a string; so the claims are read as JSON.
 */
static bool
claims_are_ours(jwt_t *jwt, Claims *claims)
{
	char *text = jwt_get_grants_json(jwt, NULL);
	json_t *object = text == NULL ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *nbf = json_object_get(object, "nbf");
	json_t *sub = json_object_get(object, "sub");
	bool is_ours = claim_is(object, "iss") && claim_is(object, "aud") && json_is_string(sub) &&
				   json_is_integer(json_object_get(object, "exp")) &&
				   (nbf == NULL || json_is_integer(nbf));

	claims->expires = (long) json_integer_value(json_object_get(object, "exp"));
	claims->not_before = (long) json_integer_value(nbf);
	claims->account =
		is_ours ? token_hash(json_string_value(sub), json_string_length(sub)) : 0;
	json_decref(object);
	free(text);
	return is_ours;
}

static bool
claim_is(json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

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
