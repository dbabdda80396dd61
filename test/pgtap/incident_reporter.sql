-- Who reported and who it happened to are two: a helper is shown which one a name belongs to.
\ir ../data/play.sql
SELECT plan(23);
SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.2801, 36.8201),
       play.helper('lawyer', 'legal', -1.2802, 36.8202), play.staff('dora', 'dispatcher') \g /dev/null
SELECT play.report('amina', 'own', '{medical}') AS own \gset
SELECT play.report('lawyer', 'other', '{medical}') AS other \gset
SELECT play.report('lawyer', 'hidden', '{medical}', '{"isAnonymous": true}') AS hidden \gset
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', id)::text]), 'ok', 'the clinic helps')
  FROM unnest(ARRAY[:'own', :'other', :'hidden']::uuid[]) AS id;

SELECT is(body #>> '{survivor,firstName}', 'amina', who || ' of her own report: her name') FROM unnest(ARRAY['clinic',
    'dora']) AS who, play.call('incident_get', who, ARRAY[:'own']);
SELECT is(body -> 'reportedBy', 'null', 'and nobody reported for her') FROM play.call('incident_get', 'clinic',
    ARRAY[:'own']);
SELECT is(body -> 'survivor', 'null', who || ' of a report for somebody: nothing is known of her')
  FROM unnest(ARRAY['clinic', 'dora']) AS who, play.call('incident_get', who, ARRAY[:'other']);
SELECT is(body -> 'reportedBy', '{"firstName": "lawyer", "lastName": null, "providerName": "Team of lawyer"}'
    || reachable, who || ' is shown who reported')
  FROM (VALUES ('clinic', '{}'::jsonb), ('dora', '{"phone": null, "email": "lawyer@play.example"}')) AS t (who,
    reachable),
       play.call('incident_get', who, ARRAY[:'other']);
SELECT is(body ?| '{survivor,reportedBy}', false, who || ' of a confidential one: neither')
  FROM unnest(ARRAY['clinic', 'dora']) AS who, play.call('incident_get', who, ARRAY[:'hidden']);
SELECT is(body ?| '{survivor,reportedBy}', false, 'whoever reported needs neither') FROM play.call('incident_get',
    'lawyer', '{other}');
SELECT is((SELECT count(*)::int FROM play.call('incident_list', 'clinic') AS c,
    jsonb_array_elements(c.body -> 'items') AS i WHERE i ?| '{survivor,reportedBy}'), 0, 'nor does a list have them');

-- A helper knows of her own need and of no other one.
SELECT play.helper('station', 'police', -1.2803, 36.8203) \g /dev/null
SELECT play.report('amina', 'many', '{medical,legal,police,shelter}') AS many \gset
SELECT is(play.outcome('assignment_accept', who, ARRAY[play.offer(who, :'many')::text]), 'ok', who || ' helps')
  FROM unnest(ARRAY['clinic', 'station']) AS who;
CREATE TEMP TABLE told AS
SELECT 'detail' AS place, body FROM play.call('incident_get', 'clinic', ARRAY[:'many'])
UNION ALL SELECT 'list', i FROM play.call('incident_list', 'clinic') AS c, jsonb_array_elements(c.body -> 'items') AS i
 WHERE i ->> 'id' = :'many'
UNION ALL SELECT 'pull', i FROM play.call('sync_updates', 'clinic', query => '{"since": "0"}') AS c,
       jsonb_path_query(c.body, '$.**.incidents[*]') AS i WHERE i ->> 'id' = :'many'
UNION ALL SELECT 'timeline', body FROM play.call('incident_timeline', 'clinic', ARRAY[:'many']);
SELECT is(count(DISTINCT place)::int, 4, 'four places tell of the case') FROM told;
SELECT is((SELECT count(*)::int FROM told t WHERE t.place = p AND (t.body::text ~ 'legal|police|shelter|station'
              OR t.body ->> 'supportServices' <> '["medical"]')), 0, p || ' tells of no other service')
  FROM unnest(ARRAY['detail', 'list', 'pull', 'timeline']) AS p;
SELECT is(body ->> 'supportServices', '["medical", "legal", "police", "shelter"]', who || ' reads them all')
  FROM (VALUES ('amina', 'many'), ('dora', :'many')) AS t (who, id), play.call('incident_get', who, ARRAY[id]);
SELECT * FROM finish();
