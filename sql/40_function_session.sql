-- API: public
CREATE FUNCTION kintaraa_api.auth_login(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_login';
COMMENT ON FUNCTION kintaraa_api.auth_login IS
    'POST /auth/login: starts a session. Body: email, password, device, deviceToken, role.';
ALTER FUNCTION kintaraa_api.auth_login OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.auth_refresh(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_refresh';
COMMENT ON FUNCTION kintaraa_api.auth_refresh IS
    'POST /auth/refresh: the next pair of tokens. Body: refresh.';
ALTER FUNCTION kintaraa_api.auth_refresh OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.auth_logout(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_logout';
COMMENT ON FUNCTION kintaraa_api.auth_logout IS
    'POST /auth/logout: ends the session of the refresh token, or of the access token. Body: refresh.';
ALTER FUNCTION kintaraa_api.auth_logout OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.session_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_session_list';
COMMENT ON FUNCTION kintaraa_api.session_list IS
    'GET /me/sessions: the caller''s own live sessions.';
ALTER FUNCTION kintaraa_api.session_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.session_revoke(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_session_revoke';
COMMENT ON FUNCTION kintaraa_api.session_revoke IS
    'DELETE /me/sessions/{id}: ends one of the caller''s own sessions. Path: id.';
ALTER FUNCTION kintaraa_api.session_revoke OWNER TO kintaraa_door;
