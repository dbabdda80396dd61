-- API: private. Work whose team has nobody left who may do it; see extension/cases/vacancy.c.
CREATE FUNCTION kintaraa.team_vacate(teams uuid[]) RETURNS integer
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_team_vacate_sql';
COMMENT ON FUNCTION kintaraa.team_vacate IS
    'Searches anew for what these teams have and nobody active of theirs can do; the caller stamps. Returns how much.';
ALTER FUNCTION kintaraa.team_vacate OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.case_vacate(bucket uuid) RETURNS integer
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_case_vacate_sql';
COMMENT ON FUNCTION kintaraa.case_vacate IS
    'The same for one case, after somebody was barred from it; the caller stamps. Returns how much.';
ALTER FUNCTION kintaraa.case_vacate OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.people_recall(accounts uuid[]) RETURNS integer
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_people_recall_sql';
COMMENT ON FUNCTION kintaraa.people_recall IS
    'Calls people again for what waits for them and what these accounts, who are gone, had been told of.';
ALTER FUNCTION kintaraa.people_recall OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.team_check_run() RETURNS integer
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_team_check_sql';
COMMENT ON FUNCTION kintaraa.team_check_run IS
    'The worker''s second look, each second, at teams that lost somebody: for whoever counted on them meanwhile.';
ALTER FUNCTION kintaraa.team_check_run OWNER TO kintaraa_system;

-- API: private. Cases that she took back; see extension/cases/hold.c.
CREATE FUNCTION kintaraa.hold_end() RETURNS integer
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_hold_end_sql';
COMMENT ON FUNCTION kintaraa.hold_end IS
    'Ends the open needs of cases that were taken back 72 hours ago; the worker''s. Returns how many cases.';
ALTER FUNCTION kintaraa.hold_end OWNER TO kintaraa_system;

-- The net below the triggers: a session that fires none, such as one that replicates, leaves no row.
CREATE FUNCTION kintaraa.team_check_all() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found integer;
BEGIN
    INSERT INTO kintaraa.team_check (id, provider_id)
    SELECT gen_random_uuid(), d.provider_id
      FROM kintaraa.provider_dispatch AS d JOIN kintaraa.provider AS p ON p.id = d.provider_id
     WHERE d.load > 0 AND NOT d.dispatchable
       AND NOT (p.is_active AND p.is_verified
                AND (p.by_telephone OR EXISTS (SELECT FROM kintaraa.account AS a
                                                WHERE a.provider_id = p.id AND a.is_active)));
    GET DIAGNOSTICS found = ROW_COUNT;
    RETURN found;
END
$$;
COMMENT ON FUNCTION kintaraa.team_check_all IS
    'Has the worker look at each team that has work and nobody for it; returns how many.';
ALTER FUNCTION kintaraa.team_check_all OWNER TO kintaraa_system;

-- Statement triggers: all teams that one statement empties have their cases locked in one order.
CREATE FUNCTION kintaraa.staff_lost() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    teams uuid[];
    people uuid[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT o.provider_id ORDER BY o.provider_id) FILTER (WHERE o.provider_id IS NOT NULL),
               array_agg(o.id ORDER BY o.id) FILTER (WHERE o.centre_id IS NOT NULL)
          INTO teams, people FROM before AS o WHERE o.is_active;
    ELSE
        SELECT array_agg(DISTINCT o.provider_id ORDER BY o.provider_id) FILTER (WHERE o.provider_id IS NOT NULL),
               array_agg(o.id ORDER BY o.id) FILTER (WHERE o.centre_id IS NOT NULL)
          INTO teams, people
          FROM before AS o JOIN after AS n ON n.id = o.id
         WHERE o.is_active AND (NOT n.is_active OR n.provider_id IS DISTINCT FROM o.provider_id
                                OR n.centre_id IS DISTINCT FROM o.centre_id);
    END IF;
    PERFORM kintaraa.team_vacate(teams), kintaraa.people_recall(people);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kintaraa.staff_lost IS
    'Trigger of account: what those who left were the last to work on is searched for anew.';
ALTER FUNCTION kintaraa.staff_lost OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.team_lost() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM kintaraa.team_vacate((
        SELECT array_agg(o.id ORDER BY o.id)
          FROM before AS o JOIN after AS n ON n.id = o.id
         WHERE (o.is_active AND NOT n.is_active) OR (o.is_verified AND NOT n.is_verified)
            OR (o.by_telephone AND NOT n.by_telephone) OR n.organisation_id <> o.organisation_id
            OR n.provider_type <> o.provider_type));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kintaraa.team_lost IS
    'Trigger of provider: what a team that was switched off had is searched for anew.';
ALTER FUNCTION kintaraa.team_lost OWNER TO kintaraa_system;

GRANT EXECUTE ON FUNCTION kintaraa.staff_lost(), kintaraa.team_lost() TO kintaraa_owner;
