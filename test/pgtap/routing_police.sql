-- Asking for a service is consent for that service and no more.
\ir ../data/play.sql
SELECT plan(43);
SELECT play.helper('station', 'police', -1.2801, 36.8201), play.helper('clinic', 'healthcare', -1.2802, 36.8202),
       play.helper('listener', 'counseling', -1.2803, 36.8203), play.helper('lawyer', 'legal', -1.2804, 36.8204),
       play.staff('dora', 'dispatcher'), play.staff('root', 'admin'), play.register('amina') \g /dev/null
CREATE FUNCTION pg_temp.give(door text, incident uuid, team text, service text DEFAULT NULL) RETURNS text
    LANGUAGE sql AS
    $$ SELECT play.outcome(door, 'dora', ARRAY[incident::text], jsonb_strip_nulls(jsonb_build_object(
        'providerId', (SELECT provider FROM play.person WHERE name = team), 'service', service, 'reason', 'test'))) $$;
CREATE FUNCTION pg_temp.best(incident uuid) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(p.name, ' ' ORDER BY p.name) FROM play.call('recommendation_list', 'dora',
         ARRAY[incident::text]) AS c, jsonb_path_query(c.body, '$.items[*].candidates[*].providerId') AS team
         JOIN play.person p ON p.provider = (team #>> '{}')::uuid $$;
CREATE FUNCTION pg_temp.policy(change jsonb) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT jsonb_set(body, '{services}', (body -> 'services') || change) FROM kintaraa.policy
        WHERE kind = 'routing' ORDER BY version DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.offers(incident uuid) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(p.name || ' ' || a.status, ', ' ORDER BY a.round, p.name) FROM kintaraa.assignment a
         JOIN play.person p ON p.provider = a.provider_id WHERE a.incident_bucket = incident $$;

-- A report that asks for nothing.
SELECT play.report('amina', 'asks-nothing', '{}', '{"urgencyLevel": "immediate"}') AS nothing \gset
SELECT is(pg_temp.give(door, :'nothing', 'station', service), 'conflict ' || code, door || ' to police '
    || COALESCE('for ' || service, 'without a service'))
  FROM (VALUES ('assignment_assign', NULL, 'KN405'), ('assignment_assign', 'triage', 'KN406'),
               ('assignment_assign', 'police', 'KN405'), ('assignment_reassign', NULL, 'KN405'),
               ('assignment_reassign', 'triage', 'KN406')) AS t (door, service, code);
SELECT is(pg_temp.offers(:'nothing'), NULL, 'police are asked for nothing');
SELECT is(pg_temp.best(:'nothing'), 'clinic listener', 'healthcare and counselling are recommended');
SELECT is(pg_temp.give('assignment_assign', :'nothing', 'lawyer', 'triage'), 'conflict KN406', 'a lawyer may not');
SELECT is(pg_temp.give('assignment_assign', :'nothing', 'listener'), 'created', 'counselling may have it');
SELECT is(pg_temp.give('assignment_reassign', :'nothing', 'clinic'), 'created', 'healthcare as well');
SELECT is(pg_temp.give('assignment_reassign', :'nothing', 'station', 'triage'), 'conflict KN406', 'police not later');

-- Unless she names others.
CREATE FUNCTION pg_temp.lets(id text, teams jsonb) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT c.body #> '{providerPreferences,triageTeams}' FROM play.call('incident_update', 'amina', ARRAY[id],
           jsonb_build_object('providerPreferences', jsonb_build_object('triageTeams', teams))) AS c $$;
SELECT play.report('amina', 'names', '{}', '{"providerPreferences": {"triageTeams": ["Legal", "police", "magic"]}}')
    AS names \gset
SELECT is((SELECT (body #> '{providerPreferences,triageTeams}') || (body -> 'ignored') FROM play.call('incident_get',
    'amina', '{names}')), '["legal", {"code": "not_understood", "pointer": "/providerPreferences/triageTeams/1"},
    {"code": "not_understood", "pointer": "/providerPreferences/triageTeams/2"}]', 'she names others, never police');
SELECT is(pg_temp.best(:'names'), 'lawyer', 'who are recommended, alone');
SELECT is(pg_temp.give('assignment_assign', :'names', team, 'triage'), 'conflict KN406', team || ' may not')
  FROM unnest('{clinic,listener,station}'::text[]) AS team;
SELECT is(pg_temp.give('assignment_assign', :'names', 'lawyer'), 'created', 'a lawyer may');
SELECT is(pg_temp.lets('names', '["legal", "counselling"]'), '["legal", "counseling"]', 'she names one more');
SELECT is(pg_temp.offers(:'names'), 'lawyer pending', 'which takes nothing from who was asked');
SELECT is(pg_temp.lets('names', '[]'), '[]', 'she names none any more');
SELECT is(pg_temp.offers(:'names'), 'lawyer withdrawn', 'who was asked is so no longer');
SELECT is((SELECT state::text FROM kintaraa.need WHERE bucket = :'names'), 'needs_dispatcher', 'people go on');
SELECT is(pg_temp.best(:'names'), 'clinic listener', 'with healthcare and counselling');
SELECT is((SELECT body #>> '{results,0,status}' FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object(
    'device', 'p1', 'records', jsonb_build_array(jsonb_build_object('table', 'incidents', 'id', 'names', 'base',
    play.base('amina', 'names'), 'data', '{"providerPreferences": {"triageTeams": ["social"]}}'::jsonb))))), 'applied',
    'by a batch');
SELECT is(play.outcome('sync_push', 'amina', NULL, jsonb_build_object('incidents', jsonb_build_object('created',
    jsonb_build_array('{"id": "pushed", "provider_preferences_triage_teams": "[\"legal\"]"}'::jsonb))), NULL,
    '{"device": "p2", "requestId": "play", "network": "192.0.2.0"}'), 'ok', 'and by a push, as text');
SELECT is((SELECT string_agg(triage_teams::text, ', ' ORDER BY created_at, triage_teams) FROM kintaraa.incident
    WHERE triage_teams <> '{}'), '{legal}, {social}', 'they are stored');
SELECT throws_ok('UPDATE kintaraa.incident SET triage_teams = ''{police}''', '23514', NULL, 'police in psql neither');

-- What is no service yet is given in person by those who give theirs so.
SELECT play.report('amina', 'seen-' || team, '{}', '{"providerPreferences": {"triageTeams": ["legal", "healthcare",
    "counseling"]}}') AS id, team INTO TEMP TABLE seen FROM unnest('{clinic,listener,lawyer}'::text[]) AS team;
SELECT is((SELECT string_agg(pg_temp.give('assignment_assign', id, team, 'triage'), ', ') FROM seen),
    'created, created, created', 'three teams look');
SELECT is(play.outcome('assignment_accept', team, ARRAY[play.offer(team, id)::text]) || ' '
    || jsonb_path_exists((play.call('incident_get', team, ARRAY[id::text])).body, '$.location.coordinates.latitude'),
    CASE team WHEN 'clinic' THEN 'ok true' ELSE 'ok false' END, team || ' reads the exact place, or not') FROM seen;

-- One that asks for care, and one for police.
SELECT play.report('amina', 'asks-care', '{medical}') AS care \gset
SELECT is(pg_temp.give('assignment_reassign', :'care', 'station', service), 'conflict ' || code, 'care is not police')
  FROM (VALUES (NULL, 'KN405'), ('medical', 'KN406')) AS t (service, code);
SELECT play.report('amina', 'asks-police', '{police}') AS police \gset
SELECT is(pg_temp.offers(:'police'), 'station pending', 'who asks for police has police');

-- The administrator, and a DBA.
SELECT is((play.call('policy_put', 'root', ARRAY['routing'],
    jsonb_build_object('body', pg_temp.policy(change)))).outcome, outcome, 'a policy with ' || change::text)
  FROM (VALUES ('{"medical": ["healthcare", "police"]}'::jsonb, 'KN504'), ('{"triage": ["police"]}', 'KN504'),
               ('{"anything": ["police"]}', 'KN504'), ('{"police": ["police", "legal"]}', 'ok'),
               ('{"triage": ["counseling"]}', 'ok')) AS t (change, outcome);
SELECT throws_ok(format('INSERT INTO kintaraa.policy (kind, version, body) VALUES (''routing'', 99, %L)',
    pg_temp.policy('{"triage": ["healthcare", "police"]}')), '23514', NULL, 'no policy in psql either');
SELECT is(pg_temp.best(:'nothing'), 'listener', 'a policy may name fewer for who asks for nothing');

-- What old rows get: police that were given a case which did not ask for them lose it.
SET LOCAL session_replication_role = replica;
UPDATE kintaraa.assignment SET provider_id = (SELECT provider FROM play.person WHERE name = 'station')
 WHERE incident_bucket = :'care';
SET LOCAL session_replication_role = origin;
SELECT kintaraa.team_vacate(array_agg(provider)) FROM play.person WHERE name = 'station' \g /dev/null
SELECT is(pg_temp.offers(:'care'), 'clinic pending, station withdrawn', 'an old offer to police is taken back')
  FROM kintaraa.change_flush();
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is left alone');
SELECT * FROM finish();
