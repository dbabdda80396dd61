-- One person, one way in: twins, and devices that signed in before.
\ir include/identity.sql
SELECT plan(38);

CREATE FUNCTION pg_temp.sign_in(password text, more jsonb DEFAULT '{}', email text DEFAULT 'amina@example.org')
    RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('auth_login', NULL, jsonb_build_object('email', email, 'password', password) || more) $$;
CREATE FUNCTION pg_temp.on_device(device jsonb, password text) RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.sign_in(password, jsonb_build_object('deviceToken', device))) $$;
CREATE TEMP TABLE her AS SELECT pg_temp.register('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE device AS SELECT a -> 'deviceToken' AS t FROM her;
SELECT ok((SELECT length(t #>> '{}') = 98 FROM device), 'who comes in is given a token for her device');
SELECT is((SELECT a -> 'deviceToken' FROM pg_temp.sign_in('three wet goats', jsonb_build_object('deviceToken',
    (SELECT t FROM device))) AS a), (SELECT t FROM device), 'and keeps it at the next sign-in');
SELECT isnt((SELECT a ->> 'deviceToken' FROM pg_temp.sign_in('three wet goats') AS a), (SELECT t #>> '{}' FROM device),
    'another device has another one');
SELECT ok(NOT pg_temp.sign_in('no goats') ? 'deviceToken', 'a wrong password is given none');

-- strangers guess: on her device she signs in at once
UPDATE kintaraa.throttle SET failures = 1000, until = clock_timestamp() + interval '10 seconds';
SELECT is(pg_temp.told(pg_temp.sign_in('three wet goats')), 'slow_down KN601', 'without the token the right one waits');
SELECT is((SELECT pg_temp.on_device(t, 'three wet goats') FROM device), 'ok', 'with it she signs in');
SELECT is((SELECT pg_temp.told(pg_temp.register('amina@example.org', 'three wet goats',
    jsonb_build_object('deviceToken', t))) FROM device), 'ok', 'also by registering');
SELECT is(pg_temp.on_device(d, 'three wet goats'), 'slow_down KN601', what || ' is as if not sent') FROM
    (SELECT to_jsonb(left(t #>> '{}', -1) || 'x') AS d, 'a changed token' AS what FROM device
     UNION ALL SELECT '"x"', 'a text that is no token' UNION ALL SELECT '7', 'a number'
     UNION ALL SELECT 'null', 'null' UNION ALL SELECT to_jsonb(a #>> '{tokens,refresh}'), 'a refresh token' FROM her
     UNION ALL SELECT to_jsonb(repeat('x', 100000)), 'a very long text') AS s;

-- five wrong ones a day of its own
SELECT is((SELECT array_agg(DISTINCT pg_temp.on_device(t, 'guess ' || n)) FROM device, generate_series(1, 4) AS n),
    '{slow_down KN601}', 'on her device a wrong one is a stranger''s try as well');
SELECT is((SELECT pg_temp.on_device(t, 'guess 4') FROM device), 'slow_down KN601', 'the same one again counts once');
SELECT is((SELECT pg_temp.on_device(t, 'three wet goats') FROM device), 'ok', 'after four the line is her own');
SELECT is((SELECT pg_temp.on_device(t, 'guess 5') FROM device), 'slow_down KN601', 'after five');
SELECT is((SELECT pg_temp.on_device(t, 'three wet goats') FROM device), 'slow_down KN601', 'it is not, this day');
DELETE FROM kintaraa.throttle WHERE failures = 5;

-- an account of his own at her address: its token opens no line to hers
UPDATE kintaraa.throttle SET until = clock_timestamp();
CREATE TEMP TABLE his AS SELECT pg_temp.register('amina@example.org', 'his own goats') AS a;
SELECT is((SELECT a ->> 'outcome' FROM his), 'created', 'a guesser makes an account of her address');
UPDATE kintaraa.throttle SET failures = 1000, until = clock_timestamp() + interval '10 seconds' WHERE failures > 5;
SELECT is((SELECT pg_temp.on_device(a -> 'deviceToken', 'his own goats') FROM his), 'ok', 'his token opens his');
SELECT is((SELECT pg_temp.on_device(a -> 'deviceToken', 'three wet goats') FROM his), 'slow_down KN601',
    'and at her right password he waits');
SELECT is((SELECT pg_temp.on_device(a -> 'deviceToken', 'no goats') FROM his), 'slow_down KN601',
    'as he does at a wrong one');
CREATE TEMP TABLE neema AS SELECT pg_temp.register('neema@example.org', 'three wet goats') AS a;
SELECT is((SELECT pg_temp.on_device(a -> 'deviceToken', 'three wet goats') FROM neema), 'slow_down KN601',
    'nor does a token of another address');

-- the end of a token
UPDATE kintaraa.known_device SET seen_at = now() - interval '89 days 23 hours';
SELECT is((SELECT pg_temp.on_device(t, 'three wet goats') FROM device), 'ok', 'after nearly 90 days it is good');
UPDATE kintaraa.known_device SET seen_at = now() - interval '90 days';
SELECT is((SELECT pg_temp.on_device(t, 'three wet goats') FROM device), 'slow_down KN601', 'after 90 it is dead');
UPDATE kintaraa.known_device SET seen_at = now();
CREATE TEMP TABLE session AS SELECT pg_temp.sign_in('three wet goats', jsonb_build_object('deviceToken', t)) AS a
    FROM device;
SELECT is((SELECT pg_temp.told(pg_temp.door('session_revoke', pg_temp.access(a), path =>
    ARRAY[(SELECT k.session_id::text FROM kintaraa.known_device k WHERE k.account_id = pg_temp.user_id(a)
            ORDER BY k.created_at LIMIT 1)])) FROM session), 'none', 'who ends the session of a device');
SELECT is((SELECT count(*) FROM kintaraa.known_device WHERE generation = 1), 1::bigint, 'ends its token');
UPDATE kintaraa.throttle SET failures = 0, until = clock_timestamp();
CREATE TEMP TABLE again AS SELECT pg_temp.sign_in('three wet goats') AS a;
SELECT is((SELECT pg_temp.told(pg_temp.door('me_password', pg_temp.access(a),
    '{"currentPassword":"three wet goats","newPassword":"four wet goats"}')) FROM again), 'none',
    'she changes her password');
UPDATE kintaraa.throttle SET failures = 1000, until = clock_timestamp() + interval '10 seconds';
SELECT is((SELECT pg_temp.on_device(a -> 'deviceToken', 'four wet goats') FROM again), 'slow_down KN601',
    'which ends all tokens');
SELECT is((SELECT pg_temp.told(pg_temp.door('me_password', pg_temp.access(a),
    '{"currentPassword":"x","newPassword":"four wet goats"}')) FROM again), 'slow_down KN601',
    'changing it waits like a sign-in');
UPDATE kintaraa.throttle SET failures = 0, secrets = '{}', until = clock_timestamp();

-- twins
SELECT is((SELECT pg_temp.told(pg_temp.door('me_password', pg_temp.access(a),
    '{"currentPassword":"his own goats","newPassword":"four wet goats"}')) FROM his), 'invalid KN507',
    'nobody becomes the twin of another account by changing his password');
SELECT is((SELECT max(failures) FROM kintaraa.throttle), 1, 'the try is counted');
SELECT is(pg_temp.told(pg_temp.register('amina@example.org', 'four wet goats',
    jsonb_build_object('invitation', kintaraa.invite('dispatcher')))), 'invalid KN507', 'nor by an invitation');
UPDATE kintaraa.account SET password_hash = (SELECT password_hash FROM kintaraa.account WHERE id =
    (SELECT pg_temp.user_id(a) FROM her)) WHERE email_index = (SELECT email_index FROM kintaraa.account WHERE id =
    (SELECT pg_temp.user_id(a) FROM her));
SELECT kintaraa.change_flush() AS n \gset
INSERT INTO kintaraa.incident (id, owner_id, client_key, case_number, status, urgency_level, created_hash)
VALUES (gen_random_uuid(), (SELECT pg_temp.user_id(a) FROM his), 'x', 'KIN-20260101-0000001', 'new', 'routine', '\x00');
SELECT kintaraa.change_flush() AS n \gset
SELECT is((SELECT a ->> 'otherAccounts' || ' ' || (pg_temp.user_id(a) = (SELECT pg_temp.user_id(a) FROM his))
    FROM pg_temp.sign_in('four wet goats') AS a), 'true true', 'of old twins the one with reports is opened');
INSERT INTO kintaraa.account (id, role, email_index, password_hash)
SELECT gen_random_uuid(), 'analyst', email_index, password_hash FROM kintaraa.account WHERE id =
    (SELECT pg_temp.user_id(a) FROM her);
SELECT kintaraa.change_flush() AS n \gset
SELECT is(pg_temp.sign_in('four wet goats') #>> '{user,role}', 'analyst', 'or the one of staff');
SELECT is(pg_temp.sign_in('four wet goats', '{"role":"survivor"}') #>> '{user,role}', 'survivor',
    'or the one asked for');
SELECT is(pg_temp.sign_in('four wet goats', '{"role":"police"}') #>> '{user,role}', 'analyst',
    'a role that none of them has keeps nobody out');
SELECT is(pg_temp.sign_in('three wet goats', '{}', 'neema@example.org') ->> 'otherAccounts', 'false',
    'who is alone is told so');
SELECT finish();
