/*-------------------------------------------------------------------------
 *
 * invitation_store.c
 *	  The rows of invitations and of the teams they are made for.
 *
 * Called by invitation.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/limits.h"
#include "identity/invitation_store.h"
#include "keys/random.h"

static void read_invitation(const KnRows *rows, KnInvitation *out);
static bool exists(KnStatement *statement, const pg_uuid_t *id);

static KnStatement insert_invitation = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.invitation (id, code_index, role, provider_id, centre_id, created_by, "
	"  expires_at, request_index) "
	"VALUES ($1, $2, $3, $4, $5, $6, pg_catalog.now() + pg_catalog.make_interval(days => $7), $8) "
	"RETURNING expires_at",
	UUIDOID, BYTEAOID, TEXTOID, UUIDOID, UUIDOID, UUIDOID, INT4OID, BYTEAOID);

static KnStatement find_invitation = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT id, role, provider_id, centre_id, expires_at, code_index FROM kintaraa.invitation "
	" WHERE request_index = $1 "
	"   AND created_at > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $2) "
	"   AND ($3 OR (used_at IS NULL AND expires_at > pg_catalog.clock_timestamp())) "
	" ORDER BY created_at DESC LIMIT 1",
	BYTEAOID, FLOAT8OID, BOOLOID);

static KnStatement take_invitation = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.invitation SET used_at = pg_catalog.clock_timestamp() "
	" WHERE code_index = $1 AND used_at IS NULL AND expires_at > pg_catalog.clock_timestamp() "
	"RETURNING id, role, provider_id, centre_id, expires_at",
	BYTEAOID);

static KnStatement name_user = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.invitation SET used_by = $2 WHERE code_index = $1",
	BYTEAOID, UUIDOID);

static KnStatement find_team = KN_READ(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.provider WHERE id = $1",
	UUIDOID);

static KnStatement find_organisation = KN_READ(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.organisation WHERE id = $1 AND kind = 'helper'",
	UUIDOID);

static KnStatement first_centre = {
	.sql = "SELECT id FROM kintaraa.organisation WHERE kind = 'dispatch_centre' "
		   " ORDER BY created_at, id LIMIT 1",
	.actor = KN_AS_SYSTEM,
};

static KnStatement insert_organisation = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.organisation (id, kind, name) VALUES ($1, 'helper', $2)",
	UUIDOID, TEXTOID);

/* An administrator who invites a team vouches for it. */
static KnStatement insert_team = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name, admin_area, gender, "
	"  latitude, longitude, capacity, languages, skills, is_verified) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, true)",
	UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID, FLOAT8OID, INT4OID,
	TEXTARRAYOID, TEXTARRAYOID);

void
kn_invitation_insert(KnInvitation *invitation, const unsigned char *index,
					 const unsigned char *request, const pg_uuid_t *by, int days)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, &invitation->id);
	kn_arg_bytes(&args, index, KN_BLIND_SIZE);
	kn_arg_text(&args, kn_role_name(invitation->role));
	kn_arg_uuid(&args, invitation->has_provider ? &invitation->provider : NULL);
	kn_arg_uuid(&args, invitation->has_centre ? &invitation->centre : NULL);
	kn_arg_uuid(&args, by);
	kn_arg_int(&args, days);
	kn_arg_bytes(&args, request, KN_BLIND_SIZE);
	kn_run(&insert_invitation, &args);
	rows = kn_rows();
	invitation->expires_at = kn_col_time(&rows, 0, 1);
}

bool
kn_invitation_take(const unsigned char *index, KnInvitation *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_bytes(&args, index, KN_BLIND_SIZE);
	if (kn_run(&take_invitation, &args) == 0)
		return false;
	rows = kn_rows();
	read_invitation(&rows, out);
	return true;
}

/* Columns id, role, provider_id, centre_id, expires_at. */
static void
read_invitation(const KnRows *rows, KnInvitation *out)
{
	kn_col_uuid(rows, 0, 1, &out->id);
	out->role = kn_role_parse(kn_col_text(rows, 0, 2));
	out->has_provider = kn_col_uuid(rows, 0, 3, &out->provider);
	out->has_centre = kn_col_uuid(rows, 0, 4, &out->centre);
	out->expires_at = kn_col_time(rows, 0, 5);
}

bool
kn_invitation_find(const unsigned char *request, bool has_key, KnInvitation *out,
				   unsigned char index[KN_BLIND_SIZE])
{
	KnArgs args = {0};
	bytea *stored;
	KnRows rows;

	kn_arg_bytes(&args, request, KN_BLIND_SIZE);
	kn_arg_float(&args, has_key ? SECS_PER_DAY : KN_REPLAY_SECONDS, false);
	kn_arg_bool(&args, has_key);
	if (kn_run(&find_invitation, &args) == 0)
		return false;
	rows = kn_rows();
	read_invitation(&rows, out);
	stored = kn_col_bytea(&rows, 0, 6);
	if (VARSIZE_ANY_EXHDR(stored) != KN_BLIND_SIZE)
		return false;
	memcpy(index, VARDATA_ANY(stored), KN_BLIND_SIZE);
	return true;
}

void
kn_invitation_taken_by(const unsigned char *index, const pg_uuid_t *account)
{
	KnArgs args = {0};

	kn_arg_bytes(&args, index, KN_BLIND_SIZE);
	kn_arg_uuid(&args, account);
	kn_run(&name_user, &args);
}

bool
kn_team_exists(const pg_uuid_t *id)
{
	return exists(&find_team, id);
}

bool
kn_organisation_exists(const pg_uuid_t *id)
{
	return exists(&find_organisation, id);
}

static bool
exists(KnStatement *statement, const pg_uuid_t *id)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, id);
	return kn_run(statement, &args) == 1;
}

bool
kn_centre_first(pg_uuid_t *id)
{
	KnRows rows;

	if (kn_run0(&first_centre) == 0)
		return false;
	rows = kn_rows();
	return kn_col_uuid(&rows, 0, 1, id);
}

void
kn_organisation_insert(pg_uuid_t *id, const char *name)
{
	KnArgs args = {0};

	kn_uuid4(id->data);
	kn_arg_uuid(&args, id);
	kn_arg_text(&args, name);
	kn_run(&insert_organisation, &args);
}

void
kn_team_insert(KnTeam *team)
{
	KnArgs args = {0};

	kn_uuid4(team->id.data);
	kn_arg_uuid(&args, &team->id);
	kn_arg_uuid(&args, &team->organisation);
	kn_arg_text(&args, team->provider_type);
	kn_arg_text(&args, team->name);
	kn_arg_text(&args, team->admin_area);
	kn_arg_text(&args, team->gender);
	kn_arg_float(&args, team->latitude, !team->has_place);
	kn_arg_float(&args, team->longitude, !team->has_place);
	kn_arg_int(&args, team->capacity);
	kn_arg_text_array(&args, team->languages, team->n_languages);
	kn_arg_text_array(&args, team->skills, team->n_skills);
	kn_run(&insert_team, &args);
}
