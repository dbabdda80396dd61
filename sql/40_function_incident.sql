-- API: public
CREATE FUNCTION kintaraa_api.incident_create(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_create';
COMMENT ON FUNCTION kintaraa_api.incident_create IS
    'POST /incidents: stores a report, opens and routes its needs. Body: any JSON object.';
ALTER FUNCTION kintaraa_api.incident_create OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_list';
COMMENT ON FUNCTION kintaraa_api.incident_list IS
    'GET /incidents: a page of what the caller may see. Query: status, type, urgency, limit, after.';
ALTER FUNCTION kintaraa_api.incident_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_get(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_get';
COMMENT ON FUNCTION kintaraa_api.incident_get IS 'GET /incidents/{id}: one incident. Path: id.';
ALTER FUNCTION kintaraa_api.incident_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_update(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_update';
COMMENT ON FUNCTION kintaraa_api.incident_update IS
    'PATCH /incidents/{id}: the survivor changes her report. Path: id. Body: the fields to change, serverVersion.';
ALTER FUNCTION kintaraa_api.incident_update OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_delete(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_delete';
COMMENT ON FUNCTION kintaraa_api.incident_delete IS
    'DELETE /incidents/{id}: the survivor takes her report back. Path: id.';
ALTER FUNCTION kintaraa_api.incident_delete OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_status(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_status';
COMMENT ON FUNCTION kintaraa_api.incident_status IS
    'POST /incidents/{id}/status: a person moves the case. Path: id. Body: status, note.';
ALTER FUNCTION kintaraa_api.incident_status OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_timeline(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_timeline';
COMMENT ON FUNCTION kintaraa_api.incident_timeline IS 'GET /incidents/{id}/timeline: what happened when. Path: id.';
ALTER FUNCTION kintaraa_api.incident_timeline OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.need_withdraw(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_need_withdraw';
COMMENT ON FUNCTION kintaraa_api.need_withdraw IS
    'POST /incidents/{id}/needs/{service}/withdraw: one service is no longer wanted. Path: id, service.';
ALTER FUNCTION kintaraa_api.need_withdraw OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.need_ask(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_need_ask';
COMMENT ON FUNCTION kintaraa_api.need_ask IS
    'POST /incidents/{id}/needs/{service}/ask: a service is wanted again. Path: id, service. Body: teamsAgain.';
ALTER FUNCTION kintaraa_api.need_ask OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.need_reached(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_need_reached';
COMMENT ON FUNCTION kintaraa_api.need_reached IS
    'POST /incidents/{id}/needs/{service}/reached: the team was in touch with her. Path: id, service.';
ALTER FUNCTION kintaraa_api.need_reached OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.need_unreached(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_need_unreached';
COMMENT ON FUNCTION kintaraa_api.need_unreached IS
    'POST /incidents/{id}/needs/{service}/unreached: it was not; others are asked. Path: id, service.';
ALTER FUNCTION kintaraa_api.need_unreached OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.need_another(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_need_another';
COMMENT ON FUNCTION kintaraa_api.need_another IS
    'POST /incidents/{id}/needs/{service}/another-team: she leaves the team. Path: id, service.';
ALTER FUNCTION kintaraa_api.need_another OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.case_restore(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_case_restore';
COMMENT ON FUNCTION kintaraa_api.case_restore IS
    'POST /incidents/{id}/restore: a case that she took back goes on. Path: id. Body of dispatchers: note.';
ALTER FUNCTION kintaraa_api.case_restore OWNER TO kintaraa_door;
