-- API: public
CREATE FUNCTION kintaraa_api.sync_updates(token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_updates';
COMMENT ON FUNCTION kintaraa_api.sync_updates IS 'GET /incidents/updates: what changed for the caller. Query: since, pageToken.';
ALTER FUNCTION kintaraa_api.sync_updates OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_pull(token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_pull';
COMMENT ON FUNCTION kintaraa_api.sync_pull IS 'GET /sync/pull: the same for WatermelonDB. Query: last_pulled_at, schema_version, migration, tombstones, pageToken.';
ALTER FUNCTION kintaraa_api.sync_pull OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_batch(token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_batch';
COMMENT ON FUNCTION kintaraa_api.sync_batch IS 'POST /sync/batch: many records, each with its own result. Body: device, seq, mode, records.';
ALTER FUNCTION kintaraa_api.sync_batch OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_push(token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_push';
COMMENT ON FUNCTION kintaraa_api.sync_push IS 'POST /sync/push: the changes of WatermelonDB. Query: last_pulled_at. Body: changes.';
ALTER FUNCTION kintaraa_api.sync_push OWNER TO kintaraa_door;
