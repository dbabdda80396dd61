/*-------------------------------------------------------------------------
 *
 * random.c
 *	  Random bytes and ids.
 *
 *
 * Called wherever an id, a nonce, a key or a code is made.  A pure file.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "keys/random.h"

#define SMALL 16 /* bytes: an id or a nonce; keys are larger */
#define POOL_SIZE 512

static unsigned char pool[POOL_SIZE];
static size_t pool_left = 0;

static bool draw_small(unsigned char *out, size_t len);
static void empty_pool(void);

/* OpenSSL's generator notices a fork and seeds itself anew; the kernel stands behind it. */
void
kn_random(void *out, size_t len)
{
	unsigned char *at = out;

	if (len <= SMALL && draw_small(at, len))
		return;
	if (len <= INT_MAX && RAND_bytes(at, (int) len) == 1)
		return;
	while (len > 0)
	{
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0)
		{
			at += got;
			len -= (size_t) got;
		}
	}
}

/*
 * Ids and nonces share one call of the generator, which takes 6,600 instructions
 * however little it gives.  What was handed out is wiped, and a child of fork() starts without
 * what its parent may yet hand out.
 */
static bool
draw_small(unsigned char *out, size_t len)
{
	static bool forks_are_noticed = false;

	if (!forks_are_noticed)
		forks_are_noticed = pthread_atfork(NULL, NULL, empty_pool) == 0;
	if (!forks_are_noticed)
		return false;
	if (pool_left < len)
	{
		if (RAND_bytes(pool, sizeof(pool)) != 1)
			return false;
		pool_left = sizeof(pool);
	}
	pool_left -= len;
	memcpy(out, pool + pool_left, len);
	OPENSSL_cleanse(pool + pool_left, len);
	return true;
}

static void
empty_pool(void)
{
	OPENSSL_cleanse(pool, sizeof(pool));
	pool_left = 0;
}

void
kn_uuid4(unsigned char out[16])
{
	kn_random(out, 16);
	out[6] = (unsigned char) ((out[6] & 0x0f) | 0x40);
	out[8] = (unsigned char) ((out[8] & 0x3f) | 0x80);
}
