-- API: public, superuser only.
CREATE FUNCTION kintaraa.keyring_create() RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_create_sql';
COMMENT ON FUNCTION kintaraa.keyring_create IS
    'Makes the key ring file named by kintaraa.keyring_file, once. Returns its path.';

-- API: public, superuser only. kind: wrap (data keys), sign (access tokens) or refresh (refresh tokens).
CREATE FUNCTION kintaraa.keyring_add(kind text) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_add_sql';
COMMENT ON FUNCTION kintaraa.keyring_add IS 'Adds a new current key of a kind; what older keys made stays readable.';
