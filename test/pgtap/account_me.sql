-- me_get, me_update, me_password: one's own account, and never one's own role.
\ir include/identity.sql
SELECT plan(59);

CREATE TEMP TABLE her AS SELECT pg_temp.register('amina@example.org', 'three wet goats',
    '{"firstName":"Amina","phone":"+254712345678"}') AS a;
CREATE FUNCTION pg_temp.me() RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.access(a) FROM her $$;
CREATE FUNCTION pg_temp.change(input jsonb, if_match text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('me_update', pg_temp.me(), input,
    context => jsonb_strip_nulls(jsonb_build_object('ifMatch', if_match))) $$;

-- who is asked
SELECT is(pg_temp.told(pg_temp.door(d, NULL, '{}')), 'unknown KN101', d || ' needs a token')
  FROM unnest(ARRAY['me_get', 'me_update', 'me_password', 'session_list', 'session_revoke']) AS d;
SELECT is(pg_temp.told(pg_temp.door(d, 'x.y.z', '{}')), 'unknown KN102', d || ' needs a good token')
  FROM unnest(ARRAY['me_get', 'me_update', 'me_password', 'session_list', 'session_revoke']) AS d;
SELECT is(pg_temp.door('me_get', pg_temp.me()) -> 'user', (SELECT a -> 'user' FROM her),
    'she reads what she registered');

-- what she may change
SELECT is((pg_temp.change('{"firstName":"Neema","lastName":"Otieno","language":"sw","isAnonymous":true}') -> 'user')
    - '{id,createdAt,updatedAt}'::text[], '{"email":"amina@example.org","firstName":"Neema","lastName":"Otieno",
    "phone":"+254712345678","role":"survivor","providerType":null,"providerId":null,"isAnonymous":true,"language":"sw",
    "serverVersion":2}', 'names, language and anonymity');
SELECT ok(((pg_temp.door('me_get', pg_temp.me()) #>> '{user,updatedAt}') > (SELECT a #>> '{user,updatedAt}' FROM her)),
    'updatedAt moves');
SELECT is(pg_temp.change('{"lastName":null,"phone":null}') -> 'user' -> 'phone', 'null', 'null empties a field');
SELECT is(pg_temp.door('me_get', pg_temp.me()) #>> '{user,firstName}', 'Neema', 'what is absent stays');
SELECT is((SELECT phone_index FROM kintaraa.account WHERE id = (SELECT pg_temp.user_id(a) FROM her)), NULL,
    'nor is the number found any more');
SELECT is(pg_temp.told(pg_temp.change('{}')), 'ok', 'nothing to change is no fault');

-- what is not hers
SELECT is(pg_temp.told(pg_temp.change(jsonb_build_object(f, v))), 'refused KN205', f || ' is not hers to change')
  FROM (VALUES ('role', '"admin"'::jsonb), ('role', 'null'), ('email', '"x@example.org"'), ('id', '"x"'),
    ('password', '"x"'),
               ('providerType', '"police"'), ('providerId', 'null'), ('centreId', 'null'), ('isActive', 'true'),
               ('createdAt', 'null'), ('updatedAt', 'null'), ('serverVersion', '1')) AS v (f, v);
SELECT is(pg_temp.change('{"role":"admin"}') ->> 'pointer', '/role', 'the refusal names the field');
SELECT is((SELECT role FROM kintaraa.account WHERE id = (SELECT pg_temp.user_id(a) FROM her)), 'survivor',
    'her role stayed');
SELECT throws_ok($$ SELECT pg_temp.change('{"isVerified":true}') $$, 'KN509', NULL, 'an unknown field');
SELECT throws_ok($$ SELECT pg_temp.change('{"language":"fr"}') $$, 'KN504', NULL, 'a language that is none of ours');
SELECT throws_ok($$ SELECT pg_temp.change('{"phone":"12"}') $$, 'KN504', NULL, 'a number that is none');
SELECT throws_ok(format($$ SELECT pg_temp.change('{"lastName":"%s"}') $$, repeat('x', 101)), 'KN505', NULL,
    'a name too long');
SELECT lives_ok(format($$ SELECT pg_temp.change('{"lastName":"%s"}') $$, repeat('x', 100)), 'a name just short enough');
SELECT throws_ok($$ SELECT pg_temp.change(NULL) $$, 'KN501', NULL, 'no body');

-- no staff member changes the own role either
SELECT is(pg_temp.told(pg_temp.door('me_update', pg_temp.access(pg_temp.staff(r, r || '@example.org')),
    '{"role":"admin"}')),
    'refused KN205', r || ' keeps the role') FROM unnest(ARRAY['dispatcher', 'analyst', 'admin']) AS r;

-- two phones at once
SELECT is(pg_temp.told(pg_temp.change('{"lastName":"A"}', '"3"')), 'stale KN412', 'an older version is refused');
SELECT is(pg_temp.change('{"lastName":"A"}', '3') -> 'serverVersion',
    pg_temp.door('me_get', pg_temp.me()) #> '{user,serverVersion}', 'and the refusal tells the present one');
SELECT is(pg_temp.told(pg_temp.change('{"lastName":"A"}',
    pg_temp.door('me_get', pg_temp.me()) #>> '{user,serverVersion}')),
    'ok', 'the present version is taken');
SELECT is(pg_temp.told(pg_temp.change('{"lastName":"A"}', '*')), 'ok', 'so is any, when any is said');

-- the password
CREATE FUNCTION pg_temp.password(old text, new text, network text DEFAULT '192.0.2.0/24') RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('me_password', pg_temp.me(), jsonb_build_object('currentPassword', old, 'newPassword', new),
                           context => jsonb_build_object('network', network)) $$;
CREATE TEMP TABLE second AS SELECT pg_temp.login('amina@example.org', 'three wet goats') AS a;
SELECT is(pg_temp.told(pg_temp.password('three dry goats', 'four wet goats')), 'malformed KN004',
    'the old one must be right');
SELECT throws_ok($$ SELECT pg_temp.password('three wet goats', 'goat wx') $$, 'KN505', NULL, 'the new one long enough');
SELECT throws_ok($$ SELECT pg_temp.password('three wet goats', 'password123') $$, 'KN507', NULL,
    'and not a common one');
SELECT throws_ok($$ SELECT pg_temp.door('me_password', pg_temp.me(), '{"newPassword":"four wet goats"}') $$, 'KN502',
    NULL,
    'the old one must be sent');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM second))), 'ok',
    'so far both sessions live');
SELECT is(pg_temp.told(pg_temp.password('three wet goats', 'four wet goats')), 'none', 'then it changes');
SELECT is(pg_temp.told(pg_temp.door('me_get', pg_temp.me())), 'ok', 'this session goes on');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM second))), 'unknown KN104',
    'the other has ended');
SELECT is(pg_temp.told(pg_temp.door('auth_refresh', NULL,
    jsonb_build_object('refresh', (SELECT pg_temp.refresh(a) FROM second)))),
    'malformed KN002', 'and cannot be renewed');
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'three wet goats')), 'malformed KN001',
    'the old one signs in no more');
SELECT is(pg_temp.told(pg_temp.login('amina@example.org', 'four wet goats')), 'ok', 'the new one does');

-- guessing it with a borrowed phone
DELETE FROM kintaraa.throttle;
SELECT is((SELECT array_agg(DISTINCT pg_temp.told(pg_temp.password('guess ' || n, 'five wet goats')))
    FROM generate_series(1, 6) AS n),
    '{malformed KN004}', 'six distinct guesses are evaluated');
SELECT is(pg_temp.told(pg_temp.password('four wet goats', 'five wet goats')), 'slow_down KN601',
    'then there is a wait');
SELECT is(pg_temp.told(pg_temp.password('four wet goats', 'five wet goats', '198.51.100.0/24')), 'none',
    'not so elsewhere');
SELECT is((SELECT count(*) FROM kintaraa.audit a WHERE a::text ~* 'goat|neema|otieno'), 0::bigint,
    'no entry holds a value');
SELECT finish();
