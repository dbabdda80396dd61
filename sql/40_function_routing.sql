-- API: public, for DBAs, tests and benches. The ranking a report would get, with its reasons.
-- Nobody found is no row; NULL latitude or longitude is an unknown place.
CREATE FUNCTION kintaraa.route_trace(
    service              text,                  -- medical legal counseling police shelter financial emergency community
    urgency              text,                  -- routine urgent immediate
    latitude             double precision,
    longitude            double precision,
    k                    integer DEFAULT 3,
    radius_factor        double precision DEFAULT 1,
    required_gender      text DEFAULT NULL,
    preferred_gender     text DEFAULT NULL,
    required_languages   text[] DEFAULT NULL,   -- one of them will do
    preferred_languages  text[] DEFAULT NULL,
    required_skills      text[] DEFAULT NULL,   -- all of them
    excluded             uuid[] DEFAULT NULL,   -- providers and organisations
    at                   timestamptz DEFAULT pg_catalog.now(),
    OUT rank             integer,
    OUT provider_id      uuid,
    OUT provider_type    text,
    OUT km               double precision,
    OUT cost             double precision,      -- minutes
    OUT components       json,                  -- minutes by term
    OUT visited          integer,               -- rows read
    OUT capped           boolean,               -- the policy's cap ended the scan
    OUT policy_version   integer,
    OUT rejected         json                   -- rows read and refused, by reason
) RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_route_trace';
COMMENT ON FUNCTION kintaraa.route_trace IS
    'Ranks providers for a need as a report would, and says why; reads only and reserves nothing.';
GRANT EXECUTE ON FUNCTION kintaraa.route_trace TO kintaraa_system;

-- API: public.
CREATE FUNCTION kintaraa.distance_km(
    latitude1   double precision,
    longitude1  double precision,
    latitude2   double precision,
    longitude2  double precision
) RETURNS double precision
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_distance_km_sql';
COMMENT ON FUNCTION kintaraa.distance_km IS 'Kilometres on the sphere between two places in degrees.';
GRANT EXECUTE ON FUNCTION kintaraa.distance_km TO kintaraa_system, kintaraa_door, kintaraa_dispatch;
