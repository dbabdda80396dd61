-- API: private. Moves on what is due; the worker calls it ten times a second.
-- at_most: needs moved in one call. Returns how many were moved.
CREATE FUNCTION kintaraa.need_sweep(at_most integer) RETURNS integer
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_need_sweep';
COMMENT ON FUNCTION kintaraa.need_sweep IS 'Expires offers and escalates needs that are due.';
ALTER FUNCTION kintaraa.need_sweep OWNER TO kintaraa_system;

-- API: public, for a DBA or a case worker's tool: a principal that must never see a case.
-- bucket: the incident. principal: an account, a team, an organisation or a dispatch centre.
CREATE FUNCTION kintaraa.bar(bucket uuid, principal uuid) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_bar_sql';
COMMENT ON FUNCTION kintaraa.bar IS
    'Bars an account, a team, an organisation or a dispatch centre from one case: what it has of it ends, and others '
    'are asked.';
ALTER FUNCTION kintaraa.bar OWNER TO kintaraa_system;
