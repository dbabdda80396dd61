-- API: public
CREATE FUNCTION kintaraa_api.sync_updates(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_updates';
COMMENT ON FUNCTION kintaraa_api.sync_updates IS
    'GET /incidents/updates: what changed for the caller. Query: since, pageToken.';
ALTER FUNCTION kintaraa_api.sync_updates OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_pull(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_pull';
COMMENT ON FUNCTION kintaraa_api.sync_pull IS
    'GET /sync/pull: the same for WatermelonDB. Query: last_pulled_at, schema_version, migration, tombstones, '
    'pageToken.';
ALTER FUNCTION kintaraa_api.sync_pull OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_batch(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_batch';
COMMENT ON FUNCTION kintaraa_api.sync_batch IS
    'POST /sync/batch: many records, each with its own result. Body: device, seq, mode, records.';
ALTER FUNCTION kintaraa_api.sync_batch OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_push(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_push';
COMMENT ON FUNCTION kintaraa_api.sync_push IS
    'POST /sync/push: the changes of WatermelonDB. Query: last_pulled_at. Body: changes.';
ALTER FUNCTION kintaraa_api.sync_push OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_digest(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_digest';
COMMENT ON FUNCTION kintaraa_api.sync_digest IS
    'GET /sync/digest: number and hash of what the caller should have, by noun.';
ALTER FUNCTION kintaraa_api.sync_digest OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_manifest(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_manifest';
COMMENT ON FUNCTION kintaraa_api.sync_manifest IS 'GET /sync/manifest: ids and versions of a noun. Query: noun, after.';
ALTER FUNCTION kintaraa_api.sync_manifest OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.archive_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_archive_list';
COMMENT ON FUNCTION kintaraa_api.archive_list IS
    'GET /sync/archive: what was sent and did not win. Query: reason, limit, after.';
ALTER FUNCTION kintaraa_api.archive_list OWNER TO kintaraa_door;

-- API: public, for DBAs and the nightly job. Records without a stamp, and stamps without a record: both are zero
-- unless somebody wrote past the triggers (session_replication_role, disabled triggers, a data-only restore).
CREATE FUNCTION kintaraa.verify_changes(OUT noun text, OUT unstamped bigint, OUT orphaned bigint) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
WITH row_of AS (
    SELECT 'incident' AS noun, i.id AS bucket, i.id FROM kintaraa.incident AS i
    UNION ALL SELECT 'need', n.bucket, n.id FROM kintaraa.need AS n
    UNION ALL SELECT 'assignment', a.provider_id, a.id FROM kintaraa.assignment AS a
    UNION ALL SELECT 'account', a.id, a.id FROM kintaraa.account AS a
    UNION ALL SELECT 'notification', n.account_id, n.id FROM kintaraa.notification AS n
    UNION ALL SELECT 'note', n.bucket, n.id FROM kintaraa.note AS n
    UNION ALL SELECT p.noun, p.owner_id, p.id FROM kintaraa.personal AS p)
SELECT COALESCE(r.noun, c.noun), count(*) FILTER (WHERE c.id IS NULL),
       count(*) FILTER (WHERE r.id IS NULL AND NOT c.deleted)
  FROM row_of AS r
  FULL JOIN (SELECT x.* FROM kintaraa.change AS x WHERE x.noun NOT IN ('session', 'provider')) AS c
    ON c.bucket = r.bucket AND c.noun = r.noun AND c.id = r.id
 GROUP BY 1
$$;
COMMENT ON FUNCTION kintaraa.verify_changes IS 'By noun: records without a stamp and stamps without a record.';
ALTER FUNCTION kintaraa.verify_changes OWNER TO kintaraa_system;

-- API: private. The nightly job: warns in the server log. Returns how many records or stamps are wrong.
CREATE FUNCTION kintaraa.change_check() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found record;
    wrong bigint := 0;
BEGIN
    FOR found IN SELECT v.noun, v.unstamped, v.orphaned FROM kintaraa.verify_changes() AS v
                  WHERE v.unstamped > 0 OR v.orphaned > 0 ORDER BY v.noun LOOP
        wrong := wrong + found.unstamped + found.orphaned;
        RAISE WARNING 'kintaraa: of noun % there are % records without a stamp and % stamps without a record',
            found.noun, found.unstamped, found.orphaned
            USING HINT = 'Somebody wrote past the triggers; phones do not hear of these records.';
    END LOOP;
    RETURN wrong;
END
$$;
COMMENT ON FUNCTION kintaraa.change_check IS
    'Warns in the log of records without a stamp and stamps without a record; returns how many.';
ALTER FUNCTION kintaraa.change_check OWNER TO kintaraa_system;
