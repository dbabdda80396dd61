-- API: public
CREATE FUNCTION kintaraa_api.auth_register(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_register';
COMMENT ON FUNCTION kintaraa_api.auth_register IS
    'POST /auth/register: makes an account and a session, or signs in. Body: email, password, firstName, lastName, '
    'phone, role, providerType, isAnonymous, language, invitation, device, deviceToken.';
ALTER FUNCTION kintaraa_api.auth_register OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.me_get(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_me_get';
COMMENT ON FUNCTION kintaraa_api.me_get IS
    'GET /me: the caller''s own account.';
ALTER FUNCTION kintaraa_api.me_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.me_update(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_me_update';
COMMENT ON FUNCTION kintaraa_api.me_update IS
    'PATCH /me: changes the own profile. Body: firstName, lastName, phone, language, isAnonymous.';
ALTER FUNCTION kintaraa_api.me_update OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.me_password(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_me_password';
COMMENT ON FUNCTION kintaraa_api.me_password IS
    'POST /me/password: changes the own password and ends the other sessions. Body: currentPassword, newPassword.';
ALTER FUNCTION kintaraa_api.me_password OWNER TO kintaraa_door;
