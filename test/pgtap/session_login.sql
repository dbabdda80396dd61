-- auth_login: one hash for all accounts of an address, and one answer for all that do not fit.
\ir include/identity.sql
SELECT plan(28);

CREATE TEMP TABLE first AS SELECT pg_temp.register('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE second AS SELECT pg_temp.register('amina@example.org', 'four dry goats') AS a;

SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'three wet goats')), 'ok', 'she signs in');
SELECT is(pg_temp.user_id(pg_temp.login('amina@example.org', 'three wet goats')),
    (SELECT pg_temp.user_id(a) FROM first),
    'her password finds her account');
SELECT is(pg_temp.user_id(pg_temp.login('amina@example.org', 'four dry goats')),
    (SELECT pg_temp.user_id(a) FROM second),
    'another password of the same address finds the other');
SELECT is(pg_temp.told(pg_temp.login(' AMINA@example.ORG ', 'three wet goats')), 'ok',
    'the address may be written otherwise');
SELECT is(pg_temp.login('amina@example.org', 'three wet goats') -> 'user', (SELECT a -> 'user' FROM first),
    'the answer is her account');

-- one answer for all that does not fit
CREATE TEMP TABLE refusal AS SELECT pg_temp.login('amina@example.org', 'no goats here') - 'serverTime' AS a;
SELECT is((SELECT a FROM refusal), '{"code":"KN001","detail":"e-mail or password is wrong","outcome":"malformed"}',
    'a wrong password');
SELECT is(pg_temp.login('nobody@example.org', 'no goats here') - 'serverTime', (SELECT a FROM refusal),
    'an unknown address');
SELECT is(pg_temp.login('amina@example.org', '') - 'serverTime', (SELECT a FROM refusal), 'an empty password');
SELECT is(pg_temp.login('amina@example.org', 'Three wet goats') - 'serverTime', (SELECT a FROM refusal),
    'a password in capitals');
UPDATE kintaraa.account SET is_active = false WHERE id = (SELECT pg_temp.user_id(a) FROM second);
SELECT kintaraa.change_flush() AS n \gset
SELECT is(pg_temp.login('amina@example.org', 'four dry goats') - 'serverTime', (SELECT a FROM refusal),
    'an account switched off');

-- what is wrong in form is named before anything is looked up
SELECT throws_ok($$ SELECT pg_temp.door('auth_login', NULL, NULL) $$, 'KN501', NULL, 'no body');
SELECT throws_ok($$ SELECT pg_temp.door('auth_login', NULL, '{"password":"x"}') $$, 'KN502', NULL, 'no e-mail');
SELECT throws_ok($$ SELECT pg_temp.door('auth_login', NULL, '{"email":"amina@example.org"}') $$, 'KN502', NULL,
    'no password');
SELECT throws_ok($$ SELECT pg_temp.door('auth_login', NULL, '{"email":"amina@example.org","password":7}') $$, 'KN503',
    NULL,
    'a password that is a number');
SELECT throws_ok($$ SELECT pg_temp.login('amina', 'x') $$, 'KN504', NULL, 'an e-mail that is none');
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', repeat('x', 128))), 'malformed KN001',
    'a password of 128 characters');
SELECT throws_ok($$ SELECT pg_temp.login('amina@example.org', repeat('x', 129)) $$, 'KN505', NULL, 'a password of 129');

-- devices
DELETE FROM kintaraa.throttle;
SELECT is(pg_temp.told(pg_temp.door('auth_login', NULL,
    '{"email":"amina@example.org","password":"three wet goats","device":"d-1"}')),
    'ok', 'a phone says who it is');
SELECT is(pg_temp.told(pg_temp.door('auth_login', NULL, '{"email":"amina@example.org","password":"three wet goats"}',
    context => '{"device":"d-2"}')), 'ok', 'or its request does');
SELECT is((SELECT array_agg(id ORDER BY id) FROM kintaraa.device), '{d-1,d-2}', 'both are noted');
SELECT lives_ok(format($$ SELECT pg_temp.door('auth_login', NULL,
    '{"email":"amina@example.org","password":"three wet goats","device":"%s"}') $$, repeat('d', 129)),
    'a device too long keeps nobody out');

-- how many sessions an account has
DELETE FROM kintaraa.session;
INSERT INTO kintaraa.session (id, account_id, rotated_at, expires_at)
SELECT ('00000000-0000-4000-8000-0000000000' || to_char(n, 'FM00'))::uuid, (SELECT pg_temp.user_id(a) FROM first),
       now() - n * interval '1 hour', now() + interval '1 day' FROM generate_series(1, 31) AS n;
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'three wet goats')), 'ok', 'the 32nd session begins');
SELECT is((SELECT count(*) FROM kintaraa.session WHERE revoked_at IS NULL), 32::bigint, 'beside all others');
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'three wet goats')), 'ok', 'the 33rd begins');
SELECT is((SELECT array_agg(id) FROM kintaraa.session WHERE revoked_at IS NOT NULL),
    '{00000000-0000-4000-8000-000000000031}', 'and the one unused for longest ends');

-- traces
SELECT is((SELECT array_agg(DISTINCT outcome || coalesce(code, '') ORDER BY outcome || coalesce(code, ''))
    FROM kintaraa.audit
           WHERE action = 'auth_login'), '{malformedKN001,ok}', 'sign-ins and refusals leave entries');
SELECT is((SELECT count(*) FROM kintaraa.audit a WHERE a::text ~* 'goat|example'), 0::bigint, 'that hold no value');
SELECT is(pg_temp.told(pg_temp.door('auth_login', 'x.y.z',
    '{"email":"amina@example.org","password":"three wet goats"}')), 'ok',
    'a stale access token does not keep her out');
SELECT finish();
