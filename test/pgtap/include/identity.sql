-- What tests of accounts and sessions share: calling a door, registering, signing in.
-- Used as \ir include/identity.sql
CREATE FUNCTION pg_temp.door(door text, token text, input jsonb DEFAULT NULL, path text[] DEFAULT '{}',
                             query jsonb DEFAULT '{}', context jsonb DEFAULT '{"network":"192.0.2.0/24"}')
    RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    EXECUTE format('SELECT outcome, body::jsonb AS body FROM kintaraa_api.%I($1, $2, $3, $4, $5)', door)
        INTO answer USING token, path, query, input, context;
    RETURN coalesce(answer.body, '{}') || jsonb_build_object('outcome', answer.outcome);
END
$$;

-- outcome, or outcome and code of a refusal
CREATE FUNCTION pg_temp.told(answer jsonb) RETURNS text LANGUAGE sql AS
    $$ SELECT concat_ws(' ', answer ->> 'outcome', answer ->> 'code') $$;

CREATE FUNCTION pg_temp.register(email text, password text, more jsonb DEFAULT '{}',
                                 network text DEFAULT '192.0.2.0/24')
    RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('auth_register', NULL, jsonb_build_object('email', email, 'password', password) || more,
                           context => jsonb_build_object('network', network)) $$;

CREATE FUNCTION pg_temp.login(email text, password text, network text DEFAULT '192.0.2.0/24')
    RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('auth_login', NULL, jsonb_build_object('email', email, 'password', password),
                           context => jsonb_build_object('network', network)) $$;

CREATE FUNCTION pg_temp.staff(role text, email text, provider uuid DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.register(email, 'staff pass 77',
    jsonb_build_object('invitation', kintaraa.invite(role, provider))) $$;

CREATE FUNCTION pg_temp.access(answer jsonb) RETURNS text LANGUAGE sql AS
    $$ SELECT answer #>> '{tokens,access}' $$;
CREATE FUNCTION pg_temp.refresh(answer jsonb) RETURNS text LANGUAGE sql AS
    $$ SELECT answer #>> '{tokens,refresh}' $$;
CREATE FUNCTION pg_temp.user_id(answer jsonb) RETURNS uuid LANGUAGE sql AS
    $$ SELECT (answer #>> '{user,id}')::uuid $$;

-- A team with a place, in an organisation of its own.
CREATE FUNCTION pg_temp.team(id uuid, kind text DEFAULT 'legal') RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kintaraa.organisation (id, kind, name) VALUES ($1, 'helper', 'Team');
    INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name, latitude, longitude, is_verified)
    VALUES ($1, $1, $2, 'Team', -1.29, 36.82, true);
    PERFORM kintaraa.change_flush();
    RETURN $1;
END
$$;
