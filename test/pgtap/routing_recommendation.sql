-- What a dispatcher is advised, and who is not.
\ir ../data/play.sql
SELECT plan(24);

SELECT play.staff('dora', 'dispatcher'), play.staff('barred', 'dispatcher'), play.register('amina'),
       play.helper('clinic', 'healthcare', -1.2801, 36.8201) \g /dev/null
CREATE TEMP TABLE more AS SELECT n, play.team('healthcare', -1.28 + n * 0.03, 36.82, telephone => true,
    name => 'Clinic ' || n) AS id
  FROM generate_series(1, 8) AS n;
SELECT play.report('amina', 'case-1', '{medical,legal}', '{"urgencyLevel": "urgent"}') AS incident \gset
INSERT INTO kintaraa.barred VALUES (:'incident', (SELECT id FROM play.person WHERE name = 'barred')),
                                   (:'incident', (SELECT id FROM more WHERE n = 4));

SELECT outcome, body FROM play.call('recommendation_list', 'dora', ARRAY[:'incident']) \gset
SELECT is(:'outcome'::text, 'ok', 'a dispatcher is advised');
CREATE TEMP TABLE item AS SELECT i FROM jsonb_array_elements(:'body'::jsonb -> 'items') AS i;
SELECT is((SELECT string_agg(i ->> 'service', ' ' ORDER BY i ->> 'service') FROM item), 'legal medical',
       'for each open need');
CREATE TEMP TABLE candidate AS SELECT c, n FROM item, jsonb_array_elements(i -> 'candidates') WITH ORDINALITY AS u (c,
    n)
 WHERE i ->> 'service' = 'medical';
SELECT is((SELECT count(*)::int FROM candidate), 5, 'five candidates');
SELECT is((SELECT count(*)::int FROM candidate c
       JOIN kintaraa.assignment a ON a.provider_id::text = c.c ->> 'providerId'
            AND a.incident_bucket = :'incident'), 0, 'nobody who was asked already');
SELECT is((SELECT count(*)::int FROM candidate WHERE c ->> 'name' = 'Clinic 4'), 0, 'nobody who is barred');
SELECT is((SELECT array_agg(c ->> 'costMinutes' ORDER BY n) FROM candidate),
          (SELECT array_agg(c ->> 'costMinutes' ORDER BY (c ->> 'costMinutes')::numeric) FROM candidate),
              'cheapest first');
SELECT t FROM candidate, LATERAL unnest(ARRAY[
       ok(c ?& '{providerId,name,byTelephone,load,capacity,providerType,distanceKm,lastOfferAt,costMinutes,minutes,
                 reasons}', 'a candidate says what it is'),
       ok(c -> 'minutes' ?& '{travel,answer,load,fairness,preferences,preparedness}', 'and its minutes'),
       ok(c -> 'reasons' @> '["free", "never_asked"]', 'and codes of reasons'),
       ok(abs((SELECT sum(v::numeric) FROM jsonb_each_text(c -> 'minutes') AS m (k,
           v)) - (c ->> 'costMinutes')::numeric) < 0.4, 'whose sum is the cost')]) AS t
 WHERE n = 1;
SELECT is(i #> '{passedOver,alreadyAskedOrBarred}', '3', 'two were asked and one is barred') FROM item
       WHERE i ->> 'service' = 'medical';
SELECT t FROM item, LATERAL unnest(ARRAY[is(i -> 'candidates', '[]', 'nobody for legal aid'),
       is(i ->> 'status', 'needs_dispatcher', 'which waits for a person')]) AS t WHERE i ->> 'service' = 'legal';
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE action = 'recommendation_list' AND target = :'incident'), 1,
       'the reading is in the trail');

SELECT play.report('amina', 'case-2', '{medical}') AS given \gset
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'given')::text]), 'ok',
       'a team accepts');
SELECT is(play.outcome('assignment_release', 'clinic', ARRAY[play.offer('clinic', :'given', 'accepted')::text],
       '{"reason": "ill"}'), 'ok', 'and gives it back');
SELECT play.pass(:'given', '1 day') \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id
       WHERE a.incident_bucket = :'given' AND p.name = 'clinic'), 1, 'it is not asked again');
SELECT is((SELECT count(*)::int FROM play.call('recommendation_list', 'dora', ARRAY[:'given']) AS r,
       jsonb_path_query(r.body, '$.items[*].candidates[*]') AS c JOIN play.person p ON p.provider::text = c ->>
       'providerId' WHERE p.name = 'clinic'), 0, 'nor named to a dispatcher');

SELECT is(play.outcome('recommendation_list', 'barred', ARRAY[:'incident']), 'absent KN301',
       'a barred dispatcher finds nothing');
SELECT is(play.outcome('recommendation_list', 'dora', ARRAY[gen_random_uuid()::text]), 'absent KN301',
       'nor is there what does not exist');
SELECT is(play.outcome('recommendation_list', who, ARRAY[:'incident']), 'refused KN201', who || ' may not ask')
       FROM unnest(ARRAY['amina', 'clinic']) AS who;
UPDATE kintaraa.need SET state = 'unmet', due_at = NULL WHERE bucket = :'incident' AND service = 'legal';
SELECT is(jsonb_array_length((play.call('recommendation_list', 'dora', ARRAY[:'incident'])).body -> 'items'), 1,
       'a closed need is over');
SELECT ok(NOT (:'body' LIKE '%latitude%' OR :'body' LIKE '%amina%'), 'the answer has no place and no person');
SELECT kintaraa.change_flush() \g /dev/null
SELECT finish();
