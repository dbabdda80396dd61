\ir ../data/play.sql
SELECT plan(74);
SELECT play.team('healthcare', -1.28 - n * 0.001, 36.82, 10) FROM generate_series(1, 12) AS n \g /dev/null
SELECT play.helper('clinic', 'healthcare', -1.2825, 36.8325), play.team('gbv_rescue', -1.28, 36.82), play.staff('dora',
    'dispatcher'), play.staff('otto', 'dispatcher'), play.register('amina') \g /dev/null
UPDATE kintaraa.provider SET by_telephone = true WHERE name <> 'Team of clinic';
SELECT kintaraa.change_flush(), kintaraa.dispatch_refresh() \g /dev/null

CREATE FUNCTION pg_temp.need(incident uuid, service text DEFAULT 'medical') RETURNS text LANGUAGE sql AS
    $$ SELECT concat_ws(' ', n.state, n.level, n.round) FROM kintaraa.need n WHERE n.bucket = $1 AND n.service = $2 $$;
CREATE FUNCTION pg_temp.due(incident uuid, service text DEFAULT 'medical') RETURNS interval LANGUAGE sql AS
    $$ SELECT date_trunc('minute', n.due_at - clock_timestamp() + '30 seconds') FROM kintaraa.need n
        WHERE n.bucket = $1 AND n.service = $2 $$;
CREATE FUNCTION pg_temp.offers(incident uuid) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(n || ' ' || status, ', ' ORDER BY status) FROM (SELECT status, count(*) AS n
        FROM kintaraa.assignment WHERE incident_bucket = $1 GROUP BY status) AS s $$;
CREATE FUNCTION pg_temp.calls(incident uuid) RETURNS integer LANGUAGE sql AS
    $$ SELECT count(*)::integer FROM kintaraa.notification WHERE bucket = $1 AND class = 'duty_call' $$;

SELECT play.report('amina', 'immediate', '{medical}', '{"urgencyLevel": "immediate"}') AS i \gset
SELECT is(pg_temp.need(:'i') || ' ' || pg_temp.due(:'i') || ' ' || pg_temp.offers(:'i'),
    'offered 1 1 00:02:00 3 pending', '6.8 immediate: three, two minutes');
SELECT is(kintaraa.need_sweep(1000), 0, 'nothing is due yet');
SELECT is(play.pass(:'i', '119 seconds'), 0, 'nor a second before');
SELECT is(play.pass(:'i', '1 second'), 1, 'then it is');
SELECT is(pg_temp.need(:'i') || ' ' || pg_temp.due(:'i') || ' ' || pg_temp.offers(:'i'),
    'offered 2 1 00:02:00 3 expired, 5 pending', '6.8 immediate: five others, two minutes');
SELECT is((SELECT count(DISTINCT provider_id)::int FROM kintaraa.assignment WHERE incident_bucket = :'i'), 8,
    'nobody is asked twice in a round');
SELECT is(pg_temp.calls(:'i'), 0, 'no dispatcher yet');
SELECT play.pass(:'i', '2 minutes') \g /dev/null
SELECT is(pg_temp.need(:'i') || ' ' || pg_temp.due(:'i') || ' ' || pg_temp.offers(:'i'),
    'needs_dispatcher 3 1 00:03:00 8 expired', '6.8 immediate: dispatchers, three minutes');
SELECT is(pg_temp.calls(:'i'), 2, 'D15: nobody on duty is the whole centre');
SELECT is((SELECT status FROM play.incident WHERE id = :'i'), 'pending_dispatcher_review', 'the case follows');
SELECT play.pass(:'i', '3 minutes') \g /dev/null
SELECT is(pg_temp.need(:'i') || ' ' || pg_temp.due(:'i'), 'needs_dispatcher 4 1 00:05:00',
    '6.8 immediate: officers, every five minutes');
SELECT play.pass(:'i', '5 minutes') FROM generate_series(1, 3) \g /dev/null
SELECT is(pg_temp.need(:'i') || ' ' || pg_temp.due(:'i'), 'needs_dispatcher 4 1 00:05:00', 'the last level repeats');
SELECT is(pg_temp.calls(:'i'), 10, 'and calls each time');
SELECT is((SELECT body #>> '{needs,0,status}' FROM play.call('incident_get', 'amina', '{immediate}')), 'searching',
    'she sees that we look');
SELECT is((SELECT ((body #>> '{needs,0,dueAt}')::timestamptz = date_trunc('milliseconds', n.expected_by))::text
    FROM kintaraa.need n, play.call('incident_get', 'amina', '{immediate}') WHERE n.bucket = :'i'), 'true',
    'PV3: and a promise that does not move with refusals');

SELECT play.report('amina', 'urgent', '{medical}', '{"urgencyLevel": "urgent"}') AS u \gset
SELECT is(pg_temp.need(:'u') || ' ' || pg_temp.due(:'u') || ' ' || pg_temp.offers(:'u'),
    'offered 1 1 00:10:00 2 pending', '6.8 urgent: two, ten minutes');
SELECT play.pass(:'u', '10 minutes') \g /dev/null
SELECT is(pg_temp.need(:'u') || ' ' || pg_temp.offers(:'u'), 'offered 2 1 2 expired, 3 pending',
    '6.8 urgent: three others');
SELECT play.report('amina', 'routine', '{medical,shelter,emergency}') AS r \gset
SELECT is(pg_temp.need(:'r'), 'offered 1 1', '6.8 routine: one');
SELECT is((SELECT count(*)::int FROM kintaraa.assignment WHERE incident_bucket = :'r' AND service = 'medical'), 1,
    '6.8 routine: one offer');
SELECT is((SELECT count(*)::int FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id
    WHERE incident_bucket = :'r' AND p.provider_type = 'gbv_rescue'), 0,
    '6.3: routine is never offered to a rescue team');
SELECT is(pg_temp.need(:'r', 'shelter'), 'needs_dispatcher 3 1',
    '6.8: levels without anybody to ask are skipped at once');
SELECT play.pass(:'r', '100 days') FROM generate_series(1, 4) \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id
    WHERE incident_bucket = :'r' AND p.provider_type = 'gbv_rescue'), 0, '6.3: at no level');
SELECT play.report('amina', 'rescue', '{emergency}', '{"urgencyLevel": "urgent"}') AS e \gset
SELECT is((SELECT count(*)::int FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id
    WHERE incident_bucket = :'e' AND p.provider_type = 'gbv_rescue'), 1, 'an urgent one is');
SELECT ok(n.due_at AT TIME ZONE 'Africa/Nairobi' - date_trunc('day',
    n.due_at AT TIME ZONE 'Africa/Nairobi') BETWEEN '08:00' AND '17:00'
          AND extract(isodow FROM n.due_at AT TIME ZONE 'Africa/Nairobi') <= 5,
              'D15: routine is due in working hours: ' || n.service) FROM kintaraa.need n WHERE n.bucket = :'r';

SELECT play.report('amina', 'declined', '{medical}', '{"urgencyLevel": "immediate"}') AS d \gset
CREATE TEMP TABLE turn AS SELECT a.id, row_number() OVER (ORDER BY a.id) AS n FROM kintaraa.assignment a
    WHERE incident_bucket = :'d';
SELECT is(play.outcome('assignment_decline', CASE WHEN p.name IS NULL THEN 'dora' ELSE p.name END, ARRAY[t.id::text],
    '{"reason": "capacity"}') || ' ' || pg_temp.need(:'d'), wanted, 'decline ' || t.n)
  FROM turn t JOIN kintaraa.assignment a USING (id) LEFT JOIN play.person p ON p.provider = a.provider_id, (VALUES (1,
      'ok offered 1 1'), (2, 'ok offered 1 1'), (3, 'ok offered 2 1')) AS w (n, wanted) WHERE w.n = t.n ORDER BY t.n;
SELECT is(pg_temp.need(:'d') || ' ' || pg_temp.offers(:'d'), 'offered 2 1 3 declined, 5 pending',
    'after the last one the next level is asked at once');

SELECT play.report('amina', 'stalled', '{medical}', '{"urgencyLevel": "immediate"}') AS s \gset
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'s')::text]), 'ok',
    'the clinic accepts');
SELECT is(pg_temp.need(:'s') || ' ' || pg_temp.due(:'s'), 'engaged 1 1 00:15:00', '6.8: contact within 15 minutes');
SELECT play.pass(:'s', '15 minutes') \g /dev/null
SELECT is(pg_temp.need(:'s') || ' ' || pg_temp.due(:'s') || ' ' || pg_temp.offers(:'s'),
    'stalled 3 1 00:03:00 1 accepted, 2 withdrawn',
    '6.8: without it the need is stalled and people are called; nobody loses the case');
SELECT is(pg_temp.calls(:'s'), 2, 'dispatchers are');
SELECT is((SELECT body #>> '{needs,0,status}' FROM play.call('incident_get', 'amina', '{stalled}')), 'engaged',
    'she still has a helper');
SELECT is((SELECT count(*)::int FROM play.call('dispatch_queue', 'dora', query => '{"state": "stalled"}') AS c,
    jsonb_array_elements(c.body -> 'items') AS q WHERE q ->> 'incidentId' = :'s'), 1, 'it is in the queue');
SELECT play.pass(:'s', '3 minutes') \g /dev/null
SELECT is(pg_temp.need(:'s'), 'stalled 4 1', 'officers are called next');
SELECT is(play.outcome('incident_status', 'clinic', ARRAY[:'s'], '{"status": "in_progress"}'), 'ok',
    'the clinic is in touch');
SELECT is(pg_temp.need(:'s') || COALESCE(pg_temp.due(:'s')::text, ' no due time'), 'engaged 4 1 no due time',
    'which ends it');
SELECT play.pass(:'s', '100 days') \g /dev/null
SELECT is(pg_temp.need(:'s'), 'engaged 4 1', 'for good');

INSERT INTO kintaraa.policy (kind, version, body) SELECT kind, version + 1, jsonb_set(body,
    '{immediate,levels,0,minutes}', '30') FROM kintaraa.policy WHERE kind = 'escalation' ORDER BY version DESC LIMIT 1;
SELECT is(play.pass(:'d', '2 minutes'), 1, 'a running need');
SELECT is(pg_temp.need(:'d') || ' ' || pg_temp.due(:'d'), 'needs_dispatcher 3 1 00:03:00',
    'keeps the rules it began with');
SELECT play.report('amina', 'newrules', '{medical}', '{"urgencyLevel": "immediate"}') AS w \gset
SELECT is(pg_temp.due(:'w'), '00:30:00', 'a new one takes the new ones');
SELECT play.pass(:'w', '1 day') \g /dev/null
SELECT is(pg_temp.need(:'w') || ' ' || pg_temp.due(:'w'), 'offered 2 1 00:02:00',
    'a clock that jumps a day ahead moves it by one level, not by many');
SELECT is(play.pass(:'w', '-1 day'), 0, 'one that jumps back');
SELECT is(pg_temp.need(:'w'), 'offered 2 1', 'moves nothing');
SELECT is(play.pass(:'w', '1 day 2 minutes'), 1, 'and loses nothing');

INSERT INTO kintaraa.duty SELECT c.id, p.id, k.kind, now() - interval '1 hour', now() + interval '1 hour'
    FROM kintaraa.organisation c, play.person p, unnest(ARRAY['dispatcher', 'officer']) AS k (kind)
    WHERE c.kind = 'dispatch_centre' AND p.name = 'otto';
SELECT play.report('amina', 'duty', '{}', '{"urgencyLevel": "immediate"}') AS y \gset
SELECT is((SELECT array_agg(p.name) FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
    WHERE n.bucket = :'y' AND class = 'duty_call'), '{otto}', 'D15: who is on duty is called');
INSERT INTO kintaraa.barred SELECT :'y', id FROM play.person WHERE name = 'otto';
SELECT play.pass(:'y', '3 minutes') \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
    WHERE n.bucket = :'y' AND class = 'duty_call' AND p.name = 'otto'), 1,
    'T6: but not about a case that is barred from him');
SELECT is((SELECT count(*)::int FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
    WHERE n.bucket = :'y' AND class = 'duty_call' AND p.name = 'dora'), 1, 'then the others are');

UPDATE kintaraa.setting SET value = '"manual"' WHERE name = 'routing_mode';
SELECT play.report('amina', 'manual', '{medical,legal}', '{"urgencyLevel": "immediate"}') AS m \gset
SELECT is(pg_temp.need(:'m', s) || ' ' || pg_temp.due(:'m', s), 'needs_dispatcher 3 1 00:03:00', 'manual: ' || s)
    FROM unnest(ARRAY['medical', 'legal']) AS s;
SELECT is((SELECT count(*)::int FROM kintaraa.assignment WHERE incident_bucket = :'m'), 0,
    'manual: nobody is offered it');
SELECT play.pass(:'m', '3 minutes') \g /dev/null
SELECT is(pg_temp.need(:'m'), 'needs_dispatcher 4 1', 'manual: timers run towards the officer');
UPDATE kintaraa.setting SET value = '"hybrid"' WHERE name = 'routing_mode';

SELECT count(play.report('amina', 'portion-' || n)) FROM generate_series(1, 3) AS n \g /dev/null
UPDATE kintaraa.need SET due_at = now() - interval '1 second' FROM play.incident AS i
 WHERE i.id = need.bucket AND i.client_id LIKE 'portion-%';
UPDATE kintaraa.assignment SET due_at = now() - interval '1 second' FROM play.incident AS i
 WHERE i.id = assignment.incident_bucket AND i.client_id LIKE 'portion-%' AND assignment.status = 'pending';
SELECT kintaraa.change_flush() \g /dev/null
SELECT is(kintaraa.need_sweep(16), 16, 'an eighth is moved on at a time: more may wait');
SELECT is((SELECT count(*)::int FROM kintaraa.need AS n JOIN play.incident AS i ON i.id = n.bucket
    WHERE i.client_id LIKE 'portion-%' AND n.due_at <= now()), 1, 'two of three were');
SELECT is(kintaraa.need_sweep(16), 1, 'the last one is fewer than an eighth');
SELECT is(kintaraa.need_sweep(16), 0, 'and then nothing is due');
SELECT is((SELECT array_agg(what) FROM play.broken), NULL, 'nothing is broken');

-- A large centre of which nobody is on duty, called for many needs at once.
SELECT play.staff('root', 'admin') \g /dev/null
UPDATE kintaraa.setting SET value = '"manual"' WHERE name = 'routing_mode';
SET LOCAL session_replication_role = replica;
INSERT INTO kintaraa.account (id, role, centre_id, email_index, email_sealed, password_hash, language, is_anonymous)
SELECT gen_random_uuid(), 'dispatcher', (SELECT centre_id FROM kintaraa.account JOIN play.person AS p USING (id)
    WHERE p.name = 'dora'), sha256(n::text::bytea), '\x00', '\x00', 'en', true FROM generate_series(1, 360) AS n;
INSERT INTO kintaraa.incident (id, owner_id, client_key, case_number, status, urgency_level, created_hash)
SELECT gen_random_uuid(), p.id, play.speak(p.id, 'many-' || n), 'MANY-' || n, 'new', 'routine', '\x00'
  FROM generate_series(1, 210) AS n, play.person AS p WHERE p.name = 'amina';
INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, due_at, created_at, level, round, escalation)
SELECT i.id, gen_random_uuid(), 'medical', 'searching', 'routine', now() - interval '1 second', now(), 0, 1,
       (SELECT escalation FROM kintaraa.need LIMIT 1) FROM play.incident AS i WHERE client_id LIKE 'many-%';
SET LOCAL session_replication_role = origin;
DELETE FROM kintaraa.duty;
SELECT kintaraa.need_sweep(1000) \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.notification AS n JOIN play.incident AS i ON i.id = n.bucket
    WHERE i.client_id LIKE 'many-%'), 21000, 'a hundred are called for each of 210 needs');
SELECT is(play.outcome('account_deactivate', 'root', ARRAY[(SELECT n.account_id::text FROM kintaraa.notification AS n
    JOIN play.incident AS i ON i.id = n.bucket WHERE i.client_id = 'many-1' LIMIT 1)]), 'none',
    'one who was told of all of them is switched off');
SELECT is((SELECT count(*)::int FROM kintaraa.notification AS n JOIN play.incident AS i ON i.id = n.bucket
    WHERE i.client_id LIKE 'many-%'), 42000, 'and others are called for each');
-- Reports that are routed before the answer to a push, which tells the versions that stand.
INSERT INTO kintaraa.duty SELECT a.centre_id, a.id, 'dispatcher', now() - interval '1 hour', now() + interval '1 hour'
  FROM kintaraa.account AS a WHERE a.role = 'dispatcher' AND a.is_active LIMIT 351;
CREATE TEMP TABLE pushed AS SELECT r ->> 'id' AS id, (r ->> 'serverVersion')::bigint AS version
  FROM jsonb_array_elements((play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'phone', 'records', (
    SELECT jsonb_agg(jsonb_build_object('table', 'incidents', 'id', 'pushed-' || n, 'data', jsonb_build_object(
        'supportServices', '["medical", "legal", "police", "counseling", "shelter", "emergency"]'::jsonb)))
      FROM generate_series(1, 10) AS n)))).body -> 'results') AS r;
SELECT is((SELECT count(*)::int FROM kintaraa.notification AS n JOIN play.incident AS i ON i.id = n.bucket
    WHERE i.client_id LIKE 'pushed-%'), 21060, 'all 351 on duty are called for each of 60 needs');
SELECT is((SELECT count(*)::int FROM pushed AS p JOIN play.incident AS i ON i.client_id = p.id
    JOIN kintaraa.change AS c ON c.id = i.id AND c.version = p.version), 10, 'and answers with versions that stand');
SELECT is((SELECT count(*)::int FROM kintaraa.notification AS n WHERE NOT EXISTS (SELECT FROM kintaraa.change AS c
    WHERE c.bucket = n.account_id AND c.noun = 'notification' AND c.id = n.id AND c.version = 1)), 0,
    'every notice is stamped once');
UPDATE kintaraa.setting SET value = '"hybrid"' WHERE name = 'routing_mode';

-- Rules that a DBA took away are an error that names them, for all who come after, too.
CREATE FUNCTION pg_temp.unruly(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    EXECUTE what;
    told := play.outcome('incident_create', 'amina', NULL, '{"id": "unruly", "supportServices": ["medical"]}');
    RAISE EXCEPTION USING MESSAGE = told;
EXCEPTION WHEN raise_exception THEN
    RETURN SQLERRM;
END
$$;
SELECT matches(pg_temp.unruly(what), 'KN901', what) FROM unnest(ARRAY[
    'DELETE FROM kintaraa.setting WHERE name = ''routing_mode''',
    'UPDATE kintaraa.setting SET value = ''null'' WHERE name = ''routing_mode''',
    'UPDATE kintaraa.policy SET body = ''[]'' WHERE kind = ''escalation''']) AS what;
SELECT is(pg_temp.unruly('SELECT 1'), 'created', 'and put back, all is well');

-- Whoever was told of a need that could wait is told when it cannot any more.
SELECT play.report('amina', 'hurried', '{shelter}') AS hurried \gset
SELECT pg_temp.calls(:'hurried') AS calls \gset
SELECT is((SELECT state || ' ' || urgency_level FROM kintaraa.need WHERE bucket = :'hurried'),
    'needs_dispatcher routine', 'people have a routine need');
SELECT play.outcome('incident_update', 'amina', '{hurried}', '{"urgencyLevel": "immediate"}') \g /dev/null
SELECT is(pg_temp.calls(:'hurried'), 2 * :calls, 'they are called again when it becomes immediate');
SELECT play.outcome('incident_update', 'amina', '{hurried}', '{"description": "words"}') \g /dev/null
SELECT is(pg_temp.calls(:'hurried'), 2 * :calls, 'and not for another change');

-- More urgent before it was routed at all: it begins at the first level.
SELECT play.helper('advocate', 'legal', -1.2801, 36.8201, 20) \g /dev/null
SELECT play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'phone', 'records', jsonb_agg(
    jsonb_build_object('table', 'incidents', 'id', 'late-' || n, 'data',
    '{"supportServices": ["legal"]}'::jsonb)))) FROM generate_series(1, 11) AS n \g /dev/null
SELECT play.outcome('incident_update', 'amina', '{late-1}', '{"urgencyLevel": "immediate"}') \g /dev/null
CREATE FUNCTION pg_temp.late() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', n.state, n.level, n.urgency_level)
  FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket WHERE i.client_id = 'late-1' $$;
SELECT is(pg_temp.late(), 'searching 0 immediate', 'a need of a long batch waits for its routing');
SELECT kintaraa.need_sweep(1000) \g /dev/null
SELECT is(pg_temp.late(), 'offered 1 immediate', 'and asks the nearest first');
SELECT * FROM finish();
