-- Operators and analysts read views and nothing else; small numbers are not published.
SELECT plan(14);

INSERT INTO kintaraa.account (id, role, email_index, password_hash)
VALUES ('00000000-0000-4000-8000-0000000000aa', 'survivor', '', '');
INSERT INTO kintaraa.incident (id, owner_id, client_id, case_number, status, type, urgency_level, created_hash,
                               created_at)
SELECT gen_random_uuid(), '00000000-0000-4000-8000-0000000000aa', type || i, type || i, 'new', type, 'urgent', '',
       '2026-03-31T20:59:59Z'
  FROM (VALUES ('physical', 10), ('sexual', 11)) AS k (type, n), generate_series(1, n) AS i;
INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, due_at, created_at)
SELECT id, gen_random_uuid(), 'medical', 'searching', 'urgent', now() - interval '1 minute', created_at
  FROM kintaraa.incident;
SELECT kintaraa.change_flush();
SELECT kintaraa.epoch_check();
SELECT kintaraa.tick_write(true);

SET ROLE kintaraa_analyst;
SELECT results_eq('SELECT month, type, incidents FROM kintaraa_report.incidents_monthly ORDER BY type',
                  $$VALUES ('2026-03-01'::date, 'physical', NULL::bigint), ('2026-03-01', 'sexual', 11)$$,
                  'ten are not told, eleven are');
SELECT throws_ok('SELECT id FROM kintaraa.incident', '42501', NULL, 'an analyst reads no table');
SELECT throws_ok('SELECT * FROM kintaraa_ops.queue', '42501', NULL, 'and no view of operators');
SET ROLE kintaraa_operator;
SELECT results_eq('SELECT urgency_level, service, state, needs, overdue FROM kintaraa_ops.queue',
                  $$VALUES ('urgent', 'medical', 'searching', 21::bigint, 21::bigint)$$, 'an operator sees the queue');
SELECT results_eq($$SELECT waiting, overdue FROM kintaraa_ops.timer WHERE timer = 'need'$$,
                  $$VALUES (21::bigint, 21::bigint)$$, 'the deadlines');
SELECT cmp_ok((SELECT late FROM kintaraa_ops.timer WHERE timer = 'need'), '>=', interval '1 minute',
              'how late they are');
SELECT is((SELECT epoch FROM kintaraa_ops.worker), 1::smallint, 'the worker''s epoch');
SELECT cmp_ok((SELECT newest_tick_at FROM kintaraa_ops.worker), '>', now() - interval '1 hour', 'its newest tick');
SELECT cmp_ok((SELECT bytes FROM kintaraa_ops.table_size WHERE name = 'incident'), '>', 0::bigint,
              'the size of tables');
SELECT is((SELECT count(*) FROM kintaraa_ops.audit_seal), 0::bigint, 'and seals');
SELECT throws_ok('SELECT due_at FROM kintaraa.need', '42501', NULL, 'but no table');
SELECT throws_ok('SELECT * FROM kintaraa_report.incidents_monthly', '42501', NULL, 'and no statistics');
RESET ROLE;
SELECT is((SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('kintaraa_ops', 'kintaraa_report') AND c.relkind = 'v'
              AND pg_get_userbyid(c.relowner) <> 'kintaraa_report'), 0::bigint, 'all views belong to kintaraa_report');
SELECT is((SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'kintaraa'::regnamespace AND a.attnum > 0 AND a.attname LIKE '%sealed%'
              AND has_column_privilege('kintaraa_report', c.oid, a.attnum, 'SELECT')), 0::bigint,
          'which reads no sealed column');

SELECT * FROM finish();
