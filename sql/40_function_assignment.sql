-- API: public
CREATE FUNCTION kintaraa_api.assignment_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_list';
COMMENT ON FUNCTION kintaraa_api.assignment_list IS
    'GET /assignments: a page of the offers and acceptances of the caller''s team. Query: status, limit, after.';
ALTER FUNCTION kintaraa_api.assignment_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_accept(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_accept';
COMMENT ON FUNCTION kintaraa_api.assignment_accept IS
    'POST /assignments/{id}/accept: the team takes the case. Path: id.';
ALTER FUNCTION kintaraa_api.assignment_accept OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_decline(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_decline';
COMMENT ON FUNCTION kintaraa_api.assignment_decline IS
    'POST /assignments/{id}/decline: the team does not. Path: id. Body: reason, note.';
ALTER FUNCTION kintaraa_api.assignment_decline OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_release(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_release';
COMMENT ON FUNCTION kintaraa_api.assignment_release IS
    'POST /assignments/{id}/release: the team gives an accepted case back. Path: id. Body: reason.';
ALTER FUNCTION kintaraa_api.assignment_release OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_assign(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_assign';
COMMENT ON FUNCTION kintaraa_api.assignment_assign IS
    'POST /incidents/{id}/assign: a dispatcher offers a need to a team. Path: id. Body: providerId, service, note.';
ALTER FUNCTION kintaraa_api.assignment_assign OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_reassign(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_reassign';
COMMENT ON FUNCTION kintaraa_api.assignment_reassign IS
    'POST /incidents/{id}/reassign: a dispatcher moves a need to another team. Path: id. Body: providerId, reason, '
    'service.';
ALTER FUNCTION kintaraa_api.assignment_reassign OWNER TO kintaraa_dispatch;
