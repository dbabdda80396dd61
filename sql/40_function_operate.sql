-- API: private. What keeps the database small, healthy and watched.
CREATE FUNCTION kintaraa.audit_function(action text) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_audit_function_sql';
COMMENT ON FUNCTION kintaraa.audit_function IS
    'Leaves an entry of a function that has no caller; fields is the login that called it.';
GRANT EXECUTE ON FUNCTION kintaraa.audit_function TO kintaraa_system;

-- batch: rows of one kind at most.  Returns the largest number deleted of one kind: batch means there is more.
CREATE FUNCTION kintaraa.retention_run(batch integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    rule jsonb;
    n integer;
    most integer := 0;
    told timestamptz;
BEGIN
    SELECT p.body INTO rule FROM kintaraa.policy AS p WHERE p.kind = 'retention' ORDER BY p.version DESC LIMIT 1;
    -- A cursor as old as the oldest tick must still hear of each removal since then, however short tombstones live.
    SELECT least(now() - make_interval(days => (rule ->> 'tombstone_days')::integer),
                 to_timestamp(min(k.t) / 1000000.0) - interval '1 hour') INTO told FROM kintaraa.tick AS k;

    DELETE FROM kintaraa.change WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM kintaraa.change AS c
         WHERE c.deleted AND c.updated_at < told
         ORDER BY c.updated_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.member WHERE ctid = ANY (ARRAY(
        SELECT m.ctid FROM kintaraa.member AS m
         WHERE m.revoked AND m.changed_at < told
         ORDER BY m.changed_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.applied WHERE ctid = ANY (ARRAY(
        SELECT a.ctid FROM kintaraa.applied AS a
         WHERE a.at < now() - make_interval(days => (rule ->> 'applied_days')::integer)
         ORDER BY a.at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.archive WHERE ctid = ANY (ARRAY(
        SELECT a.ctid FROM kintaraa.archive AS a
         WHERE a.at < now() - make_interval(days => (rule ->> 'archive_days')::integer)
         ORDER BY a.at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.session WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM kintaraa.session AS s
         WHERE s.expires_at < now() - make_interval(days => (rule ->> 'session_days')::integer)
         ORDER BY s.expires_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.invitation WHERE ctid = ANY (ARRAY(
        SELECT i.ctid FROM kintaraa.invitation AS i
         WHERE i.expires_at < now() - make_interval(days => (rule ->> 'invitation_days')::integer)
         LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.duty WHERE ctid = ANY (ARRAY(
        SELECT d.ctid FROM kintaraa.duty AS d
         WHERE d.to_at < now() - make_interval(days => (rule ->> 'duty_days')::integer)
         LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.duty_ended WHERE ctid = ANY (ARRAY(
        SELECT d.ctid FROM kintaraa.duty_ended AS d
         WHERE d.at < now() - make_interval(days => (rule ->> 'duty_days')::integer)
         LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.known_device WHERE ctid = ANY (ARRAY(
        SELECT k.ctid FROM kintaraa.known_device AS k WHERE k.seen_at < now() - interval '90 days'
         ORDER BY k.seen_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.throttle WHERE ctid = ANY (ARRAY(
        SELECT t.ctid FROM kintaraa.throttle AS t
         WHERE t.updated_at < now() - make_interval(hours => (rule ->> 'throttle_hours')::integer)
         ORDER BY t.updated_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.notification WHERE ctid = ANY (ARRAY(
        SELECT o.ctid FROM kintaraa.notification AS o
         WHERE o.created_at < now() - make_interval(days => (rule ->> 'notification_days')::integer)
         ORDER BY o.created_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.subscription AS s USING kintaraa.gateway AS g
     WHERE s.gateway = g.id
       AND g.seen_at < now() - make_interval(mins => (rule ->> 'subscription_minutes')::integer);
    DELETE FROM kintaraa.gateway AS g
     WHERE g.seen_at < now() - make_interval(mins => (rule ->> 'subscription_minutes')::integer);

    PERFORM kintaraa.audit_function('retention_run');
    PERFORM kintaraa.change_flush();
    RETURN most;
END
$$;
COMMENT ON FUNCTION kintaraa.retention_run IS
    'Deletes what the retention policy says is too old, in one batch of each kind.';
ALTER FUNCTION kintaraa.retention_run OWNER TO kintaraa_system;

-- everything: all ages; otherwise only those that have just come of age.
-- Of each second, minute or hour the oldest tick stays: a cursor between two ticks means the older one.
CREATE FUNCTION kintaraa.ticks_thin(everything boolean) RETURNS integer
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    rule jsonb;
    present bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    hour CONSTANT bigint := 3600000000;
    newest bigint;
    step record;
    n integer;
    deleted integer := 0;
BEGIN
    SELECT p.body INTO rule FROM kintaraa.policy AS p WHERE p.kind = 'retention' ORDER BY p.version DESC LIMIT 1;
    SELECT max(k.t) INTO newest FROM kintaraa.tick AS k;
    FOR step IN
        SELECT s.width, present - s.age AS upto
          FROM (VALUES (1000000::bigint, (rule ->> 'tick_all_minutes')::bigint * 60000000),
                       (60000000, (rule ->> 'tick_second_hours')::bigint * hour),
                       (hour, (rule ->> 'tick_minute_days')::bigint * 24 * hour)) AS s (width, age)
    LOOP
        DELETE FROM kintaraa.tick AS k
         WHERE k.t < step.upto AND k.t <> newest
           AND (everything OR k.t >= step.upto - greatest(hour, 2 * step.width))
           AND EXISTS (SELECT FROM kintaraa.tick AS o
                        WHERE o.t < k.t AND o.t >= k.t - k.t % step.width AND o.epoch = k.epoch);
        GET DIAGNOSTICS n = ROW_COUNT;
        deleted := deleted + n;
    END LOOP;
    DELETE FROM kintaraa.tick AS k
     WHERE k.t < present - (rule ->> 'tick_hour_days')::bigint * 24 * hour AND k.t <> newest;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN deleted + n;
END
$$;
COMMENT ON FUNCTION kintaraa.ticks_thin IS 'Deletes ticks that the retention policy does not keep; returns how many.';
ALTER FUNCTION kintaraa.ticks_thin OWNER TO kintaraa_system;

-- Writes every month that has ended and is not written yet.  People, not reports: whoever reports more often, or in
-- several types, counts once in each; a report on behalf of somebody is a person.  Cases of demo teams count nowhere.
CREATE FUNCTION kintaraa.statistics_publish() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    least_shown CONSTANT integer := 11;
    this_month CONSTANT date := date_trunc('month', clock_timestamp() AT TIME ZONE 'Africa/Nairobi')::date;
    written integer;
BEGIN
    IF EXISTS (SELECT FROM kintaraa.people_monthly AS p WHERE p.month = this_month - interval '1 month') THEN
        RETURN 0;
    END IF;
    WITH report AS (
        SELECT date_trunc('month', i.created_at AT TIME ZONE 'Africa/Nairobi')::date AS month,
               coalesce(i.type::text, 'unknown') AS type,
               CASE WHEN i.reporter = 'provider' THEN i.id ELSE i.owner_id END AS person
          FROM kintaraa.incident AS i
         WHERE i.deleted_at IS NULL AND NOT EXISTS (
               SELECT FROM kintaraa.assignment AS a JOIN kintaraa.provider AS t ON t.id = a.provider_id
                WHERE a.incident_bucket = i.id AND t.is_demo)
    ), month AS (
        SELECT m::date AS month
          FROM generate_series((SELECT coalesce(min(r.month), this_month - interval '1 month') FROM report AS r),
                               this_month - interval '1 month', interval '1 month') AS m
         WHERE NOT EXISTS (SELECT FROM kintaraa.people_monthly AS p WHERE p.month = m::date)
    ), type AS (
        SELECT unnest(ARRAY['physical', 'sexual', 'emotional', 'economic', 'online', 'femicide', 'medical',
                            'unknown']) AS type
    ), cell AS (
        SELECT m.month, t.type, count(DISTINCT r.person) AS people
          FROM month AS m CROSS JOIN type AS t
          LEFT JOIN report AS r ON r.month = m.month AND r.type = t.type
         GROUP BY m.month, t.type
    ), shown AS (
        -- one hidden cell alone could be computed from the sum: the smallest other one is hidden with it
        SELECT c.*, count(*) FILTER (WHERE c.people < least_shown) OVER (PARTITION BY c.month) AS hidden,
               row_number() OVER (PARTITION BY c.month ORDER BY c.people < least_shown, c.people, c.type) AS place
          FROM cell AS c
    ), told AS (
        SELECT s.month, s.type,
               CASE WHEN s.people >= least_shown AND NOT (s.hidden = 1 AND s.place = 1) THEN s.people END AS people
          FROM shown AS s
    ), whole AS (
        SELECT m.month, count(DISTINCT r.person) AS people
          FROM month AS m LEFT JOIN report AS r ON r.month = m.month
         GROUP BY m.month
    ), beside AS (
        -- the sum tells how many are not among those of a number that is shown, or of all of them
        SELECT w.month, w.people - t.people AS people FROM whole AS w JOIN told AS t ON t.month = w.month
         WHERE t.people IS NOT NULL
        UNION ALL
        SELECT w.month, w.people - sum(t.people) FROM whole AS w JOIN told AS t ON t.month = w.month
         GROUP BY w.month, w.people
    )
    INSERT INTO kintaraa.people_monthly (month, type, people)
    SELECT t.month, t.type, t.people FROM told AS t
    UNION ALL
    SELECT w.month, 'all', CASE WHEN w.people >= least_shown AND NOT EXISTS (
               SELECT FROM beside AS b WHERE b.month = w.month AND b.people > 0 AND b.people < least_shown)
           THEN w.people END
      FROM whole AS w
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;
COMMENT ON FUNCTION kintaraa.statistics_publish IS
    'Writes the statistics of the months that have ended, once; returns how many numbers.';
ALTER FUNCTION kintaraa.statistics_publish OWNER TO kintaraa_system;

-- API: public, for the DBA: what is slow runs at night.
CREATE FUNCTION kintaraa.schedule_jobs() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    job record;
    n integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RAISE NOTICE 'pg_cron is not in this database; nothing is scheduled'
            USING HINT = 'For the nightly checks create pg_cron here and call this again.';
        RETURN 0;
    END IF;
    FOR job IN SELECT * FROM kintaraa.jobs() LOOP
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING job.name, job.schedule, job.command;
        n := n + 1;
    END LOOP;
    PERFORM kintaraa.audit_function('schedule_jobs');
    RETURN n;
END
$$;
COMMENT ON FUNCTION kintaraa.schedule_jobs IS
    'Enters the nightly jobs into pg_cron as the calling superuser; again is harmless. Returns how many.';

CREATE FUNCTION kintaraa.jobs(OUT name text, OUT schedule text, OUT command text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES ('kintaraa counters', '7 1 * * *', 'SELECT kintaraa.dispatch_count_recount()'),
           ('kintaraa loads', '17 1 * * *', 'SELECT kintaraa.dispatch_recount()'),
           ('kintaraa ticks', '27 1 * * *', 'SELECT kintaraa.ticks_thin(true)'),
           ('kintaraa anchor', '37 1 * * *', 'SELECT kintaraa.audit_anchor()'),
           ('kintaraa retention', '47 * * * *', 'SELECT kintaraa.retention_run(10000)'),
           ('kintaraa statistics', '7 2 * * *', 'SELECT kintaraa.statistics_publish()'),
           ('kintaraa stamps', '57 1 * * *', 'SELECT kintaraa.change_check()')
$$;
COMMENT ON FUNCTION kintaraa.jobs IS 'The jobs that kintaraa.schedule_jobs() enters.';

-- API: private.
CREATE FUNCTION kintaraa.statistics_functions() RETURNS SETOF oid
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT p.oid FROM pg_proc AS p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.pronargs = 1 AND p.proargtypes[0] = 'oid'::regtype
       AND p.proname ~ '^pg_stat_get_' AND p.proname !~ '^pg_stat_get_(db|subscription|function|xact_function)'
$$;
COMMENT ON FUNCTION kintaraa.statistics_functions IS
    'The server''s functions that count rows, reads and changes of one table.';
GRANT EXECUTE ON FUNCTION kintaraa.statistics_functions TO kintaraa_system;

-- API: public, for the database's owner or a superuser; again is harmless.
-- Not by migrate(): a plain dump does not carry it, and whoever else works in this database is shut out.
CREATE FUNCTION kintaraa.close_database() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    logins CONSTANT text[] := ARRAY['kintaraa_gateway', 'kintaraa_operator', 'kintaraa_analyst', 'kintaraa_backup'];
    name text;
    function regprocedure;
BEGIN
    IF NOT pg_has_role((SELECT d.datdba FROM pg_database AS d WHERE d.datname = current_database()), 'USAGE') THEN
        -- the server itself would only warn and leave everything open
        RAISE EXCEPTION 'only the owner of this database, or a superuser, closes it'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH name IN ARRAY logins LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
    END LOOP;
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    IF NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user) THEN
        RAISE NOTICE 'the statistics of tables stay open'
            USING HINT = 'Let a superuser run SELECT kintaraa.close_database() too.';
        RETURN;
    END IF;
    -- whoever may connect could fill the disk with large objects, which nothing of ours uses
    FOREACH function IN ARRAY ARRAY['pg_catalog.lo_create(oid)', 'pg_catalog.lo_creat(integer)',
                                    'pg_catalog.lo_from_bytea(oid, bytea)']::regprocedure[] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
    END LOOP;
    FOR function IN SELECT f FROM kintaraa.statistics_functions() AS f LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pg_monitor, kintaraa_operator, kintaraa_report', function);
    END LOOP;
END
$$;
COMMENT ON FUNCTION kintaraa.close_database IS
    'Lets only our logins connect, by name, and keeps large objects and what the server counts of each table from '
    'everybody else.';

-- API: public, superuser only.
CREATE FUNCTION kintaraa.health(OUT "check" text, OUT ok boolean, OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_health_sql';
COMMENT ON FUNCTION kintaraa.health IS 'What is missing or dangerous about this server, and how to mend it.';
ALTER FUNCTION kintaraa.health OWNER TO kintaraa_system;
