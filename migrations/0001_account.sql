-- Who takes part: organisations, teams that help, accounts, sessions.
-- Sealed columns hold AES-256-GCM under the account's own data key.

CREATE TABLE kintaraa.organisation (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CONSTRAINT organisation_kind_check
                CHECK (kind IN ('helper', 'dispatch_centre')),
    name        text NOT NULL,
    zone        text NOT NULL DEFAULT 'Africa/Nairobi',
    opens_at    time NOT NULL DEFAULT '08:00',
    closes_at   time NOT NULL DEFAULT '17:00',
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kintaraa.organisation IS
    'Organisations of helpers, and dispatch centres; opens_at and closes_at are the working hours of its zone.';
-- Every report is shared with the centres; they are few among many.
CREATE INDEX organisation_centre_idx ON kintaraa.organisation (id) WHERE kind = 'dispatch_centre';

CREATE TABLE kintaraa.provider (
    id               uuid PRIMARY KEY,
    organisation_id  uuid NOT NULL REFERENCES kintaraa.organisation,
    provider_type    text NOT NULL CONSTRAINT provider_type_check CHECK (provider_type IN
                     ('healthcare', 'legal', 'police', 'counseling', 'social', 'gbv_rescue', 'chw')),
    name             text NOT NULL,
    facility_code    text CONSTRAINT provider_facility_code_key UNIQUE,
    admin_area       text,
    latitude         double precision CONSTRAINT provider_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    longitude        double precision CONSTRAINT provider_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    languages        text[] NOT NULL DEFAULT '{}',
    skills           text[] NOT NULL DEFAULT '{}',
    gender           text CONSTRAINT provider_gender_check CHECK (gender IN ('male', 'female')),
    capacity         integer NOT NULL DEFAULT 10
                     CONSTRAINT provider_capacity_check CHECK (capacity BETWEEN 0 AND 10000),
    hours            jsonb,
    by_telephone     boolean NOT NULL DEFAULT false,
    is_active        boolean NOT NULL DEFAULT true,
    is_verified      boolean NOT NULL DEFAULT false,
    is_available     boolean NOT NULL DEFAULT true,
    is_demo          boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON COLUMN kintaraa.provider.hours IS
    'Shifts in local time of the organisation: {"mon":[["22:00","06:00"]],…,"closed":["2026-12-25"]}; NULL is always '
    'open.';
COMMENT ON COLUMN kintaraa.provider.by_telephone IS
    'A facility without staff accounts: its offers go to the dispatch centre, which telephones.';
CREATE INDEX provider_organisation_idx ON kintaraa.provider (organisation_id);

CREATE TABLE kintaraa.subject_key (
    subject     uuid PRIMARY KEY,
    wrapped     bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kintaraa.subject_key IS
    'One data key per account, wrapped by the key ring; deleting the row makes everything sealed under it unreadable.';

CREATE TABLE kintaraa.account (
    id                 uuid PRIMARY KEY,
    role               text NOT NULL CONSTRAINT account_role_check CHECK (role IN
                       ('survivor', 'provider', 'dispatcher', 'admin', 'analyst')),
    email_index        bytea NOT NULL,
    email_sealed       bytea,
    first_name_sealed  bytea,
    last_name_sealed   bytea,
    phone_sealed       bytea,
    phone_index        bytea,
    password_hash      bytea NOT NULL,
    provider_id        uuid REFERENCES kintaraa.provider,
    centre_id          uuid REFERENCES kintaraa.organisation,
    is_anonymous       boolean NOT NULL DEFAULT false,
    language           text NOT NULL DEFAULT 'en' CONSTRAINT account_language_check CHECK (language IN ('en', 'sw')),
    is_active          boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT account_place_check CHECK ((role = 'provider') = (provider_id IS NOT NULL)
        AND (role IN ('dispatcher', 'admin')) = (centre_id IS NOT NULL))
);
COMMENT ON COLUMN kintaraa.account.email_index IS
    'Keyed blind index; not unique, since a taken address must not show.';
CREATE INDEX account_email_idx ON kintaraa.account (email_index);
CREATE INDEX account_phone_idx ON kintaraa.account (phone_index);
CREATE INDEX account_provider_idx ON kintaraa.account (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX account_centre_idx ON kintaraa.account (centre_id) WHERE centre_id IS NOT NULL;
CREATE INDEX account_created_at_idx ON kintaraa.account (created_at, id);

CREATE TABLE kintaraa.session (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES kintaraa.account ON DELETE CASCADE,
    device      text,
    generation  bigint NOT NULL DEFAULT 0,
    rotated_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
COMMENT ON COLUMN kintaraa.session.generation IS
    'The refresh token holds session, generation and a MAC; nothing of it is stored.';
CREATE INDEX session_account_idx ON kintaraa.session (account_id);
CREATE INDEX session_expires_at_idx ON kintaraa.session (expires_at);

CREATE TABLE kintaraa.invitation (
    id             uuid PRIMARY KEY,
    code_index     bytea NOT NULL CONSTRAINT invitation_code_key UNIQUE,
    role           text NOT NULL CONSTRAINT invitation_role_check CHECK (role IN
                   ('provider', 'dispatcher', 'admin', 'analyst')),
    provider_id    uuid REFERENCES kintaraa.provider,
    centre_id      uuid REFERENCES kintaraa.organisation,
    created_by     uuid REFERENCES kintaraa.account,
    created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz,
    used_by        uuid
);

CREATE UNLOGGED TABLE kintaraa.throttle (
    key         bytea PRIMARY KEY,
    failures    integer NOT NULL DEFAULT 0,
    secrets     bytea[] NOT NULL DEFAULT '{}',
    until       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kintaraa.throttle IS
    'Distinct wrong secrets per keyed (address, network); slows down, never locks.';
CREATE INDEX throttle_updated_at_idx ON kintaraa.throttle (updated_at);
