-- Operators read views, analysts published tables, and nothing else; small numbers are not published.
SELECT plan(28);

-- A report of its own person each, k of a type in a month; the last line of the month and the first of the next one.
CREATE FUNCTION pg_temp.person(k integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$SELECT ('00000000-0000-4000-8000-' || lpad(k::text, 12, '0'))::uuid$$;
INSERT INTO kintaraa.account (id, role, email_index, password_hash)
SELECT pg_temp.person(k), 'survivor', '', '' FROM generate_series(1, 30) AS k;
CREATE TEMP TABLE report (month timestamptz, type text, n integer, more integer);
INSERT INTO report VALUES
    ('2026-03-31T20:59:59Z', 'physical', 10, 5), ('2026-03-31T20:59:59Z', 'sexual', 11, 0),
    ('2026-03-31T21:00:00Z', 'physical', 11, 0), ('2026-03-31T21:00:00Z', 'sexual', 12, 0),
    ('2026-03-31T21:00:00Z', 'emotional', 13, 0), ('2026-03-31T21:00:00Z', 'economic', 14, 0),
    ('2026-03-31T21:00:00Z', 'online', 15, 0), ('2026-03-31T21:00:00Z', 'femicide', 16, 0),
    ('2026-03-31T21:00:00Z', 'medical', 17, 0), ('2026-03-31T21:00:00Z', NULL, 2, 0),
    -- of the people of a month ten are not among the nineteen of one type, then eleven are not
    ('2026-05-15T00:00:00Z', 'physical', 19, 0), ('2026-05-15T00:00:00Z', 'sexual', 29, 0),
    ('2026-06-15T00:00:00Z', 'physical', 18, 0), ('2026-06-15T00:00:00Z', 'sexual', 29, 0);
INSERT INTO kintaraa.incident (id, owner_id, client_key, case_number, status, type, urgency_level, created_hash,
                               created_at)
SELECT gen_random_uuid(), pg_temp.person(least(i, r.n)),
       convert_to(i || coalesce(r.type, '') || extract(epoch FROM r.month), 'UTF8'),
       md5(i || coalesce(r.type, '') || r.month), 'new', r.type, 'urgent', '', r.month
  FROM report AS r, generate_series(1, r.n + r.more) AS i;
INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, due_at, created_at)
SELECT id, gen_random_uuid(), 'medical', 'searching', 'urgent', now() - interval '1 minute', created_at
  FROM kintaraa.incident WHERE created_at < '2026-03-31T21:00:00Z' AND (type = 'sexual' OR
    convert_from(client_key, 'UTF8') ~ '^([1-9]|10)p');
SELECT kintaraa.change_flush();
SELECT kintaraa.epoch_check();
SELECT kintaraa.tick_write(true);
SELECT cmp_ok(kintaraa.statistics_publish(), '>=', 18, 'months that have ended are published');
SELECT is(kintaraa.statistics_publish(), 0, 'once');

SET ROLE kintaraa_analyst;
CREATE FUNCTION pg_temp.people(month date, type text) RETURNS integer LANGUAGE sql AS
    $$SELECT p.people FROM kintaraa_report.people_monthly AS p WHERE p.month = $1 AND p.type = $2$$;
SELECT is(pg_temp.people('2026-03-01', 'sexual'), 11, 'eleven people are told');
SELECT is(pg_temp.people('2026-03-01', 'physical'), NULL, 'ten people with fifteen reports are not');
SELECT is(pg_temp.people('2026-03-01', 'online'), NULL, 'nor that it was nobody');
SELECT is(pg_temp.people('2026-03-01', 'all'), 11, 'whoever reported twice is one person');
SELECT is(pg_temp.people('2026-04-01', 'unknown'), NULL, 'two of unknown type are not told');
SELECT is(pg_temp.people('2026-04-01', 'physical'), NULL, 'nor the smallest other number, which would tell them');
SELECT is(pg_temp.people('2026-04-01', 'sexual'), 12, 'the next one is');
SELECT is(pg_temp.people('2026-05-01', 'physical'), 19, 'nineteen are told');
SELECT is(pg_temp.people('2026-05-01', 'all'), NULL, 'but no sum, which would tell of ten people beside them');
SELECT is(pg_temp.people('2026-06-01', 'all'), 29, 'of eleven it may');
SELECT throws_ok('INSERT INTO kintaraa_report.people_monthly VALUES (''2026-01-01'', ''x'', 12)', '42501', NULL,
                 'an analyst writes nothing');
SELECT throws_ok('SELECT id FROM kintaraa.incident', '42501', NULL, 'and reads no table of ours');
SELECT throws_ok('SELECT * FROM kintaraa_ops.queue', '42501', NULL, 'and no view of operators');
RESET ROLE;
SELECT is(has_table_privilege('kintaraa_system', 'kintaraa.people_monthly', 'UPDATE, DELETE'), false,
          'what is published is frozen');
SELECT is((SELECT array_agg(DISTINCT d.refobjid::regclass::text)
             FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
             JOIN pg_depend AS d ON d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
            WHERE c.relnamespace = 'kintaraa_report'::regnamespace), ARRAY['kintaraa.people_monthly'],
          'analysts are given no view over live rows');
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
SELECT throws_ok('SELECT * FROM kintaraa_report.people_monthly', '42501', NULL, 'and no statistics');
RESET ROLE;
SELECT is((SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('kintaraa_ops', 'kintaraa_report') AND c.relkind = 'v'
              AND pg_get_userbyid(c.relowner) <> 'kintaraa_report'), 0::bigint, 'all views belong to kintaraa_report');
SELECT is((SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'kintaraa'::regnamespace AND a.attnum > 0 AND a.attname LIKE '%sealed%'
              AND has_column_privilege('kintaraa_report', c.oid, a.attnum, 'SELECT')), 0::bigint,
          'which reads no sealed column');

SELECT * FROM finish();
