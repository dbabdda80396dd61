/*-------------------------------------------------------------------------
 *
 * test_admit.c
 *	  What counting connections and reading addresses promise.
 *
 *-------------------------------------------------------------------------
 */
/* sources: gateway/admit.c gateway/address.c */

#include <arpa/inet.h>
#include <string.h>

#include "admit.h"
#include "tap.h"

static int rooms;

static Address
address(const char *text)
{
	Address result;

	if (!address_read(&result, text, strlen(text)))
		ok(false, "%s is an address", text);
	return result;
}

static bool
enter(const char *text)
{
	Address who = address(text);

	return admit_enter(&who);
}

static void
leave(const char *text)
{
	Address who = address(text);

	admit_leave(&who);
}

static void
is_room(void)
{
	rooms++;
}

static void
test_share_of_one_address(void)
{
	admit_start(100, 2);
	ok(enter("203.0.113.7") && enter("203.0.113.7"), "an address may have as many as the limit");
	ok(!enter("203.0.113.7"), "and not one more");
	ok(enter("203.0.113.8"), "another address has a share of its own");
	leave("203.0.113.7");
	ok(enter("203.0.113.7"), "who leaves makes room");
	ok(enter("127.0.0.1") && enter("127.0.0.1") && enter("::1") && enter("::1") && enter("::1") &&
		   enter("127.9.9.9"),
	   "loopback is not counted");
	ok(enter("2001:db8:1:2::1") && enter("2001:db8:1:2::2") && !enter("2001:db8:1:2:ffff::3"),
	   "a /64 of IPv6 is one address");
	ok(enter("2001:db8:1:3::1"), "another /64 is another");
	ok(admit_count() == 12, "all of them are open");
}

static void
test_limit_of_all(void)
{
	admit_start(admit_count() + 2, 0);
	admit_when_room(is_room);
	ok(enter("203.0.113.7") && !admit_is_full(), "below the limit there is room");
	ok(enter("203.0.113.7") && admit_is_full(), "at the limit there is none");
	leave("203.0.113.7");
	ok(rooms == 1 && !admit_is_full(), "who leaves a full house tells it");
	leave("203.0.113.7");
	ok(rooms == 1, "once");
}

static void
test_networks(void)
{
	static const char *const wrong[] = {"10.0.0.0/33", "::/129", "10.0.0/8", "x",
										"10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1"};
	AddressSet set;
	Address inside[] = {address("10.255.1.2"), address("192.0.2.129"), address("fd12::1")};
	Address outside[] = {address("11.0.0.1"), address("192.0.2.127"), address("fe00::1")};

	ok(address_set_read(&set, "10.0.0.0/8, 192.0.2.128/25,fc00::/7") && set.count == 3,
	   "a list of networks is read");
	for (int i = 0; i < 3; i++)
	{
		ok(address_set_has(&set, &inside[i]), "inside %d", i);
		ok(!address_set_has(&set, &outside[i]), "outside %d", i);
	}
	ok(address_set_read(&set, "") && !address_set_has(&set, &inside[0]), "an empty list is empty");
	ok(address_set_read(&set, "0.0.0.0/0") && address_set_has(&set, &inside[0]) &&
		   !address_set_has(&set, &inside[2]),
	   "all of IPv4 is not IPv6");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ok(!address_set_read(&set, wrong[i]), "%s is no network", wrong[i]);
}

static void
test_length_of_a_list(void)
{
	char list[64 * LIMIT_ADDRESS_RULES] = "";
	AddressSet set;

	for (int i = 0; i < LIMIT_ADDRESS_RULES; i++)
		strcat(list, "10.0.0.1,");
	ok(address_set_read(&set, list), "a list may have as many entries as the limit");
	strcat(list, "10.0.0.1");
	ok(!address_set_read(&set, list), "and not one more");
}

static void
test_what_is_told_of_an_address(void)
{
	char text[ADDRESS_TEXT];
	Address v4 = address("203.0.113.99");
	Address v6 = address("2001:db8:aa:bb:cc::1");

	address_network(&v4, text);
	ok(strcmp(text, "203.0.113.0/24") == 0, "/24 of IPv4: %s", text);
	address_network(&v6, text);
	ok(strcmp(text, "2001:db8:aa::/48") == 0, "/48 of IPv6: %s", text);
}

static void
test_addresses_to_listen_on(void)
{
	static const char *const right[] = {"127.0.0.1:1", "0.0.0.0:65535", "[::]:8080", "[::1]:80"};
	static const char *const wrong[] = {
		"127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:0", "[::1]", "::1:80",
		"127.0.0.1:65536", "host:80", "[::1:80", "127.0.0.1:8x"};
	struct sockaddr_storage to;
	socklen_t len;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		ok(address_listen(right[i], strlen(right[i]), &to, &len), "%s is fine", right[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ok(!address_listen(wrong[i], strlen(wrong[i]), &to, &len), "%s cannot", wrong[i]);
}

int
main(void)
{
	test_share_of_one_address();
	test_limit_of_all();
	test_networks();
	test_length_of_a_list();
	test_what_is_told_of_an_address();
	test_addresses_to_listen_on();
	return finish();
}
