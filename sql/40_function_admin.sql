-- API: public
CREATE FUNCTION kintaraa_api.invitation_create(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_invitation_create';
COMMENT ON FUNCTION kintaraa_api.invitation_create IS
    'POST /admin/invitations: a code that makes somebody a member of staff. Body: role, providerId, provider, '
    'expiresInDays.';
ALTER FUNCTION kintaraa_api.invitation_create OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.account_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_account_list';
COMMENT ON FUNCTION kintaraa_api.account_list IS
    'GET /admin/accounts: a page of accounts, newest first. Query: role, limit, after.';
ALTER FUNCTION kintaraa_api.account_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.account_deactivate(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_account_deactivate';
COMMENT ON FUNCTION kintaraa_api.account_deactivate IS
    'POST /admin/accounts/{id}/deactivate: switches an account off and ends its sessions. Path: id.';
ALTER FUNCTION kintaraa_api.account_deactivate OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.setting_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_setting_list';
COMMENT ON FUNCTION kintaraa_api.setting_list IS
    'GET /admin/settings: all settings.';
ALTER FUNCTION kintaraa_api.setting_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.setting_put(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_setting_put';
COMMENT ON FUNCTION kintaraa_api.setting_put IS
    'PUT /admin/settings/{name}: changes a setting. Path: name. Body: value.';
ALTER FUNCTION kintaraa_api.setting_put OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.policy_get(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_policy_get';
COMMENT ON FUNCTION kintaraa_api.policy_get IS
    'GET /admin/policies/{kind}: the version in force. Path: kind.';
ALTER FUNCTION kintaraa_api.policy_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.policy_put(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_policy_put';
COMMENT ON FUNCTION kintaraa_api.policy_put IS
    'PUT /admin/policies/{kind}: a new version of a policy. Path: kind. Body: body. If-Match: the version in force.';
ALTER FUNCTION kintaraa_api.policy_put OWNER TO kintaraa_door;

-- API: public, for the DBA: how the first administrator comes in.
CREATE FUNCTION kintaraa.invite(
    role      text,               -- provider, dispatcher, admin or analyst
    provider  uuid DEFAULT NULL   -- the team of a provider
) RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_invite_sql';
COMMENT ON FUNCTION kintaraa.invite IS 'Makes an invitation and returns its code, which is not shown again.';

-- API: private. A trigger: however an account is changed, by a door or in psql, an active dispatcher is left.
CREATE FUNCTION kintaraa.dispatcher_stays() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM before WHERE role = 'dispatcher' AND is_active) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT FROM before AS b
                         LEFT JOIN after AS a ON a.id = b.id AND a.role = 'dispatcher' AND a.is_active
                        WHERE b.role = 'dispatcher' AND b.is_active AND a.id IS NULL) THEN
            RETURN NULL;
        END IF;
    END IF;
    -- locked, so that of two who take one away each the second sees what the first left
    PERFORM FROM kintaraa.account WHERE role = 'dispatcher' AND is_active ORDER BY id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the last dispatcher stays'
            USING ERRCODE = 'KN408', HINT = 'Invite another dispatcher first.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kintaraa.dispatcher_stays IS
    'Trigger: refuses with KN408 what would leave no active dispatcher.';
ALTER FUNCTION kintaraa.dispatcher_stays OWNER TO kintaraa_system;
GRANT EXECUTE ON FUNCTION kintaraa.dispatcher_stays() TO kintaraa_owner;
