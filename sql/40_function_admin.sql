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
