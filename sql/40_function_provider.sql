-- API: private. The number of a word in one of the tables type, gender, language, skill; 0 when it is in none. Called
-- for each team: C that resolves no name, hence without a SET clause, which would cost ten times as much.
CREATE FUNCTION kintaraa.provider_number(kind text, word text) RETURNS smallint
    LANGUAGE C IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'kn_provider_number';
COMMENT ON FUNCTION kintaraa.provider_number IS 'The number that stands for a word in kintaraa.provider_dispatch.';
GRANT EXECUTE ON FUNCTION kintaraa.provider_number TO kintaraa_system;

-- API: private. The bits of words; unknown words have none. Without a SET clause for the same reason.
CREATE FUNCTION kintaraa.provider_mask(kind text, words text[]) RETURNS bigint
    LANGUAGE C IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'kn_provider_mask';
COMMENT ON FUNCTION kintaraa.provider_mask IS 'The mask that stands for words in kintaraa.provider_dispatch.';
GRANT EXECUTE ON FUNCTION kintaraa.provider_mask TO kintaraa_system;

-- API: private. Without a SET clause for the same reason.
-- {"mon":[["22:00","06:00"]],…,"closed":["2026-12-25"]}; NULL is always open.
CREATE FUNCTION kintaraa.shift_open(hours jsonb, zone text, at timestamptz) RETURNS boolean
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'kn_shift_open_sql';
COMMENT ON FUNCTION kintaraa.shift_open IS 'Whether a moment lies within a shift, by the wall clock of the zone.';
GRANT EXECUTE ON FUNCTION kintaraa.shift_open TO kintaraa_system;

-- API: public, for the worker and for a DBA who changed providers. Returns how many rows changed.
CREATE FUNCTION kintaraa.dispatch_refresh() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_dispatch_refresh_sql';
COMMENT ON FUNCTION kintaraa.dispatch_refresh IS
    'Derives what routing scans from providers, their staff and the hour; only rows that differ are written.';
GRANT EXECUTE ON FUNCTION kintaraa.dispatch_refresh TO kintaraa_system;

-- API: private, for the worker. Returns how many providers moved.
CREATE FUNCTION kintaraa.dispatch_fold() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_dispatch_fold_sql';
COMMENT ON FUNCTION kintaraa.dispatch_fold IS
    'Folds new offers and answers into the providers'' last offer and mean time to an answer.';
GRANT EXECUTE ON FUNCTION kintaraa.dispatch_fold TO kintaraa_system;

-- API: public, for the nightly job. Returns how many providers were wrong.
CREATE FUNCTION kintaraa.dispatch_recount() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_dispatch_recount_sql';
COMMENT ON FUNCTION kintaraa.dispatch_recount IS 'Counts each provider''s load anew from its open acceptances.';
GRANT EXECUTE ON FUNCTION kintaraa.dispatch_recount TO kintaraa_system;

-- API: public, for DBAs. Again with the same list changes nothing. Returns how many were added or changed.
CREATE FUNCTION kintaraa.provider_import(
    organisation   text,                    -- name; made when there is none of that name
    provider_type  text,                    -- healthcare legal police counseling social gbv_rescue chw
    csv            text,                    -- RFC 4180; facility_id, name, latitude, longitude and admin1 are used
    demo           boolean DEFAULT false,   -- label them as demo data
    by_telephone   boolean DEFAULT true     -- without staff accounts their offers go to the dispatch centre
) RETURNS integer
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_provider_import';
COMMENT ON FUNCTION kintaraa.provider_import IS
    'Makes verified providers of a list of facilities, all or none; errors name the line.';
GRANT EXECUTE ON FUNCTION kintaraa.provider_import TO kintaraa_system;
