-- A case that was ended and goes on: everything open in it has an owner and a time.
\ir ../data/play.sql
SELECT plan(63);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.helper('police', 'police', -1.2803, 36.8203),
    play.staff('dora', 'dispatcher'), play.register('amina') \g /dev/null

CREATE FUNCTION pg_temp.move(who text, id text, status text) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', outcome, body ->> 'status', body ->> 'code') FROM play.call('incident_status', who,
    ARRAY[CASE who WHEN 'amina' THEN id ELSE (SELECT i.id::text FROM play.incident i WHERE i.client_id =
    move.id) END], jsonb_build_object('status', status) || CASE WHEN status = 'completed' THEN
    '{"reason": "helped"}'::jsonb ELSE '{}' END) $$;
CREATE FUNCTION pg_temp.needs(id text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(concat_ws(' ', service, n.state, round, CASE WHEN n.due_at IS NOT NULL THEN 'due' END), ', '
    ORDER BY service) FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket WHERE i.client_id = needs.id $$;
CREATE FUNCTION pg_temp.status(id text) RETURNS text LANGUAGE sql AS $$
SELECT i.status::text FROM play.incident i WHERE i.client_id = status.id $$;
CREATE FUNCTION pg_temp.offer(who text, id text, wanted text DEFAULT 'pending') RETURNS text[] LANGUAGE sql AS $$
SELECT ARRAY[play.offer(who, (SELECT i.id FROM play.incident i WHERE i.client_id = offer.id), wanted)::text] $$;

-- Closed while it was searched for.
SELECT play.report('amina', 'searching', '{medical,legal}', '{"urgencyLevel": "urgent"}') \g /dev/null
SELECT is(pg_temp.move('dora', 'searching', 'closed'), 'ok closed', 'a dispatcher closes a case');
SELECT is(pg_temp.needs('searching'), 'legal unmet 1, medical unmet 1', 'what it asks for is unmet');
SELECT is(pg_temp.move('dora', 'searching', 'in_progress'), 'ok pending_dispatcher_review',
    'and opens it again: it is where its needs are');
SELECT is(pg_temp.needs('searching'), 'legal needs_dispatcher 2 due, medical offered 2 due',
    'each is searched for in a new round and has its time');
SELECT is(pg_temp.move('dora', 'searching', 'in_progress'), 'ok pending_dispatcher_review',
    'whose answer was lost asks again');
SELECT is(pg_temp.needs('searching'), 'legal needs_dispatcher 2 due, medical offered 2 due', 'which changes nothing');
SELECT is(pg_temp.move('dora', 'searching', 'completed'), 'conflict KN402',
    'what nobody asked for is refused as before');
SELECT is(pg_temp.move('amina', 'searching', 'in_progress'), 'conflict KN402', 'and what somebody else did');
SELECT is(pg_temp.move('clinic', 'searching', 'in_progress'), 'absent KN301', 'nobody helps yet');
SELECT ok(bool_and(n.expected_by > now() AND n.engaged_at IS NULL AND n.contacted_at IS NULL),
    'she is promised a new time') FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket
    WHERE i.client_id = 'searching';
SELECT is(play.outcome('assignment_accept', 'clinic', pg_temp.offer('clinic', 'searching')), 'ok',
    'the clinic accepts');
SELECT is(pg_temp.status('searching'), 'in_progress', 'now it is in progress');

-- Closed by her.
SELECT play.report('amina', 'hers', '{medical}') \g /dev/null
SELECT is(pg_temp.move('amina', 'hers', 'closed'), 'ok closed', 'she closes her case');
UPDATE play.incident SET held_until = now() WHERE client_id = 'hers';
SELECT kintaraa.hold_end() \g /dev/null
SELECT is(pg_temp.move('dora', 'hers', 'in_progress'), 'conflict KN409',
    'what she withdrew is not searched for against her will');
SELECT is(pg_temp.status('hers') || ' ' || pg_temp.needs('hers'), 'closed medical withdrawn 1', 'nothing has changed');
SELECT is(play.outcome('incident_update', 'amina', '{hers}', '{"description": "more words"}'), 'ok',
    'she changes her words');
SELECT is(pg_temp.status('hers'), 'closed', 'which asks for nothing');
SELECT is(body #>> '{results,0,status}', 'applied', 'her phone sends the whole report')
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'p1', 'records', jsonb_build_array(
      jsonb_build_object('table', 'incidents', 'id', 'hers', 'base', play.base('amina', 'hers'),
      'data', '{"description": "from the phone", "supportServices": ["medical"]}'::jsonb))));
SELECT is(pg_temp.status('hers') || ' ' || pg_temp.needs('hers'), 'closed medical withdrawn 1',
    'services that stand are no wish when they are only sent along');
SELECT is(body #>> '{results,0,status}', 'applied', 'her phone sends another service')
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'p1', 'records', jsonb_build_array(
      jsonb_build_object('table', 'incidents', 'id', 'hers', 'base', play.base('amina', 'hers'),
      'data', '{"supportServices": ["police"]}'::jsonb))));
SELECT is(pg_temp.status('hers') || ' ' || pg_temp.needs('hers'), 'new medical withdrawn 1, police offered 1 due',
    'that is one: the case is open again');
SELECT is(play.outcome('incident_update', 'amina', '{hers}', '{"supportServices": ["medical", "police"]}'), 'ok',
    'she asks for care by name');
SELECT is(pg_temp.needs('hers'), 'medical offered 2 due, police offered 1 due', 'it is searched for as well');
SELECT is((SELECT count(*)::int FROM kintaraa.member m JOIN play.incident i ON i.id = m.bucket
    WHERE i.client_id = 'hers' AND m.relation = 'dispatcher' AND NOT m.revoked), 1, 'dispatchers follow it again');

-- Completed without a word to her.
SELECT play.report('amina', 'silent', '{medical,police}') \g /dev/null
SELECT is(play.outcome('assignment_accept', 'clinic', pg_temp.offer('clinic', 'silent')), 'ok', 'the clinic accepts');
SELECT is(pg_temp.move('dora', 'silent', 'completed'), 'ok completed', 'a dispatcher completes it');
SELECT is(pg_temp.needs('silent'), 'medical met 1, police unmet 1', 'its needs have ended');
SELECT is(pg_temp.move('dora', 'silent', 'in_progress'), 'ok in_progress', 'and takes it up again');
SELECT is(pg_temp.needs('silent'), 'medical engaged 1 due, police offered 2 due',
    'the clinic has it again, and its time to be in touch; what was unmet is searched for');
SELECT is((SELECT d.load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id
    WHERE p.name = 'clinic'), 2, 'the work counts');
SELECT play.pass((SELECT id FROM play.incident WHERE client_id = 'silent'), '4 days') \g /dev/null
SELECT ok(pg_temp.needs('silent') LIKE 'medical stalled 1 due, police % due', 'when the time passes it has stalled');

-- Completed after somebody was in touch.
SELECT play.report('amina', 'touched', '{medical}') \g /dev/null
SELECT is(play.outcome('assignment_accept', 'clinic', pg_temp.offer('clinic', 'touched')), 'ok', 'the clinic accepts');
SELECT is(pg_temp.move('clinic', 'touched', 'in_progress'), 'ok in_progress', 'is in touch with her');
SELECT is(pg_temp.move('clinic', 'touched', 'completed'), 'ok completed', 'and completes the case');
SELECT is(pg_temp.move('clinic', 'touched', 'in_progress'), 'ok in_progress', 'it was not the end');
SELECT is(pg_temp.needs('touched'), 'medical engaged 1', 'no time is set for what has happened');
SELECT is(pg_temp.move('clinic', 'touched', 'completed'), 'ok completed', 'now it is');
SELECT is(play.outcome('incident_update', 'amina', '{touched}', '{"supportServices": ["medical", "police"]}'), 'ok',
    'she needs another service');
SELECT is(pg_temp.status('touched') || ' ' || pg_temp.needs('touched'), 'new medical met 1, police offered 1 due',
    'the case waits for that one');
SELECT is(play.outcome('need_withdraw', 'amina', '{touched,police}'), 'ok', 'or she does not');
SELECT is(pg_temp.status('touched'), 'completed', 'then it is as it was');
SELECT is((SELECT count(*)::int FROM kintaraa.member m JOIN play.incident i ON i.id = m.bucket
    WHERE i.client_id = 'touched' AND m.relation = 'dispatcher' AND NOT m.revoked), 0,
    'and off the dispatchers'' desk');

-- Closed after it was completed, and asked for again with more urgency.
SELECT is(pg_temp.move('dora', 'touched', 'closed'), 'ok closed', 'a dispatcher closes it');
SELECT is(pg_temp.move('dora', 'touched', 'in_progress'), 'ok in_progress', 'and opens it again');
SELECT is(pg_temp.needs('touched'), 'medical engaged 1, police withdrawn 1', 'whoever helped has it again');
SELECT play.report('amina', 'again', '{police}') \g /dev/null
SELECT is(play.outcome('need_withdraw', 'amina', '{again,police}'), 'ok', 'she withdraws a service');
SELECT is(play.outcome('incident_update', 'amina', '{again}',
    '{"supportServices": ["police"], "urgencyLevel": "immediate"}'), 'ok', 'and wants it at once');
SELECT is((SELECT n.urgency_level || ' ' || (n.due_at < now() + interval '10 minutes')
    || ' ' || (n.expected_by < now() + interval '2 hours') FROM kintaraa.need n
    JOIN play.incident i ON i.id = n.bucket WHERE i.client_id = 'again'), 'immediate true true',
    'by the rules of that urgency');
SELECT play.report('amina', 'nothing', '{}') \g /dev/null
SELECT is(pg_temp.move('dora', 'nothing', 'closed'), 'ok closed', 'a report that asks for nothing is closed');
SELECT is(pg_temp.move('dora', 'nothing', 'in_progress'), 'ok pending_dispatcher_review', 'and looked at again');
SELECT is(pg_temp.needs('nothing'), 'triage needs_dispatcher 2 due', 'by a person');

-- Her case goes on for another service: who has done her part has done it, whatever she sends again.
CREATE FUNCTION pg_temp.load(who text) RETURNS integer LANGUAGE sql AS $$
SELECT d.load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id WHERE p.name = who $$;
UPDATE kintaraa.provider_dispatch SET capacity = 1000;
SELECT play.report('amina', 'goes-on', '{medical}', '{"urgencyLevel": "urgent"}'), pg_temp.load('clinic') AS load \gset
SELECT play.outcome('assignment_accept', 'clinic', pg_temp.offer('clinic', 'goes-on')) \g /dev/null
SELECT is(pg_temp.move('dora', 'goes-on', 'completed'), 'ok completed', 'the clinic has helped');
SELECT is(play.outcome('incident_update', 'amina', '{goes-on}', '{"supportServices": ["medical", "police"]}'), 'ok',
    'she asks for the police as well');
SELECT is(pg_temp.move('dora', 'goes-on', 'completed'), 'conflict KN402', 'which to complete again is no repetition');
SELECT is(play.outcome('assignment_accept', 'police', pg_temp.offer('police', 'goes-on')), 'ok', 'who come');
SELECT is(pg_temp.move('clinic', 'goes-on', 'in_progress'), 'ok in_progress', 'the clinic says what it said before');
SELECT is(pg_temp.needs('goes-on'), 'medical met 1, police engaged 1 due', 'what it has done stays done');
SELECT is(pg_temp.load('clinic'), :load, 'and takes none of its capacity');
SELECT is(pg_temp.move('police', 'goes-on', 'in_progress'), 'ok in_progress', 'the police were in touch with her');
SELECT is(pg_temp.needs('goes-on'), 'medical met 1, police engaged 1', 'which ends their timer');

-- A row cannot be otherwise.
SELECT throws_ok($$UPDATE kintaraa.need SET due_at = NULL, contacted_at = NULL WHERE state = 'engaged'$$, '23514',
    NULL, 'an engaged need without contact has a time');
SELECT throws_ok($$UPDATE kintaraa.need SET due_at = NULL WHERE state = 'offered'$$, '23514', NULL,
    'as has one that nobody has');
SELECT is((SELECT string_agg(what, ', ') FROM play.broken), NULL, 'nothing is broken');
SELECT * FROM finish();
