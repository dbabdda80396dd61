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
