-- setting_list, setting_put: administrators change settings, and only to what fits.
\ir include/identity.sql
SELECT plan(37);

CREATE TEMP TABLE admin AS SELECT pg_temp.staff('admin', 'admin@example.org') AS a;
CREATE FUNCTION pg_temp.put(name text, value jsonb) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('setting_put', (SELECT pg_temp.access(a) FROM admin), jsonb_build_object('value', value),
    ARRAY[name]) $$;
CREATE FUNCTION pg_temp.wrong(name text, value jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT pg_temp.put(%L, %L)', name, value) $$;

SELECT is(pg_temp.told(pg_temp.door(d, pg_temp.access(pg_temp.staff(r, r || d || '@example.org')), '{"value":1}',
    '{routing_mode}')), 'refused KN201',
    r || ': no ' || d) FROM unnest(ARRAY['dispatcher', 'analyst']) AS r,
    unnest(ARRAY['setting_list', 'setting_put']) AS d;
SELECT is(pg_temp.told(pg_temp.door(d, pg_temp.access(pg_temp.register('s@example.org', 'three wet goats')),
    '{"value":1}', '{routing_mode}')), 'refused KN201',
    'survivor: no ' || d) FROM unnest(ARRAY['setting_list', 'setting_put']) AS d;

SELECT is((SELECT array_agg(i ->> 'name')
    FROM jsonb_array_elements(pg_temp.door('setting_list', (SELECT pg_temp.access(a) FROM admin)) -> 'items') AS i),
    (SELECT array_agg(name ORDER BY name) FROM kintaraa.setting), 'all are listed');
SELECT is(pg_temp.put('routing_mode', '"manual"') ->> 'value', 'manual', 'one is changed');
SELECT is((SELECT value FROM kintaraa.setting WHERE name = 'routing_mode'), '"manual"', 'in the table');
SELECT is((SELECT updated_by FROM kintaraa.setting WHERE name = 'routing_mode'),
    (SELECT pg_temp.user_id(a) FROM admin), 'under the name of who did it');
SELECT is((SELECT count(*) FROM kintaraa.audit WHERE action = 'setting_put' AND outcome = 'ok'
    AND fields = 'routing_mode'), 1::bigint, 'with an entry');
SELECT is(pg_temp.told(pg_temp.put('minimum_app_version', v)), 'ok', 'minimum_app_version may be ' || v::text)
  FROM unnest(ARRAY['"1.4.0"', '"0.0.1"', '"10.20.300"', 'null']::jsonb[]) AS v;
SELECT throws_ok(pg_temp.wrong('minimum_app_version', v), 'KN504', NULL, 'minimum_app_version may not be ' || v::text)
  FROM unnest(ARRAY['"1.4"', '"1.4.0.1"', '"v1.4.0"', '"1.4.-1"', '""', '1.4', '"1.4.0 "',
    '"111111111.2222222222.3"']::jsonb[]) AS v;
SELECT throws_ok(pg_temp.wrong('routing_mode', v), 'KN504', NULL, 'routing_mode may not be ' || v::text)
    FROM unnest(ARRAY['"auto"', 'null', '["manual"]']::jsonb[]) AS v;
SELECT is(pg_temp.told(pg_temp.put('hotlines', (SELECT jsonb_agg('{"number":"999","name":"Police"}'::jsonb)
    FROM generate_series(1, 20)))), 'ok', '20 hotlines');
SELECT throws_ok(pg_temp.wrong('hotlines', (SELECT jsonb_agg('{"number":"999","name":"Police"}'::jsonb)
    FROM generate_series(1, 21))), 'KN504', NULL, '21 hotlines');
SELECT throws_ok(pg_temp.wrong('hotlines', v::jsonb), 'KN504', NULL, 'hotlines may not be ' || v::text)
    FROM unnest(ARRAY['[]', '{}', '["999"]']) AS v;
SELECT throws_ok(pg_temp.wrong('hotlines', '[{"number":"999"}]'), 'KN502', NULL, 'a hotline has a name');
SELECT throws_ok(pg_temp.wrong('hotlines', '[{"number":"999","name":"x","url":"x"}]'), 'KN509', NULL,
    'and nothing else');
SELECT is(pg_temp.told(pg_temp.put('no_such', '1')), 'absent KN301', 'a setting that is not there');
SELECT throws_ok($$ SELECT pg_temp.door('setting_put', (SELECT pg_temp.access(a) FROM admin), '{}',
    '{routing_mode}') $$, 'KN502', NULL, 'no value');
SELECT throws_ok($$ SELECT pg_temp.door('setting_put', (SELECT pg_temp.access(a) FROM admin),
    '{"value":"hybrid","x":1}', '{routing_mode}') $$, 'KN509', NULL, 'too many');
SELECT is((SELECT value FROM kintaraa.setting WHERE name = 'routing_mode'), '"manual"', 'no refusal changed anything');
SELECT finish();
