-- Views for operators and analysts, and indexes for what the worker looks for.
-- Views belong to kintaraa_report and read with its policies: it sees the columns they need, never a sealed one.

CREATE INDEX change_deleted_idx ON kintaraa.change (updated_at) WHERE deleted;
CREATE INDEX member_revoked_idx ON kintaraa.member (changed_at) WHERE revoked;
CREATE INDEX notification_created_at_idx ON kintaraa.notification (created_at);
CREATE INDEX subscription_expires_at_idx ON kintaraa.subscription (gateway, expires_at);
CREATE UNIQUE INDEX audit_seal_range_key ON kintaraa.audit_seal (epoch, to_x);
CREATE UNIQUE INDEX epoch_open_key ON kintaraa.epoch ((last_tick IS NULL)) WHERE last_tick IS NULL;
COMMENT ON INDEX kintaraa.epoch_open_key IS 'One epoch is open at a time.';

CREATE POLICY report ON kintaraa.incident FOR SELECT TO kintaraa_report USING (true);
CREATE POLICY report ON kintaraa.need FOR SELECT TO kintaraa_report USING (true);
CREATE POLICY report ON kintaraa.assignment FOR SELECT TO kintaraa_report USING (true);
CREATE POLICY report ON kintaraa.provider FOR SELECT TO kintaraa_report USING (true);
CREATE POLICY report ON kintaraa.tick FOR SELECT TO kintaraa_report USING (true);
CREATE POLICY report ON kintaraa.epoch FOR SELECT TO kintaraa_report USING (true);
CREATE POLICY report ON kintaraa.audit_seal FOR SELECT TO kintaraa_report USING (true);
GRANT SELECT (id, type, status, urgency_level, created_at, deleted_at) ON kintaraa.incident TO kintaraa_report;
GRANT SELECT (bucket, id, service, state, urgency_level, level, due_at, created_at) ON kintaraa.need TO kintaraa_report;
GRANT SELECT (id, status, due_at) ON kintaraa.assignment TO kintaraa_report;
GRANT SELECT (id, available_until) ON kintaraa.provider TO kintaraa_report;
GRANT SELECT ON kintaraa.tick, kintaraa.epoch, kintaraa.audit_seal TO kintaraa_report;

SET LOCAL ROLE kintaraa_report;
SET LOCAL row_security = on;

CREATE VIEW kintaraa_ops.queue WITH (security_barrier) AS
SELECT n.urgency_level::text, n.service, n.state::text, pg_catalog.count(*) AS needs,
       pg_catalog.count(*) FILTER (WHERE n.due_at < pg_catalog.now()) AS overdue,
       pg_catalog.min(n.created_at) AS oldest, pg_catalog.min(n.due_at) AS next_due
  FROM kintaraa.need AS n JOIN kintaraa.incident AS i ON i.id = n.bucket
 WHERE n.state IN ('searching', 'offered', 'engaged', 'stalled', 'needs_dispatcher') AND i.deleted_at IS NULL
 GROUP BY n.urgency_level, n.service, n.state;
COMMENT ON VIEW kintaraa_ops.queue IS 'Open needs by urgency, service and state.';

CREATE VIEW kintaraa_ops.timer WITH (security_barrier) AS
SELECT t.timer, pg_catalog.count(*) AS waiting,
       pg_catalog.count(*) FILTER (WHERE t.due_at < pg_catalog.now()) AS overdue,
       pg_catalog.min(t.due_at) AS next_due,
       GREATEST(pg_catalog.now() - pg_catalog.min(t.due_at), interval '0') AS late
  FROM (SELECT 'need' AS timer, n.due_at FROM kintaraa.need AS n WHERE n.due_at IS NOT NULL
        UNION ALL
        SELECT 'provider', p.available_until FROM kintaraa.provider AS p
         WHERE p.available_until IS NOT NULL) AS t
 GROUP BY t.timer;
COMMENT ON VIEW kintaraa_ops.timer IS 'Deadlines that the worker waits for; late is how far the oldest is behind.';

CREATE VIEW kintaraa_ops.worker WITH (security_barrier) AS
SELECT w.pid, w.database, w.seen_at,
       w.pid IS NOT NULL AND w.seen_at > pg_catalog.now() - interval '10 seconds' AS is_alive,
       (SELECT pg_catalog.max(k.t) FROM kintaraa.tick AS k) AS newest_tick,
       (SELECT pg_catalog.to_timestamp((pg_catalog.max(k.t) / 1000)::double precision / 1000)
          FROM kintaraa.tick AS k) AS newest_tick_at,
       (SELECT e.tag FROM kintaraa.epoch AS e WHERE e.last_tick IS NULL) AS epoch
  FROM kintaraa.worker_status() AS w;
COMMENT ON VIEW kintaraa_ops.worker IS 'The background worker, its newest tick and the epoch of cursors.';

CREATE VIEW kintaraa_ops.table_size WITH (security_barrier) AS
SELECT c.relname AS name, pg_catalog.pg_total_relation_size(c.oid) AS bytes,
       pg_catalog.pg_table_size(c.oid) AS table_bytes, pg_catalog.pg_indexes_size(c.oid) AS index_bytes,
       GREATEST(c.reltuples, 0)::bigint AS rows_estimated, s.n_dead_tup AS dead_rows, s.last_autovacuum
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS o ON o.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = c.oid
 WHERE o.nspname = 'kintaraa' AND c.relkind = 'r';
COMMENT ON VIEW kintaraa_ops.table_size IS 'Size of every table of ours.';

CREATE VIEW kintaraa_ops.audit_seal WITH (security_barrier) AS
SELECT s.n, s.epoch, s.at, s.entries, pg_catalog.encode(s.root, 'hex') AS root
  FROM kintaraa.audit_seal AS s;
COMMENT ON VIEW kintaraa_ops.audit_seal IS 'Seals of the audit trail; compare roots with those in the server log.';

CREATE VIEW kintaraa_report.incidents_monthly WITH (security_barrier) AS
SELECT pg_catalog.date_trunc('month', i.created_at AT TIME ZONE 'Africa/Nairobi')::date AS month, i.type::text,
       CASE WHEN pg_catalog.count(*) >= 11 THEN pg_catalog.count(*) END AS incidents
  FROM kintaraa.incident AS i
 WHERE i.deleted_at IS NULL
 GROUP BY 1, 2;
COMMENT ON VIEW kintaraa_report.incidents_monthly IS
    'Reports by month and type; NULL stands for 1 to 10, so that nobody is found in a small number.';

GRANT SELECT ON kintaraa_ops.queue, kintaraa_ops.timer, kintaraa_ops.worker, kintaraa_ops.table_size,
    kintaraa_ops.audit_seal TO kintaraa_operator;
GRANT SELECT ON kintaraa_report.incidents_monthly TO kintaraa_analyst;
