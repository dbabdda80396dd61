-- auth_refresh: the next pair, the same pair again while its answer may be lost, and the end for an old token.
\ir include/identity.sql
SELECT plan(49);

CREATE FUNCTION pg_temp.renew(refresh text) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('auth_refresh', NULL, jsonb_build_object('refresh', refresh)) $$;
CREATE FUNCTION pg_temp.rotated(ago interval) RETURNS void LANGUAGE sql AS
    $$ UPDATE kintaraa.session SET rotated_at = rotated_at - ago,
           recent = (SELECT array_agg(r - ago ORDER BY r) FROM unnest(recent) AS r) $$;
CREATE FUNCTION pg_temp.life() RETURNS numeric LANGUAGE sql AS
    $$ SELECT round(extract(epoch FROM expires_at - clock_timestamp()) / 3600) FROM kintaraa.session $$;

CREATE TEMP TABLE g0 AS SELECT pg_temp.refresh(a) AS r, a
    FROM pg_temp.register('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE g1 AS SELECT pg_temp.refresh(x) AS r, x AS a FROM g0, pg_temp.renew(r) AS x;
SELECT is((SELECT pg_temp.told(a) FROM g1), 'ok', 'the token renews');
SELECT is((SELECT array_agg(k ORDER BY k) FROM g1, jsonb_object_keys(a -> 'tokens') AS k),
    '{access,expiresIn,refresh}', 'to a new pair');
SELECT isnt((SELECT r FROM g1), (SELECT r FROM g0), 'with another refresh token');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM g1))), 'ok',
    'and an access token that is good');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM g0))), 'ok',
    'the old access token still is');
SELECT is((SELECT generation FROM kintaraa.session), 1::bigint, 'the session is one generation on');

-- four calls at start-up send the same token
SELECT is((SELECT array_agg(DISTINCT pg_temp.refresh(pg_temp.renew(r))) FROM g0, generate_series(1, 3)),
    (SELECT ARRAY[r] FROM g1),
    'the token before gets the present pair again');
SELECT is((SELECT generation FROM kintaraa.session), 1::bigint, 'and moves nothing');
SELECT pg_temp.rotated('65 seconds');
SELECT is(pg_temp.refresh(pg_temp.renew((SELECT r FROM g0))), (SELECT r FROM g1),
    'also after 65 seconds: the answer was lost, nobody used the next one');
SELECT pg_temp.rotated('170 days');
SELECT is(pg_temp.refresh(pg_temp.renew((SELECT r FROM g0))), (SELECT r FROM g1), 'and after months');

-- it slides
SELECT is(pg_temp.life(), 180 * 24::numeric, 'a survivor''s session lives 180 days');
UPDATE kintaraa.session SET expires_at = clock_timestamp() + interval '1 minute';
CREATE TEMP TABLE g2 AS SELECT pg_temp.refresh(x) AS r, x AS a FROM g1, pg_temp.renew(r) AS x;
SELECT is(pg_temp.life(), 180 * 24::numeric, 'from each renewal on');

-- too late: the next one was used, and long ago
CREATE TEMP TABLE g3 AS SELECT pg_temp.refresh(x) AS r, x AS a FROM g2, pg_temp.renew(r) AS x;
SELECT pg_temp.rotated('59 seconds');
SELECT is(pg_temp.refresh(pg_temp.renew((SELECT r FROM g1))), (SELECT r FROM g3),
    'a token of two generations ago gets the present pair for a minute');
SELECT pg_temp.rotated('2 seconds');
SELECT is(pg_temp.renew((SELECT r FROM g1)) - 'serverTime',
    '{"code":"KN002","hint":"Sign in again.","outcome":"malformed",
    "detail":"the refresh token is not good any more"}', 'after that it is somebody else''s');
SELECT ok((SELECT revoked_at IS NOT NULL FROM kintaraa.session), 'so the session ends');
SELECT is((SELECT count(*) FROM kintaraa.change WHERE noun = 'session'), 1::bigint, 'which is stamped');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM g3))), 'malformed KN002', 'for the present token as well');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT pg_temp.access(a) FROM g3))), 'unknown KN104',
    'and for access tokens');

-- a burst in any order
DELETE FROM kintaraa.session;
CREATE TEMP TABLE h0 AS SELECT pg_temp.refresh(a) AS r FROM pg_temp.login('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE h1 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM h0;
CREATE TEMP TABLE h2 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM h1;
CREATE TEMP TABLE h3 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM h2;
SELECT is((SELECT array_agg(DISTINCT pg_temp.refresh(pg_temp.renew(r)))
    FROM (SELECT r FROM h1 UNION ALL SELECT r FROM h0 UNION ALL SELECT r FROM h2 UNION ALL SELECT r FROM h0) AS s),
    (SELECT ARRAY[r] FROM h3), 'all of the last minute get the present pair');
SELECT is((SELECT generation FROM kintaraa.session), 3::bigint, 'and move nothing');

-- each is forgotten a minute after its own end, not after that of the latest
SELECT pg_temp.rotated('40 seconds');
CREATE TEMP TABLE h4 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM h3;
SELECT is((SELECT array_agg(DISTINCT pg_temp.refresh(pg_temp.renew(r))) FROM (TABLE h0 UNION ALL TABLE h3) AS s),
    (SELECT ARRAY[r] FROM h4), 'after 40 seconds all are remembered');
SELECT pg_temp.rotated('30 seconds');
SELECT is(pg_temp.refresh(pg_temp.renew((SELECT r FROM h3))), (SELECT r FROM h4), 'after 70 the last one is');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM h2))), 'malformed KN002', 'the one before it is not');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM h4))), 'malformed KN002', 'and ends the session');

-- a thief beside her: he goes on, she comes back, both are out
DELETE FROM kintaraa.session;
CREATE TEMP TABLE t0 AS SELECT pg_temp.refresh(a) AS r FROM pg_temp.login('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE t1 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM t0;
CREATE TEMP TABLE t2 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM t1;
SELECT pg_temp.rotated('61 seconds');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM t0))), 'malformed KN002', 'hers was used by him twice over');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM t2))), 'malformed KN002', 'so his ends as well');

-- many within a minute: what is remembered has an end
DELETE FROM kintaraa.session;
CREATE FUNCTION pg_temp.chain(first text, n integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. n LOOP
        first := pg_temp.refresh(pg_temp.renew(first));
    END LOOP;
    RETURN first;
END
$$;
CREATE TEMP TABLE c0 AS SELECT pg_temp.refresh(a) AS r FROM pg_temp.login('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE c AS SELECT pg_temp.chain(r, 64) AS r FROM c0;
SELECT is(pg_temp.refresh(pg_temp.renew((SELECT r FROM c0))), (SELECT r FROM c), 'of 64 the first is remembered');
SELECT is(pg_temp.told(pg_temp.renew(pg_temp.chain((SELECT r FROM c), 1))), 'ok', 'the 65th is good');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM c0))), 'malformed KN002', 'the first of 65 is not');

-- a database restored from a backup knows less than the phone
DELETE FROM kintaraa.session;
CREATE TEMP TABLE k0 AS SELECT pg_temp.refresh(a) AS r FROM pg_temp.login('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE k1 AS SELECT pg_temp.refresh(pg_temp.renew(r)) AS r FROM k0;
UPDATE kintaraa.session SET generation = 0;
CREATE TEMP TABLE k2 AS SELECT pg_temp.renew(r) AS a FROM k1;
SELECT is((SELECT pg_temp.told(a) FROM k2), 'ok', 'a token newer than the row is genuine');
SELECT is((SELECT generation FROM kintaraa.session), 2::bigint, 'and the row catches up');
SELECT is(pg_temp.told(pg_temp.renew((SELECT pg_temp.refresh(a) FROM k2))), 'ok', 'so that the next one is good');

-- what is not good
CREATE TEMP TABLE n0 AS SELECT pg_temp.refresh(a) AS r FROM pg_temp.login('amina@example.org', 'three wet goats') AS a;
DELETE FROM kintaraa.session WHERE generation > 0;
SELECT is(pg_temp.told(pg_temp.renew('')), 'malformed KN002', 'an empty text');
SELECT is(pg_temp.told(pg_temp.renew(repeat('A', 76))), 'malformed KN002', 'a text of the right length');
SELECT is(pg_temp.told(pg_temp.renew(overlay((SELECT r FROM n0) placing 'AA' from 40))), 'malformed KN002',
    'another MAC or generation');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r || '=' FROM n0))), 'malformed KN002',
    'the same bytes in another spelling');
SELECT throws_ok(format('SELECT pg_temp.renew(%L)', (SELECT pg_temp.access(a) FROM g2)), 'KN505', NULL,
    'an access token');
SELECT is(pg_temp.told(pg_temp.door('me_get', (SELECT r FROM n0))), 'unknown KN102',
    'nor is it good as an access token');
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM k0))), 'malformed KN002', 'a token of a session that is gone');
SELECT throws_ok($$ SELECT pg_temp.door('auth_refresh', NULL, '{}') $$, 'KN502', NULL, 'none at all');
SELECT throws_ok($$ SELECT pg_temp.door('auth_refresh', NULL, '{"refresh":1}') $$, 'KN503', NULL, 'a number');
SELECT throws_ok(format($$ SELECT pg_temp.renew(%L) $$, repeat('A', 257)), 'KN505', NULL, 'a text too long');
SELECT is(pg_temp.told(pg_temp.renew(repeat('A', 256))), 'malformed KN002', 'a text just short enough');
SELECT is((SELECT revoked_at FROM kintaraa.session), NULL, 'none of these ended the session');
UPDATE kintaraa.session SET expires_at = clock_timestamp() - interval '1 second';
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM n0))), 'malformed KN002', 'an expired session');
UPDATE kintaraa.session SET expires_at = clock_timestamp() + interval '1 second';
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM n0))), 'ok', 'one that has a second left');
UPDATE kintaraa.account SET is_active = false;
SELECT is(pg_temp.told(pg_temp.renew((SELECT r FROM n0))), 'malformed KN002', 'an account switched off');

-- staff signs in each day
DELETE FROM kintaraa.session;
CREATE TEMP TABLE s0 AS SELECT pg_temp.refresh(a) AS r FROM pg_temp.staff('dispatcher', 'd@example.org') AS a;
SELECT is(pg_temp.life(), 12::numeric, 'a dispatcher''s session lives 12 hours');
UPDATE kintaraa.session SET expires_at = clock_timestamp() + interval '1 minute';
SELECT is((SELECT pg_temp.told(pg_temp.renew(r)) || ' ' || pg_temp.life() FROM s0), 'ok 12', 'from each renewal on');
SELECT finish();
