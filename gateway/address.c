/*-------------------------------------------------------------------------
 *
 * address.c
 *	  Reading, comparing and blurring network addresses.
 *
 * Called by context.c, exchange.c, http.c and supervisor.c.  It opens nothing.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const Address *address);
static bool rule_read(AddressSet *set, const char *text, size_t len);
static bool port_read(const char *text, in_port_t *port);

void
address_from(Address *address, const struct sockaddr *from)
{
	memset(address, 0, sizeof(*address));
	if (from->sa_family == AF_INET6)
		memcpy(address->at, &((const struct sockaddr_in6 *) from)->sin6_addr, 16);
	else if (from->sa_family == AF_INET)
	{
		memcpy(address->at, mapped, sizeof(mapped));
		memcpy(address->at + 12, &((const struct sockaddr_in *) from)->sin_addr, 4);
	}
}

bool
address_read(Address *address, const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN];

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET6, copy, address->at) == 1)
		return true;
	memcpy(address->at, mapped, sizeof(mapped));
	return inet_pton(AF_INET, copy, address->at + 12) == 1;
}

static bool
is_v4(const Address *address)
{
	return memcmp(address->at, mapped, sizeof(mapped)) == 0;
}

bool
address_is_loopback(const Address *address)
{
	static const unsigned char v6[16] = {[15] = 1};

	if (is_v4(address))
		return address->at[12] == 127;
	return memcmp(address->at, v6, sizeof(v6)) == 0;
}

void
address_network(const Address *address, char text[ADDRESS_TEXT])
{
	const unsigned char *at = address->at;

	if (is_v4(address))
		snprintf(text, ADDRESS_TEXT, "%u.%u.%u.0/24", at[12], at[13], at[14]);
	else
		snprintf(text, ADDRESS_TEXT, "%x:%x:%x::/48", at[0] << 8 | at[1], at[2] << 8 | at[3],
				 at[4] << 8 | at[5]);
}

void
address_household(Address *address)
{
	if (!is_v4(address))
		memset(address->at + 8, 0, 8);
}

bool
address_set_read(AddressSet *set, const char *list)
{
	set->count = 0;
	while (*list != '\0')
	{
		size_t len = strcspn(list, ", ");

		if (len > 0 && !rule_read(set, list, len))
			return false;
		list += len;
		list += strspn(list, ", ");
	}
	return true;
}

static bool
rule_read(AddressSet *set, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash != NULL ? (size_t) (slash - text) : len;
	Address *network;
	int most;
	int bits;
	char *end = NULL;

	if (set->count == LIMIT_ADDRESS_RULES)
		return false;
	network = &set->rule[set->count].network;
	if (!address_read(network, text, address_len))
		return false;
	most = is_v4(network) ? 32 : 128;
	bits = slash != NULL ? (int) strtol(slash + 1, &end, 10) : most;
	if (bits < 0 || bits > most || (slash != NULL && (end == slash + 1 || end != text + len)))
		return false;
	set->rule[set->count++].bits = bits + 128 - most;
	return true;
}

bool
address_set_has(const AddressSet *set, const Address *address)
{
	for (int i = 0; i < set->count; i++)
	{
		int whole = set->rule[i].bits / 8;
		int rest = set->rule[i].bits % 8;
		int mask = 0xff00 >> rest & 0xff;
		const unsigned char *network = set->rule[i].network.at;

		if (memcmp(network, address->at, (size_t) whole) == 0 &&
			(rest == 0 || (network[whole] & mask) == (address->at[whole] & mask)))
			return true;
	}
	return false;
}

bool
address_listen(const char *text, size_t len, struct sockaddr_storage *to, socklen_t *to_len)
{
	char copy[ADDRESS_TEXT];
	char *colon;
	char *host = copy;
	struct sockaddr_in *v4 = (struct sockaddr_in *) to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) to;
	in_port_t port;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	colon = strrchr(copy, ':');
	if (colon == NULL || !port_read(colon + 1, &port))
		return false;
	*colon = '\0';
	memset(to, 0, sizeof(*to));
	if (*host == '[' && colon > host && colon[-1] == ']')
	{
		colon[-1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*to_len = sizeof(*v6);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	*to_len = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static bool
port_read(const char *text, in_port_t *port)
{
	char *end;
	long number = strtol(text, &end, 10);

	*port = (in_port_t) number;
	return end != text && *end == '\0' && number > 0 && number <= 65535;
}
