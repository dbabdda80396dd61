-- Whom a case must never reach finds nothing of it: row security knows of the barred, and being barred is news.

-- locks: a row for each one who was accused: a few hundred
ALTER TABLE kintaraa.barred ADD COLUMN gx xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id();
ALTER TABLE kintaraa.barred ADD COLUMN at timestamptz NOT NULL DEFAULT pg_catalog.now();
COMMENT ON COLUMN kintaraa.barred.gx IS 'The transaction that barred: whoever is barred hears that the case is gone.';
COMMENT ON COLUMN kintaraa.barred.at IS 'Since when.';
COMMENT ON TABLE kintaraa.barred IS
    'Accounts, teams, organisations and dispatch centres for whom this case does not exist.';
-- locks: as few rows
CREATE INDEX barred_principal_idx ON kintaraa.barred (principal);
-- locks: as few rows
CREATE INDEX barred_gx_idx ON kintaraa.barred (gx);

-- can_see() says it of buckets; these rows lie in the bucket of a team or an account and are of a case.
-- Made anew and not altered: where the extension was dropped since, its rules went with it.
DROP POLICY IF EXISTS door ON kintaraa.assignment;
CREATE POLICY door ON kintaraa.assignment TO kintaraa_door
    USING (kintaraa.can_see(provider_id) AND incident_bucket <> ALL ((SELECT kintaraa.barred_from())::uuid[]))
    WITH CHECK (kintaraa.can_see(provider_id) AND incident_bucket <> ALL ((SELECT kintaraa.barred_from())::uuid[]));
DROP POLICY IF EXISTS door ON kintaraa.notification;
CREATE POLICY door ON kintaraa.notification TO kintaraa_door
    USING (kintaraa.can_see(account_id)
           AND COALESCE(bucket <> ALL ((SELECT kintaraa.barred_from())::uuid[]), true))
    WITH CHECK (kintaraa.can_see(account_id)
           AND COALESCE(bucket <> ALL ((SELECT kintaraa.barred_from())::uuid[]), true));

-- Doors that scan across cases scan across those that are there for the caller.
DO $$
DECLARE
    place record;
BEGIN
    FOR place IN SELECT * FROM (VALUES ('incident', 'id'), ('need', 'bucket'), ('assignment', 'incident_bucket'),
                                       ('status_history', 'bucket'), ('change', 'bucket')) AS p (name, bucket)
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY IF EXISTS dispatch ON kintaraa.%I', place.name);
        EXECUTE pg_catalog.format(
            'CREATE POLICY dispatch ON kintaraa.%I FOR SELECT TO kintaraa_dispatch '
            'USING ((SELECT kintaraa.caller_may(''dispatch'')) '
            'AND %I <> ALL ((SELECT kintaraa.barred_from())::uuid[]))', place.name, place.bucket);
    END LOOP;
END
$$;
