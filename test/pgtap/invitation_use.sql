-- Invitations: who makes them, who uses them, and only once.
\ir include/identity.sql
SELECT plan(69);

-- the DBA makes the first administrator
CREATE TEMP TABLE code AS SELECT kintaraa.invite('admin') AS c;
SELECT matches((SELECT c FROM code), '^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){3}-[0-9A-HJKMNP-TV-Z]{6}$',
    'a code is 26 characters in groups');
SELECT isnt(kintaraa.invite('admin'), kintaraa.invite('admin'), 'each is another one');
SELECT is((SELECT count(*) FROM kintaraa.invitation i, code WHERE i::text LIKE '%' || replace(c, '-', '') || '%'),
    0::bigint,
    'it is not kept');
SELECT is((SELECT count(*) FROM kintaraa.audit WHERE action = 'invite'), 3::bigint, 'each leaves an entry');
SELECT throws_ok($$ SELECT kintaraa.invite('survivor') $$, '22023', NULL, 'nobody invites survivors');
SELECT throws_ok($$ SELECT kintaraa.invite('root') $$, '22023', NULL, 'nor a role that is none');
SELECT throws_ok($$ SELECT kintaraa.invite(NULL) $$, '22004', NULL, 'nor no role');
SELECT throws_ok($$ SELECT kintaraa.invite('provider') $$, '22023', NULL, 'nor a provider without a team');
SELECT throws_ok($$ SELECT kintaraa.invite('admin', '00000000-0000-4000-8000-0000000000aa') $$, '22023', NULL,
    'nor an administrator with one');
SELECT throws_ok($$ SELECT kintaraa.invite('provider', '00000000-0000-4000-8000-0000000000aa') $$, '23503', NULL,
    'nor a team that is not there');
SELECT ok(NOT has_function_privilege(r, 'kintaraa.invite(text, uuid)', 'EXECUTE'), r || ' cannot')
  FROM unnest(ARRAY['public', 'kintaraa_gateway', 'kintaraa_operator', 'kintaraa_analyst', 'kintaraa_door']) AS r;

-- using it
CREATE FUNCTION pg_temp.come(email text, code text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.register(email, 'staff pass 77', jsonb_build_object('invitation', code) || more) $$;
SELECT is(pg_temp.told(pg_temp.come('a@example.org', 'nonsense')), 'malformed KN003', 'a code that cannot be one');
SELECT is(pg_temp.told(pg_temp.come('a@example.org', '00000-00000-00000-00000-000000')), 'malformed KN003',
    'a code that is none of ours');
SELECT is(pg_temp.told(pg_temp.come('a@example.org', (SELECT c || '0' FROM code))), 'malformed KN003',
    'a code with a character more');
SELECT is(pg_temp.told(pg_temp.come('a@example.org', repeat('0', 64))), 'malformed KN003', 'a code of 64 characters');
SELECT throws_ok($$ SELECT pg_temp.come('a@example.org', repeat('0', 65)) $$, 'KN505', NULL, 'a code of 65');
SELECT is(pg_temp.told(pg_temp.come('a@example.org', (SELECT c FROM code), '{"role":"dispatcher"}')),
    'malformed KN003', 'a code for another role');
SELECT is(pg_temp.told(pg_temp.come('a@example.org', (SELECT c FROM code), '{"role":"survivor"}')), 'malformed KN003',
    'even for a lesser one');
SELECT is((SELECT count(*) FROM kintaraa.invitation WHERE used_at IS NOT NULL), 0::bigint, 'refusals use nothing up');
SELECT throws_ok(format($$ SELECT pg_temp.register('a@example.org', 'password123', '{"invitation":"%s"}') $$,
    (SELECT c FROM code)), 'KN507', NULL,
    'nor does a weak password');
UPDATE kintaraa.invitation SET expires_at = clock_timestamp() - interval '1 second';
SELECT is(pg_temp.told(pg_temp.come('a@example.org', (SELECT c FROM code))), 'malformed KN003', 'an expired code');
UPDATE kintaraa.invitation SET expires_at = clock_timestamp() + interval '10 seconds';
CREATE TEMP TABLE admin AS SELECT pg_temp.come('a@example.org', lower(replace(c, '-', ' ')), '{"role":"admin"}') AS a
    FROM code;
SELECT is((SELECT (a ->> 'outcome') || ' ' || (a #>> '{user,role}') FROM admin), 'created admin',
    'a code may be typed in small letters with blanks');
SELECT is((SELECT centre_id FROM kintaraa.account, admin WHERE id = pg_temp.user_id(a)),
    '00000000-0000-4000-8000-000000000001',
    'the administrator belongs to the dispatch centre');
SELECT is((SELECT used_by FROM kintaraa.invitation WHERE used_at IS NOT NULL), (SELECT pg_temp.user_id(a) FROM admin),
    'and the code to the administrator');
SELECT is(pg_temp.told(pg_temp.come('b@example.org', (SELECT c FROM code))), 'malformed KN003', 'nobody else uses it');
SELECT is((SELECT (x ->> 'outcome') || ' ' || (pg_temp.user_id(x) = pg_temp.user_id(a)) FROM code, admin,
    pg_temp.come('a@example.org', c) AS x),
    'ok true', 'the same registration again is a replay');
SELECT is(pg_temp.user_id(pg_temp.register('a@example.org', 'staff pass 77')), (SELECT pg_temp.user_id(a) FROM admin),
    'without the code it is signing in');
SELECT is(pg_temp.told(pg_temp.come('o@example.org', translate(kintaraa.invite('analyst'), '01', 'oL'))), 'created',
    'o and l are read as 0 and 1');

-- an administrator invites
CREATE FUNCTION pg_temp.invite(input jsonb, who text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('invitation_create', coalesce(who, (SELECT pg_temp.access(a) FROM admin)), input) $$;
SELECT is(pg_temp.told(pg_temp.invite('{"role":"admin"}', pg_temp.access(pg_temp.staff(r, r || '@example.org')))),
    'refused KN201', r || ' does not invite')
  FROM unnest(ARRAY['dispatcher', 'analyst']) AS r;
SELECT is(pg_temp.told(pg_temp.invite('{"role":"admin"}',
    pg_temp.access(pg_temp.register('s@example.org', 'three wet goats')))), 'refused KN201', 'a survivor does not');
SELECT is(pg_temp.told(pg_temp.invite('{"role":"admin"}', 'x')), 'unknown KN102', 'nobody does not');
SELECT is(concat_ws(' ', x ->> 'outcome', x #>> '{invitation,role}',
    pg_temp.come(r || '2@example.org', x ->> 'code') #>> '{user,role}'),
    concat_ws(' ', 'created', r, r), 'an administrator invites: ' || r)
  FROM unnest(ARRAY['admin', 'analyst', 'dispatcher']) AS r,
    LATERAL (SELECT pg_temp.invite(jsonb_build_object('role', r)) AS x OFFSET 0) AS made;
SELECT is((SELECT count(*) FROM kintaraa.account WHERE (centre_id IS NOT NULL) <> (role IN ('admin', 'dispatcher'))),
    0::bigint,
    'those who dispatch belong to the centre');

-- a new team
CREATE TEMP TABLE made AS SELECT pg_temp.invite('{"role":"provider","expiresInDays":3,"provider":{"name":"Wema",
    "providerType":"counseling","latitude":-1.29,"longitude":36.82,"organisation":"Wema Trust","gender":"female",
    "capacity":4,"languages":["en","sw"],"skills":["minors"]}}') AS a;
SELECT is((SELECT a ->> 'outcome' FROM made), 'created', 'with an invitation a team can be made');
SELECT is((SELECT p.name || p.provider_type || p.capacity || p.gender || p.is_verified || p.languages::text
    || p.skills::text || o.name || o.kind
    FROM kintaraa.provider p JOIN kintaraa.organisation o ON o.id = p.organisation_id, made
    WHERE p.id = (a #>> '{invitation,providerId}')::uuid),
    'Wemacounseling4femaletrue{en,sw}{minors}Wema Trusthelper', 'as it was described');
SELECT is((SELECT dispatchable FROM kintaraa.provider_dispatch d, made
    WHERE d.provider_id = (a #>> '{invitation,providerId}')::uuid),
    NULL, 'without staff it is not sent cases');
CREATE TEMP TABLE helper AS SELECT pg_temp.come('h@example.org', a ->> 'code') AS a FROM made;
SELECT is((SELECT concat_ws(' ', a #>> '{user,role}', a #>> '{user,providerType}', a #>> '{user,providerId}')
    FROM helper),
    (SELECT 'provider counseling ' || (a #>> '{invitation,providerId}') FROM made), 'its first member comes in');
SELECT ok((SELECT dispatchable FROM kintaraa.provider_dispatch d, made
    WHERE d.provider_id = (a #>> '{invitation,providerId}')::uuid), 'and now it is');
SELECT is(pg_temp.told(pg_temp.invite('{"role":"admin"}', (SELECT pg_temp.access(a) FROM helper))), 'refused KN201',
    'a provider does not invite');
SELECT is((SELECT pg_temp.come('h2@example.org',
    pg_temp.invite(jsonb_build_object('role', 'provider', 'providerId', a #> '{invitation,providerId}')) ->> 'code')
    #>> '{user,providerId}' FROM made), (SELECT a #>> '{invitation,providerId}' FROM made),
    'a second member joins the same team');
SELECT is((SELECT date_trunc('minute', expires_at - created_at) FROM kintaraa.invitation, made
    WHERE id = (a #>> '{invitation,id}')::uuid),
    interval '3 days', 'an invitation lives as long as it was said');

-- what is wrong is named
CREATE FUNCTION pg_temp.wrong(input text) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT pg_temp.invite(%L)', input) $$;
SELECT throws_ok(pg_temp.wrong('{}'), 'KN502', NULL, 'no role');
SELECT throws_ok(pg_temp.wrong('{"role":"survivor"}'), 'KN504', NULL, 'a survivor');
SELECT throws_ok(pg_temp.wrong('{"role":"admin","scope":"all"}'), 'KN509', NULL, 'a field that is not known');
SELECT throws_ok(pg_temp.wrong('{"role":"provider"}'), 'KN502', NULL, 'a provider without a team');
SELECT throws_ok(pg_temp.wrong('{"role":"provider","providerId":"00000000-0000-4000-8000-0000000000aa",
    "provider":{"name":"x","providerType":"chw"}}'),
    'KN502', NULL, 'or with two');
SELECT throws_ok(pg_temp.wrong('{"role":"admin","providerId":"00000000-0000-4000-8000-0000000000aa"}'), 'KN504', NULL,
    'an administrator with one');
SELECT is(pg_temp.told(pg_temp.invite('{"role":"provider","providerId":"00000000-0000-4000-8000-0000000000aa"}')),
    'absent KN301', 'a team that is not there');
SELECT is(pg_temp.told(pg_temp.invite('{"role":"provider","provider":{"name":"x","providerType":"chw",
    "organisationId":"00000000-0000-4000-8000-000000000001"}}')),
    'absent KN301', 'an organisation that helps nobody');
SELECT throws_ok(pg_temp.wrong('{"role":"provider","provider":{"name":"x","providerType":"navy"}}'), 'KN504', NULL,
    'a type that is none');
SELECT throws_ok(pg_temp.wrong('{"role":"provider","provider":{"name":"x","providerType":"chw","latitude":1}}'),
    'KN502', NULL, 'half a place');
SELECT throws_ok(pg_temp.wrong('{"role":"provider","provider":{"name":"x","providerType":"chw","longitude":1}}'),
    'KN502', NULL, 'the other half');
SELECT throws_ok(pg_temp.wrong('{"role":"provider","provider":{"name":"x","providerType":"chw","isVerified":true}}'),
    'KN509', NULL, 'a field of a team that is not known');
SELECT throws_ok(pg_temp.wrong('{"role":"admin","expiresInDays":0}'), 'KN504', NULL, 'no day');
SELECT lives_ok(pg_temp.wrong('{"role":"admin","expiresInDays":30}'), '30 days');
SELECT throws_ok(pg_temp.wrong('{"role":"admin","expiresInDays":31}'), 'KN504', NULL, '31 days');
-- the same request again: one live code
CREATE TEMP TABLE asked AS SELECT pg_temp.invite('{"role":"analyst"}') AS i FROM generate_series(1, 6);
SELECT is((SELECT count(DISTINCT i ->> 'code') || ' ' || count(DISTINCT i #>> '{invitation,id}') FROM asked), '1 1',
    'six equal requests make one invitation');
SELECT isnt(pg_temp.invite('{"role":"dispatcher"}') ->> 'code', (SELECT i ->> 'code' FROM asked LIMIT 1),
    'another one makes another');
SELECT is((SELECT pg_temp.told(pg_temp.come('once@example.org', i ->> 'code')) FROM asked LIMIT 1), 'created',
    'it is good');
SELECT isnt(pg_temp.invite('{"role":"analyst"}') ->> 'code', (SELECT i ->> 'code' FROM asked LIMIT 1),
    'once it was used, the next is a new one');
SELECT is((SELECT count(DISTINCT pg_temp.door('invitation_create', (SELECT pg_temp.access(a) FROM admin),
    '{"role":"analyst"}', context => jsonb_build_object('idempotencyKey', k)) ->> 'code')
    FROM unnest(ARRAY['one', 'two', 'one', 'two']) AS k), 2::bigint, 'each key has its own');
UPDATE kintaraa.invitation SET created_at = created_at - interval '601 seconds';
SELECT isnt(pg_temp.invite('{"role":"dispatcher"}') #>> '{invitation,id}', (SELECT id::text FROM kintaraa.invitation
    WHERE role = 'dispatcher' AND used_at IS NULL ORDER BY created_at DESC LIMIT 1 OFFSET 1),
    'after ten minutes equal content is a new wish');
SELECT finish();
