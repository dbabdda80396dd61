-- Stand-ins of a few doors, so that the gateway can be tested by itself.
--
-- Loaded into an empty database by tests of the gateway only.  They have the
-- exact signatures and keep no rule: what a test wants to see, it asks for in
-- the body or the query.
\set ON_ERROR_STOP 1

CREATE SCHEMA kintaraa_api;
CREATE TABLE kintaraa_api.note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mark text NOT NULL);
CREATE TABLE kintaraa_api.jwk (set json NOT NULL);
INSERT INTO kintaraa_api.jwk VALUES ('{"keys":[]}');

CREATE FUNCTION kintaraa_api.health(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT 'ok', '{"status":"ok"}'::json $$;

CREATE FUNCTION kintaraa_api.jwks(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$
    SELECT 'ok', (set::jsonb || jsonb_build_object('serverTime', to_char(now() AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::json FROM kintaraa_api.jwk
$$;

-- Everything that came in, as it came in.
CREATE FUNCTION kintaraa_api.me_get(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$
    SELECT 'ok', json_build_object('token', $1, 'path', $2, 'query', $3, 'body', $4,
                                   'context', $5, 'backend', pg_backend_pid())
$$;

CREATE FUNCTION kintaraa_api.me_update(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$
    SELECT 'ok', json_build_object('token', $1, 'path', $2, 'query', $3, 'body', $4,
                                   'context', $5)
$$;

-- {"mark"} is written; "seconds" is slept first; "state" is raised; "outcome" and "answer" are returned.
CREATE FUNCTION kintaraa_api.act(request jsonb, OUT outcome text, OUT body json)
LANGUAGE plpgsql AS $$
BEGIN
    IF request ? 'mark' THEN
        INSERT INTO kintaraa_api.note (mark) VALUES (request ->> 'mark');
    END IF;
    IF request ? 'seconds' THEN
        PERFORM pg_sleep((request ->> 'seconds')::float);
    END IF;
    IF request ? 'state' THEN
        RAISE EXCEPTION USING ERRCODE = request ->> 'state', MESSAGE = 'it went wrong',
            HINT = 'Do it right.', COLUMN = 'field', DETAIL = 'secret detail';
    END IF;
    IF request ? 'bytes' THEN
        request := jsonb_build_object('answer', repeat('x', (request ->> 'bytes')::int));
    END IF;
    outcome := coalesce(request ->> 'outcome', 'ok');
    body := request -> 'answer';
END $$;

CREATE FUNCTION kintaraa_api.incident_create(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT * FROM kintaraa_api.act($4) $$;

CREATE FUNCTION kintaraa_api.incident_status(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE plpgsql AS $$
BEGIN
    IF $4 ->> 'status' = 'wrong' THEN
        outcome := 'conflict';
        body := '{"code":"KN401","detail":"not in this state"}';
    ELSE
        outcome := 'ok';
        body := json_build_object('id', $2[1], 'type', 'physical', 'body', $4);
    END IF;
END $$;

CREATE FUNCTION kintaraa_api.auth_login(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT * FROM kintaraa_api.act($4) $$;

CREATE FUNCTION kintaraa_api.assignment_accept(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT * FROM kintaraa_api.act($4) $$;

-- A read that can be slow: ?seconds= and ?bytes=.
CREATE FUNCTION kintaraa_api.incident_list(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT * FROM kintaraa_api.act($3) $$;

-- The same at nobody's expense.
CREATE FUNCTION kintaraa_api.dispatch_queue(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT * FROM kintaraa_api.act($3) $$;

CREATE FUNCTION kintaraa_api.incident_get(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT 'ok', json_build_object('id', $2[1]) $$;

CREATE FUNCTION kintaraa_api.audit_list(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE sql AS $$ SELECT * FROM kintaraa_api.act($3) $$;

-- The feed: ticks are rows of news; a subscription gets what names its topic or nobody's.
CREATE UNLOGGED TABLE kintaraa_api.gateway (id uuid PRIMARY KEY);
CREATE UNLOGGED TABLE kintaraa_api.subscription (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway uuid NOT NULL,
    topic text NOT NULL
);
CREATE TABLE kintaraa_api.news (
    tick bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text,
    frame text NOT NULL
);

-- STABLE: it must see what its caller sees, no newer tick.
CREATE FUNCTION kintaraa_api.feed_position() RETURNS bigint
LANGUAGE sql STABLE AS $$ SELECT coalesce(max(tick), 0) FROM kintaraa_api.news $$;

-- Are old cursors still good?
CREATE TABLE kintaraa_api.keeps (resumes boolean NOT NULL);
INSERT INTO kintaraa_api.keeps VALUES (true);

CREATE FUNCTION kintaraa_api.feed_start(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    id uuid := gen_random_uuid();
BEGIN
    INSERT INTO kintaraa_api.gateway VALUES (id);
    outcome := 'ok';
    body := json_build_object('gateway', id, 'cursor', kintaraa_api.feed_position());
END $$;

-- The topic is the role of the token, read without any check.
CREATE FUNCTION kintaraa_api.feed_join(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    claims jsonb := convert_from(decode(rpad(translate(split_part($1, '.', 2), '-_', '+/'),
        (length(split_part($1, '.', 2)) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb;
    topic text := claims ->> 'role';
    after bigint := CASE WHEN (SELECT resumes FROM kintaraa_api.keeps) THEN ($4 ->> 'cursor')::bigint END;
    subscription bigint;
BEGIN
    IF topic = 'ghost' THEN
        outcome := 'unknown';
        body := '{"code":"KN101","detail":"the session has ended"}';
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM kintaraa_api.gateway WHERE gateway.id = ($4 ->> 'gateway')::uuid) THEN
        outcome := 'absent';
        body := '{"code":"KN301","detail":"the gateway is not known here"}';
        RETURN;
    END IF;
    INSERT INTO kintaraa_api.subscription (gateway, topic)
    VALUES (($4 ->> 'gateway')::uuid, topic) RETURNING id INTO subscription;
    outcome := 'ok';
    body := json_build_object('subscription', subscription, 'role', topic,
        'cursor', kintaraa_api.feed_position(), 'resumed', after IS NOT NULL,
        'expiresIn', (claims ->> 'exp')::bigint - extract(epoch FROM now())::bigint,
        'frames', (SELECT coalesce(json_agg(frame::json ORDER BY tick), '[]') FROM kintaraa_api.news n
                   WHERE after IS NOT NULL AND tick > after
                     AND (n.topic IS NULL OR n.topic = claims ->> 'role')));
END $$;

CREATE FUNCTION kintaraa_api.feed_leave(text, text[], jsonb, jsonb, jsonb,
    OUT outcome text, OUT body json)
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM kintaraa_api.subscription
    WHERE gateway = ($4 ->> 'gateway')::uuid
      AND id IN (SELECT jsonb_array_elements_text($4 -> 'subscriptions')::bigint);
    outcome := 'none';
END $$;

-- Like the real one it knows only gateways that have started.
CREATE FUNCTION kintaraa_api.feed_next(gateway uuid, after bigint)
RETURNS TABLE (subscriptions bigint[], frame text, cursor bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM kintaraa_api.gateway g WHERE g.id = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'KN301', MESSAGE = 'the gateway is not known here';
    END IF;
    RETURN QUERY
    SELECT * FROM (
        SELECT (SELECT array_agg(s.id) FROM kintaraa_api.subscription s
                WHERE s.gateway = $1 AND (n.topic IS NULL OR s.topic = n.topic)) AS subscriptions,
               n.frame, n.tick
        FROM kintaraa_api.news n WHERE n.tick > $2 ORDER BY n.tick) rows
    WHERE rows.subscriptions IS NOT NULL
    UNION ALL
    SELECT NULL, NULL, greatest($2, kintaraa_api.feed_position());
END $$;

-- Makes a piece of news; the frame gets its cursor.
CREATE PROCEDURE kintaraa_api.tell(topic text, frame jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    number bigint := nextval(pg_get_serial_sequence('kintaraa_api.news', 'tick'));
BEGIN
    INSERT INTO kintaraa_api.news OVERRIDING SYSTEM VALUE
    VALUES (number, topic, (frame || jsonb_build_object('cursor', number))::text);
    NOTIFY kintaraa_tick;
END $$;

GRANT USAGE ON SCHEMA kintaraa_api TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA kintaraa_api TO PUBLIC;
