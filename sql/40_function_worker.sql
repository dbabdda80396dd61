-- API: private. What the worker does, each also callable by a superuser.
-- force: also when nothing changed since the last one.
CREATE FUNCTION kintaraa.tick_write(force boolean) RETURNS bigint
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_tick_write_sql';
COMMENT ON FUNCTION kintaraa.tick_write IS 'Writes a tick and tells the listeners; NULL when nothing changed.';
ALTER FUNCTION kintaraa.tick_write OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.epoch_check() RETURNS boolean
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_epoch_check_sql';
COMMENT ON FUNCTION kintaraa.epoch_check IS
    'Begins a new epoch of cursors when this is not the server or the history that the last one was made on.';
ALTER FUNCTION kintaraa.epoch_check OWNER TO kintaraa_system;

-- API: public, superuser only: after pg_upgrade, started with kintaraa.worker = off.
CREATE FUNCTION kintaraa.adopt_epoch() RETURNS void
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_epoch_adopt_sql';
COMMENT ON FUNCTION kintaraa.adopt_epoch IS
    'Keeps the cursors of all phones after pg_upgrade; refused where transaction ids began anew.';
ALTER FUNCTION kintaraa.adopt_epoch OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.seal() RETURNS bigint
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_seal_sql';
COMMENT ON FUNCTION kintaraa.seal IS 'Seals the audit entries of all finished transactions; returns how many.';
ALTER FUNCTION kintaraa.seal OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.audit_anchor() RETURNS void
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_audit_anchor_sql';
COMMENT ON FUNCTION kintaraa.audit_anchor IS 'Writes the newest root of the audit trail to the server log.';
ALTER FUNCTION kintaraa.audit_anchor OWNER TO kintaraa_system;

-- API: public, superuser only.
-- root: the newest one that left this machine, 64 digits of the log; NULL asks for none.
CREATE FUNCTION kintaraa.audit_verify(
    root text DEFAULT NULL, OUT ok boolean, OUT sealed bigint, OUT unsealed bigint, OUT first_bad bigint)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_audit_verify_sql';
COMMENT ON FUNCTION kintaraa.audit_verify IS
    'Computes every seal of the audit trail anew; first_bad is the first one that does not hold, or the one that is '
    'missing when a root that left the machine is not there any more.';
ALTER FUNCTION kintaraa.audit_verify OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.worker_status(OUT pid integer, OUT seen_at timestamptz, OUT database text)
    RETURNS record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_worker_status_sql';
COMMENT ON FUNCTION kintaraa.worker_status IS 'The background worker of this server; pid is NULL when none runs.';
GRANT EXECUTE ON FUNCTION kintaraa.worker_status TO kintaraa_operator, kintaraa_report;

-- API: private. Counters: a report leaves a difference, so that none waits for another one's counter.
-- The lock is taken before the statement whose snapshot must hold both tables as one.
CREATE FUNCTION kintaraa.dispatch_count_fold() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    folded integer;
BEGIN
    IF NOT EXISTS (SELECT FROM kintaraa.dispatch_delta) THEN
        RETURN 0;
    END IF;
    PERFORM kintaraa.work_lock(3);
    WITH gone AS (
        DELETE FROM kintaraa.dispatch_delta AS d RETURNING d.status, d.urgency, d.n
    ), total AS (
        SELECT g.status, g.urgency, sum(g.n) AS n, count(*) AS deltas FROM gone AS g GROUP BY g.status, g.urgency
    ), folding AS (
        INSERT INTO kintaraa.dispatch_count AS c (status, urgency, n)
        SELECT t.status, t.urgency, t.n FROM total AS t
        ON CONFLICT (status, urgency) DO UPDATE SET n = c.n + EXCLUDED.n
    )
    SELECT coalesce(sum(t.deltas), 0) INTO folded FROM total AS t;
    RETURN folded;
END
$$;
COMMENT ON FUNCTION kintaraa.dispatch_count_fold IS
    'Adds what is in dispatch_delta to dispatch_count; returns how many differences.';
ALTER FUNCTION kintaraa.dispatch_count_fold OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.dispatch_count_recount() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    corrected integer;
BEGIN
    PERFORM kintaraa.work_lock(3);
    WITH gone AS (
        DELETE FROM kintaraa.dispatch_delta AS d RETURNING d.status, d.urgency, d.n
    ), pending AS (
        SELECT g.status, g.urgency, sum(g.n) AS n FROM gone AS g GROUP BY g.status, g.urgency
    ), truth AS (
        SELECT i.status, i.urgency_level AS urgency, count(*) AS n FROM kintaraa.incident AS i
         WHERE i.deleted_at IS NULL GROUP BY i.status, i.urgency_level
    ), counted AS (
        UPDATE kintaraa.dispatch_count AS c SET n = r.truth
          FROM (SELECT o.status, o.urgency, coalesce(t.n, 0) AS truth, o.n + coalesce(p.n, 0) AS kept
                  FROM kintaraa.dispatch_count AS o
                  LEFT JOIN truth AS t ON t.status = o.status AND t.urgency = o.urgency
                  LEFT JOIN pending AS p ON p.status = o.status AND p.urgency = o.urgency) AS r
         WHERE c.status = r.status AND c.urgency = r.urgency
        RETURNING r.truth <> r.kept AS was_wrong
    )
    SELECT count(*) FILTER (WHERE c.was_wrong) INTO corrected FROM counted AS c;
    IF corrected > 0 THEN
        RAISE LOG 'kintaraa: % counters of incidents were wrong and are corrected', corrected;
    END IF;
    PERFORM kintaraa.audit_function('dispatch_count_recount');
    RETURN corrected;
END
$$;
COMMENT ON FUNCTION kintaraa.dispatch_count_recount IS
    'Counts the incidents anew; returns how many counters were wrong.';
ALTER FUNCTION kintaraa.dispatch_count_recount OWNER TO kintaraa_system;
