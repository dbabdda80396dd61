-- Whom a survivor barred, and the team that reported for her, is asked by no way that leads to an offer.
\ir ../data/play.sql
SELECT plan(9);
SELECT play.register('amina'), play.helper('near', 'legal', -1.2801, 36.8201), play.helper('far', 'legal', -1.3, 36.9),
       play.helper('clinic', 'healthcare', -1.2801, 36.8201) \g /dev/null
CREATE FUNCTION pg_temp.asked(incident uuid, wanted text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(p.name, ' ' ORDER BY p.name) FROM kintaraa.assignment a
  JOIN play.person p ON p.provider = a.provider_id
 WHERE a.incident_bucket = incident AND a.service = wanted
$$;
CREATE FUNCTION pg_temp.team(who text) RETURNS uuid LANGUAGE sql AS
    $$ SELECT provider FROM play.person WHERE name = who $$;

SELECT play.report('amina', 'first', '{medical}') AS first \gset
SELECT kintaraa.bar(:'first', pg_temp.team('near')), kintaraa.change_flush() \g /dev/null
SELECT is(play.outcome('incident_update', 'amina', '{first}', '{"supportServices": ["medical", "legal"]}'), 'ok',
    'she asks for one more service');
SELECT is(pg_temp.asked(:'first', 'legal'), 'far', 'whom she barred is not asked for it');
SELECT is(play.outcome('need_withdraw', 'amina', '{first,legal}'), 'ok', 'she takes it back');
SELECT is(play.outcome('incident_update', 'amina', '{first}', '{"supportServices": ["medical", "legal"]}'), 'ok',
    'and asks again');
SELECT is(pg_temp.asked(:'first', 'legal'), 'far far', 'nor then');

SELECT play.report('near', 'walk-in', '{legal}') AS one \gset
SELECT is(pg_temp.asked(:'one', 'legal'), 'far', 'who reports for somebody is not asked');
SELECT is(play.outcome('assignment_decline', 'far', ARRAY[play.offer('far', :'one')::text], '{"reason": "capacity"}'),
    'ok', 'also when the only other one declines');
SELECT is(pg_temp.asked(:'one', 'legal'), 'far', 'nor later');
SELECT play.call('sync_batch', 'near', NULL, '{"device": "d", "records": [{"table": "incidents", "op": "upsert",
    "id": "batched", "data": {"supportServices": ["legal"], "urgencyLevel": "immediate", "location": {"coordinates":
    {"latitude": -1.28, "longitude": 36.82}, "source": "gps"}}}]}') \g /dev/null
SELECT is(pg_temp.asked(id, 'legal'), 'far', 'nor for what came in a batch') FROM play.incident
 WHERE client_id = 'batched';
SELECT * FROM finish();
