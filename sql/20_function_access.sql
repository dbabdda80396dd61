-- API: private. What row security policies call, for each row: C that resolves no name, hence without a SET clause,
-- which would cost as much as the probe.
CREATE FUNCTION kintaraa.can_see(bucket uuid) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_can_see';
COMMENT ON FUNCTION kintaraa.can_see IS
    'Whether the proven caller is a member of the bucket and not barred from it; false when nobody is proven.';

CREATE FUNCTION kintaraa.barred_from() RETURNS uuid[]
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_barred_from';
COMMENT ON FUNCTION kintaraa.barred_from IS
    'Buckets from which the proven caller is barred, in person or through team, organisation or centre.';

CREATE FUNCTION kintaraa.caller_may(what text) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_caller_may';
COMMENT ON FUNCTION kintaraa.caller_may IS 'Whether the proven caller has a role; dispatch means dispatcher or admin.';

CREATE FUNCTION kintaraa.me() RETURNS uuid
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_me';
COMMENT ON FUNCTION kintaraa.me IS 'The proven account, or NULL.';

CREATE FUNCTION kintaraa.principals() RETURNS uuid[]
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_principals';
COMMENT ON FUNCTION kintaraa.principals IS 'The caller''s principals; empty when nobody is proven.';

-- API: private. Triggers.
CREATE FUNCTION kintaraa.change_remember() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'kn_change_remember_trigger';
COMMENT ON FUNCTION kintaraa.change_remember IS
    'Remembers a changed record until the stamp is written. Arguments: noun, bucket column, id column.';

CREATE FUNCTION kintaraa.refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of kintaraa.% is refused', TG_TABLE_NAME
        USING ERRCODE = 'KN903', HINT = 'Delete rows, then SELECT kintaraa.change_flush().';
END
$$;

-- API: public, for a DBA who writes rows in psql.
CREATE FUNCTION kintaraa.change_flush() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_change_flush_sql';
COMMENT ON FUNCTION kintaraa.change_flush IS
    'Stamps what this transaction changed; the last statement of a writer in psql. Returns the number of records.';
ALTER FUNCTION kintaraa.change_flush OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.policy_changed() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_policy_changed';
COMMENT ON FUNCTION kintaraa.policy_changed IS 'Tells every backend to read policies and settings anew.';
