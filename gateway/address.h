/*-------------------------------------------------------------------------
 *
 * address.h
 *	  Network addresses: of peers, of networks that may do more, to listen on.
 *
 * IPv4 is kept as IPv4-mapped IPv6, so that there is one kind of address.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "limits.h"

#define ADDRESS_TEXT 64

typedef struct Address
{
	unsigned char at[16];
} Address;

typedef struct AddressSet
{
	int count;
	struct
	{
		Address network;
		int bits;
	} rule[LIMIT_ADDRESS_RULES];
} AddressSet;

void address_from(Address *address, const struct sockaddr *from);
bool address_read(Address *address, const char *text, size_t len);
bool address_is_loopback(const Address *address);

/* What a person may be told apart by and no more: /24 of IPv4, /48 of IPv6. */
void address_network(const Address *address, char text[ADDRESS_TEXT]);

/* Clears what one household or one phone changes by itself: the lower half of IPv6. */
void address_household(Address *address);

/* list as "10.0.0.0/8,fd00::/8"; false when an entry is none */
bool address_set_read(AddressSet *set, const char *list);
bool address_set_has(const AddressSet *set, const Address *address);

/* One entry of KINTARAA_LISTEN. */
bool address_listen(const char *text, size_t len, struct sockaddr_storage *to, socklen_t *to_len);

#endif
