-- A report is named only where somebody plainly said so, by whatever way it comes.
\ir ../data/play.sql
SELECT plan(614);

SELECT lives_ok($$ SELECT play.register('amina'), play.register('shy', '{"isAnonymous": true}'),
                          play.staff('dora', 'dispatcher'), play.helper('clinic', 'healthcare', -1.281, 36.821) $$,
                'two survivors, one of whom has a confidential account, a dispatcher and a clinic come in');

-- What is sent, NULL where nothing is; confidential of an account that is not and of one that is; in ignored.
CREATE TEMP TABLE said (n serial, value jsonb, plain boolean, shy boolean, ignored boolean);
INSERT INTO said (value, plain, shy, ignored) VALUES
    (NULL, false, true, false),
    ('false', false, false, false), ('0', false, false, false), ('"0"', false, false, false),
    ('"false"', false, false, false), ('"no"', false, false, false), ('"off"', false, false, false),
    ('" No "', false, false, false), ('0.0', false, false, false),
    ('true', true, true, false), ('1', true, true, false), ('"1"', true, true, false), ('"true"', true, true, false),
    ('"yes"', true, true, false), ('"on"', true, true, false), ('"TRUE"', true, true, false),
    ('null', true, true, true), ('""', true, true, true), ('"maybe"', true, true, true), ('2', true, true, true),
    ('-1', true, true, true), ('0.5', true, true, true), ('1e300', true, true, true), ('[]', true, true, true),
    ('{}', true, true, true), ('[false]', true, true, true), ('"nobody"', true, true, true), ('"n"', true, true, true);

CREATE FUNCTION pg_temp.member(key text, value jsonb) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT CASE WHEN value IS NULL THEN '{}'::jsonb ELSE jsonb_build_object(key, value) END $$;
CREATE FUNCTION pg_temp.found(who text, client text) RETURNS text LANGUAGE sql AS $$
SELECT (c.body ->> 'anonymity') || CASE WHEN c.body -> 'ignored' @> '[{"pointer": "/isAnonymous",
           "code": "not_understood"}]' THEN ' ignored' ELSE '' END
  FROM play.call('incident_get', who, ARRAY[client]) AS c $$;
CREATE FUNCTION pg_temp.wanted(hidden boolean, ignored boolean) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE WHEN hidden THEN 'confidential' ELSE 'named' END || CASE WHEN ignored THEN ' ignored' ELSE '' END $$;

-- Ways in: each stores a report of a client id made of its name and the number of the case.
CREATE FUNCTION pg_temp.send(way text, who text, id text, value jsonb) RETURNS text LANGUAGE sql AS $$
SELECT CASE way
    WHEN 'POST' THEN play.outcome('incident_create', who, NULL,
        jsonb_build_object('id', id) || pg_temp.member('isAnonymous', value))
    WHEN 'batch' THEN (SELECT c.body #>> '{results,0,status}' FROM play.call('sync_batch', who, NULL,
        jsonb_build_object('records', jsonb_build_array(jsonb_build_object('table', 'incidents', 'id', id, 'op',
    'upsert',
            'data', pg_temp.member('isAnonymous', value))))) AS c)
    WHEN 'push' THEN play.outcome('sync_push', who, NULL, jsonb_build_object('incidents', jsonb_build_object('created',
        jsonb_build_array(jsonb_build_object('id', id, '_status', 'created', '_changed', '')
                          || pg_temp.member('is_anonymous', value)))))
END $$;
CREATE TEMP TABLE way AS SELECT unnest(ARRAY['POST', 'batch', 'push']) AS way;
CREATE TEMP TABLE sent AS
SELECT way, who, s.*, format('%s-%s-%s', way, who, n) AS id, pg_temp.send(way, who,
       format('%s-%s-%s', way, who, n), value) AS outcome
  FROM way, said s, unnest(ARRAY['amina', 'shy']) AS who;
SELECT is(outcome, CASE way WHEN 'POST' THEN 'created' WHEN 'batch' THEN 'applied' ELSE 'ok' END,
          format('%s of %s: %s is taken', way, who, value)) FROM sent;
SELECT is(pg_temp.found(who, id), pg_temp.wanted(CASE who WHEN 'shy' THEN shy ELSE plain END, ignored),
          format('%s of %s: %s', way, who, coalesce(value::text, 'nothing said'))) FROM sent;
SELECT is(pg_temp.send(way, who, id, value), CASE way WHEN 'batch' THEN 'unchanged' ELSE 'ok' END,
          format('%s of %s: %s again is the same', way, who, value)) FROM sent WHERE n % 5 = 1;

-- Changes: of a named report and of a confidential one.
CREATE TEMP TABLE base AS SELECT unnest(ARRAY['named', 'hidden']) AS base;
CREATE FUNCTION pg_temp.change(way text, id text, value jsonb) RETURNS text LANGUAGE sql AS $$
SELECT CASE way
    WHEN 'PATCH' THEN play.outcome('incident_update', 'amina', ARRAY[id], '{"description": "more"}'
        || pg_temp.member('isAnonymous', value))
    WHEN 'batch' THEN (SELECT c.body #>> '{results,0,status}' FROM play.call('sync_batch', 'amina', NULL,
        jsonb_build_object('records', jsonb_build_array(jsonb_build_object('table', 'incidents', 'id', id, 'op',
    'upsert',
            'base', play.base('amina', id),
            'data', '{"description": "more"}' || pg_temp.member('isAnonymous', value))))) AS c)
    WHEN 'push' THEN play.outcome('sync_push', 'amina', NULL, jsonb_build_object('incidents',
    jsonb_build_object('updated',
        jsonb_build_array(jsonb_build_object('id', id, '_status', 'updated', '_changed', 'description'
            || CASE WHEN value IS NULL THEN '' ELSE ',is_anonymous' END, 'description', 'more',
            'server_version', play.base('amina', id) -> 'serverVersion')
                          || pg_temp.member('is_anonymous', value)))))
END $$;
CREATE TEMP TABLE changed AS
SELECT way, base, s.*, format('%s-%s-%s', way, base, n) AS id
  FROM unnest(ARRAY['PATCH', 'batch', 'push']) AS way, base, said s;
SELECT count(play.report('amina', id, '{medical}', jsonb_build_object('isAnonymous', base = 'hidden'))) FROM changed
    \g /dev/null
SELECT count(pg_temp.change(way, id, value)) FROM changed \g /dev/null
SELECT is((SELECT c.body ->> 'description' FROM play.call('incident_get', 'amina', ARRAY[id]) AS c), 'more',
          format('%s of a %s report with %s is done', way, base, value)) FROM changed WHERE n % 9 = 1;
SELECT is((SELECT c.body ->> 'anonymity' FROM play.call('incident_get', 'amina', ARRAY[id]) AS c),
          CASE WHEN CASE WHEN value IS NULL THEN base = 'hidden' ELSE plain END THEN 'confidential' ELSE 'named' END,
          format('%s of a %s report: %s', way, base, coalesce(value::text, 'nothing said'))) FROM changed;

-- A flag under another name can only protect her.
CREATE TEMP TABLE other_name AS SELECT row_number() OVER () AS n, body::jsonb, hidden FROM (VALUES
    ('{"is_anonymous": true}', true), ('{"is_anonymous": 0}', false), ('{"anonymous": "yes"}', true),
    ('{"confidential": "perhaps"}', true), ('{"anonymity": "confidential"}', true), ('{"anonymity": "named"}', false),
    ('{"anonymity": "confidential", "isAnonymous": false}', false), ('{"is_anonymous": false, "isAnonymous": true}',
    true)
    ) AS t (body, hidden);
SELECT is(c.body ->> 'anonymity', CASE WHEN hidden THEN 'confidential' ELSE 'named' END, format('another name: %s',
    o.body))
  FROM other_name o, play.call('incident_create', 'amina', NULL, o.body || jsonb_build_object('id', format('name-%s',
    n))) AS c;
SELECT is(c.body ->> 'anonymity', 'confidential', 'of a confidential account only isAnonymous names her')
  FROM play.call('incident_create', 'shy', NULL, '{"id": "name", "is_anonymous": false, "anonymity": "named"}') AS c;

-- Accounts.
SELECT is(a.body #>> '{user,isAnonymous}', CASE WHEN plain THEN 'true' ELSE 'false' END,
          format('registering: %s', coalesce(value::text, 'nothing said')))
  FROM said s, play.call('auth_register', NULL, NULL, jsonb_build_object('email', 'r' || n || '@play.example',
    'password', 'correct horse battery') || pg_temp.member('isAnonymous', value),
    context => jsonb_build_object('network', '198.51.' || n || '.0/24')) AS a WHERE n % 4 = 1 OR n BETWEEN 17 AND 20;
SELECT is(a.body #>> '{user,isAnonymous}', CASE WHEN value IS NULL THEN 'true' WHEN plain THEN 'true' ELSE 'false' END,
          format('PATCH /me: %s', coalesce(value::text, 'nothing said')))
  FROM said s, LATERAL (SELECT play.call('me_update', 'shy', NULL, '{"isAnonymous": true}')) AS before,
       LATERAL (SELECT * FROM play.call('me_update', 'shy', NULL, '{"firstName": "Shy"}'
         || pg_temp.member('isAnonymous', value)) WHERE before IS NOT NULL) AS a;

-- SQL: a row that does not say is confidential.
SELECT is(column_default, 'true', 'a row that a DBA writes is confidential')
  FROM information_schema.columns WHERE table_schema = 'kintaraa' AND table_name = 'incident'
   AND column_name = 'is_anonymous';

-- From the other side: whose it is stays unknown wherever nobody plainly said.
SELECT is(count(*)::int, 0, 'no reader is told who she is by what is not a plain no')
  FROM sent s JOIN play.incident i ON i.client_id = s.id,
       play.call('incident_get', 'dora', ARRAY[i.id::text]) AS c
 WHERE c.outcome <> 'ok' OR (CASE who WHEN 'shy' THEN shy ELSE plain END AND (c.body ? 'survivor'
       OR c.body::text LIKE '%amina%' OR c.body::text LIKE '%shy@%'));
SELECT * FROM finish();
