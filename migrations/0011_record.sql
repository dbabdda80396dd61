-- What a phone owns beside reports: plan, contacts, journal; and what helpers note on a case.

CREATE DOMAIN kintaraa.personal_noun AS text CHECK (VALUE IN
    ('safety_plan', 'emergency_contact', 'preference', 'mood_entry', 'journal_entry'));

CREATE TABLE kintaraa.personal (
    id            uuid PRIMARY KEY,
    owner_id      uuid NOT NULL REFERENCES kintaraa.account ON DELETE CASCADE,
    noun          kintaraa.personal_noun NOT NULL,
    client_id     kintaraa.client_id NOT NULL,
    body_sealed   bytea,
    created_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    deleted_at    timestamptz,
    CONSTRAINT personal_owner_client_key UNIQUE (owner_id, noun, client_id)
);
COMMENT ON TABLE kintaraa.personal IS
    'Hers alone, sealed whole; lives in her account''s bucket. A deleted row keeps its ids for the phones, and '
    'nothing else.';

CREATE TABLE kintaraa.note (
    bucket       uuid NOT NULL REFERENCES kintaraa.incident,
    id           uuid NOT NULL,
    provider_id  uuid NOT NULL REFERENCES kintaraa.provider,
    author_id    uuid NOT NULL REFERENCES kintaraa.account,
    client_id    kintaraa.client_id NOT NULL,
    text_sealed  bytea,
    created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (bucket, id),
    CONSTRAINT note_author_client_key UNIQUE (author_id, client_id)
);
COMMENT ON TABLE kintaraa.note IS
    'A helper''s note on a case: only ever added to, read by its author''s team and nobody else.';

ALTER TABLE kintaraa.archive ADD COLUMN organisation_id uuid;
COMMENT ON COLUMN kintaraa.archive.organisation_id IS
    'For a parked write: whose supervisors may look at it beside its author.';
CREATE INDEX archive_organisation_idx ON kintaraa.archive (organisation_id, at) WHERE organisation_id IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['personal', 'note'] LOOP
        EXECUTE pg_catalog.format('ALTER TABLE kintaraa.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('ALTER TABLE kintaraa.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format(
            'CREATE POLICY system ON kintaraa.%I TO kintaraa_system USING (true) WITH CHECK (true)', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON kintaraa.%I FROM PUBLIC', name);
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.%I TO kintaraa_system', name);
        EXECUTE pg_catalog.format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kintaraa.%I '
                                  'FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.refuse_truncate()', name);
    END LOOP;
END
$$;
CREATE POLICY door ON kintaraa.personal TO kintaraa_door
    USING (kintaraa.can_see(owner_id)) WITH CHECK (kintaraa.can_see(owner_id));
GRANT SELECT, INSERT, UPDATE ON kintaraa.personal TO kintaraa_door;
CREATE POLICY door ON kintaraa.note TO kintaraa_door
    USING (kintaraa.can_see(bucket) AND kintaraa.can_see(provider_id))
    WITH CHECK (kintaraa.can_see(bucket) AND kintaraa.can_see(provider_id));
GRANT SELECT, INSERT ON kintaraa.note TO kintaraa_door;

-- The noun is the row's own; a row with deleted_at is stamped as deleted.
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.personal
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('@noun', 'owner_id', 'id', 'deleted_at');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.note
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('note', 'bucket', 'id');
DROP TRIGGER remember ON kintaraa.incident;
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.incident
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('incident', 'id', 'id', 'deleted_at');
