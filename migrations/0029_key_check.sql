-- Which key ring this database is sealed under, so that another one is named and not used.

CREATE TABLE kintaraa.key_check (
    kind   text NOT NULL,
    id     integer NOT NULL,
    value  bytea NOT NULL,
    at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (kind, id)
);
COMMENT ON TABLE kintaraa.key_check IS
    'A check value of each key of the ring that this database works with; another ring has others. None tells a key.';
COMMENT ON COLUMN kintaraa.key_check.kind IS 'The kind of the key, as in the key ring file.';
COMMENT ON COLUMN kintaraa.key_check.id IS 'Its number within the kind.';
COMMENT ON COLUMN kintaraa.key_check.value IS 'A keyed hash of a fixed text under the key.';
COMMENT ON COLUMN kintaraa.key_check.at IS 'When it was first seen here.';
ALTER TABLE kintaraa.key_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.key_check FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.key_check TO kintaraa_system USING (true) WITH CHECK (true);
REVOKE ALL ON kintaraa.key_check FROM PUBLIC;
GRANT SELECT, INSERT, DELETE ON kintaraa.key_check TO kintaraa_system;
