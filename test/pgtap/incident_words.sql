-- Words as phones, forms and people write them; what is unclear falls to the side that acts.
\ir ../data/play.sql
SELECT plan(124);

SELECT lives_ok($$ SELECT play.register('amina'), play.staff('dora', 'dispatcher') $$, 'somebody comes in');
-- One member and what is made of it; NULL as meant is ignored and unreadable.
CREATE TEMP TABLE word (n serial, key text, said jsonb, meant text, triage boolean DEFAULT false);
INSERT INTO word (key, said, meant, triage) VALUES
    ('urgencyLevel', '"routine"', 'routine', false), ('urgencyLevel', '"Urgent"', 'urgent', false),
    ('urgencyLevel', '" IMMEDIATE "', 'immediate', false), ('urgencyLevel', '"high"', 'urgent', false),
    ('urgencyLevel', '"High"', 'urgent', false), ('urgencyLevel', '"critical"', 'immediate', false),
    ('urgencyLevel', '"emergency"', 'immediate', false), ('urgencyLevel', '"Emergencies"', NULL, false),
    ('urgencyLevel', '"now"', 'immediate', false), ('urgencyLevel', '"medium"', 'routine', false),
    ('urgencyLevel', '"normal"', 'routine', false), ('urgencyLevel', '"low"', 'routine', false),
    ('urgencyLevel', '"emergent"', 'immediate', false), ('urgencyLevel', '"Dharura"', 'immediate', false),
    ('urgencyLevel', '"hgih"', NULL, false), ('urgencyLevel', '""', NULL, false), ('urgencyLevel', '3', NULL, false),
    ('urgencyLevel', 'true', NULL, false), ('urgencyLevel', '{}', NULL, false), ('urgencyLevel', '["high"]', NULL,
    false),
    ('type', '"Sexual"', 'sexual', false), ('type', '" sexual\n"', 'sexual', false), ('type', '"physicals"',
    'physical', false),
    ('type', '"Sexual Violence"', 'sexual', false), ('type', '"sexual-assault"', 'sexual', false), ('type', '"rape"',
    'sexual', false),
    ('type', '"FEMICIDE"', 'femicide', false), ('type', '"theft"', NULL, true), ('type', '""', NULL, true), ('type',
    '7', NULL, true),
    ('severity', '"HIGH"', 'high', false), ('severity', '"severe"', 'high', false), ('severity', '"enormous"', NULL,
    false),
    ('supportServices', '["Medical"]', '["medical"]', false), ('supportServices', '"medical"', '["medical"]', false),
    ('supportServices', '"medical, legal"', '["medical", "legal"]', false),
    ('supportServices', '"medical legal;police|shelter\ncounseling"',
        '["medical", "legal", "police", "shelter", "counseling"]', false),
    ('supportServices', '"Medical and Legal Aid"', NULL, true), ('supportServices', '"medical, legal aid"',
    '["medical", "legal"]', false),
    ('supportServices', '["Medicals", "medical"]', '["medical"]', false),
    ('supportServices', '["mental health", "healthcare"]', '["counseling", "medical"]', false),
    ('supportServices', '["law_enforcement"]', '["police"]', false), ('supportServices', '"[\"medical\"]"',
    '["medical"]', false),
    ('supportServices', '"counselling\u00a0"', '["counseling"]', false), ('supportServices', '[]', '[]', true),
    ('supportServices', '""', '[]', true), ('supportServices', '["magic"]', NULL, true), ('supportServices',
    '["legal", "magic"]', NULL, true),
    ('supportServices', '{"medical": true}', NULL, true), ('supportServices', '7', NULL, true), ('supportServices',
    '[7]', NULL, true);
CREATE TEMP TABLE answer AS SELECT w.*, a.outcome, a.body FROM word w, play.call('incident_create', 'amina', NULL,
    jsonb_build_object('id', format('word-%s', n), 'supportServices', '["legal"]'::jsonb) || jsonb_build_object(key,
    said)) AS a;
SELECT is(CASE WHEN meant IS NULL THEN CASE key WHEN 'urgencyLevel' THEN body ->> key ELSE '' END
                  || ' ' || (body #>> '{ignored,0,code}')
               ELSE coalesce(body ->> key, '') || ' ' || (body ->> 'ignored') END,
          CASE WHEN meant IS NULL THEN CASE key WHEN 'urgencyLevel' THEN 'urgent' ELSE '' END || ' not_understood'
               ELSE meant || ' []' END, format('%s %s', key, said)) FROM answer ORDER BY n;
SELECT is((body ->> 'caseNumber') IS NOT NULL AND EXISTS (SELECT FROM kintaraa.need d JOIN kintaraa.incident i
              ON i.id = d.bucket WHERE i.case_number = body ->> 'caseNumber' AND d.service = 'triage'), triage,
          format('%s %s: %s', key, said, CASE WHEN triage THEN 'a person looks at it' ELSE 'no triage' END))
  FROM answer ORDER BY n;

-- Null and nothing are no words.
SELECT is(body ->> 'urgencyLevel' || ' ' || (body ->> 'ignored'), 'routine []', 'null asks for nothing')
  FROM play.call('incident_create', 'amina', NULL, '{"id": "none", "urgencyLevel": null, "type": null}');

-- The example that was left alone: three words in capitals.
SELECT is(body ->> 'type' || ' ' || (body ->> 'urgencyLevel') || ' ' || (body ->> 'supportServices') || ' ' || (body
    ->> 'ignored'),
          'sexual immediate ["medical"] []', 'three words that were not understood are')
  FROM play.call('incident_create', 'amina', NULL,
    '{"type": "Sexual", "urgencyLevel": "high", "supportServices": ["Medical"]}');

-- The same words in a batch and in a push.
SELECT is(body #>> '{results,0,status}', 'applied', 'a batch') FROM play.call('sync_batch', 'amina', NULL,
    '{"records": [{"table": "incidents", "id": "b1", "op": "upsert", "data": {"urgencyLevel": "hgih", "type": "Sexual",
      "supportServices": "Medical, magic"}}]}');
SELECT is(play.outcome('sync_push', 'amina', NULL, '{"incidents": {"created": [{"id": "p1", "urgency_level": "hgih",
    "type": "Sexual", "support_services": "Medical, magic"}, {"id": "p2", "support_services":
    "[\"Medical\"]"}]}}'), 'ok', 'a push');
SELECT is(body ->> 'type' || ' ' || (body ->> 'supportServices') || ' ' || (body ->> 'ignored'), 'sexual ["medical"] '
    || '[{"code": "not_understood", "pointer": "/urgencyLevel"}, '
    || '{"code": "not_understood", "pointer": "/supportServices"}]',
    'say the same: ' || id) FROM unnest(ARRAY['b1', 'p1']) AS id, play.call('incident_get', 'amina', ARRAY[id]);
SELECT is(body ->> 'supportServices', '["medical"]', 'a list as JSON text') FROM play.call('incident_get', 'amina',
    '{p2}');
SELECT is(count(*)::int, 2, 'and a person looks at both') FROM kintaraa.need WHERE service = 'triage' AND bucket IN
    (SELECT bucket FROM kintaraa.need WHERE service = 'medical') AND urgency_level = 'immediate';

-- A change that is not understood lowers nothing, and raises what was routine.
SELECT play.report('amina', 'hot', '{medical}', '{"urgencyLevel": "immediate"}') AS hot,
       play.report('amina', 'cold', '{medical}', '{"urgencyLevel": "routine"}') AS cold \gset
SELECT is(body ->> 'urgencyLevel' || ' ' || (body #>> '{ignored,0,pointer}'), wanted || ' /urgencyLevel', 'PATCH of '
    || id)
  FROM (VALUES ('hot', 'immediate'), ('cold', 'urgent')) AS t (id, wanted),
       play.call('incident_update', 'amina', ARRAY[id], '{"urgencyLevel": "soonish"}');
SELECT is(body ->> 'urgencyLevel', 'routine', 'what she says plainly stands') FROM play.call('incident_update',
    'amina', '{cold}',
    '{"urgencyLevel": "Low"}');
SELECT is(count(*)::int, 0, 'so far nobody has to look at it') FROM kintaraa.need WHERE bucket = :'cold' AND service
    = 'triage';
SELECT is(play.outcome('incident_update', 'amina', '{cold}', '{"supportServices": ["medical", "a ride"]}'), 'ok',
    'a service nobody knows');
SELECT is(count(*)::int, 1, 'is looked at by a person') FROM kintaraa.need WHERE bucket = :'cold' AND service =
    'triage';
SELECT is(play.outcome('incident_update', 'amina', '{hot}', '{"type": "something else"}'), 'ok', 'a type nobody knows');
SELECT is(count(*)::int, 1, 'as well') FROM kintaraa.need WHERE bucket = :'hot' AND service = 'triage';
SELECT is(play.outcome('incident_update', 'amina', '{hot}', '{"supportServices": []}'), 'ok',
    'naming nothing any more');
SELECT is(count(*)::int, 2, 'opens nothing') FROM kintaraa.need WHERE bucket = :'hot';

-- Replays of words that are understood now, in both spellings of a version.
SELECT is(play.outcome('incident_create', 'amina', NULL,
    '{"id": "again", "type": "Physical", "urgencyLevel": "zzz"}'), 'created', 'odd words');
SELECT is(play.outcome('incident_create', 'amina', NULL,
    '{"id": "again", "type": "Physical", "urgencyLevel": "zzz"}'), 'ok', 'again');
SELECT is(play.outcome('incident_create', 'amina', NULL,
    '{"id": "again", "type": "Physical", "urgencyLevel": "zz"}'), 'conflict KN401', 'others');
SELECT * FROM finish();
