/*-------------------------------------------------------------------------
 *
 * admit.c
 *	  Counts open connections.
 *
 * Called by http.c when one opens and by http.c or ws.c, whoever owns it then,
 * when it ends: every admit_enter() that said yes has one admit_leave().
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "admit.h"

#define BUCKETS 4096

typedef struct Household
{
	LIST_ENTRY(Household) link;
	Address address;
	long count;
} Household;

static LIST_HEAD(, Household) buckets[BUCKETS];
static long open_total;
static long most_total;
static long most_per_address;
static void (*room_callback)(void);

static Household *household_find(const Address *address, bool create);
static bool is_counted(const Address *address);

void
admit_start(long total, long per_address)
{
	most_total = total;
	most_per_address = per_address;
}

void
admit_when_room(void (*is_room)(void))
{
	room_callback = is_room;
}

bool
admit_enter(const Address *address)
{
	if (is_counted(address))
	{
		Household *household = household_find(address, true);

		if (household == NULL || household->count >= most_per_address)
			return false;
		household->count++;
	}
	open_total++;
	return true;
}

void
admit_leave(const Address *address)
{
	bool was_full = admit_is_full();

	open_total--;
	if (is_counted(address))
	{
		Household *household = household_find(address, false);

		if (household != NULL && --household->count == 0)
		{
			LIST_REMOVE(household, link);
			free(household);
		}
	}
	if (was_full && room_callback != NULL)
		room_callback();
}

static bool
is_counted(const Address *address)
{
	return most_per_address > 0 && !address_is_loopback(address);
}

static Household *
household_find(const Address *address, bool create)
{
	Address key = *address;
	uint64_t hash = 0xcbf29ce484222325u;
	Household *household;

	address_household(&key);
	for (int i = 0; i < 16; i++)
		hash = (hash ^ key.at[i]) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) % BUCKETS;
	LIST_FOREACH(household, &buckets[hash], link)
	{
		if (memcmp(&household->address, &key, sizeof(key)) == 0)
			return household;
	}
	household = create ? calloc(1, sizeof(*household)) : NULL;
	if (household == NULL)
		return NULL;
	household->address = key;
	LIST_INSERT_HEAD(&buckets[hash], household, link);
	return household;
}

bool
admit_is_full(void)
{
	return open_total >= most_total;
}

long
admit_count(void)
{
	return open_total;
}
