-- Who is called at night: entered by the centre itself, for its own people, and never across another centre.
\ir ../data/play.sql
SELECT plan(59);
SELECT play.staff('dora', 'dispatcher'), play.staff('chief', 'admin'),
       play.register('amina'), play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.staff('ana', 'analyst'),
       play.staff('far', 'dispatcher'), play.staff('gone', 'dispatcher') \g /dev/null
INSERT INTO kintaraa.organisation (id, kind, name) VALUES ('00000000-0000-4000-8000-0000000000c2', 'dispatch_centre',
    'Another centre');
UPDATE kintaraa.account SET centre_id = '00000000-0000-4000-8000-0000000000c2' WHERE id = (SELECT id FROM play.person
    WHERE name = 'far');
UPDATE kintaraa.account SET is_active = false WHERE id = (SELECT id FROM play.person WHERE name = 'gone');
SELECT kintaraa.change_flush() \g /dev/null

CREATE FUNCTION pg_temp.at(step interval) RETURNS text LANGUAGE sql AS $$
SELECT to_char(date_trunc('second', now() + step) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;
CREATE FUNCTION pg_temp.entry(who text, from_at interval, to_at interval, kind text DEFAULT 'dispatcher') RETURNS jsonb
    LANGUAGE sql AS $$
SELECT jsonb_build_object('accountId', (SELECT id FROM play.person WHERE name = who), 'kind', kind,
    'from', pg_temp.at(from_at), 'to', pg_temp.at(to_at)) $$;
CREATE FUNCTION pg_temp.enter(by_whom text, who text, from_at interval, to_at interval, kind text DEFAULT 'dispatcher')
    RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('duty_create', by_whom, NULL, pg_temp.entry(who, from_at, to_at, kind)) $$;
CREATE FUNCTION pg_temp.listed(by_whom text, query jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
SELECT COALESCE(outcome || ': ' || string_agg(p.name || ' ' || (i ->> 'kind'), ', ' ORDER BY n),
    outcome || COALESCE(' ' || (c.body ->> 'code'), ''))
  FROM play.call('duty_list', by_whom, query => query) AS c
  LEFT JOIN jsonb_array_elements(c.body -> 'items') WITH ORDINALITY AS t (i, n) ON true
  LEFT JOIN play.person p ON p.id::text = i ->> 'accountId' GROUP BY outcome, c.body ->> 'code' $$;

-- Entering.
SELECT is(pg_temp.listed('dora'), 'ok', 'nobody at first');
SELECT body ->> 'id' AS night FROM play.call('duty_create', 'chief', NULL, pg_temp.entry('dora', '-1 hour',
    '8 hours')) \gset
SELECT is(pg_temp.enter('dora', 'dora', '-1 hour', '8 hours'), 'ok', 'sent again it is the same');
SELECT is(pg_temp.enter('dora', 'dora', '2 days', '3 days'), 'created', 'a dispatcher enters herself');
SELECT is(pg_temp.enter('dora', 'chief', '-1 minute', '1 day', 'officer'), 'created', 'and the officer');
SELECT is(pg_temp.enter('dora', 'dora', '8 hours', '9 hours'), 'created', 'right after is not across');
SELECT is(pg_temp.enter('dora', 'dora', '0', '1 hour', 'officer'), 'created', 'one may be both');
SELECT is(outcome || ' ' || (body ->> 'code') || ' ' || (body #>> '{current,id}'), 'conflict KN410 ' || :'night',
    'across what is there is a conflict, which is named') FROM play.call('duty_create', 'dora', NULL,
    pg_temp.entry('dora', '7 hours', '8 hours'));
SELECT is(pg_temp.listed('dora'), 'ok: dora dispatcher, chief officer, dora officer, dora dispatcher, dora dispatcher',
    'the list is in order of time');
SELECT is((SELECT array_agg(p ->> 'firstName' ORDER BY p ->> 'firstName') FROM jsonb_array_elements(body -> 'people')
    AS p), '{chief,dora}', 'with whom one may enter') FROM play.call('duty_list', 'dora');
SELECT is(pg_temp.listed('dora', jsonb_build_object('from', pg_temp.at('36 hours'))), 'ok: dora dispatcher',
    'from a time on');
SELECT is(pg_temp.listed('dora', jsonb_build_object('from', pg_temp.at('-2 days'), 'to', pg_temp.at('-1 day'))), 'ok',
    'up to a time');
SELECT is((SELECT count(DISTINCT x)::int FROM play.call('duty_list', 'dora', query => '{"limit": "2"}') AS a,
    play.call('duty_list', 'dora', query => jsonb_build_object('limit', '100', 'after', a.body ->> 'next')) AS b,
    jsonb_array_elements((a.body -> 'items') || (b.body -> 'items')) AS x), 5, 'in pages it is complete');
SELECT is(play.outcome('duty_list', 'dora', query => query), 'KN508', query::text) FROM unnest(ARRAY[
    '{"from": "today"}', '{"to": "2026-13-01T00:00:00Z"}', '{"to": "2020-01-01T00:00:00Z"}',
    '{"from": "2026-01-01T00:00:00Z", "to": "2026-04-04T00:00:01Z"}', '{"limit": "0"}', '{"after": "x"}']::jsonb[])
    AS query;

-- The escalation calls them, and nobody else.
SELECT play.report('amina', 'case', '{}', '{"urgencyLevel": "immediate"}') AS incident \gset
SELECT is((SELECT array_agg(p.name) FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
    WHERE n.bucket = :'incident' AND n.class = 'duty_call'), '{dora}', 'whoever is on duty is called');

-- What is no duty.
SELECT is(play.outcome('duty_create', 'chief', NULL, pg_temp.entry('dora', '10 days', '11 days') || change), wanted,
    'with ' || change::text) FROM (VALUES
    ('{"kind": "cook"}'::jsonb, 'KN504'), ('{"kind": null}', 'KN502'), ('{"accountId": "x"}', 'KN506'),
    ('{"accountId": null}', 'KN502'), ('{"from": "soon"}', 'KN504'), ('{"from": 1}', 'KN503'), ('{"to": null}',
    'KN502'), ('{"more": 1}', 'KN509'), (jsonb_build_object('to', pg_temp.at('10 days')), 'KN504'),
    (jsonb_build_object('to', pg_temp.at('9 days')), 'KN504'), (jsonb_build_object('to', pg_temp.at('10 days 14 min')),
    'KN504'), (jsonb_build_object('to', pg_temp.at('10 days 15 min')), 'created'),
    (jsonb_build_object('to', pg_temp.at('41 days 1 second')), 'KN504'),
    (jsonb_build_object('from', pg_temp.at('367 days'), 'to', pg_temp.at('368 days')), 'KN504'),
    (jsonb_build_object('from', pg_temp.at('-2 days'), 'to', pg_temp.at('-1 day')), 'KN504'))
    AS t (change, wanted);
SELECT is(play.outcome('duty_create', 'chief', NULL, body), 'KN501', 'a duty is an object')
    FROM unnest(ARRAY['[]', NULL]::jsonb[]) AS body;

-- Who is nobody of this centre.
SELECT is(pg_temp.enter('chief', who, '20 days', '21 days'), 'absent KN301', who || ' is not entered')
    FROM unnest(ARRAY['amina', 'clinic', 'ana', 'far', 'gone']) AS who;
SELECT is(play.outcome('duty_create', 'chief', NULL, pg_temp.entry('dora', '20 days', '21 days') ||
    '{"accountId": "00000000-0000-4000-8000-00000000dead"}'), 'absent KN301', 'nor is who does not exist');
SELECT is(pg_temp.enter(who, 'dora', '30 days', '31 days') || ', ' || pg_temp.listed(who) || ', ' ||
    play.outcome('duty_end', who, ARRAY[:'night']), wanted, COALESCE(who, 'nobody') || ' has no say')
  FROM (VALUES ('amina', 'refused KN201, refused KN201, refused KN201'),
      ('clinic', 'refused KN201, refused KN201, refused KN201'),
      ('ana', 'refused KN201, refused KN201, refused KN201'),
      ('far', 'absent KN301, ok, absent KN301'), (NULL, 'unknown KN101, unknown KN101, unknown KN101'))
    AS t (who, wanted);
SELECT is((SELECT count(*)::int FROM kintaraa.duty), 6, 'nothing of that was entered');

-- Ending.
SELECT is(play.outcome('duty_end', 'dora', ARRAY[:'night']), 'none', 'a duty that has begun');
SELECT is((SELECT to_at = now() FROM kintaraa.duty WHERE id = :'night'), true, 'ends now');
SELECT is(play.outcome('duty_end', 'dora', ARRAY[:'night']), 'none', 'what is over stays as it was');
SELECT id AS coming FROM kintaraa.duty WHERE from_at > now() LIMIT 1 \gset
SELECT is((SELECT count(*)::int FROM kintaraa.duty d WHERE d.from_at > now() AND play.outcome('duty_end', 'chief',
    ARRAY[d.id::text]) = 'none'), 3, 'what is to come');
SELECT is((SELECT count(*)::int FROM kintaraa.duty WHERE from_at > now()), 0, 'is taken back');
SELECT is(play.outcome('duty_end', who, ARRAY[:'coming']), told, who || ' takes it back again')
  FROM (VALUES ('chief', 'none'), ('dora', 'none'), ('far', 'absent KN301')) AS t (who, told);
SELECT is(play.outcome('duty_end', 'dora', ARRAY[id]), told, 'no duty: ' || id)
  FROM (VALUES ('x', 'absent KN301'), ('00000000-0000-4000-8000-00000000dead', 'absent KN301')) AS t (id, told);
SELECT is((SELECT string_agg(action || ' ' || n, ', ' ORDER BY action) FROM (SELECT action, count(*) AS n
    FROM kintaraa.audit WHERE noun = 'duty' AND outcome IN ('created', 'none') AND target IS NOT NULL
    GROUP BY action) AS t), 'duty_create 6, duty_end 4', 'each is in the trail');
SELECT * FROM finish();
