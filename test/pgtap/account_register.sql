-- auth_register: who comes in, who does not, and what nobody can find out by it.
\ir include/identity.sql
SELECT plan(65);

-- a survivor comes in freely
CREATE TEMP TABLE made AS SELECT pg_temp.register('Amina@Example.org ', 'three wet goats', '{"firstName":"Amina",
    "lastName":"Wanjiru", "phone":"0712 345 678", "isAnonymous":true, "language":"sw", "device":"phone-1"}') AS a;
SELECT is((SELECT a ->> 'outcome' FROM made), 'created', 'a survivor registers');
SELECT is((SELECT (a -> 'user') - '{id,createdAt,updatedAt}'::text[] FROM made), '{"email":"amina@example.org",
    "firstName":"Amina","lastName":"Wanjiru","phone":"+254712345678","role":"survivor","providerType":null,
    "providerId":null,"isAnonymous":true,"language":"sw","serverVersion":1}', 'the answer is her account');
SELECT is((SELECT array_agg(k ORDER BY k) FROM made, jsonb_object_keys(a -> 'tokens') AS k),
    '{access,expiresIn,refresh}', 'and a pair of tokens');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM made))), 'ok', 'the access token is good');
SELECT is((SELECT s.device FROM kintaraa.session s, made WHERE s.account_id = pg_temp.user_id(a)), 'phone-1',
    'the session knows its device');
SELECT is((SELECT count(*) FROM kintaraa.device d, made WHERE d.account_id = pg_temp.user_id(a)), 1::bigint,
    'the device is noted');
SELECT ok((SELECT c.version = 1 AND NOT c.deleted FROM kintaraa.change c, made
           WHERE c.bucket = pg_temp.user_id(a) AND c.noun = 'account'), 'the account is stamped');

-- nothing of it can be read in the table
SELECT is((SELECT count(*) FROM kintaraa.account a WHERE a::text ~* 'amina|wanjiru|712345678|goats'), 0::bigint,
    'no plain text lies in the row');
SELECT ok((SELECT position(convert_to('mina', 'UTF8') IN a.email_sealed || a.first_name_sealed || a.phone_sealed) = 0
           FROM kintaraa.account a, made WHERE a.id = pg_temp.user_id(made.a)), 'nor in its sealed bytes');
SELECT is((SELECT octet_length(k.wrapped) FROM kintaraa.subject_key k, made WHERE k.subject = pg_temp.user_id(a)), 63,
    'she has a data key of her own, wrapped');

-- a phone that got no answer sends the same again
CREATE TEMP TABLE again AS SELECT pg_temp.register('amina@example.org', 'three wet goats') AS a;
SELECT is((SELECT a ->> 'outcome' FROM again), 'ok', 'the same registration again is a replay');
SELECT is((SELECT pg_temp.user_id(a) FROM again), (SELECT pg_temp.user_id(a) FROM made), 'of the same account');
SELECT is((SELECT a #>> '{user,firstName}' FROM again), 'Amina', 'as it was made');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM again))), 'ok',
    'with tokens that are good');

-- a taken address does not show
CREATE TEMP TABLE other AS SELECT pg_temp.register('amina@example.org', 'four dry goats') AS a;
SELECT is((SELECT a ->> 'outcome' FROM other), 'created', 'a taken address registers like any other');
SELECT isnt((SELECT pg_temp.user_id(a) FROM other), (SELECT pg_temp.user_id(a) FROM made), 'and is another account');
SELECT is((SELECT array_agg(p ORDER BY p) FROM other, jsonb_object_keys(a) AS p),
    (SELECT array_agg(p ORDER BY p) FROM made, jsonb_object_keys(a) AS p), 'with an answer of the same shape');
SELECT is((SELECT count(DISTINCT email_index) FROM kintaraa.account), 1::bigint, 'both are found by one index');

-- registering with e-mail and password of an account is signing in, at any time
UPDATE kintaraa.account SET created_at = clock_timestamp() - interval '400 days';
SELECT kintaraa.change_flush() AS n \gset
SELECT is((x ->> 'outcome') || ' ' || (pg_temp.user_id(x) = (SELECT pg_temp.user_id(a) FROM made)), 'ok true',
    'a year later it still is signing in') FROM pg_temp.register('amina@example.org', 'three wet goats') AS x;

-- how many accounts one network may make
DELETE FROM kintaraa.throttle;
SET kintaraa.registrations_per_hour = 6;
SELECT is((SELECT array_agg(DISTINCT pg_temp.register('many' || n || '@example.org', 'many goats ' || n) ->> 'outcome')
           FROM generate_series(1, 6) AS n), '{created}', 'six accounts of one network are made');
CREATE TEMP TABLE seventh AS SELECT pg_temp.register('many7@example.org', 'many goats 7') AS a;
SELECT is((SELECT pg_temp.told(a) FROM seventh), 'slow_down KN601', 'the seventh is not at once');
SELECT ok((SELECT (a ->> 'waitMs')::int BETWEEN 1 AND 2001 AND a ? 'turn' FROM seventh),
    'and waits two seconds for its turn');
CREATE FUNCTION pg_temp.wait_of(n integer) RETURNS integer LANGUAGE sql AS
    $$ SELECT (pg_temp.register('side' || n || '@example.org', 'many goats ' || n) ->> 'waitMs')::int $$;
CREATE TEMP TABLE waiting AS SELECT n, pg_temp.wait_of(n) AS ms, clock_timestamp() AS at
  FROM generate_series(1, 130) AS n;
CREATE FUNCTION pg_temp.most_at_once() RETURNS bigint LANGUAGE sql AS $$
SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY at + ms * interval '1 millisecond'
    RANGE BETWEEN CURRENT ROW AND interval '1 second' FOLLOWING) AS n FROM waiting) AS s
$$;
SELECT ok(pg_temp.most_at_once() <= 8, 'many at once come one after the other');
SELECT ok(max(ms) BETWEEN 25000 AND 30001, 'and none waits more than half a minute') FROM waiting;
UPDATE kintaraa.throttle SET until = until + interval '1 day';
SELECT ok(ms BETWEEN 14900 AND 15001,
    'one alone waits 15 seconds at most') FROM (SELECT pg_temp.wait_of(7) AS ms OFFSET 0) AS s;
TRUNCATE waiting;
INSERT INTO waiting SELECT n, pg_temp.wait_of(n), clock_timestamp() FROM generate_series(1, 150) AS n;
SELECT ok(count(ms) = 150 AND max(ms) BETWEEN 28000 AND 30001 AND pg_temp.most_at_once() <= 15,
    'more than the line holds are not sent away, nor come together') FROM waiting;
SELECT is(pg_temp.told(pg_temp.login('many1@example.org', 'many goats 1')), 'ok', 'who signs in does not wait for it');
SELECT is(pg_temp.register('many7@example.org', 'many goats 7', network => '198.51.100.0/24') ->> 'outcome', 'created',
    'nor does another network');
SELECT is(pg_temp.staff('analyst', 'ana@example.org') ->> 'outcome', 'created', 'nor who was invited');
UPDATE kintaraa.throttle SET until = clock_timestamp();
SELECT is(pg_temp.register('many8@example.org', 'many goats 8') ->> 'outcome', 'created',
    'an hour later it is forgotten');
DELETE FROM kintaraa.account WHERE role <> 'survivor';
SELECT kintaraa.change_flush() AS n \gset
RESET kintaraa.registrations_per_hour;

-- a role is a wish
SELECT is(pg_temp.told(pg_temp.register('w@example.org', 'seven wet goats', jsonb_build_object('role', r))),
    'refused KN204', r || ' needs an invitation')
  FROM unnest(ARRAY['provider', 'dispatcher', 'admin', 'analyst']) AS r;
SELECT is(pg_temp.told(pg_temp.register('w@example.org', 'seven wet goats', '{"providerType":"police"}')),
    'refused KN204', 'so does a provider type');
SELECT is(pg_temp.register('w@example.org', 'seven wet goats', '{"role":"survivor"}') #>> '{user,role}', 'survivor',
    'a survivor needs none');

-- what is wrong is named
CREATE FUNCTION pg_temp.wrong(more text, password text DEFAULT 'seven wet goats') RETURNS text LANGUAGE sql AS
    $$ SELECT format('SELECT pg_temp.register(%L, %L, %L)', 'x@example.org', password, more) $$;
SELECT throws_ok($$ SELECT pg_temp.door('auth_register', NULL, NULL) $$, 'KN501', NULL, 'no body');
SELECT throws_ok($$ SELECT pg_temp.door('auth_register', NULL, '[]') $$, 'KN501', NULL, 'a body that is an array');
SELECT throws_ok($$ SELECT pg_temp.door('auth_register', NULL, '{"password":"seven wet goats"}') $$, 'KN502', NULL,
    'no e-mail');
SELECT throws_ok($$ SELECT pg_temp.door('auth_register', NULL, '{"email":"x@example.org"}') $$, 'KN502', NULL,
    'no password');
SELECT throws_ok(pg_temp.wrong('{"email":7}'), 'KN503', NULL, 'an e-mail that is a number');
SELECT throws_ok(pg_temp.wrong('{"email":"nobody"}'), 'KN504', NULL, 'an e-mail that is none');
SELECT throws_ok(pg_temp.wrong('{"role":"root"}'), 'KN504', NULL, 'a role that is none');
SELECT throws_ok(pg_temp.wrong('{"language":"fr"}'), 'KN504', NULL, 'a language that is none of ours');
SELECT throws_ok(pg_temp.wrong('{"phone":"call me"}'), 'KN504', NULL, 'a telephone number that is none');
SELECT throws_ok(pg_temp.wrong('{"isAdmin":true}'), 'KN509', NULL, 'a field that is not known');
CREATE FUNCTION pg_temp.hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text; BEGIN EXECUTE statement; RETURN NULL;
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT; RETURN hint; END $$;
SELECT matches(pg_temp.hint_of(pg_temp.wrong('{"first_name":"A"}')), '^Known here are: .*firstName.*[.]$',
               'the hint names the fields that are known');
SELECT throws_ok(pg_temp.wrong('{"serverVersion":9}'), 'KN509', NULL, 'a field that is the server''s');

-- limits, at and over
SELECT throws_ok(pg_temp.wrong('{}', 'goat wx'), 'KN505', NULL, 'a password of 7 characters');
SELECT lives_ok(pg_temp.wrong('{}', 'goat wxy'), 'a password of 8');
SELECT lives_ok(pg_temp.wrong('{}', repeat('ŵ', 128)), 'a password of 128 characters of two bytes');
SELECT throws_ok(pg_temp.wrong('{}', repeat('ŵ', 129)), 'KN505', NULL, 'a password of 129');
SELECT throws_ok(pg_temp.wrong('{}', 'Password123'), 'KN507', NULL, 'a password that many use, in capitals');
SELECT lives_ok(pg_temp.wrong(jsonb_build_object('firstName', repeat('ñ', 100))::text), 'a name of 100 characters');
SELECT throws_ok(pg_temp.wrong(jsonb_build_object('firstName', repeat('ñ', 101))::text), 'KN505', NULL,
    'a name of 101');
SELECT lives_ok(pg_temp.wrong(jsonb_build_object('device', repeat('d', 64))::text), 'a device of 64 characters');
SELECT lives_ok(pg_temp.wrong(jsonb_build_object('device', repeat('d', 129))::text), 'or of 129, which is cut');
SELECT lives_ok(pg_temp.wrong(jsonb_build_object('email', repeat('l', 64) || '@' || repeat('d', 189))::text),
    'an e-mail of 254 bytes');
SELECT throws_ok(pg_temp.wrong(jsonb_build_object('email', repeat('l', 64) || '@' || repeat('d', 190))::text),
    'KN505', NULL, 'an e-mail of 255');

-- defaults and traces
SELECT is(pg_temp.door('auth_register', NULL, '{"email":"sw@example.org","password":"seven wet goats"}',
    context => '{"language":"sw-KE"}') #>> '{user,language}', 'sw', 'the language of the request is the default');
SELECT is(pg_temp.register('en@example.org', 'seven wet goats') #>> '{user,language}', 'en', 'else English');
SELECT is(pg_temp.register('empty@example.org', 'seven wet goats',
    '{"firstName":"","phone":""}') -> 'user' ->> 'firstName',
    NULL, 'an empty name is none');
SELECT is((SELECT array_agg(DISTINCT outcome || coalesce(code, '') ORDER BY outcome || coalesce(code, ''))
           FROM kintaraa.audit WHERE action = 'auth_register'), '{created,ok,refusedKN204}',
           'registrations leave entries');
SELECT is((SELECT count(*) FROM kintaraa.audit a WHERE a::text ~* 'goat|example'), 0::bigint, 'that hold no value');
SELECT is((SELECT count(*) FROM kintaraa.account WHERE role <> 'survivor'), 0::bigint,
    'and nobody became more than a survivor');
SELECT finish();
