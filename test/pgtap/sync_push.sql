-- A push answers as taken what is stored, and nothing else: every odd thing is kept, sealed, and named.
\ir ../data/play.sql
SELECT plan(100);
SELECT play.register('amina'), play.register('zawadi'), play.helper('clinic', 'healthcare', -1.2801,
    36.8201) \g /dev/null
SELECT kintaraa.epoch_check(), kintaraa.tick_write(true) \g /dev/null

CREATE FUNCTION pg_temp.push(who text, device text, changes jsonb, query jsonb DEFAULT NULL, OUT outcome text, OUT
    body jsonb) LANGUAGE sql AS $$
SELECT outcome, body - 'serverTime' FROM play.call('sync_push', who, NULL, changes, query,
    '{"requestId": "play", "network": "192.0.2.0"}'::jsonb || CASE WHEN device IS NULL THEN '{}' ELSE
        jsonb_build_object('device', device) END) $$;
CREATE FUNCTION pg_temp.kept(who text) RETURNS SETOF jsonb LANGUAGE sql AS $$
SELECT i -> 'data' FROM play.call('archive_list', who, NULL, NULL, '{"reason": "unusable", "limit": "100"}') c,
    jsonb_array_elements(c.body -> 'items') i $$;
CREATE FUNCTION pg_temp.mood(name text) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('personal_get', 'amina', ARRAY['mood_entry', name]) $$;

-- What is odd about each, what is named, and what is found in the archive.
CREATE TEMP TABLE odd (n int GENERATED ALWAYS AS IDENTITY, what text, changes jsonb, named jsonb, kept jsonb);
INSERT INTO odd (what, changes, named, kept) VALUES
    ('an id of another alphabet', '{"journal_entries": {"created": [{"id": "uuid:x1", "content": "a"}]}}',
        '{"journal_entries": ["uuid:x1"]}', '{"id": "uuid:x1", "content": "a"}'),
    ('an id that is too long', jsonb_build_object('incidents', jsonb_build_object('created', jsonb_build_array(
        jsonb_build_object('id', repeat('a', 65), 'description', 'b')))),
        jsonb_build_object('incidents', jsonb_build_array(repeat('a', 65))),
        jsonb_build_object('id', repeat('a', 65), 'description', 'b')),
    ('an empty id', '{"mood_entries": {"created": [{"id": "", "mood": "sad"}]}}', '{"mood_entries": [""]}',
        '{"id": "", "mood": "sad"}'),
    ('a row without id', '{"mood_entries": {"updated": [{"mood": "happy"}]}}', '{"mood_entries": [""]}',
        '{"mood": "happy"}'),
    ('an id that is a number', '{"mood_entries": {"updated": [{"id": 7, "mood": "happy"}]}}',
        '{"mood_entries": [""]}', '{"id": 7, "mood": "happy"}'),
    ('a row that is text', '{"mood_entries": {"created": ["words"]}}', '{"mood_entries": [""]}', '"words"'),
    ('a row that is null', '{"mood_entries": {"created": [null]}}', '{"mood_entries": [""]}', 'null'),
    ('a table that nobody knows', '{"chats": {"created": [{"id": "c1", "text": "a word"}], "updated": [], "deleted":
        []}}', '{"chats": ["c1"]}', '{"id": "c1", "text": "a word"}'),
    ('a table misspelt', '{"journal_entry s": {"updated": [{"id": "j", "content": "b"}]}}',
        '{"journal_entry s": ["j"]}', '{"id": "j", "content": "b"}'),
    ('a table that is the server''s to write', '{"assignments": {"updated": [{"id": "s", "status": "accepted"}]}}',
        '{"assignments": ["s"]}', '{"id": "s", "status": "accepted"}'),
    ('her profile', '{"profiles": {"updated": [{"id": "p", "first_name": "B"}]}}',
        '{"profiles": ["p"]}', '{"id": "p", "first_name": "B"}'),
    ('a notification', '{"notifications": {"updated": [{"id": "n", "read_at": 1}]}}',
        '{"notifications": ["n"]}', '{"id": "n", "read_at": 1}'),
    ('a note of somebody who is no helper', '{"notes": {"created": [{"id": "o", "text": "x"}]}}',
        '{"notes": ["o"]}', '{"id": "o", "text": "x"}'),
    ('a deletion in a table that nobody knows', '{"chats": {"deleted": ["c2"]}}', '{"chats": ["c2"]}', '"c2"'),
    ('a deletion of an id that is none', '{"mood_entries": {"deleted": ["a b"]}}', '{"mood_entries": ["a b"]}',
        '"a b"'),
    ('a deletion of what is append only', '{"notes": {"deleted": ["o2"]}}', '{"notes": ["o2"]}', '"o2"'),
    ('a deletion that is a number', '{"mood_entries": {"deleted": [5]}}', '{"mood_entries": [""]}', '5'),
    ('a list misspelt', '{"mood_entries": {"creatd": [{"id": "m9"}]}}', '{"mood_entries": [""]}', '[{"id": "m9"}]'),
    ('a list that is none', '{"mood_entries": {"created": {"id": "m8"}}}', '{"mood_entries": [""]}', '{"id": "m8"}'),
    ('a table that is a list', '{"journal_entries": [{"id": "j8"}]}', '{"journal_entries": [""]}', '[{"id": "j8"}]'),
    ('a table that is a number', '{"lastPulledAt": 12}', '{"lastPulledAt": [""]}', '12'),
    ('what is wrapped twice', '{"changes": {"changes": {"mood_entries": {"created": [{"id": "m7"}]}}}}',
        '{"changes": [""]}', '{"created": [{"id": "m7"}]}');

CREATE FUNCTION pg_temp.with_good(changes jsonb, name text) RETURNS jsonb LANGUAGE sql AS $$
SELECT changes || jsonb_build_object('mood_entries', COALESCE(CASE WHEN jsonb_typeof(changes -> 'mood_entries') =
    'object' THEN changes -> 'mood_entries' END, '{}') || CASE WHEN jsonb_typeof(changes #> '{mood_entries,created}')
    IN ('array', 'object') THEN jsonb_build_object('updated', jsonb_build_array(jsonb_build_object('id', name))) ELSE
    jsonb_build_object('created', jsonb_build_array(jsonb_build_object('id', name))) END) $$;

SELECT is(pg_temp.push('amina', device, pg_temp.with_good(o.changes, COALESCE(device, 'none') || '-' || o.n)),
    ROW('ok'::text, jsonb_build_object('experimentalRejectedIds', o.named)),
    o.what || ' is named, ' || COALESCE('by ' || device, 'without a device'))
  FROM odd o, unnest(ARRAY['p1', NULL]) AS device ORDER BY o.n;
SELECT is(string_agg(DISTINCT pg_temp.mood(COALESCE(device, 'none') || '-' || o.n), ','), 'ok',
    'and what came with it is stored') FROM odd o, unnest(ARRAY['p1', NULL]) AS device;
SELECT is((SELECT count(*)::int FROM pg_temp.kept('amina') k WHERE k -> 'sent' = o.kept), 1,
    o.what || ' is kept as it came, once') FROM odd o ORDER BY o.n;
SELECT is((SELECT count(*)::int FROM kintaraa.archive), (SELECT count(*)::int FROM odd), 'nothing else is');
SELECT is((SELECT string_agg(DISTINCT noun, ',' ORDER BY noun) FROM kintaraa.archive),
    'account,assignment,incident,journal_entry,mood_entry,note,notification,unknown', 'no name of a phone''s is clear');
SELECT is((SELECT count(*)::int FROM kintaraa.archive WHERE payload_sealed IS NULL), 0, 'each is sealed');
SELECT is((SELECT count(*)::int FROM pg_temp.kept('zawadi')), 0, 'and nobody else''s');
SELECT is(pg_temp.push('zawadi', 'p1', '{"chats": {"created": [{"id": "c1", "text": "a word"}]}}'),
    ROW('ok'::text, '{"experimentalRejectedIds": {"chats": ["c1"]}}'::jsonb), 'another one''s chats too');
SELECT is((SELECT count(*)::int FROM pg_temp.kept('zawadi')), 1, 'are kept for her');

-- All of it at once.
SELECT is((pg_temp.push('amina', 'p2', '{"zz": {"created": [{"id": "1"}], "deleted": ["2"]}, "incidents": {"created":
    [{"id": "R 1", "type": "physical"}, {"id": "R2", "type": "physical"}]}, "journal_entries": {"created": [{"id":
        "k1", "content": "kept"}, {"content": "lost?"}]}}')).body,
    '{"experimentalRejectedIds": {"zz": ["1", "2"], "incidents": ["R 1"], "journal_entries": [""]}}',
        'several tables');
SELECT is(play.outcome('incident_get', 'amina', '{R2}'), 'ok', 'a report beside an odd one');
SELECT is(play.outcome('personal_get', 'amina', '{journal_entry,k1}'), 'ok', 'and an entry');

-- Columns that nobody knows are no reason, and are not lost.
SELECT is((pg_temp.push('amina', 'p2', '{"journal_entries": {"created": [{"id": "u1", "content": "c", "colour": "red",
    "_draft": true, "_status": "created", "_changed": ""}]}}')).body, '{}', 'an unknown column is taken');
SELECT is(play.outcome('personal_get', 'amina', '{journal_entry,u1}'), 'ok', 'with its record');
SELECT is((pg_temp.push('amina', 'p2', '{"incidents": {"created": [{"id": "u2", "colour": "red", "_draft": true,
    "type": "physical"}]}}')).body, '{}', 'of a report too');
SELECT is((SELECT jsonb_path_query_array(body -> 'ignored', '$[*].pointer')::text FROM play.call('incident_get',
    'amina',
    '{u2}')), '["/Draft", "/colour"]', 'which says so');

-- A conflict without a device: only what a pull mends holds the others up.
SELECT is((pg_temp.push('amina', 'p1', '{"journal_entries": {"created": [{"id": "d1", "content": "one"}]}}')).body,
    '{}', 'an entry');
SELECT is((pg_temp.push('amina', NULL, '{"journal_entries": {"updated": [{"id": "d1", "content": "two",
    "server_version": 0}]}, "zz": {"created": [{"id": "3"}]}}')).outcome, 'conflict', 'is changed elsewhere: pull');
SELECT is((pg_temp.push('amina', 'p1', '{"journal_entries": {"deleted": ["d1"]}}')).body, '{}', 'it is deleted');
SELECT is(pg_temp.push('amina', NULL, '{"journal_entries": {"updated": [{"id": "d1", "content": "three",
    "server_version": 1}]}}'), ROW('ok'::text,
    '{}'::jsonb), 'a change of what is deleted is taken, for no pull mends it');
SELECT is((SELECT count(*)::int FROM play.archived('amina', 'd1') WHERE reason = 'deleted'), 1, 'and kept');

-- A batch.
SELECT is((SELECT string_agg((r ->> 'status') || ' ' || COALESCE(r ->> 'code', '-') || ' ' || (r ? 'archiveId'),
    ', '
    ORDER BY n)
  FROM play.call('sync_batch', 'amina', NULL, '{"records": ["x", 7, null, [1], {"table": "chats", "id": "b"}, {"table":
    "mood_entries", "id": 7, "data": {"mood": "sad"}}, {"table": "mood_entries", "id": "b1", "data": {}}]}') c,
    jsonb_array_elements(c.body -> 'results') WITH ORDINALITY AS t (r, n)),
    'invalid unknown_table true, invalid unknown_table true, invalid unknown_table true, invalid unknown_table true, '
    'invalid unknown_table true, invalid id_form true, applied - false', 'what is no record is kept beside what is');
SELECT is((SELECT count(*)::int FROM pg_temp.kept('amina') k WHERE k -> 'sent' IN ('"x"', '7', '[1]')), 3,
    'as it came');

-- More than one push may hold: the first are taken, the others are named, and the next push goes on.
CREATE FUNCTION pg_temp.many(first int, last int, extra jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
SELECT extra || jsonb_build_object('mood_entries', jsonb_build_object('created', COALESCE((SELECT
    jsonb_agg(jsonb_build_object('id', 'many-' || n) ORDER BY n) FROM generate_series(first, last) n), '[]'))) $$;
CREATE FUNCTION pg_temp.stored() RETURNS int LANGUAGE sql AS $$
SELECT count(*)::int FROM generate_series(1, 2000) AS n JOIN kintaraa.personal AS p
    ON p.client_key = play.key('amina', 'mood_entry', 'many-' || n) WHERE p.deleted_at IS NULL $$;
SELECT is((pg_temp.push('amina', 'm', pg_temp.many(1, 500))).body, '{}', '500 are taken');
SELECT is((pg_temp.push('amina', 'm', pg_temp.many(501, 1001))).body,
    '{"experimentalRejectedIds": {"mood_entries": ["many-1001"]}}', 'of 501 the last one waits');
SELECT is(pg_temp.stored(), 1000, 'and the others are stored');
SELECT is((pg_temp.push('amina', NULL, pg_temp.many(1001, 1700))).body #>>
    '{experimentalRejectedIds,mood_entries,0}', 'many-1501', 'without a device too');
SELECT is((pg_temp.push('amina', NULL, pg_temp.many(1501, 1700))).body, '{}', 'the rest goes through');
SELECT is(pg_temp.stored(), 1700, 'all are stored');
SELECT is((pg_temp.push('amina', 'm', jsonb_build_object('mood_entries', jsonb_build_object('created', '[]'::jsonb,
    'updated', (SELECT jsonb_agg(jsonb_build_object('id', 'many-' || n, 'server_version', 1, 'notes', 'x') ORDER BY n)
        FROM generate_series(1, 300) n),
    'deleted', (SELECT jsonb_agg('many-' || n ORDER BY n) FROM generate_series(301, 501) n))))).body,
    '{"experimentalRejectedIds": {"mood_entries": ["many-501"]}}', 'deletions count too');
SELECT is(pg_temp.stored(), 1500, '200 are deleted');
SELECT is((SELECT jsonb_array_length(p.body #> '{experimentalRejectedIds,chats}') || ' ' || (p.body #>
    '{experimentalRejectedIds,mood_entries}')::text FROM pg_temp.push('amina', 'm', pg_temp.many(2001, 2501,
    (SELECT jsonb_build_object('chats', jsonb_build_object('created', jsonb_agg(jsonb_build_object('id', n::text))))
       FROM generate_series(1, 600) n))) p), '600 ["many-2501"]', 'what is of no use takes no room from what is');
SELECT is((SELECT count(*)::int FROM kintaraa.archive WHERE noun = 'unknown' AND device = 'm'), 500,
    'of which 500 are kept in one push');
SELECT is((pg_temp.push('amina', 'm', pg_temp.many(2501, 2501))).body, '{}', 'and the last one goes through');
-- the tables as a pull answers them, in "changes"
SELECT is((pg_temp.push('amina', 'p9', '{"changes": {"incidents": {"created": [{"id": "wrapped", "type": "physical"}]},
    "mood_entries": {"updated": [{"id": "m6", "mood": "sad"}]}}}')).body, '{}', 'what is wrapped once is taken');
SELECT is(ARRAY[play.outcome('incident_get', 'amina', '{wrapped}'), pg_temp.mood('m6')], '{ok,ok}', 'and is stored');

SELECT * FROM finish();
