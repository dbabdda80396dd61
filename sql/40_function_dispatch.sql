-- API: public
CREATE FUNCTION kintaraa_api.dispatch_queue(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_dispatch_queue';
COMMENT ON FUNCTION kintaraa_api.dispatch_queue IS
    'GET /dispatch/queue: open needs, those that wait for a person first. Query: state, urgency, limit.';
ALTER FUNCTION kintaraa_api.dispatch_queue OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.dispatch_dashboard(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_dispatch_dashboard';
COMMENT ON FUNCTION kintaraa_api.dispatch_dashboard IS 'GET /dispatch/dashboard: maintained counters.';
ALTER FUNCTION kintaraa_api.dispatch_dashboard OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.duty_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_duty_list';
COMMENT ON FUNCTION kintaraa_api.duty_list IS
    'GET /dispatch/duty: who of the own centre is called, and when. Query: from, to, limit, after.';
ALTER FUNCTION kintaraa_api.duty_list OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.duty_create(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_duty_create';
COMMENT ON FUNCTION kintaraa_api.duty_create IS 'POST /dispatch/duty: enter somebody of the own centre.';
ALTER FUNCTION kintaraa_api.duty_create OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.duty_end(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_duty_end';
COMMENT ON FUNCTION kintaraa_api.duty_end IS
    'DELETE /dispatch/duty/{id}: what has begun ends now, what is to come is taken back.';
ALTER FUNCTION kintaraa_api.duty_end OWNER TO kintaraa_dispatch;

-- API: private. Moves on what is due; the worker calls it ten times a second.
-- at_most: needs moved in one call. Returns how many were moved.
CREATE FUNCTION kintaraa.need_sweep(at_most integer) RETURNS integer
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_need_sweep';
COMMENT ON FUNCTION kintaraa.need_sweep IS 'Expires offers and escalates needs that are due.';
ALTER FUNCTION kintaraa.need_sweep OWNER TO kintaraa_system;

-- API: public, for a DBA or a case worker's tool: a principal that must never see a case.
-- bucket: the incident. principal: an account, a team, an organisation or a dispatch centre.
CREATE FUNCTION kintaraa.bar(bucket uuid, principal uuid) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_bar_sql';
COMMENT ON FUNCTION kintaraa.bar IS
    'Bars an account, a team, an organisation or a dispatch centre from one case: what it has of it ends, and others '
    'are asked.';
ALTER FUNCTION kintaraa.bar OWNER TO kintaraa_system;
