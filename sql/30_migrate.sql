-- API: private. The migrations this library was built with.
CREATE FUNCTION kintaraa.migrations(OUT number integer, OUT name text, OUT hash text, OUT script text)
    RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_migrations_sql';
COMMENT ON FUNCTION kintaraa.migrations IS 'Number, name, SHA-256 and text of every migration built into the library.';

-- API: private. Policies, triggers, views and row security that are not as the library has them; wanted is NULL for
-- what is nobody's of ours, found for what is lost.
CREATE FUNCTION kintaraa.definitions(OUT kind text, OUT name text, OUT wanted text, OUT found text)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_definitions_sql';
COMMENT ON FUNCTION kintaraa.definitions IS
    'What rules of the tables differ from those of the library: as they should be, as they are.';

-- API: private. 1 is migrating, 3 the counters; the others are taken in C.
CREATE FUNCTION kintaraa.work_lock(work integer) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_work_lock_sql';
COMMENT ON FUNCTION kintaraa.work_lock IS
    'Takes a lock of ours until the end of the transaction; pg_advisory_lock() cannot reach it.';
GRANT EXECUTE ON FUNCTION kintaraa.work_lock TO kintaraa_system;

-- API: private. Whether a migration has run; refuses what other code has migrated.
CREATE FUNCTION kintaraa.migrate_has(wanted integer) RETURNS boolean
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = '' SET client_min_messages = warning SET role = kintaraa_owner
    AS $$
BEGIN
    CREATE TABLE IF NOT EXISTS kintaraa.migration (
        number  integer PRIMARY KEY,
        name    text NOT NULL,
        hash    text NOT NULL,
        at      timestamptz NOT NULL DEFAULT pg_catalog.now()
    );
    IF EXISTS (SELECT FROM kintaraa.migration AS old
                WHERE NOT EXISTS (SELECT FROM kintaraa.migrations() AS m
                                   WHERE m.number OPERATOR(pg_catalog.=) old.number
                                     AND m.hash OPERATOR(pg_catalog.=) old.hash)) THEN
        RAISE EXCEPTION 'this database was migrated by other code than the installed one'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Install the version of kintaraa that made it, or a newer one.';
    END IF;
    RETURN EXISTS (SELECT FROM kintaraa.migration AS old WHERE old.number OPERATOR(pg_catalog.=) wanted);
END
$$;
COMMENT ON FUNCTION kintaraa.migrate_has IS 'Whether a migration has run here.';

-- API: private. A script as the owner of the tables, with patience for one second only: whoever waits for a table keeps
-- everybody else from it.  number is NULL for a rule that is put back.
CREATE FUNCTION kintaraa.migrate_try(script text, number integer, name text, hash text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = '' SET row_security = off SET lock_timeout = '1s' SET client_min_messages = warning
    SET role = kintaraa_owner
    AS $$
BEGIN
    EXECUTE script;
    SET LOCAL ROLE kintaraa_owner;
    IF number IS NOT NULL THEN
        INSERT INTO kintaraa.migration (number, name, hash) VALUES (number, name, hash);
    END IF;
    PERFORM kintaraa.change_flush();
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION kintaraa.migrate_try IS 'Runs a migration, whole or not at all; false when a table was in use.';

-- API: private. A pause in which those who waited behind go on; after the last one it gives up.
CREATE FUNCTION kintaraa.migrate_wait(what text, tries integer) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    tries_most CONSTANT integer := 60;
    holders text;
BEGIN
    SELECT string_agg(format('process %s of %s since %s', a.pid, a.usename, to_char(a.xact_start, 'HH24:MI:SS')), ', '
                      ORDER BY a.xact_start)
      INTO holders
      FROM pg_stat_activity AS a
     WHERE a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - interval '1 second' AND EXISTS (
           SELECT FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
            WHERE l.pid = a.pid AND l.granted AND c.relnamespace = 'kintaraa'::regnamespace);
    IF tries >= tries_most THEN
        RAISE EXCEPTION '% found its tables in use % times', what, tries
            USING ERRCODE = 'lock_not_available',
                  HINT = format('End what holds them, then call kintaraa.migrate() again: %s.',
                                coalesce(holders, 'nothing at the moment'));
    END IF;
    RAISE NOTICE '% waits for tables in use by %', what, coalesce(holders, 'transactions that have ended meanwhile');
    PERFORM pg_sleep(least(tries, 5));
END
$$;
COMMENT ON FUNCTION kintaraa.migrate_wait IS 'Says who keeps a migration from its tables, and waits.';

-- API: private. No SECURITY DEFINER and no SET clause: either would forbid COMMIT.  Every name is qualified instead.
CREATE PROCEDURE kintaraa.migrate_run(what text, script text, number integer, name text, hash text)
    LANGUAGE plpgsql
    AS $$
DECLARE
    tries integer := 0;
BEGIN
    LOOP
        PERFORM kintaraa.work_lock(1);
        EXIT WHEN kintaraa.migrate_has(COALESCE(number, 0)) OR kintaraa.migrate_try(script, number, name, hash);
        COMMIT;
        tries := tries OPERATOR(pg_catalog.+) 1;
        PERFORM kintaraa.migrate_wait(what, tries);
    END LOOP;
    COMMIT;
END
$$;
COMMENT ON PROCEDURE kintaraa.migrate_run IS
    'Runs a migration unless it has run, again and again while tables are in use.';

-- API: private. Without SET, or it could not tell.
CREATE PROCEDURE kintaraa.migrate_alone()
    LANGUAGE C
    AS 'MODULE_PATHNAME', 'kn_migrate_alone_sql';
COMMENT ON PROCEDURE kintaraa.migrate_alone IS 'Refuses to go on where nothing can be committed.';

-- API: public. Alone, outside BEGIN and outside psql -1: it commits after each migration.
CREATE PROCEDURE kintaraa.migrate()
    LANGUAGE plpgsql
    AS $$
DECLARE
    step record;
BEGIN
    CALL kintaraa.migrate_alone();
    -- one that is in use already goes on, and health() says so
    IF pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.<>) 'UTF8'
       AND pg_catalog.to_regclass('kintaraa.migration') IS NULL THEN
        RAISE EXCEPTION 'the encoding of this database is %, and not UTF8',
            pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Drop it and make it anew with ENCODING ''UTF8'' LOCALE ''C.UTF-8'' TEMPLATE template0.';
    END IF;
    FOR step IN SELECT m.number, m.name, m.hash, m.script FROM kintaraa.migrations() AS m ORDER BY m.number LOOP
        CALL kintaraa.migrate_run(pg_catalog.format('migration %s', step.number), step.script, step.number, step.name,
                                  step.hash);
    END LOOP;
    PERFORM kintaraa.keyring_record();
    COMMIT;
    -- what went with DROP EXTENSION CASCADE, or was changed by hand
    FOR step IN
        SELECT d.kind, d.name, d.wanted FROM kintaraa.definitions() AS d
         WHERE d.wanted IS NOT NULL AND (d.kind OPERATOR(pg_catalog.=) 'view' OR
               pg_catalog.to_regclass(pg_catalog.regexp_replace(d.name, '^.* ON ', '')) IS NOT NULL)
    LOOP
        CALL kintaraa.migrate_run(pg_catalog.format('%s %s', step.kind, step.name),
            pg_catalog.concat(
                CASE step.kind WHEN 'view' THEN 'SET LOCAL ROLE kintaraa_report; ' END,
                CASE step.kind WHEN 'row security' THEN ''
                     ELSE pg_catalog.format('DROP %s IF EXISTS %s; ', step.kind, step.name) END,
                step.wanted), NULL, NULL, NULL);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE kintaraa.migrate IS
    'Brings the tables to what this version of the extension needs and puts back lost rules; again is harmless.';
