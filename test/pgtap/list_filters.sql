-- A list answers what was asked, or says what it can be asked; it never answers something else.
\ir ../data/play.sql
SELECT plan(216);

SELECT lives_ok($$ SELECT play.register('amina'), play.staff('dora', 'dispatcher'), play.staff('ada', 'admin'),
                          play.helper('clinic', 'healthcare', -1.281, 36.821) $$, 'everybody comes in');

-- Each list: who asks it, its path, its parameters, and those of them that are words.
CREATE TEMP TABLE list (door text, who text, path text[], known jsonb);
INSERT INTO list VALUES
    ('incident_list', 'amina', NULL, '{"status": ["new", "assigned", "in_progress", "completed", "closed"],
        "type": ["physical", "sexual", "emotional", "economic", "online", "femicide", "medical"],
        "urgency": ["routine", "urgent", "immediate"]}'),
    ('incident_list', 'clinic', NULL, '{"status": ["new", "assigned", "in_progress", "completed", "closed"],
        "type": ["physical", "medical"], "urgency": ["routine", "urgent", "immediate"]}'),
    ('incident_list', 'dora', NULL, '{"status": ["pending_dispatcher_review", "new", "closed"],
        "urgency": ["routine", "urgent", "immediate"]}'),
    ('assignment_list', 'clinic', NULL, '{"status": ["pending", "accepted", "declined", "expired", "withdrawn",
        "released"]}'),
    ('dispatch_queue', 'dora', NULL, '{"state": ["searching", "offered", "needs_dispatcher", "stalled"],
        "urgency": ["routine", "urgent", "immediate"]}'),
    ('dispatch_coverage', 'dora', NULL, '{"urgency": ["routine", "urgent", "immediate"]}'),
    ('duty_list', 'dora', NULL, '{}'),
    ('recommendation_list', 'dora', '{11111111-1111-4111-8111-111111111111}', '{}'),
    ('provider_list', 'dora', NULL, '{"type": ["healthcare", "legal", "police", "counseling", "social", "gbv_rescue",
        "chw"], "available": ["true", "false"]}'),
    ('personal_list', 'amina', '{journal_entry}', '{}'),
    ('notification_list', 'amina', NULL, '{}'),
    ('archive_list', 'amina', NULL, '{"reason": ["version", "no_base", "deleted", "append_only", "unreadable", "scope",
        "unusable"]}'),
    ('sync_manifest', 'amina', NULL, '{}'),
    ('session_list', 'amina', NULL, '{}'),
    ('account_list', 'ada', NULL, '{"role": ["survivor", "provider", "dispatcher", "admin", "analyst"]}'),
    ('setting_list', 'ada', NULL, '{}'),
    ('audit_list', 'ada', NULL, '{"action": ["incident_get", "audit_list", "invite"], "outcome": ["ok", "created",
        "accepted", "none", "conflict", "gone", "malformed", "unknown", "refused", "absent", "stale", "slow_down"]}');
CREATE FUNCTION pg_temp.needed(door text) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT CASE door WHEN 'dispatch_coverage' THEN '{"points": "-1.28,36.82"}'
                        WHEN 'sync_manifest' THEN '{"noun": "incident"}' ELSE '{}' END::jsonb $$;

SELECT is(play.outcome(door, who, path, NULL, pg_temp.needed(door) || jsonb_build_object(key, word)), 'ok',
          format('%s of %s: %s=%s', door, who, key, word))
  FROM list, jsonb_each(known) AS k, jsonb_array_elements_text(value) AS word;
SELECT is(play.outcome(door, who, path, NULL, pg_temp.needed(door) || jsonb_build_object(key, word)), 'KN508',
          format('%s of %s: %s=%s', door, who, key, word))
  FROM list, jsonb_each(known) AS k, unnest(ARRAY['high', '', upper(value ->> 0), (value ->> 0) || ' ']) AS word;
SELECT is(play.outcome(door, who, path, NULL, pg_temp.needed(door) || pair), 'KN508',
          format('%s of %s: %s', door, who, pair))
  FROM list, unnest(ARRAY['{"colour": "red"}', '{"Limit": "1"}']::jsonb[]) AS pair;
SELECT is(play.outcome('incident_list', who, NULL, NULL, query), 'KN508', format('a %s list of %s', query, who))
  FROM (VALUES ('amina', '{"status": "pending_dispatcher_review"}'::jsonb), ('clinic',
      '{"status": "pending_dispatcher_review"}'), ('dora', '{"type": "sexual"}')) AS t (who, query);

-- The words are in the hint, with the parameter as pointer.
CREATE FUNCTION pg_temp.refusal(who text, door text, query jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text; hint text; pointer text;
BEGIN
    EXECUTE format('SELECT kintaraa_api.%I((SELECT token FROM play.person WHERE name = %L), NULL, %L, NULL, NULL)',
                   door, who, query);
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, pointer = COLUMN_NAME;
    RETURN concat_ws(' | ', said, hint, pointer);
END
$$;
SELECT is(pg_temp.refusal('dora', 'dispatch_queue', '{"urgency": "high"}'),
          'a query parameter has an unknown value | Send one of: routine, urgent, immediate. | urgency',
    'an unknown word');
SELECT is(pg_temp.refusal('dora', 'dispatch_queue', '{"colour": "red"}'),
          'this list has no such query parameter | It knows: state, urgency, limit. | ', 'an unknown parameter');

-- The one case of a number.
SELECT play.report('amina', 'one') AS one, play.report('amina', 'two') AS two \gset
SELECT case_number AS number FROM kintaraa.incident WHERE id = :'one' \gset
CREATE FUNCTION pg_temp.found(who text, query jsonb) RETURNS text LANGUAGE sql AS $$
SELECT c.outcome || ' ' || coalesce((SELECT string_agg(i ->> 'caseNumber', ' ') FROM
       jsonb_array_elements(c.body -> 'items') AS i), '') FROM play.call('incident_list', who, NULL, NULL, query) AS
    c $$;
SELECT matches(:'number'::text, '^KIN-[0-9]{8}-[0-9]{9}$', 'a number has eight digits and one to check them');
SELECT is(pg_temp.found(who, jsonb_build_object('caseNumber', typed)), 'ok ' || :'number',
          format('%s finds it as %s', who, typed))
  FROM unnest(ARRAY['amina', 'dora']) AS who,
       unnest(ARRAY[:'number'::text, lower(:'number'), ' ' || replace(:'number', '-', ' '), substr(:'number', 5)]) AS
    typed;
SELECT is(pg_temp.found('clinic', jsonb_build_object('caseNumber', :'number')), 'ok ',
    'a team that was asked does not');
SELECT is(pg_temp.found('dora', jsonb_build_object('caseNumber', :'number') || more), wanted, format('with %s', more))
  FROM (VALUES ('{"urgency": "routine"}'::jsonb, 'ok ' || :'number'), ('{"urgency": "urgent"}', 'ok ')) AS t (more,
    wanted);
SELECT is(play.outcome('incident_list', 'dora', NULL, NULL, jsonb_build_object('caseNumber', typed)), 'KN508',
          format('%s is no number of a case', typed))
  FROM unnest(ARRAY['', 'KIN-', 'KIN-20260215-001', '7', 'x', :'number' || '1', left(:'number', -1)
      || (right(:'number', 1)::int + 1) % 10]) AS typed;
UPDATE kintaraa.incident SET case_number = 'KIN-20260215-1234569' WHERE id = :'two';
SELECT is(pg_temp.found('dora', '{"caseNumber": "kin-20260215-1234569"}'), 'ok KIN-20260215-1234569',
          'a number of version 1.0, with six digits, finds its case');
INSERT INTO kintaraa.barred SELECT :'two', id FROM play.person WHERE name = 'dora';
SELECT is(pg_temp.found('dora', '{"caseNumber": "KIN-20260215-1234569"}'), 'ok ', 'but not for who is barred');
SELECT * FROM finish();
