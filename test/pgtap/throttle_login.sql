-- Guessing at sign-in: slowed down per address and network, and nobody is ever locked out.
\ir include/identity.sql
SELECT plan(31);

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
SELECT is(pg_temp.guess(6), 'slow_down KN601', 'the seventh is not');
SELECT is(pg_temp.right_one(), 'slow_down KN601', 'nor is the right one, for as long');
SELECT ok((pg_temp.login('amina@example.org', 'three wet goats') ->> 'retryAfter')::integer BETWEEN 1 AND 2,
    'the wait is told');
SELECT is((SELECT failures FROM kintaraa.throttle), 6, 'what was not evaluated is not counted');
SELECT is(pg_temp.right_one('198.51.100.0/24'), 'ok', 'from elsewhere she signs in all the while');
SELECT is(pg_temp.told(pg_temp.login('neema@example.org', 'guess 1')), 'malformed KN001',
    'another address knows nothing of it');
SELECT pg_temp.wait_over();
SELECT is(pg_temp.right_one(), 'ok', 'after the wait so does she here');

-- an account of one's own under her address buys no guesses
SELECT is(pg_temp.register('amina@example.org', 'my own goats') ->> 'outcome', 'created',
    'a guesser makes an account of that address');
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'my own goats')), 'ok', 'and signs in to it');
SELECT is((SELECT max(failures) FROM kintaraa.throttle), 6, 'the count stays');

-- the curve
SELECT is(pg_temp.guess(7), 'malformed KN001', 'the seventh wrong one');
SELECT ok(pg_temp.wait() BETWEEN 3 AND 4, 'costs twice the wait of the sixth');
SELECT pg_temp.wait_over();
UPDATE kintaraa.throttle SET failures = 13 WHERE failures = 7;
SELECT is(pg_temp.guess(8), 'malformed KN001', 'the fourteenth');
SELECT ok(pg_temp.wait() BETWEEN 511 AND 512, 'costs 512 seconds');
SELECT pg_temp.wait_over();
SELECT is(pg_temp.guess(9), 'malformed KN001', 'the fifteenth');
SELECT ok(pg_temp.wait() BETWEEN 899 AND 900, 'and all later ones cost 15 minutes');
UPDATE kintaraa.throttle SET failures = 2000000000, until = clock_timestamp() WHERE failures > 13;
SELECT is(pg_temp.guess(10), 'malformed KN001', 'however many there were');
SELECT ok(pg_temp.wait() BETWEEN 899 AND 900, 'it is never more');

-- what is remembered has an end
UPDATE kintaraa.throttle SET until = clock_timestamp(),
    secrets = (SELECT array_agg(decode(lpad(to_hex(n), 32, '0'), 'hex'))
    FROM generate_series(1, 32) AS n) WHERE failures > 13;
SELECT is(pg_temp.guess(11), 'malformed KN001', 'with 32 remembered');
SELECT ok((SELECT cardinality(secrets) = 32 AND secrets[1] = decode(lpad('2', 32, '0'), 'hex') FROM kintaraa.throttle
           WHERE failures > 13), 'the oldest is forgotten for the newest');
UPDATE kintaraa.throttle SET until = clock_timestamp(), updated_at = clock_timestamp() - interval '24 hours 1 second';
SELECT is(pg_temp.guess(12), 'malformed KN001', 'after a day');
SELECT is((SELECT array_agg(failures ORDER BY failures) FROM kintaraa.throttle WHERE cardinality(secrets) > 0), '{1,1}',
    'all begins anew');
SELECT finish();
