-- health() names what is wrong and how to mend it; the door tells names only.
SELECT plan(17);

SELECT set_eq('SELECT "check" FROM kintaraa.health()', ARRAY[
    'preload', 'server_version', 'migrations', 'code', 'rules', 'key_ring', 'recovery', 'encoding', 'writable',
    'maintenance', 'standbys', 'connections', 'closed', 'worker', 'settings', 'news', 'deadlines', 'clock',
    'dispatchers', 'owners', 'pg_cron', 'audit_seal', 'log_error_verbosity', 'log_parameter_max_length',
    'log_parameter_max_length_on_error', 'log_min_error_statement', 'log_statement', 'debug_print_parse',
    'debug_print_rewritten', 'debug_print_plan', 'fsync', 'full_page_writes', 'synchronous_commit',
    'data_checksums'],
    'these are looked at');
SELECT is((SELECT count(*) FROM kintaraa.health() WHERE ok <> (hint IS NULL)), 0::bigint,
          'whatever is not right comes with a way to mend it');
SELECT is((SELECT array_agg("check" ORDER BY "check") FROM kintaraa.health()
            WHERE ok AND "check" IN ('preload', 'migrations', 'code', 'rules', 'key_ring', 'fsync')),
          ARRAY['code', 'fsync', 'key_ring', 'migrations', 'preload', 'rules'], 'a server that was set up is found so');
SELECT is((SELECT ok FROM kintaraa.health() WHERE "check" = 'worker'), false,
          'the worker works in another database than this one');
SELECT matches((SELECT detail FROM kintaraa.health() WHERE "check" = 'worker'), '^works in database ',
               'and it says which');
SELECT is((SELECT ok FROM kintaraa.health() WHERE "check" = 'pg_cron'), false, 'pg_cron is not here');

SELECT is((SELECT outcome FROM kintaraa_api.health(NULL, NULL, '{}', NULL, '{}')), 'ok', 'the door is open to all');
SELECT is((SELECT body ->> 'status' FROM kintaraa_api.health(NULL, NULL, '{}', NULL, '{}')), 'degraded',
          'and says that something indispensable is missing');
SELECT set_eq($$SELECT k FROM kintaraa_api.health(NULL, NULL, '{}', NULL, '{}'),
                     json_array_elements(body -> 'checks') AS c, json_object_keys(c) AS k$$, ARRAY['name', 'ok'],
              'names only');
SELECT is((SELECT body #>> '{keys,0,kty}' FROM kintaraa_api.jwks(NULL, NULL, '{}', NULL, '{}')), 'EC',
          'the public keys are there for all');
SELECT is((SELECT count(*) FROM kintaraa_api.jwks(NULL, NULL, '{}', NULL, '{}'),
                 json_array_elements(body -> 'keys') AS k WHERE k ->> 'd' IS NOT NULL), 0::bigint,
          'the private ones are not');

SELECT is((SELECT detail FROM kintaraa.health() WHERE "check" = 'encoding' AND ok), 'UTF8', 'the encoding is right');

SELECT is((SELECT ok FROM kintaraa.health() WHERE "check" = 'settings'), true, 'settings and policies are there');
DELETE FROM kintaraa.setting WHERE name = 'routing_mode';
DELETE FROM kintaraa.policy WHERE kind = 'escalation';
SELECT is((SELECT detail FROM kintaraa.health() WHERE "check" = 'settings' AND NOT ok),
          'setting routing_mode, policy escalation', 'one that somebody deleted is named');

INSERT INTO kintaraa.migration (number, name, hash) VALUES (9999, 'later', '');
SELECT is((SELECT ok FROM kintaraa.health() WHERE "check" = 'migrations'), false, 'a newer database is noticed');
DELETE FROM kintaraa.migration WHERE number IN (9999, 11);
SELECT is((SELECT hint FROM kintaraa.health() WHERE "check" = 'migrations'), 'Run CALL kintaraa.migrate().',
          'a missing migration is noticed');
SELECT is(kintaraa.schedule_jobs(), 0, 'without pg_cron nothing is scheduled');

SELECT * FROM finish();
