-- What routing scans: one narrow row per provider, derived from provider, account and the clock.

ALTER TABLE kintaraa.provider ADD COLUMN available_until timestamptz;
COMMENT ON COLUMN kintaraa.provider.available_until IS
    'When is_available turns over by itself; NULL leaves it as it is.';
CREATE INDEX provider_created_at_idx ON kintaraa.provider (created_at, id);
CREATE INDEX provider_available_until_idx ON kintaraa.provider (available_until) WHERE available_until IS NOT NULL;

CREATE TABLE kintaraa.provider_dispatch (
    provider_id       uuid PRIMARY KEY REFERENCES kintaraa.provider ON DELETE CASCADE,
    organisation_id   uuid NOT NULL,
    ptype             smallint NOT NULL CONSTRAINT provider_dispatch_ptype_check CHECK (ptype BETWEEN 1 AND 7),
    pos               point,
    dispatchable      boolean NOT NULL DEFAULT false,
    remote_ok         boolean NOT NULL DEFAULT false,
    gender            smallint NOT NULL DEFAULT 0,
    langs             bigint NOT NULL DEFAULT 0,
    skills            bigint NOT NULL DEFAULT 0,
    load              integer NOT NULL DEFAULT 0 CONSTRAINT provider_dispatch_load_check CHECK (load >= 0),
    capacity          integer NOT NULL CONSTRAINT provider_dispatch_capacity_check CHECK (capacity >= 0),
    ack_minutes       real,
    last_offer_at     timestamptz,
    ack_mean          real,
    ack_count         integer NOT NULL DEFAULT 0,
    last_response_at  timestamptz,
    CONSTRAINT provider_dispatch_place_check CHECK (pos IS NOT NULL OR NOT dispatchable)
) WITH (fillfactor = 70);
COMMENT ON TABLE kintaraa.provider_dispatch IS
    'Derived by kintaraa.dispatch_refresh(); acceptance and release move load, the worker folds in the rest.';
COMMENT ON COLUMN kintaraa.provider_dispatch.pos IS
    'point(longitude, latitude) in degrees.';
COMMENT ON COLUMN kintaraa.provider_dispatch.ack_minutes IS
    'Mean minutes to an answer, drawn towards the mean of its type; NULL before the first: the policy''s figure '
    'counts.';
COMMENT ON COLUMN kintaraa.provider_dispatch.ack_mean IS
    'The provider''s own moving mean, over ack_count answers.';

-- The first serves needs with a place, nearest first; the second those without, quickest to answer first.
-- Neither holds load or last_offer_at, so that their updates stay within the page.
CREATE INDEX provider_dispatch_place_idx ON kintaraa.provider_dispatch USING gist (ptype, pos) WHERE dispatchable;
CREATE INDEX provider_dispatch_ack_idx ON kintaraa.provider_dispatch (ptype, ack_minutes, provider_id)
    WHERE dispatchable;

CREATE TABLE kintaraa.dispatch_ack (
    ptype  smallint PRIMARY KEY,
    total  double precision NOT NULL DEFAULT 0,
    n      bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE kintaraa.dispatch_ack IS 'Answers by provider type: what single providers are drawn towards.';

CREATE TABLE kintaraa.dispatch_bookmark (
    is_single  boolean PRIMARY KEY DEFAULT true CONSTRAINT dispatch_bookmark_single_check CHECK (is_single),
    snapshot   pg_snapshot NOT NULL
);
COMMENT ON TABLE kintaraa.dispatch_bookmark IS 'What kintaraa.dispatch_fold() has seen.';
