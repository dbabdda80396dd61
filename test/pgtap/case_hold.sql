-- Whoever holds her phone does not end the help.
\ir ../data/play.sql
SELECT plan(91);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.helper('second', 'healthcare', -1.2802, 36.8202),
       play.helper('lawyer', 'legal', -1.2803, 36.8203), play.staff('dora', 'dispatcher'),
       play.register('amina', '{"lastName": "Otieno"}'), play.register('zawadi') \g /dev/null
CREATE FUNCTION pg_temp.id(name text) RETURNS uuid LANGUAGE sql AS
    $$ SELECT id FROM play.incident WHERE client_id = name $$;
CREATE FUNCTION pg_temp.path(who text) RETURNS text[] LANGUAGE sql AS
    $$ SELECT ARRAY[CASE who WHEN 'amina' THEN 'back' ELSE pg_temp.id('back')::text END] $$;
CREATE FUNCTION pg_temp.needs(name text) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(service || ' ' || state, ', ' ORDER BY service) FROM kintaraa.need
        WHERE bucket = pg_temp.id(name) $$;
CREATE FUNCTION pg_temp.load(who text) RETURNS integer LANGUAGE sql AS
    $$ SELECT load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id
        WHERE p.name = who $$;
CREATE FUNCTION pg_temp.engage(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    incident uuid := play.report('amina', name, '{medical,legal}',
                                 '{"urgencyLevel": "urgent", "description": "her story"}');
BEGIN
    RETURN play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', incident)::text]);
END
$$;
CREATE FUNCTION pg_temp.told(who text, name text) RETURNS integer LANGUAGE sql AS
    $$ SELECT count(*)::int FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
        WHERE p.name = who AND n.bucket = pg_temp.id($2) $$;
CREATE FUNCTION pg_temp.card(who text, name text) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT a FROM play.call('assignment_list', who) AS c, jsonb_array_elements(c.body -> 'items') AS a
        WHERE (a ->> 'id')::uuid IN (SELECT id FROM kintaraa.assignment WHERE incident_bucket = pg_temp.id(name))
        ORDER BY a ->> 'offeredAt' DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(what, ', ') FROM play.broken $$;

SELECT is(pg_temp.engage('back'), 'ok', 'a team is on its way');
SELECT is(play.outcome('incident_delete', 'zawadi', '{back}'), 'absent KN301', 'nobody else takes it back');
SELECT is(play.outcome('incident_delete', 'amina', '{back}'), 'none', 'somebody takes it back on her phone');
SELECT is(play.outcome('incident_delete', 'amina', '{back}'), 'none', 'again is the same answer');
SELECT is(pg_temp.needs('back'), 'legal paused, medical paused', 'her needs are paused, not ended');
SELECT is(play.outcome('incident_get', who, pg_temp.path(who)),
    'absent KN301', who || ' finds nothing') FROM unnest('{amina,clinic,lawyer}'::text[]) AS who;
SELECT is(pg_temp.card('clinic', 'back') ->> 'paused' || ' ' || COALESCE(
    pg_temp.card('clinic', 'back') ->> 'incidentId', 'no handle') || ' '
    || (pg_temp.card('clinic', 'back') #>> '{incident,urgencyLevel}'), 'true no handle urgent',
    'the team keeps the card and reads that it is paused');
SELECT is(pg_temp.card('lawyer', 'back') ->> 'status', 'withdrawn', 'whoever was only asked has nothing');
SELECT is(pg_temp.load('clinic'), 1, 'the team stays ready');
SELECT is(pg_temp.told('dora', 'back'), 1, 'the centre is called at once');
SELECT ok((SELECT due_at BETWEEN now() + interval '4 minutes' AND now() + interval '6 minutes'
    FROM kintaraa.need WHERE bucket = pg_temp.id('back') AND service = 'medical'), 'and again after five minutes');
SELECT is((SELECT string_agg(i ->> 'service' || ' ' || (i ->> 'needStatus'), ', ') FROM play.call('dispatch_queue',
    'dora') AS c, jsonb_array_elements(c.body -> 'items') AS i WHERE (i ->> 'incidentId')::uuid = pg_temp.id('back')),
    'medical paused', 'it is a task in the queue');
SELECT is((SELECT outcome || ' ' || COALESCE(body ->> 'description', 'no story') || ' '
    || (body ->> 'takenBackUntil' IS NOT NULL)::text FROM play.call('incident_get', 'dora',
    ARRAY[pg_temp.id('back')::text])), 'ok no story true', 'the centre reads the card and until when');
SELECT is(play.outcome('assignment_reassign', 'dora', ARRAY[pg_temp.id('back')::text], jsonb_build_object('reason', 'x',
    'providerId', (SELECT provider FROM play.person WHERE name = 'second'))), 'conflict KN414',
    'it gives it to nobody');
SELECT is(play.outcome('incident_status', 'dora', ARRAY[pg_temp.id('back')::text], '{"status": "closed"}'),
    'conflict KN414', 'and does not close it');
SELECT is(pg_temp.broken(), NULL, 'nothing is broken');
SELECT play.pass(pg_temp.id('back'), '5 minutes') \g /dev/null
SELECT is(pg_temp.told('dora', 'back'), 2, 'it is called again');
SELECT is(pg_temp.needs('back'), 'legal paused, medical paused', 'and nothing else happens');

-- Undoing it.
SELECT is(play.outcome('case_restore', who, pg_temp.path(who)),
    wanted, who || ' with what she has') FROM (VALUES ('amina', 'refused KN207'), ('zawadi', 'absent KN301'),
    ('clinic', 'absent KN301'), ('dora', 'KN501')) AS t (who, wanted);
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('back')::text], '{}'), 'KN502',
    'a dispatcher says how she said so');
UPDATE play.incident SET held_until = held_until - interval '16 minutes' WHERE client_id = 'back';
UPDATE kintaraa.session SET created_at = now() - interval '15 minutes 1 second'
 WHERE account_id = (SELECT id FROM play.person WHERE name = 'amina');
SELECT is(play.outcome('case_restore', 'amina', '{back}'), 'refused KN207', 'a sign-in of a quarter of an hour ago');
UPDATE kintaraa.session SET created_at = now() - interval '14 minutes'
 WHERE account_id = (SELECT id FROM play.person WHERE name = 'amina');
SELECT is(play.outcome('case_restore', 'amina', '{back}'), 'ok', 'she signs in afresh and undoes it');
SELECT is(pg_temp.needs('back'), 'legal offered, medical engaged', 'the team has it again, others are asked');
SELECT is(play.outcome('incident_get', who, pg_temp.path(who)),
    'ok', who || ' has it again') FROM unnest('{amina,clinic,dora}'::text[]) AS who;
SELECT is(pg_temp.card('clinic', 'back') ->> 'paused', NULL, 'it is not paused any more');
SELECT is(play.outcome('case_restore', 'amina', '{back}'), 'ok', 'again is the same answer');
UPDATE kintaraa.session SET created_at = now() - interval '1 hour'
 WHERE account_id = (SELECT id FROM play.person WHERE name = 'amina');
SELECT is(play.outcome('case_restore', 'amina', '{back}'), 'ok', 'however long ago she signed in, as nothing is done');
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('back')::text], '{}'), 'KN502', 'with the same rules');
SELECT is(play.outcome('case_restore', who, ARRAY[pg_temp.id('back')::text]), 'absent KN301', 'and not for ' || who)
  FROM unnest('{clinic,zawadi}'::text[]) AS who;
SELECT play.report('amina', 'never') \g /dev/null
SELECT is(play.outcome('case_restore', who, ARRAY[id], '{"note": "She called."}'), 'absent KN301',
    'what was never taken back is not undone')
  FROM (VALUES ('amina', 'never'), ('dora', pg_temp.id('never')::text)) AS t (who, id);
SELECT is(pg_temp.broken(), NULL, 'nothing is broken');

-- By status, and undone by a dispatcher whom she told.
SELECT is(play.outcome('incident_status', 'amina', '{back}', '{"status": "closed"}'), 'ok', 'closing is taking back');
SELECT is(pg_temp.needs('back'), 'legal paused, medical paused', 'her needs are paused');
SELECT is(play.outcome('case_restore', 'amina', '{back}'), 'refused KN207',
    'what was undone before is taken back anew');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('back')::text]), 'absent KN301',
    'the team finds nothing');
SELECT is(play.outcome(door, 'dora', ARRAY[pg_temp.id('back')::text], jsonb_strip_nulls(jsonb_build_object(
    'reason', 'x', 'service', service, 'providerId', (SELECT provider FROM play.person WHERE name = 'second')))),
    'conflict KN405', door || ' gives nobody what is paused' || COALESCE(': ' || service, ''))
  FROM unnest('{assignment_assign,assignment_reassign}'::text[]) AS door,
       unnest('{medical,legal,NULL}'::text[]) AS service;
SELECT is(play.outcome('incident_status', 'dora', ARRAY[pg_temp.id('back')::text],
    jsonb_build_object('status', status)), 'conflict KN414', 'a dispatcher does not move it on to ' || status)
  FROM unnest('{in_progress,completed,closed}'::text[]) AS status;
SELECT is(pg_temp.needs('back'), 'legal paused, medical paused', 'her needs stay paused');
SELECT is((SELECT status FROM play.incident WHERE client_id = 'back'), 'closed', 'and her case closed');
SELECT is((SELECT body ->> 'status' FROM play.call('incident_get', 'amina', '{back}')), 'closed', 'she reads closed');
SELECT is(play.outcome('incident_update', 'amina', '{back}',
    '{"supportServices": ["counseling"]}'), 'ok', 'what she asks for meanwhile');
SELECT is(play.outcome('assignment_release', 'clinic', ARRAY[(pg_temp.card('clinic', 'back') ->> 'id')],
    '{"reason": "ill"}'), 'ok', 'and gives it back');
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('back')::text], '{"note": "She called us."}'), 'ok',
    'a dispatcher undoes it');
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('back')::text], '{"note": "She called us."}'), 'ok',
    'again is the same answer');
SELECT is((SELECT count(*)::int FROM kintaraa.status_history
    WHERE note_sealed IS NOT NULL AND bucket = pg_temp.id('back')), 1, 'and her word is noted once');
SELECT is(pg_temp.needs('back'),
    'counseling needs_dispatcher, legal offered, medical offered', 'all is searched for');
SELECT is(pg_temp.broken(), NULL, 'nothing is broken');

-- After 72 hours it ends.
SELECT play.outcome('assignment_accept', 'second', ARRAY[play.offer('second', pg_temp.id('back'))::text]) \g /dev/null
SELECT is(play.outcome('incident_delete', 'amina', '{back}'), 'none', 'taken back');
UPDATE play.incident SET held_until = now() + interval '1 second' WHERE client_id = 'back';
SELECT kintaraa.hold_end() \g /dev/null
SELECT is(pg_temp.load('second'), 1, 'a second before, nothing ends');
UPDATE play.incident SET held_until = now() WHERE client_id = 'back';
SELECT kintaraa.hold_end() \g /dev/null
SELECT is(pg_temp.needs('back'), 'counseling withdrawn, legal withdrawn, medical withdrawn', 'then her needs end');
SELECT is(pg_temp.load('second'), 0, 'and the team is free');
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('back')::text], '{"note": "late"}'), 'absent KN301',
    'nobody brings it back');
SELECT is(play.outcome('incident_delete', 'amina', '{back}'), 'none', 'taking it back again is the same answer');
SELECT is(pg_temp.broken(), NULL, 'nothing is broken');

-- Closed by her, then taken back by one way or the other: hidden is hidden.
CREATE FUNCTION pg_temp.again(name text) RETURNS text LANGUAGE sql AS $$
    SELECT (play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'phone', 'records', jsonb_build_array(
        jsonb_build_object('table', 'incidents', 'op', 'delete', 'id', name, 'base', jsonb_build_object('serverVersion',
            (play.call('incident_get', 'amina', ARRAY[name])).body -> 'serverVersion')))))
        ).body #>> '{results,0,status}' $$;
SELECT is(pg_temp.engage(name), 'ok', 'a team is on its way') FROM unnest('{shut,gone,anew}'::text[]) AS name;
SELECT is(play.outcome('incident_status', 'amina', ARRAY[name], '{"status": "closed"}'), 'ok', 'she closes ' || name)
  FROM unnest('{shut,gone,anew}'::text[]) AS name;
UPDATE play.incident SET held_until = held_until - interval '71 hours' WHERE client_id = 'shut';
SELECT is(play.outcome('incident_delete', 'amina', '{shut}'), 'none', 'and takes it back');
SELECT is(pg_temp.again('gone'), 'applied', 'or by a batch');
SELECT is(play.outcome('incident_get', 'amina', ARRAY[name]), 'absent KN301', 'then her phone finds nothing: ' || name)
  FROM unnest('{shut,gone}'::text[]) AS name;
SELECT is((SELECT held_until > now() + interval '71 hours' FROM play.incident WHERE client_id = 'shut'), true,
    'its 72 hours begin again');
SELECT is(pg_temp.needs('shut'), 'legal paused, medical paused', 'what was paused stays so');
SELECT is((SELECT string_agg(i ->> 'service', ', ') FROM play.call('dispatch_queue', 'dora') AS c,
    jsonb_array_elements(c.body -> 'items') AS i WHERE (i ->> 'incidentId')::uuid = pg_temp.id('shut')), 'medical',
    'and what was no task is none');
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('shut')::text], '{"note": "She called."}'), 'ok',
    'a dispatcher undoes it');
SELECT is(pg_temp.needs('shut'), 'legal offered, medical engaged', 'as it was');

-- A service that she names again in a case that she closed is searched for again.
SELECT is(play.outcome('incident_update', 'amina', '{anew}', '{"supportServices": ["legal"]}'), 'ok', 'she asks again');
SELECT is(pg_temp.needs('anew'), 'legal offered, medical paused', 'for that service');
SELECT is(play.outcome('incident_update', 'amina', '{anew}', '{"supportServices": ["medical"]}'), 'ok', 'and again');
SELECT is(pg_temp.needs('anew'), 'legal offered, medical engaged', 'the team has it again');
SELECT is((SELECT held_until FROM play.incident WHERE client_id = 'anew'), NULL, 'nothing is held any more');
SELECT is(pg_temp.broken(), NULL, 'nothing is broken');
SELECT * FROM finish();
