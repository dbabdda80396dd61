-- What she sends for a report that she took back is not taken and not lost.
\ir ../data/play.sql
SELECT plan(13);
SELECT play.register('amina'), play.register('zawadi') \g /dev/null
SELECT play.call('incident_create', 'amina', NULL, '{"id": "11111111-2222-4333-8444-5555555555AA", "description": "a"}')
    \g /dev/null
CREATE FUNCTION pg_temp.kept() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM kintaraa.archive $$;
SELECT is(play.outcome('incident_delete', 'amina', '{11111111-2222-4333-8444-5555555555aa}'), 'none', 'taken back');
SELECT is(play.outcome('incident_delete', 'amina', '{11111111-2222-4333-8444-5555555555AA}'), 'none',
    'again in capitals is the same answer');

SELECT is(outcome || ' ' || (body ->> 'code'), 'gone KN407', 'the same report again is gone') FROM play.call(
    'incident_create', 'amina', NULL, '{"id": "11111111-2222-4333-8444-5555555555AA", "description": "a"}');
SELECT is(pg_temp.kept(), 0::bigint, 'and nothing of it is new');

CREATE TEMP TABLE late AS SELECT * FROM play.call('incident_create', 'amina', NULL,
    '{"id": "11111111-2222-4333-8444-5555555555aa", "description": "new words", "urgencyLevel": "immediate"}');
SELECT is(outcome || ' ' || (body ->> 'code'), 'gone KN407', 'other words under its id are not taken') FROM late;
SELECT ok(body ->> 'hint' LIKE '%kept%new id%', 'she is told what to do') FROM late;
SELECT is((SELECT count(*)::int FROM kintaraa.archive a, late WHERE a.id::text = late.body ->> 'archiveId'
    AND a.reason = 'deleted'), 1, 'and they are kept');
SELECT is((SELECT count(*)::int FROM jsonb_array_elements((
    SELECT body -> 'items' FROM play.call('archive_list', 'amina'))) AS e
    WHERE e ->> 'archiveId' = late.body ->> 'archiveId'), 1, 'where she finds them') FROM late;

TRUNCATE late;
INSERT INTO late SELECT * FROM play.call('incident_update', 'amina', '{11111111-2222-4333-8444-5555555555aa}',
    '{"description": "changed words"}');
SELECT is(outcome || ' ' || (body ->> 'code'), 'gone KN407', 'a change is not taken') FROM late;
SELECT is((SELECT count(*)::int FROM kintaraa.archive a, late WHERE a.id::text = late.body ->> 'archiveId'), 1,
    'and kept as well');
SELECT is(pg_temp.kept(), 2::bigint, 'each once');
SELECT is(play.outcome('incident_update', 'zawadi', '{11111111-2222-4333-8444-5555555555aa}', '{"description": "x"}'),
    'absent KN301', 'to anybody else there is no such thing');
SELECT is(play.outcome('incident_create', 'zawadi', NULL, '{"id": "11111111-2222-4333-8444-5555555555aa"}'), 'created',
    'and her own report may have that id');
SELECT * FROM finish();
