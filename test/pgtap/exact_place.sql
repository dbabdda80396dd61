-- Whoever knows where all teams are cannot work out where she is: the attacker's side.
-- Two reports of one cell, kilometres apart, lead to the same answers, rows and order everywhere;
-- what tells two places of a cell apart is nothing, so that whatever is solved is the cell.
\ir ../data/play.sql
SELECT plan(15);

SELECT lives_ok($$ SELECT play.register('amina'), play.staff('dora', 'dispatcher'), play.staff('ada', 'admin'),
    play.helper('rescue', 'gbv_rescue', -1.27, 36.81, 10000), play.helper('clinic', 'healthcare', -1.25, 36.85, 10000),
    play.helper('home', 'social', -1.30, 36.78, 10000) $$, 'three teams whose places everybody knows');
SELECT play.team((ARRAY['healthcare', 'gbv_rescue', 'social'])[1 + n % 3], -1.28 + sin(n) * 0.06, 36.82 + cos(n *
    1.7) * 0.06,
                 10000, true) FROM generate_series(1, 30) AS n \g /dev/null

-- 500 pairs of reports; the cell is 0.045 degrees wide, and the two of a pair lie in opposite corners of one.
CREATE TEMP TABLE pair AS
SELECT n, c.latitude, c.longitude, side, (ARRAY['{emergency}', '{shelter}', '{medical}', '{emergency,shelter}'])[1 +
    n % 4]::text[]
           AS services,
       c.latitude + side * 0.020 AS at_latitude, c.longitude + side * (CASE n % 2 WHEN 0 THEN 1 ELSE -1 END) * 0.020
           AS at_longitude
  FROM generate_series(1, 500) AS n, (VALUES (-1), (1)) AS s (side),
       LATERAL (SELECT (floor((-1.28 + (n % 7 - 3) * 0.03) / 0.045) + 0.5) * 0.045 AS latitude,
                       (floor((36.82 + (n % 5 - 2) * 0.03) / 0.045) + 0.5) * 0.045 AS longitude) AS c;
CREATE TEMP TABLE sent AS
SELECT p.*, play.report('amina', format('p-%s-%s', n, side), services, jsonb_build_object('urgencyLevel', 'immediate',
           'location', jsonb_build_object('source', 'gps', 'coordinates', jsonb_build_object('latitude', at_latitude,
               'longitude', at_longitude)))) AS id
  FROM pair p ORDER BY n, side;
SELECT is(count(*)::int, 1000, 'a thousand reports') FROM sent;
SELECT cmp_ok(min(kintaraa.distance_km(a.at_latitude, a.at_longitude, b.at_latitude, b.at_longitude)), '>', 6::float8,
              'the two of a pair are more than 6 km apart') FROM sent a JOIN sent b ON a.n = b.n AND a.side < b.side;

-- Stored.
CREATE TEMP TABLE stored AS
SELECT s.n, s.side, jsonb_agg(jsonb_build_object('team', a.provider_id, 'service', a.service, 'km', a.distance_km,
           'cost', round(a.cost_minutes::numeric, 1), 'travel', a.components -> 'travel') ORDER BY a.service,
           a.cost_minutes, a.provider_id) AS seen
  FROM sent s JOIN kintaraa.assignment a ON a.incident_bucket = s.id GROUP BY s.n, s.side;
SELECT is(count(*)::int, 1000, 'each is offered to somebody') FROM stored;
SELECT is(count(*)::int, 0, 'rows of offers do not tell two places of a cell apart')
  FROM stored a JOIN stored b ON a.n = b.n AND a.side < b.side
 WHERE jsonb_path_query_array(a.seen, '$[*].km') <> jsonb_path_query_array(b.seen, '$[*].km')
    OR jsonb_path_query_array(a.seen, '$[*].travel') <> jsonb_path_query_array(b.seen, '$[*].travel');

-- Solved from the rows: the place that fits the distances best is the middle of the cell, not hers.
CREATE FUNCTION pg_temp.misfit(incident uuid, north float8, east float8) RETURNS float8 LANGUAGE sql AS $$
SELECT sum(abs(a.distance_km - kintaraa.distance_km(north, east, p.latitude, p.longitude)))
  FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id WHERE a.incident_bucket = incident $$;
CREATE TEMP TABLE solved AS
SELECT s.n, s.side, pg_temp.misfit(s.id, at_latitude, at_longitude) AS hers, pg_temp.misfit(s.id, s.latitude,
    s.longitude)
           AS cells,
       kintaraa.distance_km(at_latitude, at_longitude, s.latitude, s.longitude) AS off FROM sent s;
SELECT cmp_ok(max(cells), '<', 0.001::float8, 'the middle of the cell fits every distance') FROM solved;
SELECT is(count(*) FILTER (WHERE hers < 0.1)::int, 0, 'her place fits none of them') FROM solved;
SELECT cmp_ok(min(off), '>', 2::float8, 'and is more than 2 km from what is solved') FROM solved;

-- Shown: to a team that was asked, to dispatchers in lists and recommendations, on the socket's shape.
CREATE TEMP TABLE few AS SELECT * FROM sent WHERE n > 485;
CREATE FUNCTION pg_temp.blur(answer jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_agg(d ORDER BY d) FROM jsonb_path_query(answer, 'strict $.**.distanceKm') AS d $$;
CREATE TEMP TABLE shown AS
SELECT f.n, f.side, 'detail' AS place, pg_temp.blur(c.body) AS seen FROM few f, play.call('incident_get', 'dora',
    ARRAY[f.id::text]) AS c
UNION ALL
SELECT f.n, f.side, 'recommendations', jsonb_agg(jsonb_build_array(t -> 'distanceKm', t #> '{minutes,travel}') ORDER BY
           t -> 'distanceKm', t #> '{minutes,travel}')
  FROM few f, play.call('recommendation_list', 'dora', ARRAY[f.id::text]) AS c, jsonb_path_query(c.body,
      '$.items[*].candidates[*]') AS t GROUP BY 1, 2
UNION ALL
SELECT f.n, f.side, 'offers', jsonb_agg(jsonb_build_array(who, i -> 'distanceKm', i #> '{incident,cell}')
           ORDER BY who, i ->> 'service')
  FROM unnest(ARRAY['rescue', 'clinic', 'home']) AS who, play.call('assignment_list', who, query => '{"limit": "100"}')
           AS c, jsonb_array_elements(c.body -> 'items') AS i JOIN few f ON f.id = (i ->> 'incidentId')::uuid
 GROUP BY 1, 2;
SELECT is((SELECT format('%s differ', count(*) FILTER (WHERE a.seen IS DISTINCT FROM b.seen)) FROM shown a
            FULL JOIN shown b ON a.n = b.n AND a.place = b.place AND a.side < b.side
           WHERE (a.place = what OR b.place = what) AND a.side IS DISTINCT FROM 1 AND b.side IS DISTINCT FROM -1
          HAVING count(*) > 3), '0 differ', 'what is shown as ' || what || ' does not tell them apart')
  FROM unnest(ARRAY['detail', 'recommendations', 'offers']) AS what;

-- The trail and notices have no place at all.
SELECT is(count(*)::int, 0, 'no entry of the trail has a figure of a place') FROM kintaraa.audit
 WHERE concat_ws(' ', action, code, noun, fields) ~ '[0-9]\.[0-9]';
-- Teams that are asked are those nearest to the cell, wherever in it she is: whom nobody asks tells nothing either.
SELECT is(count(*)::int, 0, 'who is asked first does not depend on where in the cell she is')
  FROM (SELECT s.n, s.side, array_agg(a.distance_km ORDER BY a.distance_km) AS km FROM sent s
          JOIN kintaraa.assignment a ON a.incident_bucket = s.id GROUP BY 1, 2) AS a
  JOIN (SELECT s.n, s.side, array_agg(a.distance_km ORDER BY a.distance_km) AS km FROM sent s
          JOIN kintaraa.assignment a ON a.incident_bucket = s.id GROUP BY 1, 2) AS b ON a.n = b.n AND a.side < b.side
 WHERE a.km <> b.km;

-- What version 1.0 has stored comes over.
UPDATE kintaraa.assignment SET status = 'declined', due_at = NULL WHERE incident_bucket IN (SELECT id FROM sent WHERE
    n < 20);
UPDATE kintaraa.assignment a SET distance_km = kintaraa.distance_km(s.at_latitude, s.at_longitude, p.latitude,
    p.longitude)
  FROM sent s, kintaraa.provider p WHERE s.id = a.incident_bucket AND p.id = a.provider_id AND a.service <> 'medical';
SELECT cmp_ok(max(pg_temp.misfit(id, latitude, longitude)), '>', 1::float8, 'offers of version 1.0 give her away')
  FROM sent WHERE n <= 40 AND services <> '{medical}';
\ir include/old_ids.sql
\ir ../../migrations/0026_spelling.sql
RESET ROLE;
SELECT cmp_ok(max(pg_temp.misfit(id, latitude, longitude)), '<', 0.001::float8,
    'and do not any more, nor do their terms')
  FROM sent WHERE n <= 40 AND NOT EXISTS (SELECT FROM kintaraa.assignment a WHERE a.incident_bucket = sent.id
                                             AND a.service <> 'medical' AND a.components IS NOT NULL);
SELECT * FROM finish();
