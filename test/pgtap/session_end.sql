-- auth_logout, session_list, session_revoke: sessions end, and only one's own.
\ir include/identity.sql
SELECT plan(29);

CREATE TEMP TABLE hers AS SELECT n, pg_temp.login('amina@example.org', 'three wet goats') AS a
  FROM pg_temp.register('amina@example.org', 'three wet goats') AS made, generate_series(1, 5) AS n WHERE made ? 'user';
CREATE TEMP TABLE his AS SELECT pg_temp.register('otieno@example.org', 'four dry goats') AS a;
CREATE FUNCTION pg_temp.hers(i integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT a FROM hers WHERE n = i $$;
CREATE FUNCTION pg_temp.alive(i integer) RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.door('me_get', pg_temp.access(pg_temp.hers(i)))) $$;

-- signing out
SELECT is(pg_temp.told(pg_temp.door('auth_logout', NULL,
    jsonb_build_object('refresh', pg_temp.refresh(pg_temp.hers(1))))), 'none',
    'a refresh token signs out');
SELECT is(pg_temp.alive(1), 'unknown KN104', 'its session has ended');
SELECT is(pg_temp.alive(2), 'ok', 'another one has not');
SELECT is(pg_temp.told(pg_temp.door('auth_refresh', NULL,
    jsonb_build_object('refresh', pg_temp.refresh(pg_temp.hers(1))))),
    'malformed KN002', 'it cannot be renewed');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', NULL,
    jsonb_build_object('refresh', pg_temp.refresh(pg_temp.hers(1))))), 'none',
    'again is harmless');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', pg_temp.access(pg_temp.hers(2)), NULL)), 'none',
    'an access token signs out as well');
SELECT is(pg_temp.alive(2), 'unknown KN104', 'that session has ended');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', pg_temp.access(pg_temp.hers(2)), '{}')), 'none',
    'again is harmless');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', NULL, '{"refresh":"nonsense"}')), 'none',
    'nonsense signs out of nothing');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', 'x.y.z', NULL)), 'none', 'so does a forged access token');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', NULL, NULL)), 'none', 'so does nothing at all');
SELECT is(pg_temp.told(pg_temp.door('auth_logout', pg_temp.access(pg_temp.hers(4)), '{"refresh":"nonsense"}')), 'none',
    'with nonsense beside it the access token counts');
SELECT is(pg_temp.alive(4), 'unknown KN104', 'and its session has ended');
SELECT is((SELECT count(*) FROM kintaraa.change WHERE noun = 'session'), 3::bigint, 'three ends are stamped');
SELECT is((SELECT count(*) FROM kintaraa.audit WHERE action = 'auth_logout'), 3::bigint, 'and in the trail');

-- her sessions
CREATE FUNCTION pg_temp.claims(token text) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT convert_from(decode(rpad(p, (length(p) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb
         FROM translate(split_part(token, '.', 2), '-_', '+/') AS p $$;
CREATE TEMP TABLE listed AS SELECT i
    FROM jsonb_array_elements(pg_temp.door('session_list', pg_temp.access(pg_temp.hers(3))) -> 'items') AS i;
SELECT is((SELECT count(*) FROM listed), 3::bigint, 'she sees her live sessions');
SELECT is((SELECT array_agg(i ->> 'id') FROM listed WHERE (i ->> 'isCurrent')::boolean),
    ARRAY[pg_temp.claims(pg_temp.access(pg_temp.hers(3))) ->> 'sid'], 'and which one this is');
SELECT is((SELECT array_agg(DISTINCT (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(i) AS k))
    FROM listed),
    '{"createdAt,device,expiresAt,id,isCurrent,refreshedAt"}', 'with these fields');
SELECT is(jsonb_array_length(pg_temp.door('session_list', (SELECT pg_temp.access(a) FROM his)) -> 'items'), 1,
    'he sees his only');

-- ending one
CREATE FUNCTION pg_temp.end_one(id text) RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.told(pg_temp.door('session_revoke', pg_temp.access(pg_temp.hers(3)), NULL, ARRAY[id])) $$;
CREATE FUNCTION pg_temp.id_of(i integer) RETURNS text LANGUAGE sql AS
    $$ SELECT s.id::text FROM (SELECT id, row_number() OVER (ORDER BY rotated_at) AS at FROM kintaraa.session
       WHERE account_id = (SELECT pg_temp.user_id(a) FROM hers LIMIT 1)) AS s WHERE s.at = i + 1 $$;
SELECT is(pg_temp.end_one(pg_temp.id_of(5)), 'none', 'she ends another session');
SELECT is(pg_temp.alive(5), 'unknown KN104', 'which is over');
SELECT is(pg_temp.alive(3), 'ok', 'while this one goes on');
SELECT is(pg_temp.end_one(pg_temp.id_of(5)), 'none', 'again is harmless');
SELECT is(pg_temp.end_one((SELECT s.id::text FROM kintaraa.session s, his WHERE s.account_id = pg_temp.user_id(a))),
    'absent KN301',
    'his she does not end');
SELECT is(pg_temp.end_one('00000000-0000-4000-8000-000000000000'), 'absent KN301', 'nor one that is not there');
SELECT is(pg_temp.end_one('X'), 'absent KN301', 'nor one that cannot be');
SELECT is(pg_temp.told(pg_temp.door('session_revoke', pg_temp.access(pg_temp.hers(3)))), 'absent KN301', 'nor none');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM his))), 'ok', 'he is still signed in');
SELECT is(pg_temp.end_one(pg_temp.id_of(3)) || ', ' || pg_temp.alive(3), 'none, unknown KN104', 'her own she ends too');
SELECT finish();
