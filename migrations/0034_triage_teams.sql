-- Who may look at a report that asks for nothing: healthcare and counselling, unless she names others.

ALTER TABLE kintaraa.incident ADD COLUMN triage_teams text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN kintaraa.incident.triage_teams IS
    'Types of teams that she lets look at what is no service yet; none: those of the routing policy.';
ALTER TABLE kintaraa.incident ADD CONSTRAINT incident_triage_teams_check CHECK (NOT ('police' = ANY (triage_teams)))
    NOT VALID;
COMMENT ON CONSTRAINT incident_triage_teams_check ON kintaraa.incident IS
    'Police are asked for police only, and that is a service of its own.';
