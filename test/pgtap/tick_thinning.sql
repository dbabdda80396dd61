-- Ticks: all for ten minutes, one a second for two days, one a minute for thirty, one an hour for half a year.
SELECT plan(13);

SELECT ok(kintaraa.epoch_check(), 'the first epoch begins');
SELECT ok(NOT kintaraa.epoch_check(), 'and is not begun twice');
SELECT results_eq('SELECT tag, reason, last_tick FROM kintaraa.epoch', $$VALUES (1::smallint, 'first', NULL::bigint)$$,
                  'it has the first tag');
SELECT ok(kintaraa.tick_write(false) IS NOT NULL, 'the first tick is written whatever happened');
SELECT ok(kintaraa.tick_write(true) > (SELECT min(t) FROM kintaraa.tick), 'a forced one is later');
SELECT is((SELECT count(*) FROM kintaraa.tick WHERE t % 1000 <> 1), 0::bigint, 'each carries the tag');

-- at(age): four ticks a quarter of the width apart, beginning at a whole multiple of it
CREATE FUNCTION pg_temp.place(age interval, width bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    start bigint := (floor(extract(epoch FROM clock_timestamp() - age) * 1000000))::bigint;
BEGIN
    start := start - start % width;
    INSERT INTO kintaraa.tick (t, snapshot, epoch)
    SELECT start + i * width / 4 + 1, '100:100:', 1 FROM generate_series(0, 3) AS i;
    RETURN start;
END
$$;
CREATE FUNCTION pg_temp.left_of(start bigint, width bigint) RETURNS bigint LANGUAGE sql AS
    'SELECT count(*) FROM kintaraa.tick WHERE t >= start AND t < start + width';
CREATE TEMP TABLE placed AS
SELECT name, width, pg_temp.place(age, width) AS start
  FROM (VALUES ('young', interval '5 minutes', 1000000::bigint), ('second', '11 minutes', 1000000),
               ('old second', '20 hours', 1000000), ('minute', '48 hours 30 minutes', 60000000),
               ('hour', '31 days', 3600000000), ('dead', '181 days', 3600000000)) AS p (name, age, width);
SELECT is(kintaraa.ticks_thin(false), 3 + 3 + 4, 'what has just come of age is thinned');
SELECT is(pg_temp.left_of(start, width), 4::bigint, name || ': all') FROM placed WHERE name = 'young';
SELECT is(pg_temp.left_of(start, width), 4::bigint, name || ': not looked at') FROM placed WHERE name = 'old second';
SELECT is(kintaraa.ticks_thin(true), 3 + 3, 'at night all that is left');
SELECT is(array_agg(pg_temp.left_of(start, width) ORDER BY name), ARRAY[0, 1, 1, 1, 1, 4]::bigint[],
          'one of each stays, of the dead ones none, of the young ones all') FROM placed;
SELECT is((SELECT min(t) FROM kintaraa.tick WHERE t >= start), start + 1, 'and it is the oldest')
  FROM placed WHERE name = 'hour';
SELECT is(kintaraa.ticks_thin(true), 0, 'again finds nothing');

SELECT * FROM finish();
