\ir ../data/play.sql
SELECT plan(96);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201, 2), play.helper('second', 'healthcare', -1.2802, 36.8202),
    play.helper('third', 'healthcare', -1.2803, 36.8203),
       play.helper('lawyer', 'legal', -1.2804, 36.8204), play.staff('dora', 'dispatcher'), play.staff('barred',
           'dispatcher'), play.register('amina') \g /dev/null
CREATE FUNCTION pg_temp.load(who text) RETURNS integer LANGUAGE sql AS
    $$ SELECT d.load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id
        WHERE p.name = who $$;
CREATE FUNCTION pg_temp.team(who text) RETURNS text LANGUAGE sql AS $$ SELECT provider::text FROM play.person
    WHERE name = who $$;
CREATE FUNCTION pg_temp.need(incident uuid, service text DEFAULT 'medical') RETURNS kintaraa.need LANGUAGE sql AS
    $$ SELECT n FROM kintaraa.need n WHERE n.bucket = $1 AND n.service = $2 $$;
CREATE FUNCTION pg_temp.offers(incident uuid) RETURNS text[] LANGUAGE sql AS
    $$ SELECT array_agg(p.name || ' ' || a.status || ' ' || a.round ORDER BY a.round, p.name)
        FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id
        WHERE a.incident_bucket = incident $$;

SELECT play.report('amina', 'race', '{medical}', '{"urgencyLevel": "immediate"}') AS race \gset
SELECT is(pg_temp.offers(:'race'), '{"clinic pending 1","second pending 1","third pending 1"}',
    '6.8: an immediate need goes to three at once');
SELECT is(body ->> 'status' || ' ' || (body #>> '{incident,id}'), 'accepted ' || :'race',
    'the clinic accepts and has the case') FROM play.call('assignment_accept', 'clinic', ARRAY[play.offer('clinic',
    :'race')::text]);
SELECT is(pg_temp.offers(:'race'), '{"clinic accepted 1","second withdrawn 1","third withdrawn 1"}',
    'the others'' offers end');
SELECT is((pg_temp.need(:'race')).state || ' ' || ((pg_temp.need(:'race')).due_at > now())::text, 'engaged true',
    'contact is due');
SELECT is(pg_temp.load('clinic'), 1, 'capacity is taken');
SELECT is((SELECT status FROM play.incident WHERE id = :'race'), 'in_progress', 'the case follows');
SELECT is((SELECT count(*)::int FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
    WHERE p.name = 'amina' AND class = 'case_update'), 1, 'she is told that something changed');
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'race', 'accepted')::text]), 'ok',
    'C20: accepting again is the same answer');
SELECT is(pg_temp.load('clinic'), 1, 'and takes nothing more');
SELECT is(body ->> 'code' || ' ' || (body #>> '{current,status}') || ' ' || (body #>> '{current,incident}'),
    'KN403 withdrawn {}', 'C20: a late accept learns its own state and nothing of the case')
  FROM play.call('assignment_accept', 'second', ARRAY[play.offer('second', :'race', 'withdrawn')::text]);
SELECT is(play.outcome('assignment_decline', 'second', ARRAY[play.offer('second', :'race', 'withdrawn')::text],
    '{"reason": "other"}'), 'conflict KN403', 'a late decline as well');

SELECT play.report('amina', 'fill-' || n, '{medical}', '{"urgencyLevel": "immediate"}') FROM generate_series(2,
    3) AS n \g /dev/null
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', i.id)::text]), wanted,
    client_id || ' of two')
  FROM play.incident i, (VALUES ('fill-2', 'ok'), ('fill-3', 'conflict KN404')) AS t (id, wanted)
      WHERE client_id = t.id ORDER BY 1 DESC;
SELECT is(pg_temp.load('clinic'), 2, 'the load is the capacity');
SELECT is((SELECT pg_temp.offers(id) FROM play.incident WHERE client_id = 'fill-3'),
    '{"clinic pending 1","second pending 1","third pending 1"}', 'a refused acceptance leaves the offers');
SELECT play.report('amina', 'full', '{medical}', '{"urgencyLevel": "immediate"}') AS full \gset
SELECT is(pg_temp.offers(:'full'), '{"second pending 1","third pending 1"}', '6.3: a full team is not asked');

SELECT play.report('amina', 'routine', '{medical}') AS routine \gset
SELECT is(array_length(pg_temp.offers(:'routine'), 1), 1, '6.8: a routine need goes to one');
CREATE TEMP TABLE asked AS SELECT p.name, a.id FROM kintaraa.assignment a
    JOIN play.person p ON p.provider = a.provider_id WHERE incident_bucket = :'routine';
SELECT is(play.outcome('assignment_decline', name, ARRAY[id::text], body), wanted, 'decline ' || COALESCE(body::text,
    'without body')) FROM asked, (VALUES
    ('{}'::jsonb, 'KN502'), ('{"reason": "tired"}', 'KN504'), ('{"reason": 1}', 'KN503'), (NULL, 'KN501'),
        ('{"reason": "other", "x": 1}', 'KN509'), (jsonb_build_object('reason', 'other', 'note', repeat('x', 4001)),
        'KN505'))
    AS t (body, wanted);
SELECT is(play.outcome('assignment_decline', name, ARRAY[id::text], jsonb_build_object('reason', 'distance', 'note',
    repeat('x', 4000))), 'ok', 'declined') FROM asked;
SELECT is((pg_temp.need(:'routine')).state || ' ' || (pg_temp.need(:'routine')).level, 'offered 2',
    '6.8: the next level is asked at once');
SELECT is((SELECT count(*)::int FROM kintaraa.assignment a JOIN asked ON asked.id <> a.id
    WHERE incident_bucket = :'routine' AND status = 'pending' AND NOT EXISTS (SELECT FROM asked s
    JOIN play.person p ON p.name = s.name WHERE p.provider = a.provider_id)), 1, '6.3: another team');
SELECT is(play.outcome('assignment_decline', name, ARRAY[id::text], '{"reason": "distance"}'), 'ok',
    'declining again is the same answer') FROM asked;
SELECT is(play.outcome('assignment_accept', name, ARRAY[id::text]), 'conflict KN403',
    'one cannot accept what one declined') FROM asked;
SELECT is((SELECT needs FROM (SELECT body -> 'needs' AS needs FROM play.call('incident_get', 'amina',
    '{routine}')) AS t) #>> '{0,status}', 'searching', 'PV3: she sees that we look');
SELECT is((SELECT (body -> 'assignments')::text FROM play.call('incident_get', 'amina', '{routine}')), '[]',
    'PV3: and nothing of refusals');
SELECT is((SELECT COUNT(*)::int FROM kintaraa.assignment WHERE id IN (SELECT id FROM asked) AND note_sealed IS NOT NULL
    AND position('xxxx' IN encode(note_sealed, 'escape')) = 0), 1, 'the note is sealed');
SELECT is(play.outcome('assignment_decline', 'lawyer', ARRAY[id::text], '{"reason": "other"}'), 'absent KN301',
    'PV8: not by another team') FROM asked;

SELECT play.report('amina', 'conflict', '{medical}', '{"urgencyLevel": "immediate"}') AS conflict \gset
SELECT is(play.outcome('assignment_decline', 'second', ARRAY[play.offer('second', :'conflict')::text],
    '{"reason": "conflict"}'), 'ok', 'a conflict of interest');
SELECT is((SELECT count(*)::int FROM kintaraa.barred WHERE bucket = :'conflict'), 1, 'bars the team');
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'conflict'], jsonb_build_object('providerId',
    pg_temp.team('second'), 'service', 'medical')), 'conflict KN406', 'PV4: even a dispatcher cannot give it to it');
SELECT unalike(body::text, '%conflict of interest%', 'PV4: and is not told why') FROM play.call('assignment_assign',
    'dora', ARRAY[:'conflict'], jsonb_build_object('providerId', pg_temp.team('second'), 'service', 'medical'));

SELECT is(play.outcome('assignment_release', 'clinic', ARRAY[play.offer('clinic', :'race', 'accepted')::text], body),
    wanted, 'release ' || body::text) FROM (VALUES ('{}'::jsonb, 'KN502'), ('{"reason": ""}', 'KN505'),
    ('{"reason": "x", "y": 1}', 'KN509')) AS t (body, wanted);
SELECT is(play.outcome('assignment_release', 'second', ARRAY[play.offer('clinic', :'race', 'accepted')::text],
    '{"reason": "x"}'), 'absent KN301', 'not by another team');
SELECT is(play.outcome('assignment_release', 'clinic', ARRAY[play.offer('clinic', :'race', 'accepted')::text],
    '{"reason": "ill"}'), 'ok', 'released');
SELECT is(pg_temp.offers(:'race'),
    '{"clinic released 1","second withdrawn 1","third withdrawn 1","second pending 2","third pending 2"}',
    'a new round asks the others');
SELECT is(pg_temp.load('clinic'), 1, 'capacity is given back');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[:'race']), 'absent KN301', 'PV7: access has ended');
SELECT is((SELECT status FROM play.incident WHERE id = :'race'), 'new', 'the case follows');
SELECT is(play.outcome('assignment_release', 'clinic', ARRAY[play.offer('clinic', :'race', 'released')::text],
    '{"reason": "ill"}'), 'ok', 'again is the same answer');
SELECT is(pg_temp.load('clinic'), 1, 'and gives nothing back');
SELECT is((SELECT count(*)::int FROM play.broken), 0, 'nothing is broken');

SELECT is(play.outcome('assignment_assign', who, ARRAY[:'full'], jsonb_build_object('providerId',
    pg_temp.team('third'))), wanted, 'not by ' || who)
  FROM (VALUES ('amina', 'refused KN201'), ('clinic', 'refused KN201')) AS t (who, wanted);
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'full'], body), wanted, 'assign ' || COALESCE(body::text,
    'without body')) FROM (VALUES
    ('{}'::jsonb, 'KN502'), ('{"providerId": "x"}', 'KN506'), ('{"providerId": 5}', 'KN503'), (NULL, 'KN501'),
        ('{"providerId": "11111111-2222-4333-8444-555555555555"}', 'conflict KN405'),
    ('{"providerId": "11111111-2222-4333-8444-555555555555", "service": "medical"}', 'conflict KN406')) AS t (body,
        wanted);
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[id], jsonb_build_object('providerId',
    pg_temp.team('third'))), 'absent KN301', 'of ' || id) FROM unnest(ARRAY['11111111-2222-4333-8444-555555555555',
    'x', '']) AS id;
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'full'], jsonb_build_object('providerId',
    pg_temp.team('lawyer'))), 'conflict KN405', 'a team of a type that serves none of it');
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'full'], jsonb_build_object('providerId',
    pg_temp.team('lawyer'), 'service', 'medical')), 'conflict KN406', 'nor by name');
SELECT play.report('amina', 'given', '{medical,legal}') AS given \gset
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('second'))), 'created', 'given to the second');
SELECT is((SELECT array_agg(o) FROM unnest(pg_temp.offers(:'given')) AS o WHERE o LIKE 'second%'),
    '{"second pending 2"}', 'as an offer of a new round');
SELECT is((SELECT array_agg(o) FROM unnest(pg_temp.offers(:'given')) AS o WHERE o LIKE 'lawyer%'),
    '{"lawyer pending 1"}', 'the other need is as it was');
SELECT is((SELECT status FROM play.incident WHERE id = :'given'), 'assigned', 'C21: the case is assigned');
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('second'), 'service', 'medical')), 'ok', 'again is the same answer');
SELECT is(play.outcome('assignment_accept', 'second', ARRAY[play.offer('second', :'given')::text]), 'ok',
    'the second accepts');
SELECT is(play.outcome('assignment_assign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('third'), 'service', 'medical')), 'conflict KN405',
    'what somebody works on is moved by reassign, not given twice');
UPDATE kintaraa.provider_dispatch d SET load = capacity FROM play.person p WHERE p.provider = d.provider_id
    AND p.name = 'clinic';
SELECT is(play.outcome('assignment_reassign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('clinic'), 'reason', 'x', 'service', 'medical')), 'conflict KN404', 'not to a full team');
SELECT is(pg_temp.load('second'), 1, 'a refused move takes nothing');
SELECT is(play.outcome('assignment_reassign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('third'))), 'KN502', 'a move needs a reason');
SELECT is(play.outcome('assignment_reassign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('third'), 'reason', repeat('x', n), 'service', 'legal')), wanted, 'a reason of ' || n)
    FROM (VALUES (4000, 'conflict KN406'), (4001, 'KN505')) AS t (n, wanted);
SELECT is(play.outcome('assignment_reassign', 'dora', ARRAY[:'given'], jsonb_build_object('providerId',
    pg_temp.team('third'), 'reason', 'x', 'service', 'medical')), 'created', 'moved to the third');
SELECT is((SELECT array_agg(o) FROM unnest(pg_temp.offers(:'given')) AS o WHERE o ~ '(released|pending) [23]'),
    '{"second released 2","third pending 3"}', 'the second''s work ends, the third is asked');
SELECT is(pg_temp.load('second'), 0, 'its capacity is free');
SELECT is(play.outcome('incident_get', 'second', ARRAY[:'given']), 'absent KN301', 'PV7: and its access has ended');
INSERT INTO kintaraa.barred SELECT :'given', id FROM play.person WHERE name = 'barred';
SELECT is(play.outcome(door, 'barred', ARRAY[:'given'], jsonb_build_object('providerId', pg_temp.team('third'),
    'reason', 'x')), 'absent KN301', 'T6: a barred dispatcher does not ' || door)
    FROM unnest(ARRAY['assignment_assign', 'assignment_reassign']) AS door;

SELECT play.team('police', -1.2801, 36.8201, 10, true) AS station \gset
SELECT play.report('amina', 'phone', '{police}') AS phone \gset
SELECT id AS call_offer FROM kintaraa.assignment WHERE incident_bucket = :'phone' \gset
SELECT is((SELECT provider_id FROM kintaraa.assignment WHERE id = :'call_offer'), :'station'::uuid,
    'D2: a facility without staff is asked by telephone');
SELECT is(play.outcome('assignment_accept', who, ARRAY[:'call_offer']), wanted, who || ' answers for it')
    FROM (VALUES ('clinic', 'absent KN301'), ('amina', 'refused KN201'), ('dora', 'ok')) AS t (who, wanted);
SELECT is(play.outcome('assignment_accept', 'dora', ARRAY[play.offer('third', :'given')::text]), 'absent KN301',
    'a dispatcher does not answer for a team with staff');

SELECT is((SELECT count(*)::int FROM play.call('assignment_list', 'second', query => jsonb_build_object('status',
    s)) AS c, jsonb_array_elements(c.body -> 'items') AS i WHERE i ->> 'status' <> s), 0, 'filter ' || s)
  FROM unnest(ARRAY['pending', 'accepted', 'declined', 'withdrawn', 'released', 'expired']) AS s;
SELECT is(play.outcome('assignment_list', 'second', query => '{"status": "magic"}'), 'KN508',
    'an unknown filter is refused');
UPDATE kintaraa.provider_dispatch d SET load = 1 FROM play.person p WHERE p.provider = d.provider_id
    AND p.name = 'clinic';
SELECT is((SELECT array_agg(what) FROM play.broken), NULL, 'nothing is broken');

-- The words of a dispatcher are kept, and she is told that her team is another.
SELECT play.helper('words', 'healthcare', -1.2801, 36.8201, 20), play.helper('others', 'healthcare', -1.2802, 36.8202,
    20) \g /dev/null
CREATE FUNCTION pg_temp.kept(incident uuid) RETURNS integer LANGUAGE sql AS $$ SELECT count(note_sealed)::int
    FROM kintaraa.status_history WHERE bucket = incident AND actor = 'dispatcher' $$;
CREATE FUNCTION pg_temp.told(incident uuid) RETURNS integer LANGUAGE sql AS $$ SELECT count(*)::int
    FROM kintaraa.notification WHERE bucket = incident AND class = 'case_update' $$;
SELECT play.report('amina', 'words', '{medical}') AS words \gset
SELECT play.outcome('assignment_assign', 'dora', ARRAY[:'words'], jsonb_build_object('providerId',
    pg_temp.team('words'), 'note', 'they know her')) \g /dev/null
SELECT is(pg_temp.kept(:'words'), 1, 'the note of assign is kept');
SELECT play.outcome('assignment_accept', 'words', ARRAY[play.offer('words', :'words')::text]) \g /dev/null
SELECT pg_temp.told(:'words') AS told \gset
SELECT play.outcome('assignment_reassign', 'dora', ARRAY[:'words'], jsonb_build_object('providerId',
    pg_temp.team('others'), 'reason', 'their road is flooded')) \g /dev/null
SELECT is(pg_temp.kept(:'words'), 2, 'and the reason of reassign');
SELECT is(pg_temp.told(:'words'), :told + 1, 'she is told');
SELECT play.outcome('assignment_reassign', 'dora', ARRAY[:'words'], jsonb_build_object('providerId',
    pg_temp.team('others'), 'reason', 'their road is flooded')) \g /dev/null
SELECT is(pg_temp.kept(:'words'), 2, 'once, however often it is sent');
SELECT * FROM finish();
