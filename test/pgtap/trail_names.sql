-- An administrator who reads the trail as he likes cannot tell that two cases are of one survivor; what staff did and
-- saw is there record by record.
\ir ../data/play.sql
SELECT plan(29);
SELECT play.register('amina'), play.register('zawadi'), play.helper('near', 'healthcare', -1.2801, 36.8201),
       play.helper('far', 'legal', -1.2801, 36.8201), play.staff('dora', 'dispatcher'), play.staff('boss', 'admin'),
       play.staff('other', 'admin') \g /dev/null
SELECT play.report('amina', 'named') AS named,
       play.report('amina', 'hidden', '{medical}', '{"isAnonymous": true}') AS hidden \gset
CREATE TEMP TABLE kase AS SELECT id, client_id AS kind FROM play.incident;
SELECT play.call('incident_update', 'amina', ARRAY[kind], '{"type": "physical"}', context =>
    '{"requestId": "hers", "network": "192.0.2.0"}') FROM kase \g /dev/null
SELECT play.call('incident_status', 'amina', ARRAY[kind], '{"status": "pending_dispatcher_review"}') FROM kase
\g /dev/null
SELECT play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'd', 'records', jsonb_agg(
    jsonb_build_object('table', 'incidents', 'op', 'upsert', 'id', kind, 'data', '{"type": "online"}'::jsonb,
    'base', play.base('amina', kind))))) FROM kase \g /dev/null
SELECT play.call('incident_get', 'zawadi', ARRAY[id::text]) FROM kase \g /dev/null
SELECT play.call('auth_login', NULL, NULL, '{"email": "amina@play.example", "password": "correct horse amina"}')
\g /dev/null
SELECT play.call('auth_login', NULL, NULL, '{"email": "dora@play.example", "password": "correct horse dora"}')
\g /dev/null
SELECT play.call('me_update', 'amina', NULL, '{"language": "sw"}') \g /dev/null
CREATE FUNCTION pg_temp.read(query jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT c.body FROM play.call('audit_list', 'boss', query => '{"limit": "100"}' || query) AS c
$$;

-- a list of ids is a list
SELECT play.call('sync_manifest', who, query => '{"noun": "incident"}') FROM unnest('{dora,boss,amina}'::text[]) AS who
\g /dev/null
SELECT is((SELECT array_agg(a.actor_role || ' ' || cardinality(a.targets) ORDER BY a.actor_role) FROM kintaraa.audit a
    WHERE a.action = 'sync_manifest'), '{admin 2,dispatcher 2}', 'what a manifest shows to staff is in the trail');

-- the table itself
SELECT cmp_ok(count(*)::int, '>=', 4, 'her acts are in the trail') FROM kintaraa.audit a JOIN kase k ON k.id = a.target
 WHERE a.actor_role = 'survivor' AND a.outcome <> 'absent';
SELECT is((SELECT count(*)::int FROM (SELECT actor FROM kintaraa.audit
     WHERE target = :'named' AND actor_role = 'survivor' INTERSECT
    SELECT actor FROM kintaraa.audit WHERE target = :'hidden' AND actor_role = 'survivor') AS same), 0,
    'no pseudonym of one case is one of the other');
SELECT is(count(DISTINCT actor)::int, 1, 'on one case she is one') FROM kintaraa.audit
 WHERE target = :'named' AND actor_role = 'survivor' AND outcome <> 'absent';
SELECT is(count(*)::int, 0, 'no request of hers has an id') FROM kintaraa.audit
 WHERE actor_role = 'survivor' AND request IS NOT NULL;
SELECT is(count(*)::int, 0, 'no entry without a case says who she is') FROM kintaraa.audit
 WHERE actor_role = 'survivor' AND target IS NULL AND (actor IS NOT NULL OR targets IS NOT NULL);
SELECT is(count(*)::int, 0, 'nor names her account or her session') FROM kintaraa.audit a
  JOIN (SELECT id FROM play.person WHERE name = 'amina' UNION SELECT s.id FROM kintaraa.session s JOIN play.person p
            ON p.id = s.account_id WHERE p.name = 'amina') AS x ON x.id = a.target;
SELECT is(count(*)::int, 1, 'a dispatcher''s sign-in does name the session') FROM kintaraa.audit a
  JOIN kintaraa.session s ON s.id = a.target JOIN play.person p ON p.id = s.account_id
 WHERE p.name = 'dora' AND a.action = 'auth_login';

-- what an administrator gets
SELECT is(jsonb_array_length(pg_temp.read(jsonb_build_object('account', id)) -> 'items'), 0,
    'her account finds nothing') FROM play.person WHERE name = 'amina';
SELECT is((SELECT count(*)::int FROM jsonb_array_elements(pg_temp.read('{}') -> 'items') AS i
    WHERE i ->> 'actorRole' = 'survivor' AND i ->> 'target' IS NOT NULL), 0,
    'the trail at large has no act on her cases');
SELECT is((SELECT count(*)::int FROM kase k, jsonb_array_elements(pg_temp.read(jsonb_build_object('target', k.id))
    -> 'items') AS i WHERE i ->> 'actorRole' = 'survivor'), 0, 'nor has that of a case, by the minute');
SELECT is((SELECT sum(jsonb_array_length(pg_temp.read(jsonb_build_object('target', id)) -> 'ownerActs'))::int
    FROM kase), 0, 'a day that is not over tells nothing, whoever asks again and again');
UPDATE kintaraa.audit SET at = at - interval '2 days';
CREATE TEMP TABLE act AS SELECT k.kind, a FROM kase k, jsonb_array_elements(pg_temp.read(jsonb_build_object('target',
    k.id)) -> 'ownerActs') AS a;
SELECT cmp_ok((SELECT count(*)::int FROM act WHERE kind = 'named' AND a ->> 'action' = 'incident_update'), '=', 1,
    'afterwards what she did to a case is there');
SELECT is((SELECT count(*)::int FROM act a JOIN act b ON a.kind < b.kind, jsonb_each_text(a.a) AS x,
    jsonb_each_text(b.a) AS y
    WHERE x.value = y.value AND x.key NOT IN ('day', 'action', 'outcome', 'code', 'count')), 0,
    'no value but day, act and number is in both');
SELECT is((SELECT array_agg(DISTINCT k ORDER BY k) FROM act, jsonb_object_keys(a) AS k),
    '{action,actor,code,count,day,outcome}'::text[], 'there is no hour, no number and no request');
SELECT is((SELECT count(DISTINCT a ->> 'actor')::int FROM act WHERE kind = 'named'), 2,
    'a stranger who tried the case is another one');

-- staff
SELECT play.call('incident_get', 'dora', ARRAY[id::text]) FROM kase \g /dev/null
SELECT is(count(DISTINCT actor)::int, 1, 'a dispatcher is the same one in all cases') FROM kintaraa.audit a
  JOIN kase k ON k.id = a.target WHERE a.action = 'incident_get' AND a.actor_role = 'dispatcher';
SELECT is((SELECT count(*)::int FROM jsonb_array_elements(pg_temp.read(jsonb_build_object('account', id, 'action',
    'incident_get')) -> 'items')), 2, 'and is found by account') FROM play.person WHERE name = 'dora';
SELECT play.call('incident_list', 'dora'), play.call('dispatch_queue', 'dora'), play.call('sync_updates', 'dora'),
       play.call('assignment_list', 'near') \g /dev/null
SELECT is(count(*)::int, 1, action || ' leaves one entry with all that it showed') FROM kintaraa.audit
 WHERE action IN ('incident_list', 'sync_updates') AND targets @> ARRAY[:'named', :'hidden']::uuid[]
 GROUP BY action ORDER BY action;
SELECT is((SELECT cardinality(targets) FROM kintaraa.audit WHERE action = 'assignment_list'), (SELECT count(*)::int
    FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id WHERE p.name = 'near'),
    'so does a team''s list of its offers');
SELECT cmp_ok((SELECT count(*)::int FROM jsonb_array_elements(pg_temp.read(jsonb_build_object('target', :'named'))
    -> 'items') AS i WHERE i -> 'targets' ? :'named'), '>=', 2, 'a case finds the lists that showed it');
SELECT play.call('incident_get', 'far', ARRAY[:'named']) \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE action = 'incident_get' AND outcome = 'absent'
    AND actor_role = 'provider' AND target = :'named'), 1, 'a refusal has what was asked for');
UPDATE kintaraa.policy SET version = version WHERE kind = 'routing';
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE action = 'policy_changed' AND actor_role = 'database'), 1,
    'a policy that a superuser changes leaves an entry');
SELECT kintaraa.dispatch_recount(), kintaraa.dispatch_count_recount(), kintaraa.retention_run(10) \g /dev/null
SELECT set_eq($$SELECT action FROM kintaraa.audit WHERE actor_role = 'database' AND fields = session_user$$,
    ARRAY['policy_changed', 'dispatch_recount', 'dispatch_count_recount', 'retention_run'],
    'so does what is counted anew or deleted by hand, with the login that did it');

-- a barred reader
SELECT kintaraa.bar(:'named', id) FROM play.person WHERE name = 'boss' \g /dev/null
SELECT ok(pg_temp.read('{}')::text NOT LIKE '%' || :'named' || '%', 'a barred one finds nothing of the case');
SELECT ok(pg_temp.read('{}')::text LIKE '%' || :'hidden' || '%', 'but the others in the same lists');
SELECT is(pg_temp.read(jsonb_build_object('target', :'named')) - 'serverTime',
    '{"items": [], "next": null, "ownerActs": []}',
    'asked for, it is as if it were not');
-- what she does again is done to her case, however often
SELECT play.outcome('incident_delete', 'amina', '{named}') FROM generate_series(1, 2) \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE action = 'incident_delete' AND target = :'named'), 2,
    'taking back again is an act on that case');
SELECT * FROM finish();
