\ir ../data/play.sql
SELECT plan(33);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201, 3), play.helper('lawyer', 'legal', -1.2802, 36.8202),
    play.staff('dora', 'dispatcher'),
       play.staff('barred', 'dispatcher'), play.staff('admin', 'admin'), play.register('amina') \g /dev/null
CREATE FUNCTION pg_temp.recount() RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object(
    'totalCases', count(*), 'activeCases', count(*) FILTER (WHERE status NOT IN ('completed', 'closed')),
    'pendingDispatcherReview', count(*) FILTER (WHERE status = 'pending_dispatcher_review'),
    'casesByStatus', (SELECT jsonb_object_agg(s, (SELECT count(*) FROM kintaraa.incident WHERE status = s
        AND deleted_at IS NULL))
                        FROM unnest(ARRAY['new', 'pending_dispatcher_review', 'assigned', 'in_progress', 'completed',
                            'closed']) AS s),
    'casesByUrgency', (SELECT jsonb_object_agg(u, (SELECT count(*) FROM kintaraa.incident WHERE urgency_level = u
        AND deleted_at IS NULL))
                        FROM unnest(ARRAY['routine', 'urgent', 'immediate']) AS u),
    'needsWaiting', (SELECT count(*) FROM kintaraa.need WHERE state IN ('needs_dispatcher', 'stalled')),
    'totalProviders', (SELECT count(*) FROM kintaraa.provider_dispatch),
    'availableProviders', (SELECT count(*) FROM kintaraa.provider_dispatch WHERE dispatchable AND load < capacity),
    'providersAtCapacity', (SELECT count(*) FROM kintaraa.provider_dispatch WHERE load >= capacity))
  FROM kintaraa.incident WHERE deleted_at IS NULL
$$;
CREATE FUNCTION pg_temp.shown() RETURNS jsonb LANGUAGE sql AS
    $$ SELECT body - 'serverTime' - 'oldestWaitingSince' FROM play.call('dispatch_dashboard', 'dora') $$;
SELECT is(pg_temp.shown(), pg_temp.recount(), 'the dashboard of nothing');
SELECT play.report('amina', 'd' || n, CASE n % 4 WHEN 0 THEN '{}' WHEN 1 THEN '{medical}' WHEN 2 THEN '{legal,medical}'
    ELSE '{police}' END::text[],
                   jsonb_build_object('urgencyLevel', (ARRAY['routine', 'urgent', 'immediate'])[1 + n % 3]))
                       FROM generate_series(1, 24) AS n \g /dev/null
SELECT is(pg_temp.shown(), pg_temp.recount(), 'after 24 reports');
SELECT play.outcome('assignment_accept', 'clinic', ARRAY[a.id::text]) FROM kintaraa.assignment a
    JOIN play.person p ON p.provider = a.provider_id WHERE p.name = 'clinic' \g /dev/null
SELECT is(pg_temp.shown(), pg_temp.recount(), 'after acceptances up to the capacity');
SELECT is((pg_temp.shown() ->> 'providersAtCapacity')::int, 1, 'one team is full');
SELECT play.outcome('incident_status', 'amina', ARRAY['d' || n], '{"status": "closed"}') FROM generate_series(1,
    6) AS n \g /dev/null
SELECT play.outcome('incident_delete', 'amina', ARRAY['d' || n]) FROM generate_series(5, 9) AS n \g /dev/null
SELECT play.outcome('incident_update', 'amina', ARRAY['d' || n], '{"urgencyLevel": "immediate"}')
    FROM generate_series(10, 15) AS n \g /dev/null
SELECT is(pg_temp.shown(), pg_temp.recount(), 'after closing, deleting and hurrying');
SELECT is((SELECT (body ->> 'oldestWaitingSince')::timestamptz FROM play.call('dispatch_dashboard', 'admin')),
          (SELECT date_trunc('milliseconds', min(created_at)) FROM kintaraa.need WHERE state IN ('needs_dispatcher',
              'stalled')), 'who waits longest');
SELECT lives_ok($$ SELECT kintaraa.dispatch_count_fold() $$, 'the worker folds')
    WHERE to_regprocedure('kintaraa.dispatch_count_fold()') IS NOT NULL
UNION ALL SELECT pass('the worker folds') WHERE to_regprocedure('kintaraa.dispatch_count_fold()') IS NULL;
SELECT is(pg_temp.shown(), pg_temp.recount(), 'which changes nothing');

CREATE TEMP TABLE queue AS SELECT n, i FROM play.call('dispatch_queue', 'dora', query => '{"limit": "100"}') AS c,
    jsonb_array_elements(c.body -> 'items') WITH ORDINALITY AS t (i, n);
SELECT set_eq($$ SELECT (i ->> 'needId')::uuid FROM queue $$, $$ SELECT n.id FROM kintaraa.need n
    JOIN kintaraa.incident i ON i.id = n.bucket
    WHERE n.state IN ('searching', 'offered', 'needs_dispatcher', 'stalled') AND i.deleted_at IS NULL
       OR n.state = 'paused' AND n.due_at < i.held_until $$,
        'every need that waits is in the queue');
SELECT is((SELECT array_agg(n ORDER BY n) FROM queue),
          (SELECT array_agg(q.n ORDER BY d.state NOT IN ('needs_dispatcher', 'stalled', 'paused'),
                            array_position(ARRAY['immediate', 'urgent', 'routine'], d.urgency_level), d.created_at,
                 d.id)
             FROM queue q JOIN kintaraa.need d ON d.id = (q.i ->> 'needId')::uuid), 'in the order of waiting');
SELECT is((SELECT count(*)::int FROM queue WHERE (i ->> 'pendingOffers')::int <> (SELECT count(*)
    FROM kintaraa.assignment a WHERE a.need_id = (i ->> 'needId')::uuid AND a.status = 'pending')), 0,
    'with the number of open offers');
SELECT is((SELECT array_agg(DISTINCT k ORDER BY k) FROM queue, jsonb_object_keys(i) AS k), ARRAY['caseNumber', 'cell',
    'createdAt', 'dueAt', 'incidentId', 'level', 'needId', 'needStatus', 'pendingOffers', 'service', 'status',
    'urgencyLevel'], 'PV10: and no member besides');
SELECT is((SELECT count(*)::int FROM play.call('dispatch_queue', 'dora', query => query) AS c,
    jsonb_array_elements(c.body -> 'items') AS q), (SELECT count(*)::int FROM queue WHERE i @> wanted),
    'filter ' || query::text)
  FROM (VALUES ('{"state": "needs_dispatcher"}'::jsonb, '{"needStatus": "needs_dispatcher"}'::jsonb),
      ('{"state": "offered"}', '{"needStatus": "offered"}'), ('{"urgency": "immediate"}',
      '{"urgencyLevel": "immediate"}'),
               ('{"state": "stalled"}', '{"needStatus": "stalled"}'), ('{"state": "offered", "urgency": "urgent"}',
                   '{"needStatus": "offered", "urgencyLevel": "urgent"}')) AS t (query, wanted);
SELECT is(play.outcome('dispatch_queue', 'dora', query => query), wanted, 'queue ' || query::text)
    FROM (VALUES ('{"limit": "100"}'::jsonb, 'ok'), ('{"limit": "101"}', 'KN508'), ('{"limit": "0"}',
    'KN508')) AS t (query, wanted);
SELECT is((SELECT jsonb_array_length(body -> 'items') FROM play.call('dispatch_queue', 'dora',
    query => '{"limit": "2"}')), 2, 'no more than asked for');
INSERT INTO kintaraa.barred SELECT DISTINCT (i ->> 'incidentId')::uuid, p.id FROM queue, play.person p
    WHERE p.name = 'barred' AND queue.n <= 5;
SELECT is((SELECT count(*)::int FROM play.call('dispatch_queue', 'barred') AS c,
    jsonb_array_elements(c.body -> 'items') AS q JOIN kintaraa.barred b ON b.bucket = (q ->> 'incidentId')::uuid), 0,
    'T6: a barred dispatcher finds none of these');
SELECT is(play.outcome(door, who), wanted, door || ' by ' || COALESCE(who, 'nobody'))
    FROM unnest(ARRAY['dispatch_queue', 'dispatch_dashboard']) AS door,
    (VALUES ('amina', 'refused KN201'), ('clinic', 'refused KN201'), ('admin', 'ok'), (NULL,
        'unknown KN101')) AS t (who, wanted);
-- One account that reports by the hundred hides nobody, and its first ten are not hidden either.
SELECT play.register('flood'), play.register('later') \g /dev/null
SELECT play.report('flood', 'f' || n, '{mental_health}', '{"urgencyLevel": "immediate"}')
  FROM generate_series(1, 25) AS n \g /dev/null
SELECT play.report('later', 'one', '{mental_health}', '{"urgencyLevel": "immediate"}') AS hers \gset
CREATE TEMP TABLE flooded AS
SELECT row_number() OVER (ORDER BY n) AS place, p.name
  FROM play.call('dispatch_queue', 'dora', query => '{"limit": "100"}') AS c,
       jsonb_array_elements(c.body -> 'items') WITH ORDINALITY AS t (i, n)
  JOIN kintaraa.incident x ON x.id = (i ->> 'incidentId')::uuid JOIN play.person p ON p.id = x.owner_id
 WHERE p.name IN ('flood', 'later');
SELECT is((SELECT place::int FROM flooded WHERE name = 'later'), 11, 'who came after 25 of one is the eleventh');
SELECT is((SELECT count(*)::int FROM flooded WHERE name = 'flood'), 25, 'and none of these is lost');
SELECT is((SELECT array_agg(what) FROM play.broken), NULL, 'nothing is broken');
SELECT * FROM finish();
