-- When a provider can be offered work, and what is folded into its narrow row.
\ir ../data/play.sql
SELECT plan(54);

SELECT play.helper('clinic', 'healthcare', -1.0, 36.0) AS clinic \gset
SELECT play.team('healthcare', -1.1, 36.0, telephone => true) AS phone \gset
SELECT play.team('healthcare', -1.2, 36.0) AS empty \gset
CREATE FUNCTION pg_temp.on_duty(team uuid) RETURNS boolean LANGUAGE sql AS $$
SELECT kintaraa.dispatch_refresh();
SELECT dispatchable FROM kintaraa.provider_dispatch WHERE provider_id = team
$$;
SELECT ok(pg_temp.on_duty(:'clinic'), 'a team with staff is offered work');
SELECT ok(pg_temp.on_duty(:'phone'), 'one without staff that answers the telephone too');
SELECT ok(NOT pg_temp.on_duty(:'empty'), 'one without either is not');

-- One condition at a time, taken away and given back.
CREATE FUNCTION pg_temp.toggles(team uuid, off text, back text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    seen boolean[];
BEGIN
    EXECUTE format('UPDATE kintaraa.provider SET %s WHERE id = %L', off, team);
    seen := seen || pg_temp.on_duty(team);
    EXECUTE format('UPDATE kintaraa.provider SET %s WHERE id = %L', back, team);
    RETURN seen || pg_temp.on_duty(team);
END
$$;
SELECT is(pg_temp.toggles(:'clinic', off, back), '{f,t}', off) FROM (VALUES
    ('is_active = false', 'is_active = true'), ('is_verified = false', 'is_verified = true'),
    ('is_available = false', 'is_available = true'), ('latitude = NULL', 'latitude = -1.0'),
    ('longitude = NULL', 'longitude = 36.0'), ('hours = ''{}''', 'hours = NULL')) AS v (off, back);
UPDATE kintaraa.provider SET longitude = NULL WHERE id = :'empty';
SELECT kintaraa.dispatch_refresh() \g /dev/null
SELECT is(kintaraa.dispatch_refresh(), 0, 'half a place is written once');
UPDATE kintaraa.account SET is_active = false WHERE provider_id = :'clinic';
SELECT ok(NOT pg_temp.on_duty(:'clinic'), 'staff that has left is no staff');
UPDATE kintaraa.account SET is_active = true WHERE provider_id = :'clinic';

UPDATE kintaraa.provider SET is_available = false, available_until = now() + interval '1 hour' WHERE id = :'clinic';
SELECT ok(NOT pg_temp.on_duty(:'clinic'), 'away until later');
UPDATE kintaraa.provider SET available_until = now() - interval '1 second' WHERE id = :'clinic';
SELECT ok(pg_temp.on_duty(:'clinic'), 'back when the time has come');
SELECT ok(available_until IS NULL, 'once') FROM kintaraa.provider WHERE id = :'clinic';
UPDATE kintaraa.provider SET available_until = now() - interval '1 second' WHERE id = :'clinic';
SELECT ok(NOT pg_temp.on_duty(:'clinic'), 'and the other way round');
UPDATE kintaraa.provider SET is_available = true WHERE id = :'clinic';
SELECT is(kintaraa.dispatch_refresh(), 1, 'one row changed');
SELECT is(kintaraa.dispatch_refresh(), 0, 'and none when asked again');

-- Shifts, by the wall clock of Nairobi, three hours ahead.  2026-02-16 is a Monday.
SELECT is(kintaraa.shift_open(hours::jsonb, 'Africa/Nairobi', at::timestamp AT TIME ZONE 'Africa/Nairobi'), wanted, at
       || ' ' || hours)
  FROM (VALUES
    ('{"mon":[["08:00","17:00"]]}', '2026-02-16 07:59:59', false), ('{"mon":[["08:00","17:00"]]}', '2026-02-16 08:00',
        true),
    ('{"mon":[["08:00","17:00"]]}', '2026-02-16 16:59:59', true), ('{"mon":[["08:00","17:00"]]}', '2026-02-16 17:00',
        false),
    ('{"mon":[["08:00","17:00"]]}', '2026-02-17 09:00', false),
    ('{"mon":[["22:00","06:00"]]}', '2026-02-16 21:59', false), ('{"mon":[["22:00","06:00"]]}', '2026-02-16 22:00',
        true),
    ('{"mon":[["22:00","06:00"]]}', '2026-02-17 05:59', true), ('{"mon":[["22:00","06:00"]]}', '2026-02-17 06:00',
        false),
    ('{"mon":[["22:00","06:00"]]}', '2026-02-16 05:00', false),
    ('{"sun":[["22:00","06:00"]]}', '2026-02-16 05:00', true),
    ('{"mon":[["22:00","06:00"]],"closed":["2026-02-17"]}', '2026-02-17 05:00', true),
    ('{"mon":[["22:00","06:00"]],"closed":["2026-02-16"]}', '2026-02-16 23:00', false),
    ('{"mon":[["22:00","06:00"]],"closed":["2026-02-16"]}', '2026-02-17 05:00', false),
    ('{"mon":[["00:00","24:00"]]}', '2026-02-16 23:59', true), ('{"mon":[["00:00","24:00"]]}', '2026-02-17 00:00',
        false),
    ('{"mon":[["08:00","08:00"]]}', '2026-02-17 07:59', true),
    ('{"mon":[["08:00","12:00"],["13:00","17:00"]]}', '2026-02-16 12:30', false),
    ('{"mon":[["08:00","12:00"],["13:00","17:00"]]}', '2026-02-16 13:00', true),
    ('{"mon":"always"}', '2026-02-16 12:00', false), ('{"mon":[["8","17"]]}', '2026-02-16 12:00', false),
    ('[]', '2026-02-16 12:00', true), ('null', '2026-02-16 12:00', true)) AS v (hours, at, wanted);
SELECT ok(kintaraa.shift_open(NULL, 'Africa/Nairobi', now()), 'no hours are all hours');
SELECT ok(kintaraa.shift_open('{"mon":[["08:00","09:00"]]}', zone, '2026-02-16 08:30+00') = open, zone)
  FROM (VALUES ('UTC', true), ('Africa/Nairobi', false), ('Nowhere/Else', true)) AS v (zone, open);

-- What is folded: last offer and minutes to an answer.  The bookmark is set back each time, since a snapshot
-- counts the changes of its own transaction as seen.
SELECT kintaraa.dispatch_fold() \g /dev/null
SELECT play.register('amina') \g /dev/null
SELECT play.report('amina', 'case-1', '{medical}', '{"urgencyLevel": "urgent"}') AS incident \gset
SELECT ok(last_offer_at IS NULL, 'an offer touches no provider row') FROM kintaraa.provider_dispatch
       WHERE provider_id = :'clinic';
UPDATE kintaraa.dispatch_bookmark SET snapshot = '3:3:';
SELECT ok(kintaraa.dispatch_fold() BETWEEN 1 AND 2, 'the fold sees it');
SELECT ok(last_offer_at = a.offered_at AND ack_minutes IS NULL AND ack_count = 0, 'as the last offer, not as an answer')
  FROM kintaraa.provider_dispatch d JOIN kintaraa.assignment a USING (provider_id) WHERE provider_id = :'clinic';
UPDATE kintaraa.assignment SET offered_at = now() - interval '30 minutes' WHERE provider_id = :'clinic';
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'incident')::text]), 'ok',
       'it accepts');
SELECT is(load, 1, 'which takes capacity at once') FROM kintaraa.provider_dispatch WHERE provider_id = :'clinic';
UPDATE kintaraa.dispatch_bookmark SET snapshot = '3:3:';
SELECT kintaraa.dispatch_fold() \g /dev/null
SELECT ok(ack_count = 1 AND abs(ack_mean - 30) < 0.1 AND ack_minutes > 10 AND ack_minutes < 15 AND load = 1,
          'thirty minutes count, drawn towards the ten of its type: ' || ack_minutes)
  FROM kintaraa.provider_dispatch WHERE provider_id = :'clinic';
UPDATE kintaraa.dispatch_bookmark SET snapshot = '3:3:';
SELECT kintaraa.dispatch_fold() \g /dev/null
SELECT is(ack_count, 1, 'and once') FROM kintaraa.provider_dispatch WHERE provider_id = :'clinic';

UPDATE kintaraa.provider_dispatch SET load = 7 WHERE provider_id IN (:'clinic', :'phone');
SELECT is(kintaraa.dispatch_recount(), 2, 'a wrong load is counted anew');
SELECT is(string_agg(load::text, ' ' ORDER BY load), '0 1', 'from the open acceptances')
       FROM kintaraa.provider_dispatch WHERE provider_id IN (:'clinic', :'phone');
SELECT is(kintaraa.dispatch_recount(), 0, 'and then it is right');
SELECT kintaraa.change_flush() \g /dev/null
SELECT finish();
