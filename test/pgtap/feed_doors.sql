-- The feed's doors before there is anything to feed on, and who may call what.
SELECT plan(9);

SELECT throws_ok($$SELECT * FROM kintaraa_api.feed_start(NULL, NULL, '{}', '{}', '{}')$$, 'KN901', NULL,
                 'before the worker has begun no gateway starts');
SELECT kintaraa.epoch_check();
SELECT kintaraa.tick_write(true);
SELECT is((SELECT outcome FROM kintaraa_api.feed_start(NULL, NULL, '{}', '{}', '{}')), 'ok', 'then it does');
SELECT is((SELECT (body ->> 'cursor')::bigint FROM kintaraa_api.feed_start(NULL, NULL, '{}', '{}', '{}')),
          (SELECT max(t) FROM kintaraa.tick), 'at the newest tick');
SELECT is((SELECT count(*) FROM kintaraa.gateway), 2::bigint, 'each time as another gateway');
SELECT is((SELECT body ->> 'code' FROM kintaraa_api.feed_join(NULL, NULL, '{}',
            json_build_object('gateway', (SELECT min(id::text) FROM kintaraa.gateway))::jsonb, '{}')), 'KN101',
          'nobody joins without a token');
SELECT throws_ok(format('SELECT * FROM kintaraa_api.feed_next(%L, 1)', gen_random_uuid()), 'KN301', NULL,
                 'a gateway that is not known is told so');
SELECT is((SELECT count(*) FROM kintaraa_api.feed_next((SELECT id FROM kintaraa.gateway LIMIT 1),
                                                       (SELECT max(t) FROM kintaraa.tick))), 1::bigint,
          'one that is hears how far it is');
SELECT set_eq($$SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'kintaraa'::regnamespace
                   AND has_function_privilege('kintaraa_gateway', p.oid, 'EXECUTE')$$, ARRAY[]::text[],
              'the gateway''s role may call nothing but doors');
SELECT is((SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'kintaraa'::regnamespace
             AND p.proname IN ('tick_write', 'epoch_check', 'adopt_epoch', 'seal', 'audit_verify', 'audit_anchor',
                               'dispatch_count_fold', 'retention_run', 'ticks_thin', 'health')
             AND NOT p.prosecdef), 0::bigint, 'what the worker calls runs as kintaraa_system');

SELECT * FROM finish();
