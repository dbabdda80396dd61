-- How news travels: stamps, membership, ticks, epochs, devices, subscriptions.

CREATE TABLE kintaraa.change (
    bucket           uuid NOT NULL,
    noun             text NOT NULL,
    id               uuid NOT NULL,
    x                xid8 NOT NULL,
    version          bigint NOT NULL,
    writer           uuid,
    foreign_version  bigint NOT NULL,
    deleted          boolean NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (bucket, noun, id)
) WITH (fillfactor = 80);
COMMENT ON TABLE kintaraa.change IS
    'One row per record and bucket: its version and the transaction that last changed it. State, not a log.';
CREATE INDEX change_x_idx ON kintaraa.change (x);

-- Why domains: see 0004.
CREATE DOMAIN kintaraa.client_id AS text CHECK (VALUE ~ '^[A-Za-z0-9_.-]{1,64}$');
CREATE DOMAIN kintaraa.relation AS text CHECK (VALUE IN ('owner', 'helper', 'dispatcher', 'reporter'));

CREATE TABLE kintaraa.member (
    principal   uuid NOT NULL,
    bucket      uuid NOT NULL,
    relation    kintaraa.relation NOT NULL,
    gx          xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    revoked     boolean NOT NULL DEFAULT false,
    changed_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (principal, bucket)
);
COMMENT ON TABLE kintaraa.member IS
    'Which principal sees which bucket; revoked rows stay as tombstones of the right.';
CREATE INDEX member_bucket_idx ON kintaraa.member (bucket);
CREATE INDEX member_gx_idx ON kintaraa.member (gx);

CREATE TABLE kintaraa.epoch (
    tag         smallint PRIMARY KEY CONSTRAINT epoch_tag_check CHECK (tag BETWEEN 1 AND 999),
    system      bigint NOT NULL,
    timeline    integer NOT NULL,
    database    oid NOT NULL,
    first_tick  bigint NOT NULL,
    last_tick   bigint,
    reason      text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE TABLE kintaraa.tick (
    t         bigint PRIMARY KEY,
    snapshot  pg_snapshot NOT NULL,
    epoch     smallint NOT NULL
);
COMMENT ON TABLE kintaraa.tick IS
    'A cursor is a tick: t is milliseconds since 1970 times 1000 plus the epoch tag.';

CREATE TABLE kintaraa.device (
    account_id  uuid NOT NULL REFERENCES kintaraa.account ON DELETE CASCADE,
    id          text NOT NULL,
    last_seq    bigint NOT NULL DEFAULT 0,
    acked_tick  bigint,
    seen_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (account_id, id)
);

CREATE TABLE kintaraa.applied (
    account_id  uuid NOT NULL,
    device      text NOT NULL,
    noun        text NOT NULL,
    id          text NOT NULL,
    hash        bytea NOT NULL,
    version     bigint NOT NULL,
    outcome     text NOT NULL,
    at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (account_id, device, noun, id)
);
CREATE INDEX applied_at_idx ON kintaraa.applied (at);

CREATE TABLE kintaraa.archive (
    id              uuid PRIMARY KEY,
    owner_id        uuid NOT NULL,
    device          text,
    bucket          uuid,
    noun            text NOT NULL,
    row_id          text NOT NULL,
    payload_sealed  bytea,
    base_version    bigint,
    reason          text NOT NULL,
    at              timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kintaraa.archive IS 'Every version a client sent that did not win.';
CREATE INDEX archive_owner_idx ON kintaraa.archive (owner_id, at);
CREATE INDEX archive_at_idx ON kintaraa.archive (at);

CREATE UNLOGGED TABLE kintaraa.gateway (
    id          uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    seen_at     timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE UNLOGGED TABLE kintaraa.subscription (
    gateway     uuid NOT NULL,
    principal   uuid NOT NULL,
    id          bigint NOT NULL,
    account_id  uuid NOT NULL,
    session_id  uuid NOT NULL,
    role        text NOT NULL,
    joined_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (gateway, principal, id)
);
COMMENT ON TABLE kintaraa.subscription IS
    'Open sockets by principal: one row per principal of the caller who joined. Reads news only.';
CREATE INDEX subscription_id_idx ON kintaraa.subscription (gateway, id);
CREATE INDEX subscription_session_idx ON kintaraa.subscription (session_id);
CREATE SEQUENCE kintaraa.subscription_id_seq;
