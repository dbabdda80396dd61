-- An id of a phone: capitals and small letters of a UUID are one, and which UUIDs become everybody's.
\ir ../data/play.sql
SELECT plan(61);
SELECT play.register('amina'), play.register('zawadi'), play.helper('clinic', 'healthcare', -1.281, 36.821),
       play.staff('dora', 'dispatcher') \g /dev/null
CREATE FUNCTION pg_temp.create(who text, id text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT c.outcome || ' ' || (c.body ->> coalesce('id', 'code')) FROM play.call('incident_create', who, NULL,
       jsonb_build_object('id', id, 'supportServices', '["medical"]'::jsonb, 'description', 'what happened') || more)
    AS c $$;

-- One report in capitals, small letters and both.
\set big 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'
\set small 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
\set mixed 'a0EEBC99-9c0b-4ef8-BB6D-6bb9bd380a11'
SELECT is(pg_temp.create('amina', :'big'), 'created ' || :'big', 'a report in capitals');
SELECT is(pg_temp.create('amina', id), 'ok ' || :'big', id || ' again is the same one, in the spelling that came first')
  FROM unnest(ARRAY[:'big', :'small', :'mixed']::text[]) AS id;
SELECT is(count(*)::int, 1, 'one case') FROM kintaraa.incident i JOIN play.person p ON p.id = i.owner_id WHERE p.name
    = 'amina';
SELECT is(body ->> 'id', :'big', 'she finds it as ' || id) FROM unnest(ARRAY[:'big', :'small', :'mixed']::text[]) AS id,
       play.call('incident_get', 'amina', ARRAY[id]);
SELECT is(body ->> 'id', :'big', 'she changes it as ' || id) FROM unnest(ARRAY[:'big', :'small']::text[]) AS id,
       play.call('incident_update', 'amina', ARRAY[id], '{"severity": "low"}');
SELECT is(c.body #>> '{items,0,id}', :'big', 'her list has her spelling') FROM play.call('incident_list', 'amina') AS c;
SELECT is(c.body #>> '{items,0,id}', :'big', 'and her manifest') FROM play.call('sync_manifest', 'amina',
    query => '{"noun": "incident"}') AS c;
SELECT is(body ->> 'id', :'small', 'for everybody else it is the UUID, asked for as ' || id)
  FROM unnest(ARRAY[:'small', :'big']::text[]) AS id, play.call('incident_get', 'dora', ARRAY[id]);
SELECT is(c.body #>> '{results,0,status}' || ' ' || (c.body #>> '{results,0,id}') || ' ' || (c.body #>>
    '{results,1,status}')
          || ' ' || (c.body #>> '{results,1,id}'), 'unchanged ' || :'small' || ' unchanged ' || :'big',
          'a batch answers as it was spelt, and changes nothing')
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'p1', 'records', jsonb_build_array(
    jsonb_build_object('table', 'incidents', 'id', :'small', 'data', '{"severity": "low"}'::jsonb),
    jsonb_build_object('table', 'incidents', 'id', :'big', 'data', '{"severity": "low"}'::jsonb)))) AS c;
SELECT is(pg_temp.create('zawadi', :'small'), 'created ' || :'small', 'somebody else has one of the same id');
SELECT is(count(*)::int, 2, 'of which one is the server''s for everybody') FROM play.incident WHERE client_id =
    :'small';
SELECT is(count(*)::int, 1, 'the other is the UUID') FROM kintaraa.incident WHERE id = :'small'::uuid;

-- Two in one batch that differ in letters only are one.
SELECT is(c.body #>> '{results,0,status}' || (c.body #>> '{results,1,status}'), 'appliedunchanged',
    'two of one batch are one')
  FROM play.call('sync_batch', 'amina', NULL,
    '{"records": [{"table": "incidents", "id": "B1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "data": {"type": "online"}}, {"table": "incidents", "id": "b1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "data":
    {"type": "online"}}]}') AS c;
-- What is no UUID keeps its letters apart.
SELECT is(pg_temp.create('amina', id), 'created ' || id, 'an id of its own: ' || id) FROM unnest(ARRAY['aB3', 'Ab3'])
    AS id;

-- Plan, journal and notes go the same way.
SELECT is(play.outcome('personal_put', 'amina', ARRAY['journal_entry', id], jsonb_build_object('title', 'one')), wanted,
          'journal ' || id) FROM (VALUES (1, :'big', 'created'), (2, :'small', 'ok')) AS t (n, id, wanted) ORDER BY n;
SELECT is(c.body #>> '{items,0,id}' || jsonb_array_length(c.body -> 'items'), :'big' || '1', 'is one entry')
  FROM play.call('personal_list', 'amina', '{journal_entry}') AS c;
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'small')::text]), 'ok',
    'a clinic helps');
SELECT is(string_agg(r ->> 'status', ' ' ORDER BY n), 'applied unchanged', 'and notes once')
  FROM play.call('sync_batch', 'clinic', NULL, jsonb_build_object('records', (SELECT
    jsonb_agg(jsonb_build_object('table',
    'notes', 'id', id, 'data', jsonb_build_object('incidentId', :'small', 'text', 'seen'))) FROM
    unnest(ARRAY[:'big', :'small']::text[]) AS id))) AS c, jsonb_array_elements(c.body -> 'results') WITH ORDINALITY
    AS r (r, n);

-- Only a version that is random becomes everybody's id: others tell the device and the moment.
SELECT is(pg_temp.create('amina', id), 'created ' || id, 'version ' || substr(id, 15, 1) || ' ' || id) FROM
    unnest(ARRAY[
    'c232ab00-9414-11ec-b3c8-9f6bdeced846', '00000000-0000-0000-0000-000000000000',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
    'c2eebc99-9c0b-4ef8-0b6d-6bb9bd380a11']) AS id;
SELECT is(i.id::text = i.client_id, i.client_id LIKE '________-____-4___-b%', 'the id for everybody of ' || i.client_id)
  FROM play.incident i JOIN play.person p ON p.id = i.owner_id
 WHERE p.name = 'amina' AND i.client_id ~ '^[0-9a-f]{8}-' ORDER BY i.client_id;
SELECT is(count(*)::int, 0, 'no other row or answer has the node of a phone') FROM kintaraa.change
 WHERE id::text LIKE '%9f6bdeced846' OR bucket::text LIKE '%9f6bdeced846';


-- A case that was taken back is found as every other is.
SELECT is(pg_temp.create('zawadi', 'B1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'),
    'created B1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a report in capitals');
SELECT is(play.outcome('incident_delete', 'zawadi', ARRAY['B1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11']), 'none',
    'is taken back');
UPDATE kintaraa.session SET created_at = clock_timestamp() + interval '1 second';
SELECT is(c.outcome || ' ' || coalesce(c.body ->> 'id', c.body ->> 'code'),
    'ok B1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'and restored as ' || id)
  FROM unnest(ARRAY['B1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'b1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']) AS id,
       play.call('case_restore', 'zawadi', ARRAY[id]) AS c;

-- Rows of version 1.0.
CREATE FUNCTION pg_temp.once() RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', c.body #>> '{results,0,status}', c.body #>> '{results,0,replayed}')
  FROM play.call('sync_batch', 'zawadi', NULL, '{"records": [{"table": "journal_entries", "id": "once", "data":
    {"content": "once"}}]}', NULL, '{"requestId": "play", "network": "192.0.2.0", "device": "p9"}') AS c $$;
SELECT is(pg_temp.once(), 'applied', 'an entry from one device');
\ir include/old_ids.sql
UPDATE kintaraa.applied SET id = 'once' WHERE device = 'p9';
UPDATE kintaraa.personal SET client_id = 'once' WHERE client_id = encode(play.key('zawadi', 'journal_entry', 'once'),
    'hex');
UPDATE kintaraa.incident SET client_id = :'big' WHERE id = :'small';
INSERT INTO kintaraa.personal (id, owner_id, noun, client_id) SELECT gen_random_uuid(), id, 'mood_entry', c FROM
    play.person,
    unnest(ARRAY['D1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'd1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
                 'E1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11']) AS c WHERE name = 'zawadi';
SELECT kintaraa.change_flush() \g /dev/null
INSERT INTO kintaraa.note (bucket, id, provider_id, author_id, client_id)
SELECT :'small', gen_random_uuid(), provider, id, 'wanjiku-0712' FROM play.person WHERE name = 'clinic';
INSERT INTO kintaraa.archive (id, owner_id, noun, row_id, reason)
SELECT gen_random_uuid(), id, 'incident', 'amina-2026', 'version' FROM play.person WHERE name = 'amina';
SELECT kintaraa.change_flush() \g /dev/null
\ir ../../migrations/0026_spelling.sql
SELECT kintaraa.change_flush() \g /dev/null
SET LOCAL ROLE kintaraa_owner;
\ir ../../migrations/0035_client_key.sql
\ir ../../migrations/0036_incident_key.sql
RESET ROLE;
SELECT play.see() \g /dev/null
-- as migrate() does in the end
SELECT d.wanted FROM kintaraa.definitions() AS d
 WHERE d.kind = 'trigger' AND d.wanted IS NOT NULL AND d.found IS NULL \gexec
SELECT is(body ->> 'id', :'big', 'an old report is found as ' || id) FROM unnest(ARRAY[:'big', :'small']::text[]) AS id,
       play.call('incident_get', 'amina', ARRAY[id]);
SELECT is(string_agg(i ->> 'id', ' ' ORDER BY i ->> 'id'), 'D1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11 '
    'E1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11 d1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'two that were two stay two')
  FROM play.call('personal_list', 'zawadi', '{mood_entry}') AS c, jsonb_array_elements(c.body -> 'items') AS i;
SELECT is(body ->> 'id', wanted, 'her mood is found as ' || id) FROM (VALUES
    ('D1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'D1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'),
    ('d1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'd1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    ('e1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'E1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')) AS t (id, wanted),
    play.call('personal_get', 'zawadi', ARRAY['mood_entry', id]);
SELECT is(c.body #>> '{results,0,status}', 'applied', 'a batch for the one in capitals')
  FROM play.call('sync_batch', 'zawadi', NULL, '{"device": "p2", "records": [{"table": "mood_entries", "id":
    "D1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "base": {"serverVersion": 1}, "data": {"notes": "mine"}}]}') AS c;
SELECT is(string_agg(i ->> 'id', ' '), 'D1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'reaches that one')
  FROM play.call('personal_list', 'zawadi', '{mood_entry}') AS c, jsonb_array_elements(c.body -> 'items') AS i
 WHERE i ->> 'notes' = 'mine';
SELECT is(pg_temp.once(), 'unchanged true', 'what a device has sent before is not applied again');
SELECT is(i ->> 'id', 'amina-2026', 'what lost keeps the id it was sent with')
  FROM play.call('archive_list', 'amina', query => '{"reason": "version"}') AS c,
       jsonb_array_elements(c.body -> 'items') AS i
 WHERE i ->> 'data' IS NULL;
SELECT is(i ->> 'id', 'wanjiku-0712', 'a note keeps the id of its author')
  FROM play.call('sync_manifest', 'clinic', query => '{"noun": "note"}') AS c,
       jsonb_array_elements(c.body -> 'items') AS i
 WHERE i ->> 'id' LIKE 'w%';

-- Two reports of version 1.0 whose ids differ in capitals only: what she does to one, she does not to the other.
\set large 'F1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'
\set little 'f1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
SELECT pg_temp.create('amina', 'one-of-two'), pg_temp.create('amina', :'little') \g /dev/null
UPDATE play.incident SET client_key = play.key('amina', 'incident', :'large'), spelling_sealed =
    kintaraa.spelling_seal(owner_id, 'incident.spelling', id, :'large') WHERE client_id = 'one-of-two';
SELECT kintaraa.change_flush() \g /dev/null
CREATE FUNCTION pg_temp.hidden() RETURNS text LANGUAGE sql AS $$
SELECT string_agg(left(t.id, 1), '' ORDER BY t.id) FROM kintaraa.incident i JOIN unnest(ARRAY[
    'F1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'f1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']) AS t (id)
    ON i.client_key = play.key('amina', 'incident', t.id) WHERE i.deleted_at IS NOT NULL
$$;
CREATE FUNCTION pg_temp.said(id text) RETURNS text LANGUAGE sql AS $$
SELECT body ->> 'description' FROM play.call('incident_get', 'amina', ARRAY[id]) $$;
SELECT is(c.body #>> '{results,0,status}' || ' ' || pg_temp.said(:'large') || ', ' || pg_temp.said(:'little'),
    'applied batched, what happened', 'a batch for the one in capitals reaches that one')
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'p3', 'records', jsonb_build_array(
    jsonb_build_object('table', 'incidents', 'id', :'large', 'base', '{"serverVersion": 1}'::jsonb,
                       'data', '{"description": "batched"}'::jsonb)))) AS c;
SELECT is(c.outcome || ' ' || pg_temp.said(:'large') || ', ' || pg_temp.said(:'little'),
    'ok pushed, what happened', 'and so does a push')
  FROM play.call('sync_push', 'amina', NULL, jsonb_build_object('incidents', jsonb_build_object('updated',
    jsonb_build_array(jsonb_build_object('id', :'large', 'server_version', 2, 'description', 'pushed')))), NULL,
    '{"requestId": "play", "network": "192.0.2.0", "device": "p3"}') AS c;
SELECT is(c.outcome || ' ' || (c.body #>> '{current,id}'), 'conflict ' || :'large', 'and a report sent again')
  FROM play.call('incident_create', 'amina', NULL, jsonb_build_object('id', :'large', 'description', 'other')) AS c;
SELECT is(play.outcome('incident_delete', 'amina', ARRAY[:'little']) || ' ' || pg_temp.hidden(), 'none f',
    'the small one is taken back');
SELECT is(play.outcome('incident_delete', 'amina', ARRAY[:'large']) || ' ' || length(pg_temp.hidden()), 'none 2',
    'and so is the other');
SELECT is(play.outcome('case_restore', 'amina', ARRAY[:'little']) || ' ' || pg_temp.hidden(), 'ok F',
    'the small one comes back');
SELECT is(play.outcome('incident_get', 'amina', ARRAY[:'large']), 'absent KN301', 'the other is not shown as it');
SELECT is(play.outcome('incident_update', 'amina', ARRAY[:'large'], '{"description": "late words"}'), 'gone KN407',
    'and late words do not reach it');
SELECT * FROM finish();
