-- The trail: entries written with the act, sealed by the worker.

CREATE TABLE kintaraa.audit (
    n           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    x           xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    epoch       smallint NOT NULL DEFAULT 1,
    action      text NOT NULL,
    outcome     text NOT NULL,
    code        text,
    actor       bytea,
    actor_role  text,
    noun        text,
    target      uuid,
    fields      text,
    request     text
);
COMMENT ON TABLE kintaraa.audit IS
    'Who did what to which record, denials and protected reads included. Names of fields, never values; the actor is '
    'a keyed pseudonym.';
CREATE INDEX audit_x_idx ON kintaraa.audit (x, n);
CREATE INDEX audit_target_idx ON kintaraa.audit (target, n) WHERE target IS NOT NULL;

CREATE TABLE kintaraa.audit_seal (
    n              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch          smallint NOT NULL,
    from_x         xid8 NOT NULL,
    to_x           xid8 NOT NULL,
    entries        bigint NOT NULL,
    previous_root  bytea NOT NULL,
    root           bytea NOT NULL,
    at             timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT audit_seal_order_check CHECK (to_x > from_x)
);
COMMENT ON TABLE kintaraa.audit_seal IS
    'Seals neither overlap nor leave a gap: each covers from_x <= x < to_x and chains to the one before.';
