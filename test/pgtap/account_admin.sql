-- account_list, account_deactivate: administrators see that a survivor is there, never who she is.
\ir include/identity.sql
SELECT plan(44);

CREATE TEMP TABLE admin AS SELECT pg_temp.staff('admin', 'admin@example.org') AS a;
CREATE TEMP TABLE second AS SELECT pg_temp.staff('admin', 'second@example.org') AS a;
CREATE TEMP TABLE her AS SELECT pg_temp.register('amina@example.org', 'three wet goats', '{"firstName":"Amina"}') AS a;
CREATE TEMP TABLE helper AS SELECT pg_temp.staff('provider', 'helper@example.org',
    pg_temp.team('00000000-0000-4000-8000-0000000000b1')) AS a;
CREATE TEMP TABLE dispatcher AS SELECT pg_temp.staff('dispatcher', 'dispatcher@example.org') AS a;
CREATE TEMP TABLE analyst AS SELECT pg_temp.staff('analyst', 'analyst@example.org') AS a;
CREATE TEMP VIEW people AS SELECT 'survivor' AS who, a FROM her UNION ALL SELECT 'provider', a FROM helper
  UNION ALL SELECT 'dispatcher', a FROM dispatcher UNION ALL SELECT 'analyst', a FROM analyst;
CREATE FUNCTION pg_temp.list(query jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('account_list', (SELECT pg_temp.access(a) FROM admin), query => query) $$;
CREATE FUNCTION pg_temp.off(id text) RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.door('account_deactivate', (SELECT pg_temp.access(a) FROM admin), NULL,
    ARRAY[id])) $$;

-- who may
SELECT is(pg_temp.told(pg_temp.door('account_list', pg_temp.access(a))), 'refused KN201', who
    || ' does not list accounts') FROM people;
SELECT is(pg_temp.told(pg_temp.door('account_deactivate', pg_temp.access(a), NULL,
    ARRAY[(SELECT pg_temp.user_id(a)::text FROM her)])),
    'refused KN201', who || ' does not switch off accounts') FROM people;
SELECT is(pg_temp.told(pg_temp.door('account_list', NULL)), 'unknown KN101', 'nobody does not');

-- the list
SELECT is(jsonb_array_length(pg_temp.list() -> 'items'), 6, 'all accounts are listed');
SELECT is((SELECT array_agg(k ORDER BY k)
    FROM jsonb_array_elements(pg_temp.list('{"role":"survivor"}') -> 'items') AS i, jsonb_object_keys(i) AS k),
    '{createdAt,id,isActive,role}', 'of a survivor no more than that she is there');
SELECT is((SELECT i ->> 'email' FROM jsonb_array_elements(pg_temp.list('{"role":"dispatcher"}') -> 'items') AS i),
    'dispatcher@example.org', 'staff by address');
SELECT is((SELECT i ->> 'providerId' FROM jsonb_array_elements(pg_temp.list('{"role":"provider"}') -> 'items') AS i),
    '00000000-0000-4000-8000-0000000000b1', 'and by team');
WITH RECURSIVE page AS (
    SELECT pg_temp.list('{"limit":"2"}') AS a
    UNION ALL
    SELECT pg_temp.list(jsonb_build_object('limit', '2', 'after', a ->> 'next')) FROM page
    WHERE a ->> 'next' IS NOT NULL)
SELECT is(array_agg(i ->> 'id'), (SELECT array_agg(id::text ORDER BY created_at DESC, id DESC) FROM kintaraa.account),
    'pages together are the table')
  FROM page, jsonb_array_elements(a -> 'items') AS i;
SELECT is(pg_temp.list('{"limit":"6"}') ->> 'next', NULL, 'a page that is just long enough is the last');
SELECT lives_ok($$ SELECT pg_temp.list('{"limit":"100"}') $$, 'a page of 100');
SELECT throws_ok($$ SELECT pg_temp.list('{"limit":"101"}') $$, 'KN508', NULL, 'a page of 101');
SELECT throws_ok($$ SELECT pg_temp.list('{"limit":"0"}') $$, 'KN508', NULL, 'a page of none');
SELECT throws_ok($$ SELECT pg_temp.list('{"role":"root"}') $$, 'KN508', NULL, 'a role that is none');
SELECT throws_ok(format($$ SELECT pg_temp.list('{"after":"%s"}') $$, t), 'KN508', NULL, 'a place that is none: ' || t)
  FROM unnest(ARRAY['x', '1', '1.', '0.00000000-0000-4000-8000-000000000000',
    '9223372036854775807.00000000-0000-4000-8000-000000000000']) AS t;
SELECT ok((SELECT count(*) > 5 FROM kintaraa.audit WHERE action = 'account_list' AND outcome = 'ok'),
    'each look leaves an entry');

-- switching off
SELECT ok((SELECT dispatchable FROM kintaraa.provider_dispatch), 'a team with staff is sent cases');
SELECT is(pg_temp.off((SELECT pg_temp.user_id(a)::text FROM helper)), 'none', 'its only member is switched off');
SELECT is((SELECT pg_temp.told(pg_temp.door('me_get', pg_temp.access(a))) FROM helper), 'unknown KN104',
    'whose session ends');
SELECT is(pg_temp.told(pg_temp.login('helper@example.org', 'staff pass 77')), 'malformed KN001',
    'who does not sign in again');
SELECT ok(NOT (SELECT dispatchable FROM kintaraa.provider_dispatch), 'and the team is sent no case');
SELECT is(pg_temp.off((SELECT pg_temp.user_id(a)::text FROM helper)), 'none', 'again is harmless');
SELECT is(pg_temp.off((SELECT pg_temp.user_id(a)::text FROM admin)), 'refused KN206',
    'nobody switches the own account off');
SELECT is(pg_temp.off((SELECT pg_temp.user_id(a)::text FROM second)), 'none',
    'another administrator, while one remains');
SELECT is(pg_temp.off('00000000-0000-4000-8000-0000000000aa') || ', ' || pg_temp.off('x'),
    'absent KN301, absent KN301', 'nobody who is not there');
-- the last dispatcher stays, whoever wants it otherwise
CREATE TEMP TABLE d1 AS SELECT pg_temp.user_id(pg_temp.staff('dispatcher', 'd1@example.org')) AS id;
UPDATE kintaraa.account SET is_active = false WHERE role = 'dispatcher' AND id <> (SELECT id FROM d1);
SELECT kintaraa.change_flush() AS n \gset
SELECT is(pg_temp.off((SELECT id::text FROM d1)), 'conflict KN408', 'nobody switches off the last dispatcher');
SELECT throws_ok('UPDATE kintaraa.account SET ' || change || ' WHERE role = ''dispatcher''', 'KN408',
    'the last dispatcher stays', 'nor does anybody in psql: ' || change)
  FROM unnest(ARRAY['is_active = false', 'role = ''admin''', 'role = ''analyst'', centre_id = NULL']) AS change;
SELECT throws_ok('DELETE FROM kintaraa.account WHERE role = ''dispatcher''', 'KN408', NULL, 'nor deletes it');
SELECT lives_ok('UPDATE kintaraa.account SET language = ''sw'' WHERE role = ''dispatcher''', 'its other fields change');
SELECT lives_ok('UPDATE kintaraa.account SET is_active = true WHERE role = ''dispatcher''', 'others may come back');
SELECT kintaraa.change_flush() AS n \gset
SELECT is(pg_temp.off((SELECT id::text FROM d1)), 'none', 'then it may go');
SELECT throws_ok('UPDATE kintaraa.account SET is_active = false', 'KN408', NULL, 'not all of them at once');
SELECT is((SELECT count(*) > 0 FROM kintaraa.account WHERE role = 'dispatcher' AND is_active), true, 'one is left');
SELECT finish();
