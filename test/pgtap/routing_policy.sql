-- Policies are versions; a version that cannot be read never stops a report.
\ir ../data/play.sql
SELECT plan(16);

SELECT play.team('healthcare', -1.0, 36.0, telephone => true) \g /dev/null
CREATE FUNCTION pg_temp.put(version integer, change text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    used integer;
BEGIN
    EXECUTE format('INSERT INTO kintaraa.policy (kind, version, body) SELECT kind, %s, %s FROM kintaraa.policy
                    WHERE kind = ''routing'' AND version = 1', version, change);
    SELECT policy_version INTO used FROM kintaraa.route_trace('medical', 'urgent', -1.0, 36.0);
    RETURN used;
END
$$;
SELECT is(pg_temp.put(2, $$jsonb_set(body, '{travel,speed_kmh}', '60')$$), 2,
       'the highest version is in force at once');
SET client_min_messages = error;
SELECT is(pg_temp.put(3 + n::integer, change), 2, 'passed over: ' || change) FROM unnest(ARRAY[
    $$'[]'$$, $$'{}'$$, $$body - 'services'$$, $$jsonb_set(body, '{services,medical}', '["nurse"]')$$,
    $$jsonb_set(body, '{services,medical}', '[]')$$, $$jsonb_set(body, '{services,medical}', '"healthcare"')$$,
    $$jsonb_set(body, '{travel,speed_kmh}', '0')$$, $$jsonb_set(body, '{weights,urgent,travel}', '0')$$,
    $$jsonb_set(body, '{weights,urgent}', '1')$$, $$jsonb_set(body, '{radius_km,urgent}', '"far"')$$,
    $$jsonb_set(body, '{cap}', '7')$$, $$jsonb_set(body, '{load_minutes}', '1e400')$$]) WITH ORDINALITY AS u (change,
        n);
SELECT is(pg_temp.put(30, $$jsonb_set(body, '{cap}', '8')$$), 30, 'and a good one is taken again');
SAVEPOINT before;
SELECT is(pg_temp.put(31, $$jsonb_set(body, '{radius_km,urgent}', '1')$$), 31, 'a version of this transaction counts');
ROLLBACK TO before;
SELECT is(pg_temp.put(31, $$jsonb_set(body, '{services,medical}', '["legal"]')$$), NULL,
       'one that was rolled back is forgotten, although its number comes again');
SELECT finish();
