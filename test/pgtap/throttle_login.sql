-- Guessing at sign-in: slowed down per address and network, and nobody is ever locked out.
\ir include/identity.sql
SELECT plan(39);

CREATE TEMP TABLE her AS SELECT pg_temp.register('amina@example.org', 'three wet goats') AS a;
DELETE FROM kintaraa.throttle;
CREATE FUNCTION pg_temp.right_one(network text DEFAULT '192.0.2.0/24') RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.login('amina@example.org', 'three wet goats', network)) $$;
CREATE FUNCTION pg_temp.guess(n integer, email text DEFAULT 'amina@example.org') RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.login(email, 'guess ' || n)) $$;
CREATE FUNCTION pg_temp.wait_over() RETURNS void LANGUAGE sql AS
    $$ UPDATE kintaraa.throttle SET until = clock_timestamp() $$;
CREATE FUNCTION pg_temp.wait() RETURNS integer LANGUAGE sql AS
    $$ SELECT ceil(extract(epoch FROM max(until) - clock_timestamp()))::integer FROM kintaraa.throttle $$;

-- a phone repeats one tap six times
SELECT is((SELECT array_agg(DISTINCT pg_temp.guess(0)) FROM generate_series(1, 6)), '{malformed KN001}',
    'one wrong password six times');
SELECT is((SELECT failures FROM kintaraa.throttle), 1, 'counts once');
SELECT is((SELECT count(*) FROM kintaraa.throttle WHERE secrets::text ~ 'guess'), 0::bigint, 'and is not kept as text');
SELECT ok((SELECT until <= clock_timestamp() FROM kintaraa.throttle), 'there is no wait');

-- five distinct ones are free, and the right one still is
SELECT is((SELECT array_agg(DISTINCT pg_temp.guess(n)) FROM generate_series(1, 4) AS n), '{malformed KN001}',
    'five distinct ones');
SELECT is((SELECT failures FROM kintaraa.throttle), 5, 'count five');
SELECT is(pg_temp.right_one(), 'ok', 'and the right one is still taken at once');
SELECT is((SELECT failures FROM kintaraa.throttle), 5, 'which clears nothing');

-- one over
SELECT is(pg_temp.guess(5), 'malformed KN001', 'the sixth is evaluated');
SELECT is(pg_temp.guess(6), 'slow_down KN601', 'the seventh waits for its turn');
CREATE TEMP TABLE waits AS SELECT pg_temp.login('amina@example.org', 'three wet goats') AS a;
SELECT is((SELECT pg_temp.told(a) FROM waits), 'slow_down KN601', 'so does the right one');
SELECT ok((SELECT (a ->> 'waitMs')::integer BETWEEN 1 AND 2300 AND (a ->> 'retryAfter')::integer BETWEEN 1 AND 3
           FROM waits), 'the wait is told');
SELECT is((SELECT failures FROM kintaraa.throttle), 6, 'what was not evaluated is not counted');
SELECT is(pg_temp.right_one('198.51.100.0/24'), 'ok', 'from elsewhere she signs in all the while');
SELECT is(pg_temp.told(pg_temp.login('neema@example.org', 'guess 1')), 'malformed KN001',
    'another address knows nothing of it');

-- the turn: not before its time, for these very secrets, and for this line
CREATE FUNCTION pg_temp.with_turn(turn text, password text, network text DEFAULT '192.0.2.0/24') RETURNS text
    LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.door('auth_login', NULL, jsonb_build_object('email', 'amina@example.org',
        'password', password), context => jsonb_build_object('network', network, 'turn', turn))) $$;
SELECT is((SELECT pg_temp.with_turn(a ->> 'turn', 'three wet goats') FROM waits), 'slow_down KN601',
    'a turn is worth nothing before its time');
CREATE FUNCTION pg_temp.when_it_comes(turn text, password text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    FOR n IN 1 .. 100 LOOP
        told := pg_temp.with_turn(turn, password);
        EXIT WHEN told <> 'slow_down KN601';
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN told;
END
$$;
UPDATE kintaraa.throttle SET until = clock_timestamp() + interval '300 milliseconds' WHERE failures = 6;
CREATE TEMP TABLE soon AS SELECT pg_temp.login('amina@example.org', 'three wet goats') AS a,
    pg_temp.login('amina@example.org', 'guess 6') AS wrong;
UPDATE kintaraa.throttle SET until = clock_timestamp() + interval '10 seconds' WHERE failures = 6;
SELECT is((SELECT pg_temp.with_turn(left(a ->> 'turn', -1) || 'x', 'three wet goats') FROM soon), 'slow_down KN601',
    'nor changed');
SELECT is((SELECT pg_temp.when_it_comes(a ->> 'turn', 'three wet goats') FROM soon), 'ok', 'but for its own it is');
SELECT is((SELECT pg_temp.when_it_comes(wrong ->> 'turn', 'guess 6') FROM soon), 'malformed KN001', 'right or wrong');
SELECT is((SELECT pg_temp.with_turn(a ->> 'turn', 'guess 7') FROM soon), 'slow_down KN601',
    'for another secret it never is');
SELECT pg_temp.wait_over();
SELECT is(pg_temp.right_one(), 'ok', 'after the wait so does she here');

-- an account of one's own under her address buys no guesses, nor does registering instead of signing in
SELECT is(pg_temp.register('amina@example.org', 'my own goats') ->> 'outcome', 'created',
    'a guesser makes an account of that address');
SELECT is((SELECT max(failures) FROM kintaraa.throttle), 8, 'which is a wrong secret');
SELECT is(pg_temp.told(pg_temp.register('amina@example.org', 'my other goats')), 'slow_down KN601',
    'so the next waits');
SELECT pg_temp.wait_over();
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'my own goats')), 'ok', 'he signs in to his own');
SELECT is((SELECT max(failures) FROM kintaraa.throttle), 8, 'the count stays');

-- the curve
SELECT is(pg_temp.guess(9), 'malformed KN001', 'the ninth wrong one');
SELECT ok(pg_temp.wait() BETWEEN 9 AND 10, 'and all later ones cost ten seconds');
UPDATE kintaraa.throttle SET failures = 2000000000, until = clock_timestamp() WHERE failures > 5;
SELECT is(pg_temp.guess(10), 'malformed KN001', 'however many there were');
SELECT ok(pg_temp.wait() BETWEEN 9 AND 10, 'it is never more');

-- tries side by side: a hundred turns while few were wrong, two when many were
CREATE FUNCTION pg_temp.queue(wrong integer, wait interval) RETURNS jsonb LANGUAGE sql AS
    $$ UPDATE kintaraa.throttle SET failures = wrong, until = clock_timestamp() + wait WHERE failures > 5;
       SELECT pg_temp.login('amina@example.org', 'guess 131') $$;
CREATE FUNCTION pg_temp.last_turn() RETURNS interval LANGUAGE sql AS
    $$ SELECT until - clock_timestamp() FROM kintaraa.throttle WHERE failures > 5 $$;
SELECT ok((SELECT a ? 'turn' AND (a ->> 'waitMs')::int BETWEEN 12000 AND 15001
           FROM pg_temp.queue(100, '14.9 seconds') AS a), 'a try waits at most 15 seconds');
SELECT ok(pg_temp.last_turn() < '14.95 seconds', 'and the next comes 0.05 seconds later');
SELECT ok((SELECT NOT a ? 'turn' AND (a ->> 'retryAfter')::int > 0 FROM pg_temp.queue(100, '20 seconds') AS a),
    'the one too many is told when to come again');
SELECT ok(pg_temp.last_turn() < '20 seconds', 'and takes nobody''s turn');
SELECT ok((SELECT a ? 'turn' FROM pg_temp.queue(101, '10 seconds') AS a) AND pg_temp.last_turn() > '12 seconds',
    'with more than a hundred wrong ones the next comes five seconds later');

-- what is remembered has an end
UPDATE kintaraa.throttle SET until = clock_timestamp(),
    secrets = (SELECT array_agg(decode(lpad(to_hex(n), 32, '0'), 'hex'))
    FROM generate_series(1, 32) AS n) WHERE failures > 5;
SELECT is(pg_temp.guess(11), 'malformed KN001', 'with 32 remembered');
SELECT ok((SELECT cardinality(secrets) = 32 AND secrets[1] = decode(lpad('2', 32, '0'), 'hex') FROM kintaraa.throttle
           WHERE failures > 5), 'the oldest is forgotten for the newest');
UPDATE kintaraa.throttle SET until = clock_timestamp(), updated_at = clock_timestamp() - interval '24 hours 1 second';
SELECT is(pg_temp.guess(12), 'malformed KN001', 'after a day');
SELECT is((SELECT array_agg(failures ORDER BY failures) FROM kintaraa.throttle WHERE cardinality(secrets) > 0), '{1,1}',
    'all begins anew');
SELECT finish();
