/*-------------------------------------------------------------------------
 *
 * invitation.h
 *	  Invitations: how somebody becomes more than a survivor.
 *
 * A code is 128 random bits, shown once and stored as a keyed index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_INVITATION_H
#define KN_IDENTITY_INVITATION_H

#include "identity/caller.h"
#include "keys/blind.h"

#define KN_INVITATION_TEXT_MAX 64 /* characters of a code as somebody types it */

typedef struct KnInvitation
{
	pg_uuid_t id;
	KnRole role;
	bool has_provider;
	pg_uuid_t provider;
	bool has_centre;
	pg_uuid_t centre;
	TimestampTz expires_at;
} KnInvitation;

/* What a typed code is found by; false when it cannot be one. */
extern bool kn_invitation_index(const char *typed, unsigned char index[KN_BLIND_SIZE]);
/* Uses it up; false when it is unknown, used or expired.  Of two at once one gets it. */
extern bool kn_invitation_take(const unsigned char *index, KnInvitation *out);
extern void kn_invitation_taken_by(const unsigned char *index, const pg_uuid_t *account);
extern void kn_invitation_refuse(void) pg_attribute_noreturn();

#endif
