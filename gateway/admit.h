/*-------------------------------------------------------------------------
 *
 * admit.h
 *	  How many connections are open, in all and from one address.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ADMIT_H
#define ADMIT_H

#include <stdbool.h>

#include "address.h"

/* total: most connections at once; per_address: most from one, 0 for any number */
void admit_start(long total, long per_address);

/* False when this address has its share. */
bool admit_enter(const Address *address);

/* is_room is called when a connection ends that had made it full. */
void admit_leave(const Address *address);
void admit_when_room(void (*is_room)(void));

bool admit_is_full(void);
long admit_count(void);

#endif
