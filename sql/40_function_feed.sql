-- API: public. News for open sockets; called by the gateway.
-- token and path unused; input {} -> ok {"gateway","cursor"}
CREATE FUNCTION kintaraa_api.feed_start(token text, path text[], query jsonb, input jsonb, context jsonb,
                                        OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_feed_start';
COMMENT ON FUNCTION kintaraa_api.feed_start IS 'Gives a gateway the number under which its sockets subscribe.';
ALTER FUNCTION kintaraa_api.feed_start OWNER TO kintaraa_door;

-- input {"gateway", "cursor"} -> ok {"subscription","role","cursor","resumed","expiresIn","frames"}
CREATE FUNCTION kintaraa_api.feed_join(token text, path text[], query jsonb, input jsonb, context jsonb,
                                       OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_feed_join';
COMMENT ON FUNCTION kintaraa_api.feed_join IS
    'Subscribes the bearer of a live token, with all since her cursor when that is possible.';
ALTER FUNCTION kintaraa_api.feed_join OWNER TO kintaraa_door;

-- input {"gateway", "subscriptions": [number, ...]} -> none
CREATE FUNCTION kintaraa_api.feed_leave(token text, path text[], query jsonb, input jsonb, context jsonb,
                                        OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_feed_leave';
COMMENT ON FUNCTION kintaraa_api.feed_leave IS 'Ends subscriptions of a gateway; those it does not have are no error.';
ALTER FUNCTION kintaraa_api.feed_leave OWNER TO kintaraa_door;

-- after: the cursor up to which the gateway has delivered.  The last row has the cursor reached and nothing else.
CREATE FUNCTION kintaraa_api.feed_next(gateway uuid, after bigint)
    RETURNS TABLE (subscriptions bigint[], frame text, cursor bigint)
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_feed_next';
COMMENT ON FUNCTION kintaraa_api.feed_next IS
    'What changed since a cursor, as frames and the subscriptions of the gateway that may see them.';
ALTER FUNCTION kintaraa_api.feed_next OWNER TO kintaraa_door;
