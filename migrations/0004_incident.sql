-- The work: a report, its needs, the offers made for them.
-- An incident's bucket is its own id; children carry it as bucket.

CREATE TABLE kintaraa.incident (
    id                    uuid PRIMARY KEY,
    owner_id              uuid NOT NULL REFERENCES kintaraa.account,
    client_id             text NOT NULL CONSTRAINT incident_client_id_check
                          CHECK (client_id ~ '^[A-Za-z0-9_.-]{1,64}$'),
    case_number           text NOT NULL CONSTRAINT incident_case_number_key UNIQUE,
    status                text NOT NULL CONSTRAINT incident_status_check CHECK (status IN
                          ('new', 'pending_dispatcher_review', 'assigned', 'in_progress', 'completed', 'closed')),
    type                  text CONSTRAINT incident_type_check CHECK (type IN
                          ('physical', 'sexual', 'emotional', 'economic', 'online', 'femicide', 'medical')),
    severity              text CONSTRAINT incident_severity_check CHECK (severity IN ('low', 'medium', 'high')),
    urgency_level         text NOT NULL CONSTRAINT incident_urgency_check CHECK (urgency_level IN
                          ('routine', 'urgent', 'immediate')),
    urgency_asked         text,
    support_services      text[] NOT NULL DEFAULT '{}',
    suggested_services    text[] NOT NULL DEFAULT '{}',
    is_anonymous          boolean NOT NULL DEFAULT false,
    reporter              text NOT NULL DEFAULT 'survivor' CONSTRAINT incident_reporter_check CHECK (reporter IN
                          ('survivor', 'provider')),
    incident_date         date,
    incident_time         time,
    occurred_from         timestamptz,
    occurred_to           timestamptz,
    communication_method  text CONSTRAINT incident_communication_check CHECK (communication_method IN
                          ('sms', 'call', 'secure_message')),
    preferred_gender      text CONSTRAINT incident_gender_check CHECK (preferred_gender IN
                          ('male', 'female', 'no_preference')),
    proximity_preference  text CONSTRAINT incident_proximity_check CHECK (proximity_preference IN
                          ('nearest', 'specific_facility')),
    place_source          text CONSTRAINT incident_place_source_check CHECK (place_source IN
                          ('gps', 'pin', 'area', 'none')),
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
    state           text NOT NULL CONSTRAINT need_state_check CHECK (state IN
                    ('searching', 'offered', 'engaged', 'stalled', 'needs_dispatcher', 'met', 'unmet', 'withdrawn')),
    urgency_level   text NOT NULL CONSTRAINT need_urgency_check CHECK (urgency_level IN
                    ('routine', 'urgent', 'immediate')),
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
    status              text NOT NULL CONSTRAINT assignment_status_check CHECK (status IN
                        ('pending', 'accepted', 'declined', 'expired', 'withdrawn', 'released')),
    urgency_level       text NOT NULL,
    level               smallint NOT NULL,
    round               smallint NOT NULL,
    is_manual           boolean NOT NULL DEFAULT false,
    offered_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    due_at              timestamptz,
    responded_at        timestamptz,
    responded_by        uuid,
    decline_code        text CONSTRAINT assignment_decline_check CHECK (decline_code IN
                        ('capacity', 'distance', 'skills', 'language', 'conflict', 'safety', 'closed', 'other')),
    note_sealed         bytea,
    distance_km         real,
    cost_minutes        real,
    components          jsonb,
    policy_version      integer,
    capped              boolean NOT NULL DEFAULT false,
    FOREIGN KEY (incident_bucket, need_id) REFERENCES kintaraa.need (bucket, id),
    CONSTRAINT assignment_round_key UNIQUE (need_id, provider_id, round)
);
COMMENT ON TABLE kintaraa.assignment IS
    'A provider offered to a need. Lives in the provider''s own bucket; before acceptance it shows the triage card '
    'only.';
COMMENT ON COLUMN kintaraa.assignment.components IS
    'The cost in minutes by term, so that the same inputs give the same ranking again.';
CREATE UNIQUE INDEX assignment_accepted_key ON kintaraa.assignment (need_id) WHERE status = 'accepted';
CREATE INDEX assignment_provider_idx ON kintaraa.assignment (provider_id, offered_at DESC, id DESC);
CREATE INDEX assignment_incident_idx ON kintaraa.assignment (incident_bucket, need_id);
CREATE INDEX assignment_due_at_idx ON kintaraa.assignment (due_at) WHERE status = 'pending';

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
    class       text NOT NULL CONSTRAINT notification_class_check CHECK (class IN
                ('new_case', 'case_update', 'duty_call', 'account', 'system')),
    bucket      uuid,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    read_at     timestamptz
);
COMMENT ON COLUMN kintaraa.notification.class IS
    'A class, never a text: what leaves the server is one of five neutral sentences.';
CREATE INDEX notification_account_idx ON kintaraa.notification (account_id, created_at DESC, id DESC);
