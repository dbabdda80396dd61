CREATE SCHEMA play;

CREATE TABLE play.person (
    name      text PRIMARY KEY,
    token     text NOT NULL,
    refresh   text,
    id        uuid NOT NULL,
    email     text NOT NULL,
    provider  uuid
);

-- Ids that phones made, which no table of ours has in the clear, and reports with them.
CREATE TABLE play.spoken (key bytea NOT NULL, id text NOT NULL);
CREATE INDEX ON play.spoken (key);
CREATE FUNCTION play.speak(owner uuid, id text) RETURNS bytea LANGUAGE plpgsql STRICT AS $$
DECLARE
    folded text := CASE WHEN id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN lower(id) ELSE id END;
    found bytea := kintaraa.client_key(owner, 'incident', folded);
BEGIN
    INSERT INTO play.spoken (key, id) SELECT found, folded
     WHERE NOT EXISTS (SELECT FROM play.spoken s WHERE s.key = found);
    RETURN found;
END
$$;
CREATE FUNCTION play.see() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE VIEW play.incident AS
    SELECT i.*, COALESCE((SELECT s.id FROM play.spoken s WHERE s.key = i.client_key LIMIT 1), i.id::text) AS client_id
      FROM kintaraa.incident i;
END
$$;
DO $$ BEGIN PERFORM play.see(); END $$;

CREATE FUNCTION play.raw(door text, token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body text)
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT outcome, body::text FROM kintaraa_api.%I($1, $2, $3, $4, $5)', door)
       INTO outcome, body USING token, path, query, input, context;
EXCEPTION WHEN OTHERS THEN
    outcome := SQLSTATE;
    body := jsonb_build_object('detail', SQLERRM)::text;
END
$$;

CREATE FUNCTION play.call(door text, who text, path text[] DEFAULT NULL, input jsonb DEFAULT NULL,
    query jsonb DEFAULT NULL, context jsonb DEFAULT '{"requestId": "play", "network": "192.0.2.0"}',
    OUT outcome text, OUT body jsonb)
    LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM play.raw(door, (SELECT p.token FROM play.person p WHERE p.name = who),
                                       path, query, input, context);
    outcome := answer.outcome;
    body := answer.body::jsonb;
    IF door IN ('incident_create', 'sync_batch', 'sync_push') AND outcome IN ('created', 'ok') THEN
        PERFORM play.speak(p.id, said #>> '{}') FROM play.person p, jsonb_path_query(jsonb_build_array(
            jsonb_path_query_array(input, '$.id'), jsonb_path_query_array(input, '$.records[*].id'),
            jsonb_path_query_array(input, '$.*.created[*].id'), jsonb_path_query_array(input, '$.*.updated[*].id')),
            '$[*][*]') AS said WHERE p.name = who;
    END IF;
END
$$;

CREATE FUNCTION play.outcome(door text, who text, path text[] DEFAULT NULL, input jsonb DEFAULT NULL,
    query jsonb DEFAULT NULL, context jsonb DEFAULT '{"requestId": "play", "network": "192.0.2.0"}')
    RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', outcome, body ->> 'code') FROM play.call(door, who, path, input, query, context)
$$;

-- The version from which somebody's phone that has all changes a report.
CREATE FUNCTION play.base(who text, id text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('serverVersion', (play.call('incident_get', who, ARRAY[id])).body -> 'serverVersion')
$$;

CREATE FUNCTION play.register(who text, wish jsonb DEFAULT '{}') RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM play.call('auth_register', NULL, NULL,
        jsonb_build_object('email', who || '@play.example', 'password', 'correct horse ' || who,
                           'firstName', who) || wish);
    IF answer.outcome <> 'created' THEN
        RAISE EXCEPTION 'registering % gave % %', who, answer.outcome, answer.body;
    END IF;
    INSERT INTO play.person (name, token, refresh, id, email, provider)
    VALUES (who, answer.body #>> '{tokens,access}', answer.body #>> '{tokens,refresh}',
            (answer.body #>> '{user,id}')::uuid, who || '@play.example',
            (answer.body #>> '{user,providerId}')::uuid);
    RETURN (answer.body #>> '{user,id}')::uuid;
END
$$;

CREATE FUNCTION play.team(type text, latitude float8, longitude float8, capacity integer DEFAULT 10,
    telephone boolean DEFAULT false, name text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    organisation uuid := gen_random_uuid();
    team uuid := gen_random_uuid();
BEGIN
    INSERT INTO kintaraa.organisation (id, kind, name) VALUES (organisation, 'helper', 'Organisation ' || team);
    INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name, latitude, longitude, capacity,
                                   languages, is_verified, by_telephone)
    VALUES (team, organisation, type, COALESCE(name, 'Team ' || left(team::text, 8)), latitude, longitude,
            capacity, '{en}', true, telephone);
    PERFORM kintaraa.dispatch_refresh();
    PERFORM kintaraa.change_flush();
    RETURN team;
END
$$;

CREATE FUNCTION play.helper(who text, type text, latitude float8, longitude float8,
    capacity integer DEFAULT 10) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    team uuid := play.team(type, latitude, longitude, capacity, name => 'Team of ' || who);
BEGIN
    PERFORM play.register(who, jsonb_build_object('invitation', kintaraa.invite('provider', team)));
    PERFORM kintaraa.dispatch_refresh();
    RETURN team;
END
$$;

CREATE FUNCTION play.staff(who text, role text) RETURNS uuid
    LANGUAGE sql AS $$
SELECT play.register(who, jsonb_build_object('invitation', kintaraa.invite(role)))
$$;

-- What a record is found by whose id the phone of somebody made.
CREATE FUNCTION play.key(who text, noun text, id text) RETURNS bytea
    LANGUAGE sql AS $$
SELECT kintaraa.client_key((SELECT p.id FROM play.person p WHERE p.name = who), noun, id)
$$;

-- What somebody wrote under an id and did not win, as the archive gives it back.
CREATE FUNCTION play.archived(who text, name text) RETURNS TABLE (id uuid, reason text, data jsonb)
    LANGUAGE sql AS $$
SELECT (i ->> 'archiveId')::uuid, i ->> 'reason', NULLIF(i -> 'data', 'null')
  FROM play.call('archive_list', who, NULL, NULL, '{"limit": "100"}') c, jsonb_array_elements(c.body -> 'items') i
 WHERE i ->> 'id' = name
$$;

CREATE FUNCTION play.report(who text, id text, services text[] DEFAULT '{medical}', more jsonb DEFAULT '{}')
    RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM play.call('incident_create', who, NULL,
        jsonb_build_object('id', id, 'supportServices', services,
                           'location', '{"coordinates": {"latitude": -1.28, "longitude": 36.82},
                               "source": "gps"}'::jsonb)
        || more);
    IF answer.outcome NOT IN ('created', 'ok') THEN
        RAISE EXCEPTION 'report % gave % %', id, answer.outcome, answer.body;
    END IF;
    RETURN (SELECT i.id FROM kintaraa.incident i JOIN play.person p ON p.id = i.owner_id
             WHERE p.name = who AND i.client_key = kintaraa.client_key(p.id, 'incident', report.id));
END
$$;

CREATE FUNCTION play.offer(who text, incident uuid, wanted text DEFAULT 'pending') RETURNS uuid
    LANGUAGE sql AS $$
SELECT a.id FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id
 WHERE p.name = who AND a.incident_bucket = incident AND a.status = wanted
 ORDER BY a.round DESC LIMIT 1
$$;

CREATE FUNCTION play.pass(incident uuid, step interval) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    moved integer;
BEGIN
    UPDATE kintaraa.need SET due_at = due_at - step WHERE bucket = incident;
    UPDATE kintaraa.assignment SET due_at = due_at - step WHERE incident_bucket = incident AND status = 'pending';
    PERFORM kintaraa.change_flush();
    moved := kintaraa.need_sweep(1000);
    RETURN moved;
END
$$;

-- Whether somebody active may do what an assignment is for.
CREATE FUNCTION play.manned(a kintaraa.assignment) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT p.is_active AND p.is_verified AND (p.provider_type <> 'police' OR a.service = 'police')
   AND NOT EXISTS (SELECT FROM kintaraa.barred b
                    WHERE b.bucket = a.incident_bucket AND b.principal IN (p.id, p.organisation_id))
   AND (p.by_telephone OR EXISTS (
        SELECT FROM kintaraa.account s WHERE s.provider_id = p.id AND s.is_active
           AND NOT EXISTS (SELECT FROM kintaraa.barred b
                            WHERE b.bucket = a.incident_bucket AND b.principal = s.id)))
  FROM kintaraa.provider p WHERE p.id = a.provider_id
$$;

CREATE VIEW play.broken AS
SELECT 'engaged need that nobody active can read' AS what, n.bucket AS id FROM kintaraa.need n
 WHERE n.state IN ('engaged', 'stalled') AND NOT EXISTS (
       SELECT FROM kintaraa.assignment a WHERE a.need_id = n.id AND a.status = 'accepted' AND play.manned(a))
UNION ALL
SELECT 'offered need that nobody active can answer for', n.bucket FROM kintaraa.need n
 WHERE n.state = 'offered' AND NOT EXISTS (
       SELECT FROM kintaraa.assignment a WHERE a.need_id = n.id AND a.status = 'pending' AND play.manned(a))
UNION ALL
SELECT 'waiting need of which nobody active was told', n.bucket FROM kintaraa.need n
 WHERE n.state IN ('needs_dispatcher', 'stalled') AND NOT EXISTS (
       SELECT FROM kintaraa.notification x JOIN kintaraa.account c ON c.id = x.account_id
        WHERE x.bucket = n.bucket AND x.class = 'duty_call' AND c.is_active AND c.centre_id IS NOT NULL)
   AND EXISTS (SELECT FROM kintaraa.account c WHERE c.is_active AND c.centre_id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM kintaraa.barred b WHERE b.bucket = n.bucket
                                     AND b.principal IN (c.id, c.centre_id)))
UNION ALL
SELECT 'need without owner or due time' AS what, n.bucket AS id FROM kintaraa.need n
 WHERE n.state IN ('searching', 'offered', 'needs_dispatcher', 'stalled') AND n.due_at IS NULL
UNION ALL
SELECT 'engaged need that nobody contacted and that never stalls', n.bucket FROM kintaraa.need n
 WHERE n.state = 'engaged' AND n.contacted_at IS NULL AND n.due_at IS NULL
UNION ALL
SELECT 'paused need of a case that is not taken back, or an open one of a case that is hidden', n.bucket
  FROM kintaraa.need n JOIN kintaraa.incident i ON i.id = n.bucket
 WHERE (n.state = 'paused' AND i.held_until IS NULL)
    OR (n.state NOT IN ('paused', 'met', 'unmet', 'withdrawn') AND i.deleted_at IS NOT NULL)
UNION ALL
SELECT 'helper of a case that is hidden or closed', m.bucket FROM kintaraa.member m
  JOIN kintaraa.incident i ON i.id = m.bucket
 WHERE m.relation = 'helper' AND NOT m.revoked AND (i.deleted_at IS NOT NULL OR i.status = 'closed')
UNION ALL
SELECT 'case in progress without an open need', i.id FROM kintaraa.incident i
 WHERE i.deleted_at IS NULL AND i.status = 'in_progress' AND NOT EXISTS (
       SELECT FROM kintaraa.need n WHERE n.bucket = i.id AND n.state NOT IN ('met', 'unmet', 'withdrawn'))
UNION ALL
SELECT 'open need of a case that is over', i.id FROM kintaraa.incident i
 WHERE i.deleted_at IS NULL AND i.held_until IS NULL AND i.status IN ('completed', 'closed') AND EXISTS (
       SELECT FROM kintaraa.need n WHERE n.bucket = i.id AND n.state NOT IN ('met', 'unmet', 'withdrawn'))
UNION ALL
SELECT 'engaged need without an accepted assignment', n.bucket FROM kintaraa.need n
 WHERE n.state IN ('engaged', 'stalled') AND NOT EXISTS (
       SELECT FROM kintaraa.assignment a WHERE a.need_id = n.id AND a.status = 'accepted')
UNION ALL
SELECT 'accepted assignment of a need that is not engaged', n.bucket FROM kintaraa.need n
  JOIN kintaraa.assignment a ON a.need_id = n.id AND a.status = 'accepted'
 WHERE n.state NOT IN ('engaged', 'stalled', 'met', 'paused')
UNION ALL
SELECT 'two accepted for one need', min(a.incident_bucket::text)::uuid FROM kintaraa.assignment a
 WHERE a.status = 'accepted' GROUP BY a.need_id HAVING count(*) > 1
UNION ALL
SELECT 'offered need without a pending offer', n.bucket FROM kintaraa.need n
 WHERE n.state = 'offered' AND NOT EXISTS (
       SELECT FROM kintaraa.assignment a WHERE a.need_id = n.id AND a.status = 'pending')
UNION ALL
SELECT 'pending offer of a need that is not offered', n.bucket FROM kintaraa.need n
  JOIN kintaraa.assignment a ON a.need_id = n.id AND a.status = 'pending'
 WHERE n.state <> 'offered'
UNION ALL
SELECT 'load differs from open work', d.provider_id FROM kintaraa.provider_dispatch d
 WHERE d.load <> (SELECT count(*) FROM kintaraa.assignment a JOIN kintaraa.need n ON n.id = a.need_id
                   WHERE a.provider_id = d.provider_id AND a.status = 'accepted'
                     AND n.state IN ('engaged', 'stalled', 'paused'))
UNION ALL
-- Closing ends the access of whoever helped; a case that goes on for another need does not give it back.
SELECT 'helper is no member', a.incident_bucket FROM kintaraa.assignment a
  JOIN kintaraa.incident i ON i.id = a.incident_bucket
  JOIN kintaraa.need n ON n.bucket = a.incident_bucket AND n.id = a.need_id
 WHERE a.status = 'accepted' AND i.deleted_at IS NULL AND i.held_until IS NULL AND i.status <> 'closed'
   AND NOT (n.state = 'met' AND EXISTS (SELECT FROM kintaraa.status_history h
                                         WHERE h.bucket = i.id AND h.to_status = 'closed' AND h.at > a.responded_at))
   AND NOT EXISTS (
       SELECT FROM kintaraa.member m WHERE m.principal = a.provider_id AND m.bucket = a.incident_bucket
          AND m.relation = 'helper' AND NOT m.revoked)
UNION ALL
SELECT 'member without an acceptance', m.bucket FROM kintaraa.member m
 WHERE m.relation = 'helper' AND NOT m.revoked AND NOT EXISTS (
       SELECT FROM kintaraa.assignment a WHERE a.provider_id = m.principal AND a.incident_bucket = m.bucket
          AND a.status = 'accepted')
UNION ALL
SELECT 'status does not follow the needs', i.id FROM kintaraa.incident i
 WHERE i.deleted_at IS NULL AND i.status IN ('new', 'pending_dispatcher_review', 'assigned')
   AND EXISTS (SELECT FROM kintaraa.need n WHERE n.bucket = i.id AND n.state IN ('engaged', 'stalled'))
UNION ALL
SELECT 'nobody is told that a need waits', i.id FROM kintaraa.incident i
 WHERE i.deleted_at IS NULL AND i.status = 'new'
   AND EXISTS (SELECT FROM kintaraa.need n WHERE n.bucket = i.id AND n.state = 'needs_dispatcher')
UNION ALL
SELECT 'dispatchers follow a closed case or miss an open one', i.id FROM kintaraa.incident i
  JOIN kintaraa.member m ON m.bucket = i.id AND m.relation = 'dispatcher'
 WHERE m.revoked <> (i.deleted_at IS NOT NULL OR i.status IN ('completed', 'closed'))
UNION ALL
SELECT 'record without a stamp', i.id FROM kintaraa.incident i
 WHERE NOT EXISTS (SELECT FROM kintaraa.change c WHERE c.bucket = i.id AND c.noun = 'incident' AND c.id = i.id)
UNION ALL
SELECT 'counter ' || c.status || ' ' || c.urgency || ' is wrong', NULL
  FROM (SELECT status, urgency, sum(n) AS n FROM (SELECT status, urgency, n FROM kintaraa.dispatch_count
               UNION ALL SELECT status, urgency, n FROM kintaraa.dispatch_delta) s GROUP BY 1, 2) c
 WHERE c.n <> (SELECT count(*) FROM kintaraa.incident i WHERE i.deleted_at IS NULL
                  AND i.status = c.status AND i.urgency_level = c.urgency);
