-- API: public, superuser only. force: also where a ring was recorded under which nothing is sealed yet.
CREATE FUNCTION kintaraa.keyring_create(force boolean DEFAULT false) RETURNS text
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_create_sql';
COMMENT ON FUNCTION kintaraa.keyring_create IS
    'Makes the key ring file named by kintaraa.keyring_file for a database that has none. Returns its path.';

-- API: public, superuser only. kind: wrap (data keys), sign (access tokens) or refresh (refresh tokens).
CREATE FUNCTION kintaraa.keyring_add(kind text) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_add_sql';
COMMENT ON FUNCTION kintaraa.keyring_add IS 'Adds a new current key of a kind; what older keys made stays readable.';

-- API: private.
CREATE FUNCTION kintaraa.keyring_record() RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_record_sql';
COMMENT ON FUNCTION kintaraa.keyring_record IS
    'Notes check values of the key ring in force, so that another one is named as such.';

-- API: public, superuser only: for the hook that a cluster manager runs before it promotes a standby.
CREATE FUNCTION kintaraa.may_promote() RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_may_promote_sql';
COMMENT ON FUNCTION kintaraa.may_promote IS
    'True where this server could take over now; an error that says why where it could not.';
