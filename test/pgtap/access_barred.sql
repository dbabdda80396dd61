-- For whom a case must never reach, it does not exist: not before an offer, nor with one, nor after acceptance; and
-- help goes on without him.
\ir ../data/play.sql
SELECT plan(55);
SELECT play.register('amina'), play.helper('near', 'healthcare', -1.2801, 36.8201),
       play.helper('far', 'healthcare', -1.2811, 36.8301), play.helper('third', 'healthcare', -1.2821, 36.8401),
       play.staff('dora', 'dispatcher') \g /dev/null
CREATE FUNCTION pg_temp.principal(who text, kind text) RETURNS uuid LANGUAGE sql AS $$
SELECT CASE kind WHEN 'account' THEN p.id WHEN 'team' THEN p.provider ELSE t.organisation_id END
  FROM play.person p JOIN kintaraa.provider t ON t.id = p.provider WHERE p.name = who
$$;
CREATE TEMP TABLE kind AS SELECT unnest(ARRAY['account', 'team', 'organisation']) AS kind;
SELECT play.report('amina', kind || stage, '{medical}', '{"urgencyLevel": "immediate"}')
  FROM kind, unnest(ARRAY['-offered', '-accepted', '-row']) AS stage \g /dev/null
CREATE TEMP TABLE kase AS
SELECT k.kind, i.id, play.offer('near', i.id) AS offer, split_part(i.client_id, '-', 2) AS stage
  FROM kind k JOIN play.incident i ON i.client_id LIKE k.kind || '-%';
SELECT play.outcome('assignment_accept', 'near', ARRAY[offer::text]) FROM kase WHERE stage = 'accepted' \g /dev/null

-- the row alone closes the case
INSERT INTO kintaraa.barred SELECT id, pg_temp.principal('near', kind) FROM kase WHERE stage = 'row';
SELECT is(play.outcome('assignment_accept', 'near', ARRAY[offer::text]), 'absent KN301',
    kind || ': the row alone keeps an offer from being accepted') FROM kase WHERE stage = 'row' ORDER BY kind;

SELECT kintaraa.bar(id, pg_temp.principal('near', kind)) FROM kase WHERE stage <> 'row' \g /dev/null
SELECT is(play.outcome('assignment_accept', 'near', ARRAY[offer::text]), 'absent KN301',
    kind || ': an offer cannot be accepted') FROM kase WHERE stage = 'offered' ORDER BY kind;
SELECT is(play.outcome('assignment_decline', 'near', ARRAY[offer::text], '{"reason": "capacity"}'), 'absent KN301',
    kind || ': nor declined') FROM kase WHERE stage = 'offered' ORDER BY kind;
SELECT is((SELECT status FROM kintaraa.assignment WHERE id = offer)::text, 'withdrawn', kind || ': it is withdrawn')
  FROM kase WHERE stage = 'offered' ORDER BY kind;
SELECT is((SELECT string_agg(state, ' ') FROM kintaraa.need WHERE bucket = kase.id), 'offered',
    kind || ': the others are still asked') FROM kase WHERE stage = 'offered' ORDER BY kind;
SELECT is(play.outcome('incident_get', 'near', ARRAY[id::text]), 'absent KN301',
    kind || ': a case that was held cannot be read') FROM kase WHERE stage = 'accepted' ORDER BY kind;
SELECT is(play.outcome('incident_status', 'near', ARRAY[id::text], '{"status": "completed"}'), 'absent KN301',
    kind || ': nor moved') FROM kase WHERE stage = 'accepted' ORDER BY kind;
SELECT is((SELECT status FROM kintaraa.assignment WHERE id = offer)::text, 'released', kind || ': it is released')
  FROM kase WHERE stage = 'accepted' ORDER BY kind;
SELECT is((SELECT string_agg(state, ' ') FROM kintaraa.need WHERE bucket = kase.id), 'offered',
    kind || ': and searched for anew') FROM kase WHERE stage = 'accepted' ORDER BY kind;
SELECT is((SELECT count(*)::int FROM kintaraa.assignment a JOIN kintaraa.provider p ON p.id = a.provider_id
            WHERE a.incident_bucket = k.id AND a.status = 'pending' AND p.name = 'Team of near'), 0,
    kind || ': not from them') FROM kase k WHERE stage = 'accepted' ORDER BY kind;
SELECT is((SELECT load FROM kintaraa.provider_dispatch WHERE provider_id = pg_temp.principal('near', 'team')), 0,
    'the capacity of the team is free');
SELECT is((SELECT count(*)::int FROM play.broken WHERE what !~ 'counter'), 0, 'nothing is broken')
  FROM (SELECT count(*) FROM kase) AS k;
SELECT is(play.outcome('assignment_accept', 'far', ARRAY[play.offer('far', id)::text]), 'ok',
    kind || ': another takes it')
  FROM kase WHERE stage = 'accepted' ORDER BY kind;
SELECT is((SELECT count(*)::int FROM play.call('assignment_list', 'near') AS c,
    jsonb_array_elements(c.body -> 'items')), 0, 'no list of theirs shows one of them');
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE action = 'bar'), 6, 'each leaves an entry');

-- what it is given is checked; again is harmless
SELECT id AS one FROM kase WHERE stage = 'offered' AND kind = 'team' \gset
SELECT lives_ok(format('SELECT kintaraa.bar(%L, %L)', :'one', pg_temp.principal('near', 'team')), 'again is harmless');
SELECT throws_ok(format('SELECT kintaraa.bar(%L, %L)', gen_random_uuid(), pg_temp.principal('near', 'team')), 'P0002',
    'there is no incident of that id', 'a case that is none');
SELECT throws_ok(format('SELECT kintaraa.bar(%L, %L)', :'one', gen_random_uuid()), 'P0002',
    'there is nobody of that id', 'a principal that is none');
SELECT throws_ok(format('SELECT kintaraa.bar(%L, %L)', :'one', id), '22023',
    'whoever reported a case is not barred from it', 'its owner') FROM play.person WHERE name = 'amina';
SELECT throws_ok(format('SELECT kintaraa.bar(%L, %L)', :'one', '00000000-0000-4000-8000-000000000001'), '55000',
    'the only dispatch centre cannot be barred from a case', 'the only centre');
INSERT INTO kintaraa.organisation (id, kind, name) VALUES ('00000000-0000-4000-8000-000000000002', 'dispatch_centre',
    'Second centre');
SELECT lives_ok(format('SELECT kintaraa.bar(%L, %L)', :'one', '00000000-0000-4000-8000-000000000001'),
    'one of two can');
SELECT is(play.outcome('incident_get', 'dora', ARRAY[:'one']), 'absent KN301', 'its people find nothing');
SELECT throws_ok(format('SELECT kintaraa.bar(%L, %L)', :'one', '00000000-0000-4000-8000-000000000002'), '55000',
    'the only dispatch centre cannot be barred from a case', 'the one that is left cannot');

-- a team with somebody left goes on, without whom was barred
SELECT kintaraa.invite('provider', pg_temp.principal('third', 'team')) AS code \gset
SELECT play.register('fourth', jsonb_build_object('invitation', :'code')),
       play.report('amina', 'two', '{medical}', '{"urgencyLevel": "immediate"}') AS two \gset
SELECT play.outcome('assignment_accept', 'third', ARRAY[play.offer('third', :'two')::text]) \g /dev/null
SELECT kintaraa.bar(:'two', pg_temp.principal('third', 'account')) \g /dev/null
SELECT is(play.outcome('incident_get', 'third', ARRAY[:'two']), 'absent KN301', 'one of two in a team is barred');
SELECT is(play.outcome('incident_get', 'fourth', ARRAY[:'two']), 'ok', 'the other one goes on');
SELECT is((SELECT state FROM kintaraa.need WHERE bucket = :'two')::text, 'engaged',
    'and the need stays with the team');
SELECT kintaraa.bar(:'two', pg_temp.principal('fourth', 'account')) \g /dev/null
SELECT is((SELECT state FROM kintaraa.need WHERE bucket = :'two')::text, 'offered', 'until the last one is barred');
SELECT is((SELECT count(*)::int FROM kintaraa.assignment WHERE incident_bucket = :'two' AND status = 'pending'
    AND provider_id = pg_temp.principal('third', 'team')), 0, 'then it is not asked any more');

-- a conflict that is told ends every part the team has in the case
SELECT play.report('amina', 'three', '{medical,emergency}', '{"urgencyLevel": "immediate"}') AS three \gset
SELECT is(count(*)::int, 2, 'a team has two offers of a case') FROM kintaraa.assignment
 WHERE incident_bucket = :'three' AND provider_id = pg_temp.principal('near', 'team');
SELECT a.id AS first FROM kintaraa.assignment a WHERE a.incident_bucket = :'three'
   AND a.provider_id = pg_temp.principal('near', 'team') AND a.service = 'medical' \gset
SELECT is(play.outcome('assignment_decline', 'near', ARRAY[:'first'], '{"reason": "conflict"}'), 'ok',
    'it has a conflict and declines one');
SELECT is(string_agg(status, ' ' ORDER BY status), 'declined withdrawn', 'the other one is withdrawn')
  FROM kintaraa.assignment WHERE incident_bucket = :'three' AND provider_id = pg_temp.principal('near', 'team');
SELECT is((SELECT count(*)::int FROM play.call('assignment_list', 'near') AS c,
    jsonb_array_elements(c.body -> 'items') AS i JOIN kintaraa.assignment a ON a.id::text = i ->> 'id'
    WHERE a.incident_bucket = :'three'), 0, 'and none of them is on its list');
SELECT is((SELECT count(*)::int FROM play.broken WHERE what !~ 'counter'), 0, 'nothing is broken in the end');
SELECT * FROM finish();
