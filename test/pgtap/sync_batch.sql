-- What devices send, many at a time: judged record by record, never twice, never lost.
\ir ../data/play.sql
SELECT plan(100);
SELECT play.register('amina'), play.register('zawadi'), play.helper('clinic', 'healthcare', -1.2801,
    36.8201) \g /dev/null
SELECT kintaraa.epoch_check(), kintaraa.tick_write(true) \g /dev/null

CREATE FUNCTION pg_temp.batch(who text, device text, records jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE
    sql AS $$
SELECT body || jsonb_build_object('outcome', outcome) FROM play.call('sync_batch', who, NULL,
    jsonb_build_object('records', records) || more, NULL,
    '{"requestId": "play", "network": "192.0.2.0"}'::jsonb || CASE WHEN device IS NULL THEN '{}' ELSE
        jsonb_build_object('device', device) END) $$;
CREATE FUNCTION pg_temp.statuses(answer jsonb) RETURNS text LANGUAGE sql AS $$
SELECT string_agg((r ->> 'status') || COALESCE(' ' || (r ->> 'code'), '') || CASE WHEN (r ->> 'replayed')::boolean
    THEN ' replayed' ELSE '' END, ', ' ORDER BY n)
  FROM jsonb_array_elements(answer -> 'results') WITH ORDINALITY AS t (r, n) $$;
CREATE FUNCTION pg_temp.push(who text, device text, changes jsonb, query jsonb DEFAULT NULL, OUT outcome text, OUT
    body jsonb) LANGUAGE sql AS $$
SELECT * FROM play.call('sync_push', who, NULL, changes, query,
    '{"requestId": "play", "network": "192.0.2.0"}'::jsonb || CASE WHEN device IS NULL THEN '{}' ELSE
        jsonb_build_object('device', device) END) $$;
CREATE FUNCTION pg_temp.journal(who text, name text) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', body ->> 'content', body ->> 'serverVersion', body ->> 'code') FROM play.call('personal_get',
    who, ARRAY['journal_entry', name]) $$;
CREATE FUNCTION pg_temp.entry(name text, content text, base integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_array(jsonb_build_object('table', 'journal_entries', 'id', name, 'data',
    jsonb_build_object('content', content)) ||
    CASE WHEN base IS NULL THEN '{}' ELSE jsonb_build_object('base', jsonb_build_object('serverVersion', base)) END) $$;

-- One result for each record, in the order sent, by any of the three names of a table.
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', '[
    {"table": "mood_entries", "id": "m1", "data": {"mood": "sad"}}, {"table": "incidents", "id": "R1", "data":
        {"type": "physical"}},
    {"table": "journalEntries", "id": "j1", "data": {"content": "one"}}, {"table": "journal_entry", "id": "j2",
        "data": {"content": "two"}},
    {"table": "secrets", "id": "x", "data": {}}, {"table": "assignments", "id": "x", "data": {}}, {"table":
        "mood_entries", "id": "a b", "data": {}},
    {"table": "mood_entries", "data": {}}, {"table": "mood_entries", "id": "m2"}, {"table": "mood_entries", "id":
        "m3", "data": []},
    {"table": "mood_entries", "id": "never", "op": "delete"}, {"id": "x", "data": {}}]')),
    'applied, applied, applied, applied, invalid unknown_table, invalid unknown_table, '
    'invalid id_form, invalid id_form, invalid no_data, '
    'invalid no_data, unchanged, invalid unknown_table', 'each record has its own result');
SELECT is(pg_temp.journal('amina', 'j1'), 'one 1', 'what is sound is stored beside what is not');
SELECT is(play.outcome('incident_get', 'amina', '{R1}'), 'ok', 'a report among other records too');
SELECT is((SELECT array_agg(r ->> 'id' ORDER BY n) FROM jsonb_array_elements(pg_temp.batch('amina', 'p1',
    '[{"table": "mood_entries", "id": "z", "data": {}},
    {"table": "incidents", "id": "R2", "data": {}}, {"table": "mood_entries", "id": "b", "data":
        {}}]') -> 'results') WITH ORDINALITY AS t (r, n)),
    '{z,R2,b}', 'results stand in the order sent, although reports go in first');

-- The shape.
SELECT is(pg_temp.batch('amina', 'p1', records) ->> 'code', NULL, 'an empty batch is none') FROM (VALUES
    ('[]'::jsonb)) AS t (records);
SELECT is(play.outcome('sync_batch', 'amina', NULL, body), wanted, 'body ' || left(body::text, 40)) FROM (VALUES
    ('{}'::jsonb, 'KN503'), ('{"records": {}}', 'KN503'), ('[]', 'KN501'),
        ('{"records": [], "mode": "some"}', 'ok'),
    ('{"records": [], "seq": -1}', 'ok'), ('{"records": [], "seq": 1764530000000, "device": "s"}', 'ok'),
    ('{"records": [], "seq": 9007199254740992, "device": "s"}', 'ok'), ('{"records": [], "seq": "a", "mode": 5}',
        'ok')) AS t (body, wanted);
SELECT is(left(play.outcome('sync_batch', 'amina', NULL, jsonb_build_object('records', (SELECT
    jsonb_agg(jsonb_build_object('table', 'mood_entries', 'id', 'many-' || n,
    'data', '{}'::jsonb)) FROM generate_series(1, n) AS n))), 2), wanted, n || ' records') FROM (VALUES (500, 'ok'),
        (501, 'KN')) AS t (n, wanted);
SELECT is((SELECT count(*)::int FROM generate_series(1, 501) AS n JOIN kintaraa.personal AS p
    ON p.client_key = play.key('amina', 'mood_entry', 'many-' || n)), 500,
    '500 are taken and 501 leave nothing');
SELECT is(play.outcome('sync_batch', NULL, NULL, '{"records": []}'), 'unknown KN101', 'nobody sends nothing');

-- What one request says of a record twice was edited twice offline: the later stands on the earlier.
CREATE TEMP TABLE twice AS SELECT t.tab, b.base, lower(t.tab) || '-' || COALESCE(b.base::text, 'none') AS id
  FROM (VALUES ('incidents', 'description'), ('journal_entries', 'content')) AS t (tab, field),
       (VALUES (NULL::int), (0)) AS b (base);
CREATE FUNCTION pg_temp.edit(tab text, id text, word text, base integer) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_strip_nulls(jsonb_build_object('table', tab, 'id', id, 'data', jsonb_build_object('description', CASE tab
    WHEN 'incidents' THEN word END, 'content', CASE tab WHEN 'journal_entries' THEN word END), 'base',
    CASE WHEN base IS NOT NULL THEN jsonb_build_object('serverVersion', base) END)) $$;
SELECT is(pg_temp.statuses(pg_temp.batch('amina', device, jsonb_build_array(pg_temp.edit(tab, id, 'one', base),
    pg_temp.edit(tab, id, 'two', base), pg_temp.edit(tab, id, 'three', base)))),
    'applied, applied, applied', format('%s made and edited twice, base %s', tab, COALESCE(base::text, 'none')))
  FROM twice, (VALUES ('p1')) AS d (device);
SELECT is((SELECT string_agg(DISTINCT COALESCE(body ->> 'description', body ->> 'content'), ', ') FROM twice,
    play.call(CASE tab WHEN 'incidents' THEN 'incident_get' ELSE 'personal_get' END, 'amina', CASE tab WHEN 'incidents'
        THEN ARRAY[id] ELSE ARRAY['journal_entry', id] END)), 'three', 'and the last words stand');
SELECT is((SELECT outcome || (body - 'serverTime') FROM pg_temp.push('amina', device, jsonb_build_object(
    'incidents', jsonb_build_object('created', jsonb_build_array(jsonb_build_object('id', id, 'description', 'one')),
        'updated', jsonb_build_array(jsonb_build_object('id', id, 'description', 'two'))),
    'journal_entries', jsonb_build_object('created', jsonb_build_array(jsonb_build_object('id', id, 'content', 'one')),
        'updated', jsonb_build_array(jsonb_build_object('id', id, 'content', 'two')))))), 'ok{}',
    'a push that makes and edits, ' || COALESCE(device, 'of no device')) FROM (VALUES ('p1', 'pushed-1'),
        (NULL, 'pushed-2')) AS t (device, id);
SELECT is((SELECT body ->> 'description' FROM play.call('incident_get', 'amina', ARRAY[id])) || ' '
    || pg_temp.journal('amina', id), 'two two 2', 'leaves the edit') FROM (VALUES ('pushed-1'), ('pushed-2')) AS t (id);

SELECT pg_temp.batch('amina', 'p1', pg_temp.entry('lost', 'one')), pg_temp.batch('amina', 'p2', pg_temp.entry('lost',
    'two', 1)) \g /dev/null
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('lost', 'three', 1)
    || pg_temp.entry('lost', 'four', 1))), 'conflict version, conflict version',
    'what stands on an edit that lost has lost as well');

-- Versions.
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2', pg_temp.entry('j1', 'from the second phone', 1))), 'applied',
    'the present base is taken');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j1', 'from the first', 1))),
    'conflict version', 'an older one of another phone is not');
SELECT is((SELECT r #>> '{current,content}' FROM jsonb_array_elements(pg_temp.batch('amina', 'p1', pg_temp.entry('j1',
    'from the first once more', 1)) -> 'results') AS r),
    'from the second phone', 'what stands is shown');
SELECT is((SELECT array_agg(a.device || ' ' || a.base_version ORDER BY a.device) FROM play.archived('amina', 'j1') AS k
    JOIN kintaraa.archive AS a ON a.id = k.id),
    '{"p1 1","p1 1"}', 'what lost is kept, each text once');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j1', 'from the first once more', 1))),
    'conflict replayed', 'the same again is the same conflict');
SELECT is((SELECT r #>> '{current,content}' FROM jsonb_array_elements(pg_temp.batch('amina', 'p1', pg_temp.entry('j1',
    'from the first once more', 1)) -> 'results') AS r),
    'from the second phone', 'with what stands now');
SELECT is((SELECT count(*)::int FROM play.archived('amina', 'j1')), 2, 'and is not kept twice');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j1', 'no base'))), 'conflict no_base',
    'without a base another one''s version is not overwritten');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2', pg_temp.entry('j1', 'third', 1))), 'applied',
    'one''s own newer version is no conflict');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2', pg_temp.entry('j1', 'fourth'))), 'applied',
    'not without a base either: its answer may be lost');
SELECT is(pg_temp.journal('amina', 'j1'), 'fourth 4', 'each took effect once');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j1', 'fourth', 1))), 'unchanged',
    'what is equal is no change');
SELECT is(pg_temp.journal('amina', 'j1'), 'fourth 4', 'and no version');

-- Twice.
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j3', 'a'))), 'applied', 'sent');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j3', 'a'))), 'unchanged replayed', 'sent again');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2', pg_temp.entry('j3', 'b', 1))), 'applied',
    'changed by the other phone');
SELECT is((SELECT x::text::bigint FROM kintaraa.change c JOIN kintaraa.personal p ON p.id = c.id WHERE p.client_key =
    play.key('amina', 'journal_entry', 'j3')), pg_current_xact_id()::text::bigint, 'stamped');
UPDATE kintaraa.change SET x = '3' WHERE id = (SELECT id FROM kintaraa.personal WHERE client_key =
    play.key('amina', 'journal_entry', 'j3'));
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j3', 'a'))), 'unchanged replayed',
    'a retry after that changes nothing');
SELECT is(pg_temp.journal('amina', 'j3'), 'b 2', 'what stands stays');
SELECT isnt((SELECT x FROM kintaraa.change WHERE id = (SELECT id FROM kintaraa.personal WHERE client_key =
    play.key('amina', 'journal_entry', 'j3'))),
    '3'::xid8,
    'but it is sent again, for the phone believes in what it sent');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j3', 'c', 2), '{"seq": 7}')), 'applied',
    'number 7');
SELECT is(pg_temp.batch('amina', 'p1', pg_temp.entry('j3', 'held up', 2), '{"seq": 6}') ->> 'superseded', 'true',
    'number 6 comes too late');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1', pg_temp.entry('j3', 'c', 2), '{"seq": 7}')),
    'unchanged replayed', 'number 7 again is a retry');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2', pg_temp.entry('j3', 'd', 3), '{"seq": 1}')), 'applied',
    'each device counts for itself');
SELECT is(pg_temp.statuses(pg_temp.batch('zawadi', 'p1', pg_temp.entry('j3', 'mine'), '{"seq": 1}')), 'applied',
    'and each account');
SELECT is(pg_temp.journal('amina', 'j3') || ' ' || pg_temp.journal('zawadi', 'j3'), 'd 4 mine 1',
    'the same id of two accounts is two records');

-- Deleting.
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1',
    '[{"table": "journal_entries", "id": "j3", "op": "delete", "base": {"serverVersion": 3}}]')), 'conflict version',
    'what she has not seen is not deleted');
SELECT is(pg_temp.journal('amina', 'j3'), 'd 4', 'it stays');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1',
    '[{"table": "journal_entries", "id": "j3", "op": "delete", "base": {"serverVersion": 4}}]')), 'applied',
    'what she has seen is');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1',
    '[{"table": "journal_entries", "id": "j3", "op": "delete", "base": {"serverVersion": 4}}]')),
    'unchanged replayed', 'again');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2', pg_temp.entry('j3', 'too late', 4))), 'conflict deleted',
    'a change of what is deleted');
SELECT is((SELECT count(*)::int FROM play.archived('amina', 'j3') WHERE reason = 'deleted' AND data IS NOT NULL), 1,
    'is kept');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p2',
    '[{"table": "incidents", "id": "R1", "op": "delete"}, {"table": "incidents", "id": "R3",
    "data": {"type": "online"}}]')),
    'applied, applied', 'reports are taken back and made');
SELECT is(play.outcome('incident_get', 'amina', '{R1}'), 'absent KN301', 'it is hidden');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1',
    '[{"table": "safety_plans", "id": "safety_plan", "data": {"notes": "to my aunt"}}]')), 'applied', 'a plan');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1',
    '[{"table": "safety_plans", "id": "safety_plan", "op": "delete"}]')), 'applied', 'is deleted');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'p1',
    '[{"table": "safety_plans", "id": "safety_plan", "data": {"notes": "to my uncle"}}]')), 'applied',
    'and made anew');
SELECT is(body ->> 'notes', 'to my uncle', 'there is one again') FROM play.call('personal_get', 'amina',
    '{safety_plan}');

-- All or nothing.
SELECT is(pg_temp.batch('amina', 'p1', '[{"table": "mood_entries", "id": "all",
    "data": {"mood": "happy"}}, {"table": "journal_entries", "id": "j1", "data": {"content": "stale"},
    "base": {"serverVersion": 1}}]', '{"mode":
        "atomic"}') - '{detail,hint,serverTime}'::text[] #- '{conflicts,0,current}',
    '{"outcome": "conflict", "code": "KN407", "conflicts": [{"table": "journal_entries", "id": "j1",
        "status": "conflict", "code": "version"}]}', 'one conflict undoes all of an atomic batch');
SELECT is(play.outcome('personal_get', 'amina', '{mood_entry,all}'), 'absent KN301', 'nothing of it is stored');

-- WatermelonDB.
SELECT is((pg_temp.push('amina', 'p1', '{"journal_entries": {"created": [{"id": "w1", "_status": "created",
    "_changed": "", "content": "flat", "tags": "[\"a\"]", "server_version": 0,
    "removed": false, "created_at": 0}], "updated": [], "deleted": ["unknown"]}, "nonsense": {"created": [{"id":
        "x"}], "updated": [], "deleted": []}}')).outcome, 'ok', 'a push');
SELECT is(body - '{serverTime,createdAt,updatedAt,title,mood,isPrivate}'::text[],
    '{"id": "w1", "content": "flat", "tags": ["a"], "serverVersion": 1}', 'is stored as a record')
  FROM play.call('personal_get', 'amina', '{journal_entry,w1}');
SELECT is((pg_temp.push('amina', 'p1', '{"journal_entries": {"created": [{"id": "w1",
    "content": "edited before the answer came", "server_version": 0}]}}')).body - 'serverTime', '{}',
    'a record edited before its answer came');
SELECT is(pg_temp.journal('amina', 'w1'), 'edited before the answer came 2', 'is a change of one''s own');
SELECT is((pg_temp.push('amina', 'p2', '{"journal_entries": {"updated": [{"id": "w1", "content": "stale",
    "server_version": 1}]}}')).outcome, 'ok', 'a conflict of a device with a name is no error');
SELECT is(pg_temp.journal('amina', 'w1'), 'edited before the answer came 2', 'what stands stays');
SELECT is((pg_temp.push('amina', NULL, '{"journal_entries": {"updated": [{"id": "w1", "content": "stale",
    "server_version": 1}], "created": [{"id": "w2", "content": "x"}]}}')).outcome,
    'conflict', 'of a device without one it is');
SELECT is(pg_temp.journal('amina', 'w2'), 'KN301', 'and undoes all');
SELECT is((pg_temp.push('amina', 'p3', '{"mood_entries": {"created": [{"id": "w3", "notes": "new",
    "server_version": 0}]}}', '{"seq": "5"}')).body - 'serverTime', '{}', 'number 5');
SELECT is((pg_temp.push('amina', 'p3', '{"mood_entries": {"created": [{"id": "w3", "notes": "old",
    "server_version": 0}]}}', '{"seq": "4"}')).body
    #- '{serverTime}' #> '{experimentalRejectedIds,mood_entries}', '["w3"]',
        'number 4 comes too late, and all of it stays dirty');
SELECT is(play.outcome('sync_push', 'amina', NULL, '{}', jsonb_build_object('seq', seq), '{"device": "s2"}'), wanted,
          'a push of number ' || seq)
  FROM (VALUES ('9007199254740992', 'ok'), ('9007199254740993', 'ok'), ('9007199254740992', 'ok')) AS t (seq, wanted);
SELECT is(play.outcome('sync_push', 'amina', NULL, '{}', '{"seq": "x"}',
    '{"device": "p3", "requestId": "play", "network": "192.0.2.0"}'), 'ok', 'what is no number refuses nothing');
UPDATE kintaraa.change SET x = '3' WHERE noun = 'journal_entry' \g /dev/null
SELECT kintaraa.tick_write(true) AS tick \gset
SELECT is((pg_temp.push('amina', 'p2', '{"journal_entries": {"created": [{"id": "w1", "content": "made here",
    "server_version": 0}]}}',
    jsonb_build_object('last_pulled_at', :'tick'))).outcome || ' ' || pg_temp.journal('amina', 'w1'),
        'ok edited before the answer came 2',
    'what a phone made under an id that came meanwhile does not lie over it');
SELECT is((pg_temp.push('amina', 'p2', '{"journal_entries": {"updated": [{"id": "w1",
    "content": "a client without versions"}]}}',
    jsonb_build_object('last_pulled_at', :'tick'))).outcome || ' ' || pg_temp.journal('amina', 'w1'),
        'ok a client without versions 3',
    'a client that keeps no versions had what its cursor had seen');
SELECT is((SELECT pg_temp.statuses(pg_temp.batch(who, 'p9', '[{"table": "incidents",
    "id": "7b0f2c1e-4a57-4d7e-9d51-0c2f8a6b1e90", "data": {"type": "physical"}}]'))), 'applied',
    'an id that is another''s holds nobody up: ' || who)
  FROM unnest(ARRAY['zawadi', 'amina']) AS who;
-- Of two for one record in a batch the later one is what the device sent last.
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'twice', pg_temp.entry('t', 'one') || pg_temp.entry('t', 'two', 1))),
    'applied, applied', 'a record and its change may come together');
SELECT is((SELECT string_agg(version::text, ' ') FROM kintaraa.applied WHERE device = 'twice'), '2',
    'the change alone is remembered');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'twice', pg_temp.entry('t', 'two', 1))), 'unchanged replayed',
    'and known when it comes again');
-- A version above the newest is of what the database lost: what another phone wrote is not overwritten unseen.
SELECT pg_temp.batch('amina', 'here', pg_temp.entry('gap', 'one')),
       pg_temp.batch('amina', 'there', pg_temp.entry('gap', 'two, elsewhere', 1)),
       pg_temp.batch('amina', 'here', '[{"table": "incidents", "id": "gap", "data": {"description": "one"}}]'),
       pg_temp.batch('amina', 'there', '[{"table": "incidents", "id": "gap", "data": {"description": "two"},
           "base": {"serverVersion": 1}}]') \g /dev/null
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'here', pg_temp.entry('gap', 'three', 99))), 'conflict version',
    'a version that is not there yet is no base');
SELECT is(pg_temp.journal('amina', 'gap'), 'two, elsewhere 2', 'what stands stays');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'here', '[{"table": "incidents", "id": "gap", "data":
    {"description": "three"}, "base": {"serverVersion": 99}}]')), 'conflict version', 'of a report neither');
SELECT is((SELECT count(*)::int FROM play.call('archive_list', 'amina') AS c, jsonb_array_elements(c.body -> 'items')
    AS i WHERE i ->> 'id' = 'gap' AND i::text LIKE '%three%'), 2, 'and what was sent is kept');
SELECT is(pg_temp.statuses(pg_temp.batch('amina', 'there', pg_temp.entry('gap', 'four', 99))), 'applied',
    'the phone that wrote what stands goes on');

-- Who may not report does so by no way.
SELECT play.staff('dora', 'dispatcher'), play.staff('boss', 'admin'), play.staff('ana', 'analyst') \g /dev/null
SELECT is(pg_temp.statuses(pg_temp.batch(who, 'p', '[{"table": "incidents", "id": "no", "data": {}},
    {"table": "incidents", "id": "no", "op": "delete"}]')), 'invalid unknown_table, invalid unknown_table',
    who || ' has no reports') FROM unnest('{dora,boss,ana}'::text[]) AS who;
SELECT is((pg_temp.push(who, 'p', '{"incidents": {"created": [{"id": "no"}], "updated": [], "deleted": []}}')).body
    -> 'experimentalRejectedIds', '{"incidents": ["no"]}', 'nor by a push: ' || who)
  FROM unnest('{dora,boss,ana}'::text[]) AS who;
SELECT is((SELECT count(*)::int FROM play.incident WHERE client_id = 'no'), 0, 'there is none');
SELECT * FROM finish();
