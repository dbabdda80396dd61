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

-- API: private. The text is folded already.
CREATE FUNCTION kintaraa.client_key(account uuid, noun text, folded text) RETURNS bytea
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_client_key_sql';
COMMENT ON FUNCTION kintaraa.client_key IS
    'What a record is found by whose id a phone made: an index of that id under a key of the key ring.';

-- API: private. place: the column, "table.spelling"; id: the row's.
CREATE FUNCTION kintaraa.spelling_seal(account uuid, place text, id uuid, spelling text) RETURNS bytea
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_spelling_seal_sql';
COMMENT ON FUNCTION kintaraa.spelling_seal IS
    'An id that a phone made, sealed for whose it is; NULL where it is the row''s own, or the account is erased.';
