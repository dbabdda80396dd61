-- policy_get, policy_put: a change is a new version, and only one that can be read.
\ir include/identity.sql
SELECT plan(53);

CREATE TEMP TABLE admin AS SELECT pg_temp.staff('admin', 'admin@example.org') AS a;
CREATE FUNCTION pg_temp.put(kind text, input jsonb, if_match text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('policy_put', (SELECT pg_temp.access(a) FROM admin), jsonb_build_object('body', input),
    ARRAY[kind],
                           context => jsonb_strip_nulls(jsonb_build_object('ifMatch', if_match))) $$;
CREATE FUNCTION pg_temp.now_in_force(text) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT body FROM kintaraa.policy WHERE kind = $1 ORDER BY version DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.wrong(kind text, input jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT pg_temp.put(%L, %L)', kind, input) $$;

SELECT is(pg_temp.told(pg_temp.door(d, pg_temp.access(pg_temp.staff(r, r || d || '@example.org')), '{"body":{}}',
    '{retention}')), 'refused KN201',
    r || ': no ' || d) FROM unnest(ARRAY['dispatcher', 'analyst']) AS r, unnest(ARRAY['policy_get', 'policy_put']) AS d;
SELECT is(pg_temp.told(pg_temp.door(d, NULL, '{"body":{}}', '{retention}')), 'unknown KN101', 'nobody: no ' || d)
    FROM unnest(ARRAY['policy_get', 'policy_put']) AS d;

SELECT is(pg_temp.door('policy_get', (SELECT pg_temp.access(a) FROM admin),
    path => ARRAY[k]) - '{serverTime,createdAt,outcome}'::text[],
    jsonb_build_object('kind', k, 'version', CASE k WHEN 'retention' THEN 2 ELSE 1 END,
    'body', pg_temp.now_in_force(k)), k || ' is shown as it is in force')
  FROM unnest(ARRAY['routing', 'escalation', 'retention']) AS k;
SELECT is(pg_temp.told(pg_temp.put(k, pg_temp.now_in_force(k))), 'ok', k || ' takes what it holds')
    FROM unnest(ARRAY['routing', 'escalation', 'retention']) AS k;
SELECT is((SELECT array_agg(DISTINCT pg_temp.told(pg_temp.put('retention', pg_temp.now_in_force('retention'), '"1"')))
    FROM generate_series(1, 6)), '{ok}', 'the same again is the version in force, whatever If-Match says');
SELECT is((SELECT count(*) FROM kintaraa.policy), 4::bigint, 'and no version more');
SELECT is(pg_temp.put('retention', pg_temp.now_in_force('retention') || '{"session_days":31}') ->> 'version', '3',
    'a change counts on');
SELECT is(pg_temp.now_in_force('retention') -> 'session_days', '31', 'and is in force');
SELECT is((SELECT created_by FROM kintaraa.policy WHERE kind = 'retention' AND version = 3),
    (SELECT pg_temp.user_id(a) FROM admin), 'under the name of who did it');

-- two administrators at once
SELECT is(pg_temp.told(pg_temp.put('retention', pg_temp.now_in_force('retention') || '{"session_days":32}',
    '"2"')), 'stale KN412',
    'a change of an older version is refused');
SELECT is(pg_temp.told(pg_temp.put('retention', pg_temp.now_in_force('retention') || '{"session_days":32}',
    '"3"')), 'ok',
    'of the present one not');

-- what cannot be read
SELECT is(pg_temp.told(pg_temp.put('taxes', '{}')), 'absent KN301', 'a kind that is none');
SELECT throws_ok($$ SELECT pg_temp.door('policy_put', (SELECT pg_temp.access(a) FROM admin), '{}', '{retention}') $$,
    'KN502', NULL, 'no body');
SELECT throws_ok(pg_temp.wrong(k, '[]'), 'KN501', NULL, k || ' that is an array')
    FROM unnest(ARRAY['escalation', 'retention']) AS k;
SELECT throws_like(pg_temp.wrong('routing', '[]'), '%', 'routing that is an array');
SELECT throws_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') - 'session_days'), 'KN502', NULL,
    'retention with a figure missing');
SELECT throws_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') || '{"mercy_days":1}'), 'KN509', NULL,
    'with one too many');
SELECT throws_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') || '{"session_days":0}'), 'KN504', NULL,
    'with none');
SELECT lives_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') || '{"session_days":1000000}'),
    'with the largest');
SELECT throws_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') || '{"session_days":1000001}'), 'KN504',
    NULL, 'with one larger');
SELECT throws_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') || '{"session_days":1.5}'), 'KN504',
    NULL, 'with half a day');
SELECT throws_ok(pg_temp.wrong('retention', pg_temp.now_in_force('retention') || '{"session_days":"30"}'), 'KN503',
    NULL, 'with a text');
SELECT throws_ok(pg_temp.wrong('escalation', pg_temp.now_in_force('escalation') - 'routine'), 'KN502', NULL,
    'escalation without routine cases');
SELECT throws_ok(pg_temp.wrong('escalation', pg_temp.now_in_force('escalation') || '{"never":1}'), 'KN509', NULL,
    'with an urgency more');
SELECT throws_ok(pg_temp.wrong('escalation', jsonb_set(pg_temp.now_in_force('escalation'), '{urgent}', '1')), 'KN501',
    NULL, 'with a number for rules');
SELECT throws_ok(pg_temp.wrong('escalation', jsonb_set(pg_temp.now_in_force('escalation'), '{urgent,levels}', '[]')),
    'KN505', NULL, 'without a level');
SELECT throws_ok(pg_temp.wrong('escalation', jsonb_set(pg_temp.now_in_force('escalation'), '{urgent,levels,0,who}',
    '"nobody"')), 'KN504', NULL, 'that asks nobody');
SELECT throws_ok(pg_temp.wrong('escalation', jsonb_set(pg_temp.now_in_force('escalation'), '{urgent,levels,3}',
    '{"who":"providers","k":1,"minutes":5,"radius_factor":1}')), 'KN504', NULL,
    'that leaves a case without an owner');
SELECT throws_ok(pg_temp.wrong('escalation', jsonb_set(pg_temp.now_in_force('escalation'), '{urgent,levels,0,k}',
    '9')), 'KN504', NULL, 'that asks nine at once');
SELECT lives_ok(pg_temp.wrong('escalation', jsonb_set(pg_temp.now_in_force('escalation'), '{urgent,levels,0,k}',
    '8')), 'or eight');
SELECT throws_ok(pg_temp.wrong('routing', pg_temp.now_in_force('routing') - 'services'), 'KN504', NULL,
    'routing without services');
SELECT throws_ok(pg_temp.wrong('routing', jsonb_set(pg_temp.now_in_force('routing'), '{travel,speed_kmh}', '0')),
    'KN504', NULL, 'that stands still');
SELECT throws_ok(format($$ SELECT pg_temp.put('retention', '{"x":"%s"}') $$, repeat('x', 65536)), 'KN505', NULL,
    'a body too long');
SELECT ok(NOT has_table_privilege('kintaraa_system', 'kintaraa.policy', p), 'doors have no right to ' || p
    || ' a version')
  FROM unnest(ARRAY['UPDATE', 'DELETE']) AS p;
-- a word that nobody reads is a rule that does not hold
SELECT throws_ok(pg_temp.wrong('routing', jsonb_set(pg_temp.now_in_force('routing'), path, value)), 'KN509', NULL,
    'routing with an unknown word at ' || path::text)
  FROM (VALUES ('{nevr}'::text[], '{}'::jsonb), ('{never,urgnt}', '["police"]'), ('{radius_km,urgnt}', '5'),
               ('{travel,speed}', '5'), ('{ack,memry}', '5'), ('{ack,prior_minutes,clinic}', '5'),
               ('{weights,urgnt}', '{}'), ('{weights,urgent,lod}', '1')) AS t (path, value);
DELETE FROM kintaraa.policy WHERE kind = 'retention';
SELECT is(pg_temp.told(pg_temp.put('retention', '{"x": 1}')), 'absent KN301',
    'retention without a version in force is absent, not a crash');
SELECT finish();
