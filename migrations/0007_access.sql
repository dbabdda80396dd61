-- Who may see what: row security on every table, and the grants below it.
-- One policy per database role, never an OR; nothing is visible without a proven caller.

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT relname FROM pg_catalog.pg_class
                 WHERE relnamespace = 'kintaraa'::regnamespace AND relkind = 'r' AND relname <> 'migration'
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE kintaraa.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('ALTER TABLE kintaraa.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format(
            'CREATE POLICY system ON kintaraa.%I TO kintaraa_system USING (true) WITH CHECK (true)', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON kintaraa.%I FROM PUBLIC', name);
        IF name IN ('audit', 'audit_seal', 'policy') THEN
            EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON kintaraa.%I TO kintaraa_system', name);
        ELSE
            EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.%I TO kintaraa_system', name);
        END IF;
    END LOOP;
END
$$;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA kintaraa TO kintaraa_system;

-- Ordinary doors: what one of the caller's principals is a member of.
CREATE POLICY door ON kintaraa.incident TO kintaraa_door
    USING (kintaraa.can_see(id)) WITH CHECK (kintaraa.can_see(id));
CREATE POLICY door ON kintaraa.need TO kintaraa_door
    USING (kintaraa.can_see(bucket)) WITH CHECK (kintaraa.can_see(bucket));
CREATE POLICY door ON kintaraa.assignment TO kintaraa_door
    USING (kintaraa.can_see(provider_id)) WITH CHECK (kintaraa.can_see(provider_id));
CREATE POLICY door ON kintaraa.status_history TO kintaraa_door
    USING (kintaraa.can_see(bucket)) WITH CHECK (kintaraa.can_see(bucket));
CREATE POLICY door ON kintaraa.account TO kintaraa_door
    USING (kintaraa.can_see(id)) WITH CHECK (kintaraa.can_see(id));
CREATE POLICY door ON kintaraa.session FOR SELECT TO kintaraa_door USING (kintaraa.can_see(account_id));
CREATE POLICY door ON kintaraa.notification TO kintaraa_door
    USING (kintaraa.can_see(account_id)) WITH CHECK (kintaraa.can_see(account_id));
CREATE POLICY door ON kintaraa.change FOR SELECT TO kintaraa_door USING (kintaraa.can_see(bucket));
CREATE POLICY door ON kintaraa.member FOR SELECT TO kintaraa_door
    USING (principal = ANY ((SELECT kintaraa.principals())::uuid[]));
CREATE POLICY door ON kintaraa.provider FOR SELECT TO kintaraa_door
    USING ((SELECT kintaraa.me()) IS NOT NULL);
CREATE POLICY door ON kintaraa.organisation FOR SELECT TO kintaraa_door
    USING ((SELECT kintaraa.me()) IS NOT NULL);
CREATE POLICY door ON kintaraa.status_rule FOR SELECT TO kintaraa_door
    USING ((SELECT kintaraa.me()) IS NOT NULL);

GRANT SELECT, INSERT, UPDATE ON kintaraa.incident TO kintaraa_door;
GRANT SELECT ON kintaraa.need, kintaraa.assignment, kintaraa.status_history, kintaraa.account,
    kintaraa.session, kintaraa.change, kintaraa.member, kintaraa.provider, kintaraa.organisation,
    kintaraa.status_rule, kintaraa.notification TO kintaraa_door;
GRANT UPDATE (read_at) ON kintaraa.notification TO kintaraa_door;
GRANT INSERT ON kintaraa.status_history TO kintaraa_door;

-- Doors that scan across cases: dispatchers and administrators, never a barred one.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['incident', 'need', 'assignment', 'status_history', 'change', 'provider',
                                'organisation',
                                'provider_dispatch', 'dispatch_count', 'dispatch_delta', 'status_rule', 'duty',
                                'barred', 'account']
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE POLICY dispatch ON kintaraa.%I FOR SELECT TO kintaraa_dispatch '
            'USING ((SELECT kintaraa.caller_may(''dispatch'')))', name);
        EXECUTE pg_catalog.format('GRANT SELECT ON kintaraa.%I TO kintaraa_dispatch', name);
    END LOOP;
END
$$;

-- What changed is stamped.
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.incident
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('incident', 'id', 'id');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.need
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('need', 'bucket', 'id');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.assignment
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('assignment', 'provider_id', 'id');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.account
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('account', 'id', 'id');
CREATE TRIGGER remember AFTER UPDATE OF revoked_at ON kintaraa.session
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('session', 'account_id', 'id');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.notification
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('notification', 'account_id', 'id');
CREATE TRIGGER remember AFTER UPDATE OR DELETE ON kintaraa.provider
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('provider', 'organisation_id', 'id');

-- A TRUNCATE leaves no stamps and would silently empty every phone's view.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['incident', 'need', 'assignment', 'account', 'notification', 'provider',
                                'change', 'audit']
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kintaraa.%I '
                                  'FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.refuse_truncate()', name);
    END LOOP;
END
$$;

-- Rules are read once per backend and anew when they change.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON kintaraa.policy
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON kintaraa.setting
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.policy_changed();
CREATE TRIGGER changed AFTER UPDATE ON kintaraa.organisation
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.policy_changed();
