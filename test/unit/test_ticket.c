/*-------------------------------------------------------------------------
 *
 * test_ticket.c
 *	  A ticket is taken only when this server wrote it, as it is and for its kind.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/ticket.c extension/keys/blind.c extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/normalise.c extension/keys/keyring.c extension/keys/es256.c */
/* libs: crypto */
#include "keys/base64url.h"
#include "keys/ticket.h"

#include "tap.h"

#include "ring.h"

#define BYTES 73
#define LENGTH (KN_TICKET_SIZE - 1)

static const unsigned char content[KN_TICKET_CONTENT] = "forty bytes of what a ticket is about..";

static bool
is_taken(const KnKeyring *ring, KnTicketKind kind, const char *text, size_t len)
{
	unsigned char out[KN_TICKET_CONTENT] = {0};
	static const unsigned char nothing[KN_TICKET_CONTENT] = {0};
	bool taken = kn_ticket_check(ring, kind, text, len, out);

	if (memcmp(out, taken ? content : nothing, sizeof(out)) != 0)
	{
		printf("Bail out! the content is another, or was given with a refusal\n");
		exit(1);
	}
	return taken;
}

static void
test_limits(const KnKeyring *ring, const char *ticket)
{
	char small[KN_TICKET_SIZE], longer[KN_TICKET_SIZE + 1];

	ok(strlen(ticket) == LENGTH, "a ticket has its length");
	ok(is_taken(ring, KN_TICKET_DEVICE, ticket, LENGTH), "it is taken");
	ok(!kn_ticket_make(ring, KN_TICKET_DEVICE, content, small, LENGTH), "a place one too small");
	snprintf(longer, sizeof(longer), "%sA", ticket);
	ok(!is_taken(ring, KN_TICKET_DEVICE, longer, LENGTH + 1), "one more character");
	ok(!is_taken(ring, KN_TICKET_DEVICE, ticket, LENGTH - 1), "one less");
	ok(!is_taken(ring, KN_TICKET_DEVICE, "", 0), "none");
}

static void
test_forged(const KnKeyring *ring, const char *ticket)
{
	unsigned char bytes[BYTES];
	char text[KN_TICKET_SIZE];
	size_t size = sizeof(bytes);
	int taken = 0;

	if (!kn_base64url_decode(ticket, LENGTH, bytes, &size))
		size = 0;
	ok(size == BYTES, "a ticket is of 73 bytes");
	for (int bit = 0; bit < 8 * BYTES; bit++)
	{
		bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		taken += !kn_base64url_encode(bytes, BYTES, text, sizeof(text)) ||
				 is_taken(ring, KN_TICKET_DEVICE, text, LENGTH) ||
				 (bit >= 8 && is_taken(ring, KN_TICKET_TURN, text, LENGTH));
		bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	ok(taken == 0, "no bit can be changed");
	bytes[0] = KN_TICKET_TURN;
	ok(kn_base64url_encode(bytes, BYTES, text, sizeof(text)) &&
		   !is_taken(ring, KN_TICKET_TURN, text, LENGTH),
	   "nor one kind written over the other");
	ok(!is_taken(ring, KN_TICKET_TURN, ticket, LENGTH), "nor one be used as the other");
}

/* An older key goes on verifying until it is taken out of the ring. */
static void
test_rings(const KnKeyring *ring, const char *ticket)
{
	KnKeyring *before = ring_of(RING_TITLE RING_OLD RING_REST);
	KnKeyring *after = ring_of(RING_TITLE RING_NEW RING_REST);
	char old[KN_TICKET_SIZE];

	ok(kn_ticket_make(before, KN_TICKET_DEVICE, content, old, sizeof(old)), "one of an older key");
	ok(strcmp(old, ticket) != 0, "is another text");
	ok(is_taken(ring, KN_TICKET_DEVICE, old, LENGTH), "is taken beside the new key");
	ok(!is_taken(after, KN_TICKET_DEVICE, old, LENGTH), "and not when its key is gone");
	ok(!is_taken(before, KN_TICKET_DEVICE, ticket, LENGTH), "one of a foreign key");
	kn_keyring_free(before);
	kn_keyring_free(after);
}

int
main(void)
{
	KnKeyring *ring = ring_of(RING_TEXT);
	char ticket[KN_TICKET_SIZE] = "";

	ok(kn_ticket_make(ring, KN_TICKET_DEVICE, content, ticket, sizeof(ticket)), "a ticket is made");
	test_limits(ring, ticket);
	test_forged(ring, ticket);
	test_rings(ring, ticket);
	kn_keyring_free(ring);
	return finish();
}
