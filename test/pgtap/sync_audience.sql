-- Whose news a stamp is, and which helpers' memberships it moves; stamps that do not say so are not passed over.
\ir ../data/play.sql
SELECT plan(26);
SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.helper('other', 'healthcare',
    -1.9, 36.2) \g /dev/null
SELECT kintaraa.epoch_check(), kintaraa.tick_write(true) \g /dev/null
SELECT id AS amina FROM play.person WHERE name = 'amina' \gset
SELECT provider AS clinic FROM play.person WHERE name = 'clinic' \gset
SELECT play.report('amina', 'r') AS incident \gset
SELECT play.outcome('assignment_accept', 'clinic', ARRAY[(SELECT id::text FROM kintaraa.assignment WHERE provider_id =
    :'clinic')]) \g /dev/null
SELECT play.outcome('personal_put', 'amina', '{journal_entry,j}', '{"content": "hers"}') \g /dev/null
CREATE FUNCTION pg_temp.note(text text) RETURNS text LANGUAGE sql AS $$
SELECT body #>> '{results,0,status}' FROM play.call('sync_batch', 'clinic', NULL, jsonb_build_object('records',
    jsonb_build_array(jsonb_build_object('table', 'notes', 'id', text, 'data', jsonb_build_object('text', text,
    'incidentId', (SELECT id FROM kintaraa.incident LIMIT 1)))))) $$;
SELECT is(pg_temp.note('n1'), 'applied', 'a note of a helper');
SELECT play.outcome('provider_update', 'clinic', NULL, '{"description": "x"}') \g /dev/null
UPDATE kintaraa.provider SET name = name \g /dev/null
SELECT kintaraa.change_flush() \g /dev/null

SELECT is((SELECT string_agg(DISTINCT c.audience::text, ',') FROM kintaraa.change c WHERE noun = n), :'amina',
    n || ': the survivor''s') FROM unnest(ARRAY['incident', 'need', 'note', 'journal_entry']) AS n;
SELECT is((SELECT count(*)::int FROM kintaraa.change c WHERE noun = n AND audience IS DISTINCT FROM bucket), 0,
    n || ': of its bucket') FROM unnest(ARRAY['assignment', 'account', 'notification', 'session', 'provider']) AS n;
SELECT is((SELECT count(*)::int FROM kintaraa.change WHERE audience IS NULL), 0, 'none is nobody''s');

-- A helper's membership moves with whatever happens to the case, and nobody else's does.
CREATE FUNCTION pg_temp.still() RETURNS void LANGUAGE sql AS $$
UPDATE kintaraa.member SET gx = '3'; UPDATE kintaraa.case_news SET x = '3'; UPDATE kintaraa.change SET x = '3'; $$;
CREATE FUNCTION pg_temp.moved() RETURNS text LANGUAGE sql AS $$
SELECT COALESCE(string_agg(m.relation, ','), 'none') FROM kintaraa.case_news n JOIN kintaraa.member m USING (principal,
    bucket) WHERE n.x <> '3' $$;
CREATE FUNCTION pg_temp.pulled(who text, since bigint) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', jsonb_array_length(body -> 'incidents'), jsonb_array_length(body -> 'notes'), jsonb_array_length(
    body -> 'removed')) FROM play.call('sync_updates', who, NULL, NULL, jsonb_build_object('since', since::text)) $$;
SELECT pg_temp.still() \g /dev/null
SELECT kintaraa.tick_write(true) AS tick \gset
-- What this transaction writes from here on is news, however far others have got meanwhile.
UPDATE kintaraa.tick SET snapshot = format('%1$s:%1$s:', pg_current_xact_id())::pg_snapshot WHERE t = :tick;
SELECT is(pg_temp.pulled(who, :tick), '0 0 0', 'nothing is new for ' || who) FROM unnest(ARRAY['amina', 'clinic']) who;
SELECT play.outcome('incident_update', 'amina', '{r}', '{"description": "more"}') \g /dev/null
SELECT is(pg_temp.moved(), 'helper', 'a change of hers moves the helper');
SELECT is(pg_temp.pulled(who, :tick), '1 0 0', 'and is new for ' || who) FROM unnest(ARRAY['amina', 'clinic']) who;
SELECT is(pg_temp.pulled('other', :tick), '0 0 0', 'and not for a team that was only asked');
SELECT pg_temp.still() \g /dev/null
SELECT pg_temp.note('n2') \g /dev/null
SELECT is(pg_temp.moved() || ' ' || pg_temp.pulled('clinic', :tick), 'helper 0 1 0', 'a note is new for its team');
SELECT pg_temp.still() \g /dev/null
SELECT pg_temp.note('n2') \g /dev/null
SELECT is(pg_temp.pulled('clinic', :tick), '0 0 0', 'the same again is not');
SELECT play.outcome('sync_batch', 'amina', NULL, '{"device": "p", "records": [{"table": "incidents", "id": "r", "data":
    {"description": "without a base"}}]}', NULL, '{"requestId": "play", "network": "192.0.2.0", "device": "p"}')
    \g /dev/null
SELECT is(pg_temp.moved() || ' ' || pg_temp.pulled('clinic', :tick), 'helper 1 0 0', 'a touch is sent again');

-- Stamps of before the audience: whose cursor is older is sent them all the same.
SELECT pg_temp.still() \g /dev/null
UPDATE kintaraa.change SET audience = NULL, x = pg_current_xact_id();
DELETE FROM kintaraa.case_news;
SELECT is(pg_temp.pulled(who, :tick), '1 ' || n || ' 0', 'of before the audience, to ' || who)
  FROM (VALUES ('amina', 0), ('clinic', 2)) AS t (who, n);
SELECT pg_temp.still() \g /dev/null
SELECT is(pg_temp.pulled(who, :tick), '0 0 0', 'and once they are seen nothing, to ' || who)
  FROM unnest(ARRAY['amina', 'clinic']) who;
SELECT play.outcome('incident_update', 'amina', '{r}', '{"description": "still more"}') \g /dev/null
SELECT is(pg_temp.pulled('amina', :tick), '1 0 0', 'one that is stamped again has an audience');

-- Released: the case is gone.
SELECT pg_temp.still() \g /dev/null
UPDATE kintaraa.change SET audience = COALESCE(audience, bucket) \g /dev/null
SELECT play.outcome('assignment_release', 'clinic', ARRAY[(SELECT id::text FROM kintaraa.assignment WHERE provider_id =
    :'clinic' AND status = 'accepted')], '{"reason": "full"}') \g /dev/null
SELECT is(split_part(pg_temp.pulled('clinic', :tick), ' ', 1) || split_part(pg_temp.pulled('clinic', :tick), ' ', 3),
    '01',
    'who leaves a case is told that it is gone');
SELECT * FROM finish();
