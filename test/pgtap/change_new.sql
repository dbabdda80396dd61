-- Rows that are new get their stamp without a look for an older one; rows that only look new do not.
\ir ../data/play.sql
SELECT plan(10);
SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.2801, 36.8201) \g /dev/null
CREATE FUNCTION pg_temp.stamps(wanted text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(format('%s %s%s', noun, version, CASE WHEN deleted THEN ' deleted' END), ', ' ORDER BY noun, version)
  FROM kintaraa.change c WHERE (c.noun, c.id) IN (
       SELECT 'incident', i.id FROM play.incident i WHERE client_id = wanted UNION ALL
       SELECT 'need', n.id FROM play.incident i JOIN kintaraa.need n ON n.bucket = i.id WHERE client_id = wanted
       UNION ALL
       SELECT 'assignment', a.id FROM play.incident i JOIN kintaraa.assignment a ON a.incident_bucket = i.id
        WHERE client_id = wanted)
$$;
CREATE FUNCTION pg_temp.records(first text, second text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('device', 'd', 'mode', 'atomic', 'records', jsonb_build_array(
           jsonb_build_object('table', 'incidents', 'id', first, 'data', '{"supportServices": ["medical"],
               "location": {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "source": "gps"}}'::jsonb),
           jsonb_build_object('table', second, 'id', 'm', 'data', '{"mood": "sad"}'::jsonb)))
$$;

SELECT play.report('amina', 'r') \g /dev/null
SELECT is(pg_temp.stamps('r'), 'assignment 1, incident 1, need 1', 'a report, its need and its offer are stamped once');

-- All or nothing: what was taken back left no stamp, and comes again.
SELECT is(play.outcome('sync_batch', 'amina', NULL, pg_temp.records('b', 'secrets')), 'conflict KN407',
    'a batch with a record that is none is refused');
SELECT is(pg_temp.stamps('b'), NULL, 'and leaves no stamp');
SELECT is(play.outcome('sync_batch', 'amina', NULL, pg_temp.records('b', 'mood_entries')), 'ok', 'it comes again');
SELECT is(pg_temp.stamps('b'), 'assignment 1, incident 1, need 1', 'and is stamped once');

-- A row that somebody puts back has an id that was stamped before.
CREATE TEMP TABLE kept AS SELECT a.* FROM kintaraa.assignment a JOIN play.incident i ON i.id = a.incident_bucket
 WHERE i.client_id = 'r';
DELETE FROM kintaraa.assignment WHERE id IN (SELECT id FROM kept);
SELECT is(kintaraa.change_flush(), 1, 'an offer is deleted in psql');
INSERT INTO kintaraa.assignment SELECT * FROM kept;
SELECT kintaraa.change_flush() \g /dev/null
SELECT is(pg_temp.stamps('r'), 'assignment 3, incident 1, need 1', 'and put back: its stamp goes on');

-- change_flush() counts records, however often each was changed.
UPDATE kintaraa.account SET first_name_sealed = first_name_sealed WHERE id = (SELECT id FROM play.person WHERE name =
    'amina') \g /dev/null
UPDATE kintaraa.account SET first_name_sealed = first_name_sealed WHERE id = (SELECT id FROM play.person WHERE name =
    'amina') \g /dev/null
SELECT is(kintaraa.change_flush(), 1, 'a record that was changed twice is one');
SELECT is(kintaraa.change_flush(), 0, 'and none once it is stamped');

-- A transaction of any length remembers no more stamps than a flush can make.
CREATE FUNCTION pg_temp.top() RETURNS bigint LANGUAGE sql AS $$
SELECT total_bytes FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext' AND parent IS NULL $$;
CREATE FUNCTION pg_temp.flush_many() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kintaraa.notification (id, account_id, class) SELECT gen_random_uuid(), (SELECT id FROM play.person
        WHERE name = 'amina'), 'system' FROM generate_series(1, 11000);
    PERFORM kintaraa.change_flush();
    RETURN pg_temp.top();
END $$;
SELECT pg_temp.flush_many(), pg_temp.flush_many() AS before \gset
SELECT pg_temp.flush_many(), pg_temp.flush_many() AS after \gset
SELECT is(:after::bigint - :before, 0::bigint, 'nor does it grow');
SELECT * FROM finish();
