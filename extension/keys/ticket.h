/*-------------------------------------------------------------------------
 *
 * ticket.h
 *	  Tickets: forty bytes that only this server can have written.
 *
 * Text is base64url of kind (1), content (40) and HMAC-SHA-256 (32).  The MAC
 * covers the kind, so that no ticket passes for one of another kind, nor for a
 * refresh token, which begins with version 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_TICKET_H
#define KN_KEYS_TICKET_H

#include <stdbool.h>
#include <stddef.h>

#include "keys/keyring.h"

#define KN_TICKET_CONTENT 40
#define KN_TICKET_SIZE 99 /* bytes of a ticket's text with its terminator */

typedef enum KnTicketKind
{
	KN_TICKET_DEVICE = 0x44, /* a device that an account was signed in on */
	KN_TICKET_TURN = 0x54    /* a sign-in try that has waited, or will have at its time */
} KnTicketKind;

/* Signs with the current key of refresh tokens; false when size is too small. */
extern bool kn_ticket_make(const KnKeyring *ring, KnTicketKind kind,
						   const unsigned char content[KN_TICKET_CONTENT], char *out, size_t size);
/* Verifies with any of them; content is written only with true. */
extern bool kn_ticket_check(const KnKeyring *ring, KnTicketKind kind, const char *text, size_t len,
							unsigned char content[KN_TICKET_CONTENT]);

#endif /* KN_KEYS_TICKET_H */
