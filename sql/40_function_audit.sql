-- API: public
CREATE FUNCTION kintaraa_api.audit_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_audit_list';
COMMENT ON FUNCTION kintaraa_api.audit_list IS
    'GET /admin/audit: the trail, newest first. Query: target, account, action, outcome, limit, after.';
ALTER FUNCTION kintaraa_api.audit_list OWNER TO kintaraa_dispatch;
