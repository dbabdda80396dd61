\ir ../data/play.sql
SELECT plan(144);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.staff('dora', 'dispatcher'), play.register('amina'),
    play.register('zawadi') \g /dev/null
CREATE TEMP TABLE state AS SELECT unnest(ARRAY['new', 'pending_dispatcher_review', 'assigned', 'in_progress',
    'completed', 'closed']) AS name;

CREATE FUNCTION pg_temp.case_in(wanted text, id text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    it uuid := play.report('amina', id, '{medical}');
BEGIN
    PERFORM play.call('assignment_accept', 'clinic', ARRAY[play.offer('clinic', it)::text]);
    UPDATE kintaraa.incident SET status = wanted WHERE kintaraa.incident.id = it;
    PERFORM kintaraa.change_flush();
    RETURN it;
END
$$;
UPDATE kintaraa.provider_dispatch SET capacity = 1000;

CREATE TEMP TABLE attempt AS
SELECT f.name AS from_status, t.name AS to_status, a.actor, a.who, pg_temp.case_in(f.name,
    f.name || '.' || t.name || '.' || a.actor) AS id,
       EXISTS (SELECT FROM kintaraa.status_rule r WHERE r.from_status = f.name AND r.to_status = t.name
           AND r.actor = a.actor) AS allowed
  FROM state f, state t, (VALUES ('owner', 'amina'), ('helper', 'clinic'), ('dispatcher', 'dora')) AS a (actor, who);
CREATE TEMP TABLE answer AS
SELECT a.*, c.outcome, c.body FROM attempt a, play.call('incident_status', a.who,
       ARRAY[CASE a.actor WHEN 'owner' THEN from_status || '.' || to_status || '.owner' ELSE a.id::text END],
           jsonb_build_object('status', a.to_status, 'reason', 'helped')) AS c;
SELECT is(concat_ws(' ', outcome, body ->> 'code'), CASE WHEN allowed OR from_status = to_status THEN 'ok'
    ELSE 'conflict KN402' END,
          actor || ': ' || from_status || ' to ' || to_status) FROM answer ORDER BY actor, from_status, to_status;
SELECT is((SELECT count(*)::int FROM answer WHERE outcome = 'conflict' AND body -> 'allowed' IS DISTINCT FROM
            (SELECT COALESCE(jsonb_agg(r.to_status ORDER BY r.to_status), '[]') FROM kintaraa.status_rule r
                WHERE r.from_status = answer.from_status AND r.actor = answer.actor)), 0,
          'each refusal names what is allowed');
SELECT is((SELECT count(*)::int FROM answer a JOIN kintaraa.incident i USING (id) WHERE a.outcome = 'conflict'
    AND i.status <> a.from_status), 0, 'and leaves the case as it was');
SELECT is((SELECT count(*)::int FROM answer a JOIN kintaraa.incident i USING (id) WHERE a.outcome = 'ok'
    AND i.status <> a.to_status), 0, 'each success moved it');
SELECT is((SELECT count(*)::int FROM answer a WHERE a.outcome = 'ok' AND a.from_status <> a.to_status AND
            (SELECT count(*) FROM kintaraa.status_history h WHERE h.bucket = a.id AND h.from_status = a.from_status
                AND h.to_status = a.to_status AND h.actor = a.actor) <> 1), 0,
          'and left one row of history');

CREATE FUNCTION pg_temp.load() RETURNS integer LANGUAGE sql AS
    $$ SELECT d.load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id
        WHERE p.name = 'clinic' $$;
DELETE FROM attempt;
UPDATE kintaraa.provider_dispatch SET load = 0;
CREATE TEMP TABLE life AS SELECT play.report('amina', 'life', '{medical,legal}') AS id;
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', id)::text]), 'ok', 'accepted')
    FROM life;
SELECT is((SELECT status FROM kintaraa.incident i JOIN life USING (id)), 'in_progress', 'the machine follows');
SELECT is(pg_temp.load(), 1, 'one case is open');
SELECT is((SELECT due_at IS NOT NULL FROM kintaraa.need n JOIN life ON n.bucket = life.id WHERE service = 'medical'),
    true, 'contact is due');
SELECT is(play.outcome('incident_status', 'clinic', ARRAY[id::text], '{"status": "in_progress"}'), 'ok',
    'the clinic was in touch with her') FROM life;
SELECT is((SELECT due_at IS NULL AND contacted_at IS NOT NULL FROM kintaraa.need n JOIN life ON n.bucket = life.id
    WHERE service = 'medical'), true, 'contact is no longer due');
SELECT is(play.outcome('incident_status', 'clinic', ARRAY[id::text], '{"status": "completed", "note": "done",
    "reason": "helped"}'), 'ok',
    'completed') FROM life;
SELECT is((SELECT array_agg(service || ' ' || state ORDER BY service) FROM kintaraa.need n
    JOIN life ON n.bucket = life.id), '{"legal needs_dispatcher","medical met"}',
    'what the clinic had is met, the rest goes on');
SELECT is((SELECT status FROM kintaraa.incident i JOIN life USING (id)), 'pending_dispatcher_review',
    'and the case is where that is');
SELECT is(play.outcome('incident_status', 'clinic', ARRAY[id::text], '{"status": "completed", "note": "done",
    "reason": "helped"}'), 'ok', 'again is the same answer') FROM life;
SELECT is((SELECT count(note_sealed)::int FROM kintaraa.status_history h JOIN life ON h.bucket = life.id), 1,
    'said once');
SELECT is(play.outcome('need_withdraw', 'amina', '{life,legal}'), 'ok', 'she withdraws the rest');
SELECT is((SELECT status FROM kintaraa.incident i JOIN life USING (id)), 'completed', 'which completes the case');
SELECT is(pg_temp.load(), 0, 'capacity is free');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[id::text]), 'ok', 'the clinic still reads it') FROM life;
UPDATE kintaraa.provider_dispatch d SET load = capacity FROM play.person p WHERE p.provider = d.provider_id
    AND p.name = 'clinic';
SELECT is(play.outcome('incident_status', 'dora', ARRAY[id::text], '{"status": "in_progress"}'), 'ok',
    'taken up again, full or not') FROM life;
SELECT is(pg_temp.load(), 1001, 'the work counts although the team was full');
SELECT is(play.outcome('incident_status', 'dora', ARRAY[id::text], '{"status": "completed", "reason": "helped"}'), 'ok',
    'completed again')
    FROM life;
SELECT is(pg_temp.load(), 1000, 'and is given back once');

SELECT is(play.outcome('incident_status', 'amina', '{life}', body), wanted, 'body ' || COALESCE(body::text, 'absent'))
    FROM (VALUES
    ('{}'::jsonb, 'KN502'), ('{"status": "open"}', 'KN504'), ('{"status": 1}', 'KN503'), ('{"status": null}', 'KN502'),
        ('[]', 'KN501'), (NULL, 'KN501'),
    ('{"status": "closed", "more": 1}', 'KN509'), ('{"status": "closed", "note": 1}', 'KN503')) AS t (body, wanted);
SELECT is(play.outcome('incident_status', 'dora', ARRAY[id::text], jsonb_build_object('status', 'completed', 'note',
    repeat('x', n), 'reason', 'helped')), wanted, 'a note of ' || n)
  FROM life, (VALUES (4000, 'ok'), (4001, 'KN505')) AS t (n, wanted);
SELECT is(play.outcome('incident_status', who, ARRAY[id::text], '{"status": "closed"}'), wanted,
    'not by ' || COALESCE(who, 'nobody'))
  FROM life, (VALUES ('zawadi', 'absent KN301'), (NULL, 'unknown KN101')) AS t (who, wanted);
SELECT is((SELECT body ->> 'status' FROM play.call('incident_status', 'amina',
    '{pending_dispatcher_review.pending_dispatcher_review.owner}', '{"status": "pending_dispatcher_review"}')), 'new',
    'C21: she is not told the inner state');
SELECT * FROM finish();
