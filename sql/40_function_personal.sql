-- API: public
CREATE FUNCTION kintaraa_api.personal_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_list';
COMMENT ON FUNCTION kintaraa_api.personal_list IS
    'GET /me/records/{noun}: a page of her own records. Path: noun. Query: limit, after.';
ALTER FUNCTION kintaraa_api.personal_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.personal_get(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_get';
COMMENT ON FUNCTION kintaraa_api.personal_get IS 'GET /me/records/{noun}/{id}: one of her own records. Path: noun, id.';
ALTER FUNCTION kintaraa_api.personal_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.personal_put(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_put';
COMMENT ON FUNCTION kintaraa_api.personal_put IS
    'PUT /me/records/{noun}/{id}: stores it. Path: noun, id. Body: its fields, serverVersion.';
ALTER FUNCTION kintaraa_api.personal_put OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.personal_delete(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_delete';
COMMENT ON FUNCTION kintaraa_api.personal_delete IS 'DELETE /me/records/{noun}/{id}: deletes it. Path: noun, id.';
ALTER FUNCTION kintaraa_api.personal_delete OWNER TO kintaraa_door;
