-- A need is owned by somebody active, and police have only what was asked of police.

CREATE TABLE kintaraa.team_check (
    id           uuid PRIMARY KEY,
    provider_id  uuid NOT NULL,
    at           timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE kintaraa.team_check IS
    'Teams that lost somebody a short while ago: the worker looks for work that was given to them meanwhile.';
COMMENT ON COLUMN kintaraa.team_check.provider_id IS 'The team; no foreign key, so that nothing waits for its row.';
COMMENT ON COLUMN kintaraa.team_check.at IS
    'When it lost somebody; looked at until nobody can be left who began before.';
ALTER TABLE kintaraa.team_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.team_check FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.team_check TO kintaraa_system USING (true) WITH CHECK (true);
REVOKE ALL ON kintaraa.team_check FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.team_check TO kintaraa_system;

CREATE TRIGGER staff_moved AFTER UPDATE ON kintaraa.account
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.staff_lost();
CREATE TRIGGER staff_deleted AFTER DELETE ON kintaraa.account
    REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.staff_lost();
CREATE TRIGGER team_moved AFTER UPDATE ON kintaraa.provider
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.team_lost();

-- What old rows get: every team that has open work is looked at once, so that what nobody can do is searched anew.
SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
INSERT INTO kintaraa.team_check (id, provider_id)
SELECT pg_catalog.gen_random_uuid(), a.provider_id
  FROM kintaraa.assignment AS a
  JOIN kintaraa.need AS n ON n.bucket = a.incident_bucket AND n.id = a.need_id
 WHERE a.status IN ('pending', 'accepted') AND n.state NOT IN ('met', 'unmet', 'withdrawn')
 GROUP BY a.provider_id;

-- Asking for a service is consent for that service and no more: nothing in a policy gives police another one.
-- A policy that did goes on without; a service that only police had goes to dispatchers.
INSERT INTO kintaraa.policy (kind, version, body)
SELECT p.kind, p.version + 1, pg_catalog.jsonb_set(p.body, '{services}', COALESCE((
           SELECT pg_catalog.jsonb_object_agg(s.key,
                      CASE WHEN s.key = 'police' THEN s.value ELSE s.value - 'police' END)
             FROM pg_catalog.jsonb_each(p.body -> 'services') AS s
            WHERE s.key = 'police' OR s.value <> '["police"]'), '{}'))
  FROM (SELECT * FROM kintaraa.policy WHERE kind = 'routing' ORDER BY version DESC LIMIT 1) AS p
 WHERE pg_catalog.jsonb_path_exists(p.body,
           '$.services.keyvalue() ? (@.key != "police").value ? (@ == "police")');

SET LOCAL ROLE kintaraa_owner;
ALTER TABLE kintaraa.policy ADD CONSTRAINT policy_police_check CHECK (kind <> 'routing' OR NOT
    pg_catalog.jsonb_path_exists(body, '$.services.keyvalue() ? (@.key != "police").value ? (@ == "police")'))
    NOT VALID;
COMMENT ON CONSTRAINT policy_police_check ON kintaraa.policy IS
    'Police are asked for police only; versions that were written before stay as they are and are not in force.';
