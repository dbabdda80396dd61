-- after: the cursor up to which the gateway has delivered.  The last row has the cursor reached and nothing else.
CREATE FUNCTION kintaraa_api.feed_next(gateway uuid, after bigint)
    RETURNS TABLE (subscriptions bigint[], frame text, cursor bigint)
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_feed_next';
COMMENT ON FUNCTION kintaraa_api.feed_next IS
    'What changed since a cursor, as frames and the subscriptions of the gateway that may see them.';
ALTER FUNCTION kintaraa_api.feed_next OWNER TO kintaraa_door;
