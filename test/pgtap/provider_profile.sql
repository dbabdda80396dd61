-- The directory, and what a team says of itself.
\ir ../data/play.sql
SELECT plan(77);

SELECT play.helper('clinic', 'healthcare', -1.28, 36.82) AS clinic \gset
SELECT play.staff('dora', 'dispatcher'), play.staff('admin', 'admin'), play.register('amina') \g /dev/null
CREATE TEMP TABLE team AS SELECT n, play.team(CASE WHEN n % 2 = 0 THEN 'legal' ELSE 'police' END, -1.28,
    36.82 + n * 0.01, telephone => true) AS id
  FROM generate_series(1, 7) AS n;

-- Who may look, and at what.
SELECT is(play.outcome('provider_list', who), 'ok', who || ' sees the directory') FROM unnest(ARRAY['clinic', 'dora',
       'admin']) AS who;
SELECT is(play.outcome('provider_list', 'amina'), 'refused KN201', 'a survivor does not');
SELECT is(play.outcome(door, who, input => '{"available": true}'), 'refused KN201', who || ': ' || door)
  FROM unnest(ARRAY['amina', 'dora']) AS who, unnest(ARRAY['provider_get', 'provider_update',
      'provider_availability']) AS door;
CREATE FUNCTION pg_temp.items(who text, query jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
SELECT (play.call('provider_list', who, query => query)).body -> 'items'
$$;
SELECT is(jsonb_array_length(pg_temp.items('dora')), 8, 'all are listed');
SELECT ok(pg_temp.items('dora') -> 0 ?& '{load,capacity,dispatchable,answerMinutes,lastOffers}',
       'a dispatcher sees how busy they are');
SELECT ok(NOT pg_temp.items('clinic') -> 0 ?| '{load,capacity,dispatchable,answerMinutes,lastOffers,hours}',
       'a colleague does not');
SELECT is(jsonb_array_length(pg_temp.items('dora', '{"type": "legal"}')), 3, 'by type');
SELECT is(jsonb_array_length(pg_temp.items(who, '{"near": "-1.28,36.85"}')), 8, who || ': by distance')
       FROM unnest(ARRAY['clinic', 'dora']) AS who;
SELECT is(pg_temp.items('clinic', '{"near": "-1.28,36.85", "type": "police"}') #>> '{0,id}', (SELECT id::text FROM team
       WHERE n = 3), 'nearest first');
SELECT is(pg_temp.items('clinic', '{"near": "-1.28,36.85"}') #>> '{0,distanceKm}', '0.0', 'with kilometres');
UPDATE kintaraa.provider SET is_available = false WHERE id = (SELECT id FROM team WHERE n = 1);
SELECT is(jsonb_array_length(pg_temp.items('dora', '{"available": "true"}')), 7, 'who is available');
SELECT is(jsonb_array_length(pg_temp.items('dora', '{"available": "false"}')), 1, 'and who is not');
SELECT is(play.outcome('provider_list', 'dora', query => query), 'KN508', 'refused: ' || query::text) FROM unnest(ARRAY[
    '{"type": "nurse"}', '{"available": "1"}', '{"near": "1"}', '{"near": "1,2,3"}', '{"near": "91,0"}',
        '{"near": "0,181"}', '{"near": "nan,1"}',
    '{"limit": "0"}', '{"limit": "101"}', '{"after": "x"}']::jsonb[]) AS query;

-- Pages: complete and without repetition, in both orders.
CREATE FUNCTION pg_temp.pages(who text, query jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb;
    seen jsonb := '[]';
    pages integer := 0;
BEGIN
    LOOP
        SELECT body INTO answer FROM play.call('provider_list', who, query => query
               || COALESCE(jsonb_build_object('after', answer ->> 'next'), '{}'));
        seen := seen || (answer -> 'items');
        pages := pages + 1;
        EXIT WHEN answer ->> 'next' IS NULL OR pages > 20;
    END LOOP;
    RETURN pages || ' pages, ' || (SELECT count(DISTINCT i ->> 'id') || ' of ' || count(*)
        FROM jsonb_array_elements(seen) AS i);
END
$$;
SELECT is(pg_temp.pages(who, query), '3 pages, 8 of 8', who || ' turns pages ' || query::text)
  FROM unnest(ARRAY['clinic', 'dora']) AS who, unnest(ARRAY['{"limit": "3"}',
      '{"limit": "3", "near": "-1.28,36.85"}']::jsonb[]) AS query;

-- The own profile.
CREATE FUNCTION pg_temp.patch(input jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT (play.call('provider_update', 'clinic', input => input)).body
$$;
SELECT is((play.call('provider_get', 'clinic')).body ->> 'id', :'clinic', 'a team reads its own profile');
SELECT is(pg_temp.patch('{"languages": ["sw", "luo"], "capacity": 3}') -> 'languages', '["sw", "luo"]',
       'languages are set');
SELECT is((langs, capacity)::text, (kintaraa.provider_mask('language', '{sw,luo}'), 3)::text, 'and routed by at once')
  FROM kintaraa.provider_dispatch WHERE provider_id = :'clinic';
SELECT is((play.call('provider_get', 'clinic')).body ->> 'capacity', '3', 'what is not sent stays');
SELECT is(pg_temp.patch('{"skills": ["child"], "gender": "female"}') -> 'capacity', '3', 'as before');
SELECT is((b ->> 'serverVersion')::int + 1, (pg_temp.patch('{"gender": null}') ->> 'serverVersion')::int,
       'each change is a version')
  FROM (SELECT (play.call('provider_get', 'clinic')).body AS b OFFSET 0) AS v;
SELECT ok(gender IS NULL AND skills = '{child}', 'null empties one member') FROM kintaraa.provider WHERE id = :'clinic';
SELECT is(pg_temp.patch('{"languages": null}') -> 'languages', '[]', 'or a list');
SELECT is(pg_temp.patch('{}') ->> 'serverVersion', (play.call('provider_get', 'clinic')).body ->> 'serverVersion',
       'an empty change is none');
SELECT is(pg_temp.patch('{"hours": {"mon": [["22:00", "06:00"]], "closed": ["2026-12-25"]}}') -> 'hours',
          '{"mon": [["22:00", "06:00"]], "closed": ["2026-12-25"]}', 'hours are set');
SELECT is(pg_temp.patch('{"hours": {}}') ->> 'dispatchable', 'false', 'never open is never offered work');
SELECT is(pg_temp.patch('{"hours": null}') ->> 'dispatchable', 'true', 'always open is');
SELECT is(play.outcome('provider_update', 'clinic', input => v.wish::jsonb), v.code, 'refused: ' || v.wish) FROM (VALUES
    ('[]', 'KN501'), ('{"name": "Mine"}', 'KN509'), ('{"isVerified": true}', 'KN509'), ('{"languages": ["klingon"]}',
        'KN504'),
    ('{"languages": "sw"}', 'KN503'), ('{"skills": ["magic"]}', 'KN504'), ('{"gender": "both"}', 'KN504'),
        ('{"capacity": -1}', 'KN504'),
    ('{"capacity": 10001}', 'KN504'), ('{"capacity": "3"}', 'KN503'), ('{"hours": {"mon": [["25:00", "26:00"]]}}',
        'KN504'),
    ('{"hours": {"moonday": []}}', 'KN509'), ('{"hours": {"closed": ["2026-02-30"]}}', 'KN504')) AS v (wish, code);
SELECT is(play.outcome('provider_update', 'clinic', input => jsonb_build_object('hours', jsonb_build_object('mon',
       (SELECT jsonb_agg('["08:00","09:00"]'::jsonb) FROM generate_series(1, n))))),
          v.wanted, n || ' shifts a day') FROM (VALUES (8, 'ok'), (9, 'KN504')) AS v (n, wanted);
SELECT is(play.outcome('provider_update', 'clinic', input => jsonb_build_object('hours', jsonb_build_object('closed',
       (SELECT jsonb_agg('2026-12-25'::text) FROM generate_series(1, n))))),
          v.wanted, n || ' closed days') FROM (VALUES (366, 'ok'), (367, 'KN504')) AS v (n, wanted);
SELECT is(play.outcome('provider_update', 'clinic', input => jsonb_build_object('languages',
       (SELECT jsonb_agg('sw'::text) FROM generate_series(1, n)))),
          v.wanted, n || ' languages') FROM (VALUES (32, 'ok'), (33, 'KN505')) AS v (n, wanted);
SELECT play.call('provider_update', 'clinic', input => '{"hours": null}') \g /dev/null

-- Available or not.
CREATE FUNCTION pg_temp.available(input jsonb) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', outcome, body ->> 'code', body ->> 'available', body ->> 'dispatchable',
       body ->> 'availableUntil')
  FROM play.call('provider_availability', 'clinic', input => input)
$$;
SELECT is(pg_temp.available('{"available": false}'), 'ok false false', 'not available');
SELECT is(pg_temp.available('{"available": true}'), 'ok true true', 'available again');
SELECT is(pg_temp.available(jsonb_build_object('available', false, 'until',
       to_char((now() + interval '2 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T06:30:00+03:00"'))),
          'ok false false ' || to_char((now() + interval '2 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T03:30:00.000Z"'),
              'until a time of any zone');
SELECT is(pg_temp.available(input::jsonb), wanted, input) FROM (VALUES
    ('{}', 'KN502'), ('{"available": "yes"}', 'KN503'), ('{"available": true, "note": 1}', 'KN509'),
    ('{"available": true, "until": "tomorrow"}', 'KN504'), ('{"available": true, "until": "2020-01-01T00:00:00Z"}',
        'KN504'),
    ('{"available": true, "until": "2099-01-01T00:00:00Z"}', 'KN504'),
        ('{"available": true, "until": "2026-02-30T00:00:00Z"}', 'KN504'),
    ('{"available": true, "until": "2026-02-01T00:00:00"}', 'KN504')) AS v (input, wanted);
SELECT is(count(*)::int, 3, 'each change is in the trail') FROM kintaraa.audit WHERE action = 'provider_availability'
       AND outcome = 'ok' AND target = :'clinic';
SELECT kintaraa.change_flush() \g /dev/null
SELECT finish();
