-- Rules that are data: policies as versioned rows, settings, the status machine.

CREATE TABLE kintaraa.policy (
    kind        text NOT NULL CONSTRAINT policy_kind_check CHECK (kind IN ('routing', 'escalation', 'retention')),
    version     integer NOT NULL,
    body        jsonb NOT NULL,
    created_by  uuid REFERENCES kintaraa.account,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (kind, version)
);
COMMENT ON TABLE kintaraa.policy IS
    'The highest version of a kind is in force; versions are never changed or deleted.';

CREATE TABLE kintaraa.setting (
    name        text PRIMARY KEY,
    value       jsonb NOT NULL,
    help        text NOT NULL,
    updated_by  uuid REFERENCES kintaraa.account,
    updated_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE TABLE kintaraa.status_rule (
    from_status  text NOT NULL,
    to_status    text NOT NULL,
    actor        text NOT NULL CONSTRAINT status_rule_actor_check CHECK (actor IN
                 ('machine', 'helper', 'dispatcher', 'owner')),
    PRIMARY KEY (from_status, to_status, actor)
);
COMMENT ON TABLE kintaraa.status_rule IS
    'Which incident status may follow which, and who may move it; machine moves follow the needs.';
