-- Two phones of one survivor: words of one never lie over words of the other that it has not seen.
\ir ../data/play.sql
SELECT plan(21);
SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.2801, 36.8201) \g /dev/null
INSERT INTO play.person (name, token, id, email) SELECT 'her other phone', c.body #>> '{tokens,access}', p.id, p.email
  FROM play.person p, play.call('auth_login', NULL, NULL, jsonb_build_object('email', p.email, 'password',
      'correct horse amina', 'device', 'other')) AS c WHERE p.name = 'amina';

CREATE FUNCTION pg_temp.patch(who text, id text, words text, base integer) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('incident_update', who, ARRAY[id], jsonb_build_object('description', words, 'serverVersion',
    base)) $$;
CREATE FUNCTION pg_temp.batch(device text, id text, words text, base integer, op text DEFAULT 'upsert') RETURNS text
    LANGUAGE sql AS $$
SELECT concat_ws(' ', body #>> '{results,0,status}', body #>> '{results,0,code}', body #>> '{results,0,replayed}')
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('records', jsonb_build_array(jsonb_build_object(
    'table', 'incidents', 'id', id, 'op', op, 'data', jsonb_build_object('description', words)) ||
    CASE WHEN base IS NULL THEN '{}' ELSE jsonb_build_object('base', jsonb_build_object('serverVersion', base)) END)),
    NULL, jsonb_build_object('requestId', 'play', 'network', '192.0.2.0', 'device', device)) $$;
CREATE FUNCTION pg_temp.push(device text, id text, words text, version integer) RETURNS text LANGUAGE sql AS $$
SELECT outcome FROM play.call('sync_push', 'amina', NULL, jsonb_build_object('incidents', jsonb_build_object(
    'updated', jsonb_build_array(jsonb_build_object('id', id, 'description', words, 'server_version', version,
    '_changed', 'description')))), NULL, jsonb_build_object('requestId', 'play', 'network', '192.0.2.0', 'device',
    device)) $$;
CREATE FUNCTION pg_temp.words(id text) RETURNS text LANGUAGE sql AS $$
SELECT body ->> 'description' FROM play.call('incident_get', 'amina', ARRAY[id]) $$;

-- A change alone.
SELECT play.report('amina', 'one', '{}', '{"description": "first"}') \g /dev/null
SELECT is(pg_temp.patch('her other phone', 'one', 'hers', 1), 'ok', 'the other phone has seen the report');
SELECT is(pg_temp.patch('amina', 'one', 'both', 2), 'ok', 'and the first phone its words');
SELECT is(pg_temp.patch('amina', 'one', 'held up', 1), 'conflict KN407',
    'what the first phone wrote before that, and comes late, conflicts');
SELECT is(pg_temp.words('one'), 'both', 'and overwrites nothing');
SELECT is(pg_temp.patch('amina', 'one', 'both again', 2), 'ok', 'one''s own newer words are no conflict');
SELECT is(pg_temp.patch('her other phone', 'one', 'held up too', 2), 'conflict KN407', 'those of the other one are');

-- A batch without a number, and a push.
SELECT is(pg_temp.batch('p1', 'two', 'first', NULL), 'applied', 'a report of one phone');
SELECT is(pg_temp.batch('p2', 'two', 'hers', 1), 'applied', 'is changed by the other one');
SELECT is(pg_temp.batch('p1', 'two', 'both', 2), 'applied', 'and by the first one, which has seen it');
SELECT is(pg_temp.batch('p1', 'two', 'held up', 1), 'conflict version', 'an older batch of that one conflicts');
SELECT is(pg_temp.batch('p1', 'two', NULL, 1, 'delete'), 'conflict version', 'as does a deletion');
SELECT is(pg_temp.push('p1', 'two', 'held up by the way', 1), 'ok', 'and a push, which is no error');
SELECT is(pg_temp.words('two'), 'both', 'none of them overwrites anything');
SELECT is((SELECT count(*)::int FROM unnest('{one,two}'::text[]) AS name, play.archived('amina', name)
    WHERE reason = 'version'), 5,
    'each of them is kept');
SELECT is(pg_temp.batch('p1', 'two', 'both again', 2), 'applied', 'one''s own newer words are no conflict');

-- A report that was stored before its row knew of foreign versions.
UPDATE play.incident SET edited_foreign_version = NULL WHERE client_id = 'two';
SELECT kintaraa.change_flush() \g /dev/null
SELECT is(pg_temp.batch('p1', 'two', 'held up for a release', 2), 'conflict version',
    'what may have been foreign counts as foreign');
SELECT is(pg_temp.batch('p1', 'two', 'seen', 5), 'applied', 'what cannot have been does not');

-- Without a base: the answer to the report was lost.
SELECT is(pg_temp.batch('p1', 'three', 'before', NULL), 'applied', 'a report whose answer is lost');
UPDATE play.incident SET urgency_level = 'urgent' WHERE client_id = 'three';
SELECT kintaraa.change_flush() \g /dev/null
SELECT is(pg_temp.batch('p1', 'three', 'after', NULL), 'applied',
    'is changed by its phone, although the machine moved it meanwhile');
SELECT is(pg_temp.batch('p2', 'three', 'unseen', NULL), 'conflict no_base', 'but not by the other one');
SELECT is(pg_temp.words('three'), 'after', 'her words are the newest');
SELECT * FROM finish();
