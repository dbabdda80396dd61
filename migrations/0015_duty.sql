-- Who is on duty is entered and taken back one by one.

ALTER TABLE kintaraa.duty ADD COLUMN id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid();
ALTER TABLE kintaraa.duty ADD CONSTRAINT duty_id_key UNIQUE (id);
CREATE INDEX duty_from_at_idx ON kintaraa.duty (centre_id, from_at, id);
COMMENT ON TABLE kintaraa.duty IS
    'Whom the last levels of an escalation call; where it names nobody, the whole centre is called.';
