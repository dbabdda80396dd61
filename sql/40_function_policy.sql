-- API: private. What the doors of policies ask before they store a version.
CREATE FUNCTION kintaraa.policy_check(
    kind  text,   -- routing or escalation
    body  jsonb
) RETURNS void
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_policy_check_sql';
COMMENT ON FUNCTION kintaraa.policy_check IS 'Raises KN5xx naming the first member of a policy that cannot be read.';
GRANT EXECUTE ON FUNCTION kintaraa.policy_check TO kintaraa_system;
