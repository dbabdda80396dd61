/*-------------------------------------------------------------------------
 *
 * invitation_store.h
 *	  The rows of invitations and of the teams they are made for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_INVITATION_STORE_H
#define KN_IDENTITY_INVITATION_STORE_H

#include "base/spi.h"
#include "identity/invitation.h"

/* A team that does not exist yet. */
typedef struct KnTeam
{
	pg_uuid_t id;
	pg_uuid_t organisation;
	char *name;
	char *provider_type;
	char *admin_area;
	char *gender;
	bool has_place;
	double latitude;
	double longitude;
	int capacity;
	int n_languages;
	char **languages;
	int n_skills;
	char **skills;
} KnTeam;

/* Fills expires_at; request and by may be NULL. */
extern void kn_invitation_insert(KnInvitation *invitation, const unsigned char *index,
								 const unsigned char *request, const pg_uuid_t *by, int days);
/*
 * The latest that was made for that request and can still be used; with a key of
 * a day, used or not.  index is that of its code.
 */
extern bool kn_invitation_find(const unsigned char *request, bool has_key, KnInvitation *out,
							   unsigned char index[KN_BLIND_SIZE]);
extern bool kn_team_exists(const pg_uuid_t *id);
extern bool kn_organisation_exists(const pg_uuid_t *id);
/* The oldest dispatch centre; false when there is none. */
extern bool kn_centre_first(pg_uuid_t *id);
extern void kn_organisation_insert(pg_uuid_t *id, const char *name);
extern void kn_team_insert(KnTeam *team);

#endif
