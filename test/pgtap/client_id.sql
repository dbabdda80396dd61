-- Ids that phones make: 1 to 64 letters, digits, "_", "." and "-"; what is stored of them tells nothing.
\ir ../data/play.sql
SELECT plan(15);
SELECT play.register('amina'), play.register('zawadi') \g /dev/null

CREATE FUNCTION pg_temp.is_client_id(id text) RETURNS boolean LANGUAGE sql AS $$
SELECT play.outcome('personal_get', 'amina', ARRAY['mood_entry', id]) LIKE 'absent%' $$;

SELECT ok(pg_temp.is_client_id('a'), 'one character');
SELECT ok(pg_temp.is_client_id(repeat('z', 64)), '64 characters');
SELECT ok(NOT pg_temp.is_client_id(''), 'none is not enough');
SELECT ok(NOT pg_temp.is_client_id(repeat('z', 65)), '65 are too many');
SELECT is((SELECT string_agg(chr(n), '' ORDER BY n) FROM generate_series(1, 1000) n
    WHERE pg_temp.is_client_id(chr(n)) OR pg_temp.is_client_id('a' || chr(n)) OR pg_temp.is_client_id(chr(n) || 'a')),
    '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz', 'no other character, wherever it stands');

-- The same id of two people, and of two kinds of record.
SELECT is(play.outcome('incident_create', who, NULL, '{"id": "amina-2026"}'), 'created',
    who || ' has one, and learns of no other') FROM unnest('{amina,zawadi}'::text[]) AS who;
SELECT is(play.outcome('personal_put', 'amina', '{mood_entry,amina-2026}', '{"mood": "sad"}'), 'created', 'and a mood');
SELECT is(count(*)::int, 2, 'two people''s look unlike') FROM (SELECT DISTINCT client_key FROM kintaraa.incident) AS k;
SELECT is(count(*)::int, 0, 'and so do those of two kinds') FROM kintaraa.incident JOIN kintaraa.personal USING
    (client_key);
SELECT is(count(*)::int, 0, 'no row has it in the clear') FROM (SELECT i::text AS row FROM kintaraa.incident AS i
    UNION ALL SELECT p::text FROM kintaraa.personal AS p) AS t
 WHERE row LIKE '%amina-2026%' OR row LIKE '%' || encode('amina-2026', 'hex') || '%';
SELECT is(play.outcome('incident_create', 'amina', NULL, '{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}'), 'created',
    'a UUID of version 4');
SELECT is(spelling_sealed, NULL, 'is the row''s id and not stored again') FROM kintaraa.incident WHERE id =
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';

-- Of an author who is erased nobody reads it any more.
SELECT play.staff('root', 'admin'), play.helper('clinic', 'healthcare', -1.28, 36.82), play.call('sync_batch', 'clinic',
    NULL, jsonb_build_object('records', jsonb_build_array(jsonb_build_object('table', 'notes', 'id', 'wanjiku-0712',
    'data', jsonb_build_object('incidentId', gen_random_uuid(), 'text', 'seen'))))) \g /dev/null
CREATE FUNCTION pg_temp.parked() RETURNS text LANGUAGE sql AS $$
SELECT c.body #>> '{items,0,id}' FROM play.call('archive_list', 'root', query => '{"reason": "scope"}') AS c $$;
SELECT is(pg_temp.parked(), 'wanjiku-0712', 'a note that was parked has the id of its author');
DELETE FROM kintaraa.subject_key WHERE subject = (SELECT id FROM play.person WHERE name = 'clinic');
SELECT is(pg_temp.parked(), '', 'as long as there is the author''s key');
SELECT * FROM finish();
