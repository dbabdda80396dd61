-- The work: a report, its needs, the offers made for them.
-- An incident's bucket is its own id; children carry it as bucket.

-- Domains and not table constraints: PostgreSQL reads a domain's rule once for a session, a table's for each statement.
CREATE DOMAIN kintaraa.incident_status AS text CHECK (VALUE IN
    ('new', 'pending_dispatcher_review', 'assigned', 'in_progress', 'completed', 'closed'));
CREATE DOMAIN kintaraa.incident_type AS text CHECK (VALUE IN
    ('physical', 'sexual', 'emotional', 'economic', 'online', 'femicide', 'medical'));
CREATE DOMAIN kintaraa.severity AS text CHECK (VALUE IN ('low', 'medium', 'high'));
CREATE DOMAIN kintaraa.urgency_level AS text CHECK (VALUE IN ('routine', 'urgent', 'immediate'));
CREATE DOMAIN kintaraa.reporter AS text CHECK (VALUE IN ('survivor', 'provider'));
CREATE DOMAIN kintaraa.communication_method AS text CHECK (VALUE IN ('sms', 'call', 'secure_message'));
CREATE DOMAIN kintaraa.preferred_gender AS text CHECK (VALUE IN ('male', 'female', 'no_preference'));
CREATE DOMAIN kintaraa.proximity_preference AS text CHECK (VALUE IN ('nearest', 'specific_facility'));
CREATE DOMAIN kintaraa.place_source AS text CHECK (VALUE IN ('gps', 'pin', 'area', 'none'));
CREATE DOMAIN kintaraa.need_state AS text CHECK (VALUE IN
    ('searching', 'offered', 'engaged', 'stalled', 'needs_dispatcher', 'met', 'unmet', 'withdrawn'));
CREATE DOMAIN kintaraa.assignment_status AS text CHECK (VALUE IN
    ('pending', 'accepted', 'declined', 'expired', 'withdrawn', 'released'));
CREATE DOMAIN kintaraa.decline_code AS text CHECK (VALUE IN
    ('capacity', 'distance', 'skills', 'language', 'conflict', 'safety', 'closed', 'other'));
CREATE DOMAIN kintaraa.notification_class AS text CHECK (VALUE IN
    ('new_case', 'case_update', 'duty_call', 'account', 'system'));

CREATE TABLE kintaraa.incident (
    id                    uuid PRIMARY KEY,
    owner_id              uuid NOT NULL REFERENCES kintaraa.account,
    client_id             kintaraa.client_id NOT NULL,
    case_number           text NOT NULL CONSTRAINT incident_case_number_key UNIQUE,
    status                kintaraa.incident_status NOT NULL,
    type                  kintaraa.incident_type,
    severity              kintaraa.severity,
    urgency_level         kintaraa.urgency_level NOT NULL,
    urgency_asked         text,
    support_services      text[] NOT NULL DEFAULT '{}',
    suggested_services    text[] NOT NULL DEFAULT '{}',
    is_anonymous          boolean NOT NULL DEFAULT false,
    reporter              kintaraa.reporter NOT NULL DEFAULT 'survivor',
    incident_date         date,
    incident_time         time,
    occurred_from         timestamptz,
    occurred_to           timestamptz,
    communication_method  kintaraa.communication_method,
    preferred_gender      kintaraa.preferred_gender,
    proximity_preference  kintaraa.proximity_preference,
    place_source          kintaraa.place_source,
    accuracy_m            double precision,
    cell_latitude         double precision,
    cell_longitude        double precision,
    point_sealed          bytea,
    address_sealed        bytea,
    place_sealed          bytea,
    description_sealed    bytea,
    unreadable_sealed     bytea,
    ignored               jsonb,
    created_hash          bytea NOT NULL,
    edited_version        bigint NOT NULL DEFAULT 1,
    edited_by             uuid,
    created_at            timestamptz NOT NULL DEFAULT pg_catalog.now(),
    closed_at             timestamptz,
    deleted_at            timestamptz,
    CONSTRAINT incident_owner_client_key UNIQUE (owner_id, client_id)
);
COMMENT ON COLUMN kintaraa.incident.client_id IS
    'The id her phone made, byte for byte; only its owner ever reads or writes it.';
COMMENT ON COLUMN kintaraa.incident.cell_latitude IS
    'Centre of a cell of about 5 km; everybody but in-person helpers works from it.';
COMMENT ON COLUMN kintaraa.incident.created_hash IS
    'Keyed hash of the payload as first sent: tells a replay from a reused id.';
COMMENT ON COLUMN kintaraa.incident.edited_version IS
    'The version of her last own edit: what helpers and the machine change does not conflict with her words.';
CREATE INDEX incident_owner_idx ON kintaraa.incident (owner_id, created_at DESC, id DESC);
CREATE INDEX incident_open_idx ON kintaraa.incident (status, created_at, id)
    WHERE status IN ('new', 'pending_dispatcher_review', 'assigned', 'in_progress') AND deleted_at IS NULL;
CREATE INDEX incident_created_at_idx ON kintaraa.incident (created_at DESC, id DESC);

CREATE TABLE kintaraa.need (
    bucket          uuid NOT NULL REFERENCES kintaraa.incident,
    id              uuid NOT NULL,
    service         text NOT NULL,
    state           kintaraa.need_state NOT NULL,
    urgency_level   kintaraa.urgency_level NOT NULL,
    level           smallint NOT NULL DEFAULT 0,
    round           smallint NOT NULL DEFAULT 1,
    escalation      jsonb,
    due_at          timestamptz,
    expected_by     timestamptz,
    deadline_at     timestamptz,
    engaged_at      timestamptz,
    contacted_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (bucket, id),
    CONSTRAINT need_service_key UNIQUE (bucket, service),
    CONSTRAINT need_owned_check CHECK (state IN ('engaged', 'met', 'unmet', 'withdrawn') OR due_at IS NOT NULL)
);
COMMENT ON COLUMN kintaraa.need.escalation IS
    'The escalation policy as it was when the need was opened; later versions do not change a running need.';
COMMENT ON CONSTRAINT need_owned_check ON kintaraa.need IS
    'A need is never without an owner and a due time.';
CREATE INDEX need_due_at_idx ON kintaraa.need (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE kintaraa.assignment (
    id                  uuid PRIMARY KEY,
    provider_id         uuid NOT NULL REFERENCES kintaraa.provider,
    incident_bucket     uuid NOT NULL,
    need_id             uuid NOT NULL,
    service             text NOT NULL,
    status              kintaraa.assignment_status NOT NULL,
    urgency_level       kintaraa.urgency_level NOT NULL,
    level               smallint NOT NULL,
    round               smallint NOT NULL,
    is_manual           boolean NOT NULL DEFAULT false,
    offered_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    due_at              timestamptz,
    responded_at        timestamptz,
    responded_by        uuid,
    decline_code        kintaraa.decline_code,
    note_sealed         bytea,
    distance_km         real,
    cost_minutes        real,
    components          jsonb,
    policy_version      integer,
    capped              boolean NOT NULL DEFAULT false,
    FOREIGN KEY (incident_bucket, need_id) REFERENCES kintaraa.need (bucket, id),
    CONSTRAINT assignment_round_key UNIQUE (incident_bucket, need_id, provider_id, round)
);
COMMENT ON TABLE kintaraa.assignment IS
    'A provider offered to a need. Lives in the provider''s own bucket; before acceptance it shows the triage card '
    'only.';
COMMENT ON COLUMN kintaraa.assignment.components IS
    'The cost in minutes by term, so that the same inputs give the same ranking again.';
CREATE UNIQUE INDEX assignment_accepted_key ON kintaraa.assignment (need_id) WHERE status = 'accepted';
CREATE INDEX assignment_provider_idx ON kintaraa.assignment (provider_id, offered_at DESC, id DESC);

CREATE TABLE kintaraa.status_history (
    bucket       uuid NOT NULL REFERENCES kintaraa.incident,
    id           uuid NOT NULL,
    at           timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    from_status  text NOT NULL,
    to_status    text NOT NULL,
    actor        text NOT NULL,
    note_sealed  bytea,
    PRIMARY KEY (bucket, id)
);

CREATE TABLE kintaraa.barred (
    bucket     uuid NOT NULL REFERENCES kintaraa.incident,
    principal  uuid NOT NULL,
    PRIMARY KEY (bucket, principal)
);
COMMENT ON TABLE kintaraa.barred IS
    'Accounts, teams and organisations that must never see this case, dispatchers included.';

CREATE TABLE kintaraa.duty (
    centre_id   uuid NOT NULL REFERENCES kintaraa.organisation,
    account_id  uuid NOT NULL REFERENCES kintaraa.account ON DELETE CASCADE,
    kind        text NOT NULL CONSTRAINT duty_kind_check CHECK (kind IN ('dispatcher', 'officer')),
    from_at     timestamptz NOT NULL,
    to_at       timestamptz NOT NULL,
    PRIMARY KEY (centre_id, account_id, kind, from_at),
    CONSTRAINT duty_order_check CHECK (to_at > from_at)
);

CREATE TABLE kintaraa.dispatch_count (
    status   text NOT NULL,
    urgency  text NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (status, urgency)
);
CREATE TABLE kintaraa.dispatch_delta (
    status   text NOT NULL,
    urgency  text NOT NULL,
    n        integer NOT NULL
);
COMMENT ON TABLE kintaraa.dispatch_delta IS
    'Differences not yet folded into dispatch_count: no report waits for another one''s counter.';

CREATE TABLE kintaraa.notification (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES kintaraa.account ON DELETE CASCADE,
    class       kintaraa.notification_class NOT NULL,
    bucket      uuid,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    read_at     timestamptz
);
COMMENT ON COLUMN kintaraa.notification.class IS
    'A class, never a text: what leaves the server is one of five neutral sentences.';
CREATE INDEX notification_account_idx ON kintaraa.notification (account_id, created_at DESC, id DESC);
