-- What she says about her needs, and what completed means.
\ir ../data/play.sql
SELECT plan(121);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.helper('second', 'healthcare', -1.2802, 36.8202),
       play.staff('dora', 'dispatcher'), play.register('amina'), play.register('zawadi') \g /dev/null
CREATE FUNCTION pg_temp.id(name text) RETURNS uuid LANGUAGE sql AS
    $$ SELECT id FROM play.incident WHERE client_id = name $$;
CREATE FUNCTION pg_temp.say(what text, name text, body jsonb DEFAULT NULL, who text DEFAULT 'amina') RETURNS text
    LANGUAGE sql AS $$ SELECT concat_ws(' ', outcome, c.body ->> 'code', c.body ->> 'status')
        FROM play.call('need_' || what, who, ARRAY[CASE who WHEN 'amina' THEN name ELSE pg_temp.id(name)::text END,
                       'medical'], body) c $$;
CREATE FUNCTION pg_temp.move(who text, name text, body jsonb) RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('incident_status', who, ARRAY[CASE who WHEN 'amina' THEN name
                           ELSE pg_temp.id(name)::text END], body) $$;
CREATE FUNCTION pg_temp.held(name text) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(p.name || ' ' || a.status, ', ' ORDER BY a.round, p.name) FROM kintaraa.assignment a
         JOIN play.person p ON p.provider = a.provider_id WHERE a.incident_bucket = pg_temp.id($1)
          AND a.status IN ('pending', 'accepted') $$;
CREATE FUNCTION pg_temp.load(who text) RETURNS integer LANGUAGE sql AS
    $$ SELECT load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id
        WHERE p.name = who $$;
CREATE FUNCTION pg_temp.engage(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    incident uuid := play.report('amina', name, '{medical}',
                                 '{"urgencyLevel": "immediate", "description": "her story"}');
BEGIN
    RETURN play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', incident)::text]);
END
$$;

-- Accepted and completed within a second is not help.
SELECT is(pg_temp.engage('fast'), 'ok', 'the clinic accepts');
SELECT is(pg_temp.move('clinic', 'fast', '{"status": "completed"}'), 'conflict KN413', 'and cannot complete unseen');
SELECT is(pg_temp.move('dora', 'fast', '{"status": "completed"}'), 'conflict KN413', 'nor can a dispatcher');
SELECT is(pg_temp.move('clinic', 'fast', '{"status": "completed", "reason": "tired"}'), 'KN504', 'by any word');
SELECT is(pg_temp.say('reached', 'fast', NULL, 'clinic'), 'refused KN201', 'nor say it for her');
SELECT is(pg_temp.say('reached', 'fast', NULL, 'dora'), 'refused KN201', 'nobody can');
SELECT is(pg_temp.say('reached', 'fast'), 'ok engaged', 'she says that they reached her');
SELECT is((SELECT due_at FROM kintaraa.need WHERE bucket = pg_temp.id('fast')), NULL, 'it does not stall any more');
SELECT is((SELECT body ->> 'description' FROM play.call('incident_get', 'clinic', ARRAY[pg_temp.id('fast')::text])),
    'her story', 'the clinic reads her story');
SELECT is(pg_temp.move('clinic', 'fast', '{"status": "completed"}'), 'ok', 'then it is completed');
SELECT is((SELECT concat_ws(' ', body ->> 'status', body ->> 'description', body ->> 'reportedBy', body ->> 'survivor')
    FROM play.call('incident_get', 'clinic', ARRAY[pg_temp.id('fast')::text])), 'completed',
    'and the card is left of it');
SELECT is(pg_temp.move('amina', 'fast', '{"status": "in_progress"}'), 'ok', 'she reopens it');
SELECT is(pg_temp.held('fast'), 'clinic accepted', 'with the same team');
SELECT is((SELECT body ->> 'description' FROM play.call('incident_get', 'clinic', ARRAY[pg_temp.id('fast')::text])),
    'her story', 'which has all again');
SELECT is(pg_temp.move('clinic', 'fast', '{"status": "completed", "reason": "referred"}'), 'ok',
    'completed, by a reason');
SELECT is((SELECT i ->> 'reason' FROM play.call('incident_timeline', 'amina', '{fast}') AS c,
    jsonb_array_elements(c.body -> 'items') AS i WHERE i ->> 'reason' IS NOT NULL), 'referred', 'which she reads');
SELECT is(pg_temp.say('unreached', 'fast'), 'ok searching', 'they did not reach me');
SELECT is(pg_temp.held('fast'), 'second pending', 'others are asked');
SELECT is((SELECT status FROM play.incident WHERE client_id = 'fast'), 'new', 'and the case is open');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('fast')::text]), 'absent KN301',
    'the clinic has it no more');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');

-- Asking again for what was met, within 30 days.
SELECT pg_temp.engage('again') \g /dev/null
SELECT pg_temp.move('clinic', 'again', '{"status": "completed", "reason": "helped"}') \g /dev/null
CREATE FUNCTION pg_temp.age(name text, days interval) RETURNS void LANGUAGE sql AS
    $$ UPDATE play.incident SET closed_at = now() - days WHERE client_id = name $$;
SELECT pg_temp.age('again', '30 days 1 second') \g /dev/null
SELECT is(pg_temp.say('ask', 'again'), 'conflict KN415', 'after 30 days not');
SELECT is(pg_temp.move('amina', 'again', '{"status": "in_progress"}'), 'conflict KN415', 'nor is it reopened');
SELECT pg_temp.age('again', '29 days 23 hours') \g /dev/null
SELECT is(pg_temp.say('ask', 'again', NULL, 'zawadi'), 'absent KN301', 'not by somebody else');
SELECT is(pg_temp.say('ask', 'again', '{"teams": true}'), 'KN509', 'nor with another word');
SELECT is(pg_temp.say('ask', 'again'), 'ok searching', 'before, it is searched anew');
SELECT is(pg_temp.held('again'), 'clinic pending, second pending', 'and whoever helped may be asked');
SELECT is(pg_temp.say('ask', 'again'), 'ok searching', 'again is the same answer');
SELECT is((SELECT round FROM kintaraa.need WHERE bucket = pg_temp.id('again'))::int, 2, 'and no other search');

-- A team that she left.
SELECT pg_temp.engage('left') \g /dev/null
SELECT is(pg_temp.load('clinic'), 1, 'the clinic has one');
SELECT is(pg_temp.say('another', 'left'), 'ok searching', 'she wants another team');
SELECT is(pg_temp.held('left'), 'second pending', 'the one she left is not asked');
SELECT is(pg_temp.load('clinic'), 0, 'and is free');
SELECT is(pg_temp.say('withdraw', 'left'), 'ok paused', 'she withdraws');
SELECT is(pg_temp.say('ask', 'left'), 'ok searching', 'and asks again');
SELECT is(pg_temp.held('left'), 'second pending', 'still not that team');
SELECT is(play.outcome('incident_update', 'amina', '{left}', '{"supportServices": ["medical", "shelter"]}'), 'ok',
    'nor when the report names it');
SELECT is(play.outcome('assignment_reassign', 'dora', ARRAY[pg_temp.id('left')::text], jsonb_build_object('reason', 'x',
    'providerId', (SELECT provider FROM play.person WHERE name = 'clinic'))), 'conflict KN406',
    'nor by a dispatcher');
SELECT is(jsonb_path_exists((play.call('recommendation_list', 'dora', ARRAY[pg_temp.id('left')::text])).body,
    '$.items[*].candidates[*] ? (@.providerId == $team)', jsonb_build_object('team', (SELECT provider FROM play.person
    WHERE name = 'clinic'))), false, 'nor is it recommended');
SELECT is(pg_temp.say('withdraw', 'left'), 'ok paused', 'she withdraws');
SELECT is(pg_temp.say('ask', 'left', '{"teamsAgain": true}'), 'ok searching', 'unless she says so');
SELECT is(pg_temp.held('left'), 'clinic pending, second pending', 'then it is asked');

-- Withdrawing is leaving the team that has it.
SELECT pg_temp.engage('gone') \g /dev/null
SELECT is(pg_temp.say('withdraw', 'gone'), 'ok paused', 'she withdraws what the clinic has');
SELECT is(pg_temp.say('ask', 'gone'), 'ok searching', 'and asks again');
SELECT is(pg_temp.held('gone'), 'second pending', 'others are asked');

-- What was met ends for its team when she says so, as with closing.
SELECT pg_temp.engage('met'), pg_temp.move('clinic', 'met', '{"status": "completed", "reason": "helped"}') \g /dev/null
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('met')::text]), 'ok', 'the clinic has the card');
SELECT is(pg_temp.load('clinic'), 0, 'and its capacity is free');
SELECT is(pg_temp.say('withdraw', 'met', NULL, 'dora'), 'conflict KN405', 'a dispatcher does not end it');
SELECT is(pg_temp.say('withdraw', 'met'), 'ok met', 'she does');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('met')::text]), 'absent KN301', 'it has nothing');
SELECT is(pg_temp.load('clinic'), 0, 'its capacity is not freed twice');
SELECT is(pg_temp.say('withdraw', 'met'), 'ok met', 'again is the same answer');
SELECT is((SELECT status FROM play.incident WHERE client_id = 'met'), 'completed', 'the case stays completed');
SELECT is(pg_temp.say('ask', 'met'), 'ok searching', 'she asks again');
SELECT is(pg_temp.held('met'), 'second pending', 'and the team that she left is not asked');

-- Whoever holds her phone can withdraw, only she can mean it.
CREATE FUNCTION pg_temp.told(name text) RETURNS integer LANGUAGE sql AS
    $$ SELECT count(*)::int FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
        WHERE p.name = 'dora' AND n.bucket = pg_temp.id($1) AND n.class = 'duty_call' $$;
SELECT pg_temp.engage('phone') \g /dev/null
SELECT is(pg_temp.say('withdraw', 'phone'), 'ok paused', 'somebody withdraws on her phone');
SELECT is(pg_temp.say('withdraw', 'phone'), 'ok paused', 'again is the same answer');
SELECT is(pg_temp.held('phone'), NULL, 'the team is gone');
SELECT is(pg_temp.load('clinic'), 0, 'and free');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('phone')::text]), 'absent KN301',
    'and reads nothing');
SELECT is(pg_temp.told('phone'), 1, 'the centre is called, once');
SELECT is((SELECT string_agg(i ->> 'needStatus', ', ') FROM play.call('dispatch_queue', 'dora') AS c,
    jsonb_array_elements(c.body -> 'items') AS i WHERE (i ->> 'incidentId')::uuid = pg_temp.id('phone')), 'paused',
    'and has it in its queue');
SELECT is(pg_temp.say('withdraw', 'phone', NULL, 'dora'), 'conflict KN414', 'a dispatcher ends it no sooner');
SELECT is(play.outcome('case_restore', 'dora', ARRAY[pg_temp.id('phone')::text], '{"note": "It was not she."}'), 'ok',
    'but undoes it when she says so');
SELECT is(pg_temp.held('phone'), 'second pending', 'others are asked');
SELECT is(pg_temp.say('withdraw', 'phone'), 'ok paused', 'an immediate need that nobody has is held too');
UPDATE play.incident SET held_until = now() WHERE client_id = 'phone';
SELECT kintaraa.hold_end() \g /dev/null
SELECT is((SELECT state::text FROM kintaraa.need WHERE bucket = pg_temp.id('phone')), 'withdrawn',
    'after 72 hours it ends');
SELECT is(pg_temp.say('ask', 'phone'), 'ok searching', 'and is hers to ask for');
SELECT is(pg_temp.say('withdraw', 'phone'), 'ok paused', 'what is paused');
SELECT is(pg_temp.say('ask', 'phone'), 'ok searching', 'needs no fresh sign-in to be asked for');
SELECT is((SELECT held_until FROM play.incident WHERE client_id = 'phone'), NULL, 'and is not held any more');
SELECT play.report('amina', 'calm', '{medical}', '{"urgencyLevel": "routine"}') \g /dev/null
SELECT is(pg_temp.say('withdraw', 'calm'), 'ok withdrawn', 'what is not urgent and nobody has ends at once');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');

-- With closing all ends.
SELECT pg_temp.engage('over') \g /dev/null
SELECT pg_temp.move('clinic', 'over', '{"status": "completed", "reason": "helped"}'),
       pg_temp.move('dora', 'over', '{"status": "closed"}') \g /dev/null
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('over')::text]), 'absent KN301',
    'a closed case is the team''s no more');
-- A word whose answer was lost comes again, and another team has accepted meanwhile.
SELECT pg_temp.engage('meant') \g /dev/null
SELECT jsonb_build_object('assignmentId', body #>> '{assignments,0,id}') AS first
  FROM play.call('incident_get', 'amina', '{meant}') \gset
SELECT is(pg_temp.say('unreached', 'meant', :'first'), 'ok searching', 'the team that is meant loses the need');
SELECT is(pg_temp.say('unreached', 'meant', :'first'), 'ok searching', 'again is the same answer');
SELECT is(play.outcome('assignment_accept', 'second', ARRAY[play.offer('second', pg_temp.id('meant'))::text]), 'ok',
    'another accepts');
SELECT is(pg_temp.say('unreached', 'meant', :'first'), 'ok engaged', 'and keeps the need when the word comes again');
SELECT is(pg_temp.say('another', 'meant', :'first'), 'ok engaged', 'whichever it is');
SELECT is(pg_temp.held('meant'), 'second accepted', 'it has it');
SELECT is(pg_temp.say('another', 'meant', '{"assignmentId": "x"}'), 'KN506', 'an id that is none is refused');
SELECT is(pg_temp.say('another', 'meant', '{"team": "x"}'), 'KN509', 'as is another word');
SELECT is(pg_temp.say('another', 'meant'), 'ok searching', 'without a name it is the one that has it');

-- What she said of one team is not said of the next.
SELECT pg_temp.engage('anew') \g /dev/null
SELECT is(pg_temp.say('reached', 'anew'), 'ok engaged', 'a team reached her');
SELECT is(pg_temp.say('another', 'anew'), 'ok searching', 'she wants another');
SELECT is(play.outcome('assignment_accept', 'second', ARRAY[play.offer('second', pg_temp.id('anew'))::text]), 'ok',
    'which accepts');
SELECT is(pg_temp.move('second', 'anew', '{"status": "completed"}'), 'conflict KN413',
    'and is not done before she says so');
SELECT is(pg_temp.say('reached', 'anew'), 'ok engaged', 'she says so');
SELECT is((SELECT contacted_at IS NOT NULL AND due_at IS NULL FROM kintaraa.need WHERE bucket = pg_temp.id('anew')),
    true, 'and nobody is reminded any more');
SELECT is(pg_temp.move('second', 'anew', '{"status": "completed"}'), 'ok', 'then it is done');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');

-- A team that she left is no longer asked for what else it was asked for.
CREATE FUNCTION pg_temp.all_held(name text) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(concat_ws(' ', a.service, p.name, a.status), ', ' ORDER BY a.service, p.name)
         FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id
        WHERE a.incident_bucket = pg_temp.id($1) AND a.status IN ('pending', 'accepted') $$;
SELECT play.report('amina', 'both', '{medical,emergency}', '{"urgencyLevel": "immediate"}') AS both \gset
SELECT play.outcome('assignment_accept', 'clinic', ARRAY[(SELECT a.id::text FROM kintaraa.assignment a
    JOIN play.person p ON p.provider = a.provider_id WHERE p.name = 'clinic' AND a.incident_bucket = :'both'
     AND a.service = 'medical')]) \g /dev/null
SELECT is(pg_temp.all_held('both'), 'emergency clinic pending, emergency second pending, medical clinic accepted',
    'the clinic has one need and is asked for another');
SELECT is(pg_temp.say('another', 'both'), 'ok searching', 'she leaves it for the one');
SELECT is(pg_temp.all_held('both'), 'emergency second pending, medical second pending', 'it is asked for none');
SELECT play.outcome('assignment_accept', 'second', ARRAY[(SELECT a.id::text FROM kintaraa.assignment a
    WHERE a.incident_bucket = :'both' AND a.service = 'medical' AND a.status = 'pending')]) \g /dev/null
SELECT is(pg_temp.say('withdraw', 'both'), 'ok paused', 'she leaves the other team too');
SELECT is((SELECT state::text FROM kintaraa.need WHERE bucket = :'both' AND service = 'emergency'),
    'needs_dispatcher', 'what only that team was asked for goes on at once');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');

-- A service that was met, and that her report names no longer, and then again.
CREATE FUNCTION pg_temp.wants(name text, services text[]) RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('incident_update', 'amina', ARRAY[name],
                           jsonb_build_object('supportServices', services)) $$;
SELECT pg_temp.engage('named'), pg_temp.move('clinic', 'named', '{"status": "completed", "reason": "helped"}')
    \g /dev/null
SELECT is(pg_temp.wants('named', '{medical,legal}'), 'ok', 'she asks for something else');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('named')::text]), 'ok', 'the clinic keeps its card');
SELECT is(pg_temp.wants('named', '{legal}'), 'ok', 'she names no longer what was met');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('named')::text]), 'absent KN301',
    'which ends it for the clinic');
SELECT is(pg_temp.load('clinic'), 0, 'whose capacity is not freed twice');
SELECT is(pg_temp.wants('named', '{medical,legal}'), 'ok', 'and names it again');
SELECT is(pg_temp.held('named'), 'clinic pending, second pending', 'it is searched for');
SELECT pg_temp.engage('nothing'), pg_temp.move('clinic', 'nothing', '{"status": "completed", "reason": "helped"}'),
       play.outcome('incident_update', 'amina', '{nothing}', '{"supportServices": null}') \g /dev/null
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[pg_temp.id('nothing')::text]), 'absent KN301',
    'naming nothing ends it as well');
SELECT is((SELECT status FROM play.incident WHERE client_id = 'nothing'), 'completed', 'and asks for nothing');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');

-- A team that came to her for what is met, and now helps from afar, does not read where she is any more.
SELECT play.helper('social', 'social', -1.2803, 36.8203) \g /dev/null
SELECT play.report('amina', 'afar', '{shelter,financial}') AS afar \gset
CREATE FUNCTION pg_temp.sees_place() RETURNS boolean LANGUAGE sql AS
    $$ SELECT jsonb_path_exists((play.call('incident_get', 'social', ARRAY[pg_temp.id('afar')::text])).body,
                                '$.location.coordinates.latitude') $$;
CREATE FUNCTION pg_temp.accept_all() RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(play.outcome('assignment_accept', 'social', ARRAY[a.id::text]), ' ')
         FROM kintaraa.assignment a WHERE a.incident_bucket = pg_temp.id('afar') AND a.status = 'pending' $$;
SELECT is(pg_temp.accept_all() || ' ' || pg_temp.sees_place(), 'ok ok true', 'who gives shelter knows where she is');
SELECT is(pg_temp.move('social', 'afar', '{"status": "completed", "reason": "helped"}'), 'ok', 'it is done');
SELECT is(play.outcome('need_ask', 'amina', '{afar,financial}'), 'ok', 'she asks for the one again');
SELECT is(pg_temp.accept_all() || ' ' || pg_temp.sees_place(), 'ok false', 'for which nobody has to come to her');

-- A team completes what it has; another team's need is not its to end.
SELECT play.report('amina', 'two', '{medical,shelter,legal}', '{"urgencyLevel": "urgent"}') AS two \gset
SELECT play.outcome('assignment_accept', who, ARRAY[play.offer(who, :'two')::text])
  FROM unnest('{clinic,social}'::text[]) AS who \g /dev/null
CREATE FUNCTION pg_temp.needs() RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(service || ' ' || state, ', ' ORDER BY service) FROM kintaraa.need
        WHERE bucket = pg_temp.id('two') $$;
SELECT is(pg_temp.move('clinic', 'two', '{"status": "completed"}'), 'conflict KN413', 'unseen neither');
SELECT is(pg_temp.say('reached', 'two'), 'ok engaged', 'the one reached her');
SELECT is(pg_temp.move('clinic', 'two', '{"status": "completed"}'), 'ok', 'and has done its part');
SELECT is(pg_temp.needs(), 'legal needs_dispatcher, medical met, shelter engaged', 'and no more');
SELECT is((SELECT status FROM kintaraa.incident WHERE id = :'two'), 'in_progress', 'the case goes on');
SELECT is(pg_temp.load('clinic'), 0, 'without that team');
SELECT is(pg_temp.move('social', 'two', '{"status": "completed"}'), 'conflict KN413', 'the other says for itself');
SELECT is(pg_temp.move('social', 'two', '{"status": "completed", "reason": "referred"}'), 'ok', 'why');
SELECT is((SELECT string_agg(i ->> 'reason', ', ') FROM play.call('incident_timeline', 'amina', '{two}') AS c,
    jsonb_array_elements(c.body -> 'items') AS i), 'referred', 'which she reads');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');
SELECT * FROM finish();
