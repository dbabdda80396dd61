-- Statistics are a table that is filled once a month. A view over live rows tells by its plan, its moment and its
-- differences what it hides.

SET LOCAL ROLE kintaraa_report;
DROP VIEW IF EXISTS kintaraa_report.incidents_monthly;
SET LOCAL ROLE kintaraa_owner;
REVOKE SELECT (type) ON kintaraa.incident FROM kintaraa_report;

CREATE TABLE kintaraa.people_monthly (
    month   date NOT NULL CONSTRAINT people_monthly_month_check CHECK (EXTRACT(day FROM month) = 1),
    type    text NOT NULL,
    people  integer CONSTRAINT people_monthly_people_check CHECK (people >= 11),
    at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (month, type)
);
COMMENT ON TABLE kintaraa.people_monthly IS
    'How many people reported in a month, by type of violence; written once, after the month, and never changed.';
COMMENT ON COLUMN kintaraa.people_monthly.month IS 'Its first day, in Kenya''s time.';
COMMENT ON COLUMN kintaraa.people_monthly.type IS
    'As reported; unknown where none was said; all for the people of the month, who may have reported several.';
COMMENT ON COLUMN kintaraa.people_monthly.people IS
    'NULL stands for 0 to 10, or for a number that would tell such a one.';
COMMENT ON COLUMN kintaraa.people_monthly.at IS 'When it was published.';
ALTER TABLE kintaraa.people_monthly ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.people_monthly FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.people_monthly TO kintaraa_system USING (true) WITH CHECK (true);
CREATE POLICY report ON kintaraa.people_monthly FOR SELECT TO kintaraa_report USING (true);
REVOKE ALL ON kintaraa.people_monthly FROM PUBLIC;
GRANT SELECT, INSERT ON kintaraa.people_monthly TO kintaraa_system;
GRANT SELECT ON kintaraa.people_monthly TO kintaraa_report;
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kintaraa.people_monthly
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.refuse_truncate();

-- The schema of the published goes with the extension and its rows must not: what analysts see is a view, over this
-- table only.
SET LOCAL ROLE kintaraa_report;
SET LOCAL row_security = on;
CREATE VIEW kintaraa_report.people_monthly WITH (security_barrier) AS
SELECT p.month, p.type, p.people, p.at FROM kintaraa.people_monthly AS p;
COMMENT ON VIEW kintaraa_report.people_monthly IS
    'People who reported, by month and type, as published after the month; NULL stands for 0 to 10.';
GRANT SELECT ON kintaraa_report.people_monthly TO kintaraa_analyst;
