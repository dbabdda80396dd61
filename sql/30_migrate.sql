-- API: private. The migrations this library was built with.
CREATE FUNCTION kintaraa.migrations(OUT number integer, OUT name text, OUT hash text, OUT script text)
    RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_migrations_sql';
COMMENT ON FUNCTION kintaraa.migrations IS 'Number, name, SHA-256 and text of every migration built into the library.';

-- API: public. Alone, outside BEGIN and outside psql -1: it commits after each migration.
-- No SECURITY DEFINER and no SET clause: either would forbid COMMIT.  Every name is qualified instead.
CREATE PROCEDURE kintaraa.migrate()
    LANGUAGE plpgsql
    AS $$
DECLARE
    step record;
    done text;
BEGIN
    FOR step IN SELECT m.number, m.name, m.hash, m.script FROM kintaraa.migrations() AS m ORDER BY m.number LOOP
        PERFORM pg_catalog.pg_advisory_xact_lock(7521, 1);
        SET LOCAL search_path = '';
        SET LOCAL row_security = off;
        SET LOCAL client_min_messages = warning;
        SET LOCAL ROLE kintaraa_owner;
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
        SELECT old.hash INTO done FROM kintaraa.migration AS old
         WHERE old.number OPERATOR(pg_catalog.=) step.number;
        IF done IS NULL THEN
            EXECUTE step.script;
            SET LOCAL ROLE kintaraa_owner;
            INSERT INTO kintaraa.migration (number, name, hash) VALUES (step.number, step.name, step.hash);
            PERFORM kintaraa.change_flush();
        END IF;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE kintaraa.migrate IS
    'Brings the tables to what this version of the extension needs; again is harmless.';
