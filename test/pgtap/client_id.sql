-- Ids that phones make: 1 to 64 letters, digits, "_", "." and "-".
SELECT plan(5);

CREATE FUNCTION pg_temp.is_client_id(id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM id::kintaraa.client_id;
    RETURN true;
EXCEPTION WHEN check_violation THEN
    RETURN false;
END
$$;

SELECT ok(pg_temp.is_client_id('a'), 'one character');
SELECT ok(pg_temp.is_client_id(repeat('z', 64)), '64 characters');
SELECT ok(NOT pg_temp.is_client_id(''), 'none is not enough');
SELECT ok(NOT pg_temp.is_client_id(repeat('z', 65)), '65 are too many');
SELECT is((SELECT string_agg(chr(n), '' ORDER BY n) FROM generate_series(1, 1000) n
    WHERE pg_temp.is_client_id(chr(n)) OR pg_temp.is_client_id('a' || chr(n)) OR pg_temp.is_client_id(chr(n) || 'a')),
    '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz', 'no other character, wherever it stands');
SELECT * FROM finish();
