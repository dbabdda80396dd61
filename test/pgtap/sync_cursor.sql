-- A cursor belongs to the account it was given to: with another one's, nothing is left out.
\ir ../data/play.sql
SELECT plan(36);
SELECT play.register('amina'), play.register('zawadi'), play.register('rehema') \g /dev/null
SELECT kintaraa.epoch_check(), kintaraa.tick_write(true) \g /dev/null

CREATE FUNCTION pg_temp.updates(who text, since text, page text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
SELECT body || jsonb_build_object('outcome', outcome) FROM play.call('sync_updates', who, NULL, NULL,
    jsonb_strip_nulls(jsonb_build_object('since', since, 'pageToken', page)),
    '{"requestId": "play", "network": "192.0.2.0", "device": "shared"}') $$;
CREATE FUNCTION pg_temp.seen(answer jsonb) RETURNS text LANGUAGE sql AS $$
SELECT (answer ->> 'resync') || ' ' || COALESCE((SELECT string_agg(e ->> 'content', ',' ORDER BY e ->> 'id')
  FROM jsonb_array_elements(answer -> 'journalEntries') e), '') $$;
CREATE FUNCTION pg_temp.write(who text, name text) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('personal_put', who, ARRAY['journal_entry', name], jsonb_build_object('content', who || ' ' ||
    name)) $$;
-- Tests run in one transaction: what was written so far counts as seen by the tick that follows, and what comes after
-- it does not, however far others have got meanwhile.
CREATE FUNCTION pg_temp.tick() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    UPDATE kintaraa.change SET x = '3';
    UPDATE kintaraa.member SET gx = '3';
    made := kintaraa.tick_write(true);
    UPDATE kintaraa.tick SET snapshot = format('%1$s:%1$s:', pg_current_xact_id())::pg_snapshot WHERE t = made;
    RETURN made;
END $$;

SELECT pg_temp.write(who, 'first') FROM unnest(ARRAY['amina', 'zawadi', 'rehema']) who \g /dev/null
SELECT pg_temp.tick() AS plain \gset
SELECT pg_temp.updates('amina', NULL) ->> 'cursor' AS hers \gset
SELECT pg_temp.updates('zawadi', NULL) ->> 'cursor' AS another \gset
SELECT isnt(:'hers'::text, :'another', 'two accounts have two spellings of one moment');
SELECT is(:'hers'::bigint / 1000, :'plain'::bigint / 1000, 'which differ in the last three digits');
SELECT is(pg_temp.updates('amina', NULL) ->> 'cursor', :'hers'::text, 'one account has one');

SELECT is(pg_temp.seen(pg_temp.updates('amina', :'hers')), 'false ', 'with her own there is nothing new');
SELECT is(pg_temp.updates('amina', :'hers') ->> 'cursor', :'hers', 'and the same cursor');
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', :'hers')), 'true zawadi first', 'another one is sent everything');
SELECT is(pg_temp.seen(pg_temp.updates('rehema', :'hers')), 'true rehema first', 'and a third');
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', :'hers')), 'true zawadi first', 'again, for an answer may be lost');
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', :'another')), 'false ', 'with her own there is nothing new again');
SELECT is((SELECT (body ->> 'resync') || (body ->> 'timestamp' = :'another') || (body ->> 'experimentalStrategy')
    FROM play.call('sync_pull', 'zawadi', NULL, NULL, jsonb_build_object('last_pulled_at', :'hers'))),
    'truetruereplacement', 'a phone with WatermelonDB replaces what the first one left on it');

-- Spelt as a time.
CREATE FUNCTION pg_temp.as_time(cursor text) RETURNS text LANGUAGE sql AS $$
SELECT to_char(to_timestamp(cursor::bigint / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.') ||
    lpad((cursor::bigint % 1000000)::text, 6, '0') || 'Z' $$;
SELECT is(pg_temp.seen(pg_temp.updates('amina', pg_temp.as_time(:'hers'))), 'false ', 'her cursor as a time');
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', pg_temp.as_time(:'hers'))), 'true zawadi first', 'another one''s');

-- Those of former versions and of sockets have no mark.
SELECT is(pg_temp.seen(pg_temp.updates('amina', :'plain')), 'false ', 'a plain cursor goes on');
SELECT is(pg_temp.updates('amina', :'plain') ->> 'cursor', :'hers', 'and becomes her own');
UPDATE kintaraa.account SET created_at = to_timestamp(:'plain'::bigint / 1000000 + 3600)
 WHERE id = (SELECT id FROM play.person WHERE name = 'zawadi') \g /dev/null
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', :'plain')), 'true zawadi first',
    'but not for who was not there yet');
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', :'another')), 'false ', 'her own she has');

-- News.
SELECT pg_temp.write(who, 'second') FROM unnest(ARRAY['amina', 'zawadi']) who \g /dev/null
SELECT is(pg_temp.seen(pg_temp.updates('amina', :'hers')), 'false amina second', 'with her own what is new comes');
SELECT is(pg_temp.seen(pg_temp.updates('zawadi', :'hers')), 'true zawadi first,zawadi second',
    'with another one''s all that is hers');

-- Numbers that are none of ours.
SELECT is(pg_temp.seen(pg_temp.updates('amina', n)), 'true amina first,amina second', 'since ' || n) FROM unnest(ARRAY[
    '9007199254740991', '9007199254740993', '9223372036854775807', '9223372036854775808', '99999999999999999999999999'])
    AS n;
SELECT is((SELECT outcome FROM play.call('sync_updates', 'amina', NULL, NULL, '{"since": "12x"}')), 'KN508',
    'what is no number is refused still');

-- A page of another one's.
SELECT count(pg_temp.write('amina', 'p' || n)) FROM generate_series(1, 2001) n \g /dev/null
SELECT pg_temp.tick() \g /dev/null
SELECT pg_temp.updates('amina', NULL) AS page \gset
SELECT is((:'page'::jsonb ->> 'hasMore') || jsonb_array_length(:'page'::jsonb -> 'journalEntries'), 'true1999',
    'a first sync of two pages');
SELECT is(jsonb_array_length(pg_temp.updates('amina', NULL, :'page'::jsonb ->> 'pageToken') -> 'journalEntries'), 4,
    'the second page');
SELECT is(pg_temp.updates('zawadi', NULL, :'page'::jsonb ->> 'pageToken') ->> 'outcome', 'KN508',
    'another one''s page is no page of hers');
SELECT is(pg_temp.updates('amina', NULL, regexp_replace(:'page'::jsonb ->> 'pageToken', '^\d+',
    '9223372036854775807')) ->> 'outcome', 'KN508', 'nor is one of no moment');

-- Pushed with another one's cursor, nothing counts as seen.
SELECT pg_temp.updates('amina', NULL) ->> 'cursor' AS late \gset
CREATE FUNCTION pg_temp.push(cursor text, device text) RETURNS text LANGUAGE sql AS $$
SELECT outcome FROM play.call('sync_push', 'zawadi', NULL, '{"journal_entries": {"updated": [{"id": "second", "content":
    "over it"}]}}', jsonb_build_object('last_pulled_at', cursor),
    jsonb_build_object('requestId', 'play', 'network', '192.0.2.0', 'device', device)) $$;
CREATE FUNCTION pg_temp.stands() RETURNS text LANGUAGE sql AS $$
SELECT body ->> 'content' FROM play.call('personal_get', 'zawadi', '{journal_entry,second}') $$;
SELECT pg_temp.push(:'late', 'new') \g /dev/null
SELECT is(pg_temp.stands(), 'zawadi second', 'a change without a version does not lie over what she had not seen');
SELECT pg_temp.updates('zawadi', NULL) ->> 'cursor' AS own \gset
UPDATE kintaraa.change SET x = '3' \g /dev/null
SELECT pg_temp.push(:'own', 'newer') \g /dev/null
SELECT is(pg_temp.stands(), 'over it', 'with her own cursor it does over what she had');

-- The feed.
SELECT kintaraa.tick_write(true) \g /dev/null
SELECT (SELECT body ->> 'gateway' FROM play.call('feed_start', NULL)) AS gateway \gset
SELECT pg_temp.updates('amina', NULL) ->> 'cursor' AS newest \gset
CREATE FUNCTION pg_temp.joined(who text, gateway text, cursor numeric) RETURNS text LANGUAGE sql AS $$
SELECT body ->> 'resumed' FROM play.call('feed_join', who, NULL, jsonb_build_object('gateway', gateway, 'cursor',
    cursor)) $$;
SELECT is(pg_temp.joined('amina', :'gateway', :newest), 'true', 'a socket goes on from a cursor of a pull');
SELECT is(pg_temp.joined('zawadi', :'gateway', :newest), 'false', 'of her own');
SELECT is(pg_temp.joined('amina', :'gateway', n), 'false', 'a socket from ' || n) FROM unnest(ARRAY[
    9007199254740991, 9007199254740992, 9223372036854775807, 18446744073709551616]) AS n;
SELECT * FROM finish();
