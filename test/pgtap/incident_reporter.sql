-- Who reported and who it happened to are two: a helper is shown which one a name belongs to.
\ir ../data/play.sql
SELECT plan(14);
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
SELECT is(body -> 'reportedBy', '{"firstName": "lawyer", "lastName": null, "phone": null,
    "email": "lawyer@play.example", "providerName": "Team of lawyer"}', who || ' is shown who reported')
  FROM unnest(ARRAY['clinic', 'dora']) AS who, play.call('incident_get', who, ARRAY[:'other']);
SELECT is(body ?| '{survivor,reportedBy}', false, who || ' of a confidential one: neither')
  FROM unnest(ARRAY['clinic', 'dora']) AS who, play.call('incident_get', who, ARRAY[:'hidden']);
SELECT is(body ?| '{survivor,reportedBy}', false, 'whoever reported needs neither') FROM play.call('incident_get',
    'lawyer', '{other}');
SELECT is((SELECT count(*)::int FROM play.call('incident_list', 'clinic') AS c,
    jsonb_array_elements(c.body -> 'items') AS i WHERE i ?| '{survivor,reportedBy}'), 0, 'nor does a list have them');
SELECT * FROM finish();
