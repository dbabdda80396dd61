-- Roles are made when they are absent, without log-in and without password: both are the DBA's.
-- Schema kintaraa is named in the control file and is no member: dropping the extension cannot take the data.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['kintaraa_owner', 'kintaraa_door', 'kintaraa_dispatch', 'kintaraa_system',
                                'kintaraa_report', 'kintaraa_gateway', 'kintaraa_backup', 'kintaraa_operator',
                                'kintaraa_analyst']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    ALTER ROLE kintaraa_backup BYPASSRLS;
    GRANT pg_read_all_data TO kintaraa_backup;
END
$$;

CREATE SCHEMA kintaraa_api;
COMMENT ON SCHEMA kintaraa_api IS 'The doors: one function per request.';
CREATE SCHEMA kintaraa_report;
COMMENT ON SCHEMA kintaraa_report IS 'Published views for analysts.';
CREATE SCHEMA kintaraa_ops;
COMMENT ON SCHEMA kintaraa_ops IS 'Views for operators.';

REVOKE ALL ON SCHEMA kintaraa, kintaraa_api, kintaraa_report, kintaraa_ops FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA kintaraa TO kintaraa_owner;
GRANT USAGE, CREATE ON SCHEMA kintaraa_report, kintaraa_ops TO kintaraa_owner, kintaraa_report;
GRANT USAGE ON SCHEMA kintaraa TO kintaraa_door, kintaraa_dispatch, kintaraa_system, kintaraa_report;
GRANT USAGE ON SCHEMA kintaraa_api TO kintaraa_gateway;
GRANT USAGE ON SCHEMA kintaraa_report TO kintaraa_analyst, kintaraa_report;
GRANT USAGE ON SCHEMA kintaraa_ops TO kintaraa_operator, kintaraa_report;
