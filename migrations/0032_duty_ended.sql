-- Taking duty back again has the same answer, and no other id has it.

CREATE TABLE kintaraa.duty_ended (
    id         uuid PRIMARY KEY,
    centre_id  uuid NOT NULL REFERENCES kintaraa.organisation,
    at         timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kintaraa.duty_ended IS 'Duty that was taken back before it began, so that a repeat is known.';
COMMENT ON COLUMN kintaraa.duty_ended.id IS 'The id that it had in kintaraa.duty.';
COMMENT ON COLUMN kintaraa.duty_ended.centre_id IS 'The dispatch centre whose duty it was.';
COMMENT ON COLUMN kintaraa.duty_ended.at IS 'When it was taken back; kept as long as duty lists.';
CREATE INDEX duty_ended_centre_id_idx ON kintaraa.duty_ended (centre_id);
ALTER TABLE kintaraa.duty_ended ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.duty_ended FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.duty_ended TO kintaraa_system USING (true) WITH CHECK (true);
REVOKE ALL ON kintaraa.duty_ended FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.duty_ended TO kintaraa_system;
