-- Her will has the last word, and not the phone's holder: teams she left, who reached her, cases that she took back.

CREATE TABLE kintaraa.left_team (
    bucket       uuid NOT NULL REFERENCES kintaraa.incident,
    provider_id  uuid NOT NULL,
    at           timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (bucket, provider_id)
);
COMMENT ON TABLE kintaraa.left_team IS 'Teams that she left: not asked for this case again unless she says so.';
COMMENT ON COLUMN kintaraa.left_team.bucket IS 'The case.';
COMMENT ON COLUMN kintaraa.left_team.provider_id IS 'The team.';
COMMENT ON COLUMN kintaraa.left_team.at IS 'When she left it.';
ALTER TABLE kintaraa.left_team ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.left_team FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.left_team TO kintaraa_system USING (true) WITH CHECK (true);
REVOKE ALL ON kintaraa.left_team FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.left_team TO kintaraa_system;

ALTER TABLE kintaraa.need ADD COLUMN reached_at timestamptz;
COMMENT ON COLUMN kintaraa.need.reached_at IS
    'When she said that the team reached her; contacted_at is what the team says.';
ALTER TABLE kintaraa.status_history ADD COLUMN reason text;
COMMENT ON COLUMN kintaraa.status_history.reason IS
    'Why a case was completed although she did not say that she was reached.';

ALTER TABLE kintaraa.incident ADD COLUMN held_until timestamptz;
COMMENT ON COLUMN kintaraa.incident.held_until IS
    'She took the case back: its open needs are paused until then, and end; until then it can be undone.';
ALTER TABLE kintaraa.incident ADD COLUMN restored_at timestamptz;
COMMENT ON COLUMN kintaraa.incident.restored_at IS
    'When the last taking back was undone; null when it was not, or when there was none. A repeat is known by it.';
-- locks: no row has a value yet, so the reports are read once and nothing is sorted
CREATE INDEX incident_held_until_idx ON kintaraa.incident (held_until) WHERE held_until IS NOT NULL;

ALTER DOMAIN kintaraa.need_state DROP CONSTRAINT need_state_check;
-- locks: one word more is allowed; the needs are read once, a few for each report
ALTER DOMAIN kintaraa.need_state ADD CONSTRAINT need_state_check CHECK (VALUE IN
    ('searching', 'offered', 'engaged', 'stalled', 'needs_dispatcher', 'paused', 'met', 'unmet', 'withdrawn'));

SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
INSERT INTO kintaraa.status_rule (from_status, to_status, actor) VALUES ('completed', 'in_progress', 'owner');

-- What old rows get: the teams whose help she ended are left; closed cases are nobody's any more.
INSERT INTO kintaraa.left_team (bucket, provider_id)
SELECT DISTINCT a.incident_bucket, a.provider_id
  FROM kintaraa.assignment AS a JOIN kintaraa.incident AS i ON i.id = a.incident_bucket
 WHERE a.status = 'withdrawn' AND a.responded_by = i.owner_id;
-- locks: members of closed cases, which nobody writes
UPDATE kintaraa.member AS m SET revoked = true, gx = pg_catalog.pg_current_xact_id(), changed_at = pg_catalog.now()
  FROM kintaraa.incident AS i
 WHERE i.id = m.bucket AND i.status = 'closed' AND m.relation = 'helper' AND NOT m.revoked;
