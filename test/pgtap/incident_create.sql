\ir ../data/play.sql
SELECT plan(156);

SELECT lives_ok($$ SELECT play.register('amina'), play.register('zawadi'), play.staff('dora', 'dispatcher') $$,
                'two survivors and a dispatcher come in');
SELECT lives_ok($$ SELECT play.helper('clinic', 'healthcare', -1.281, 36.821) $$, 'and a clinic');

CREATE TEMP TABLE first_answer AS
SELECT * FROM play.call('incident_create', 'amina', NULL, '{"id": "first", "type": "physical",
    "incidentDate": "2026-01-02", "incidentTime": "23:59", "description": "what happened", "severity": "high",
    "urgencyLevel": "urgent", "supportServices": ["medical", "legal"], "isAnonymous": false,
    "location": {"address": "a house", "description": "behind it", "coordinates": {"latitude": -1.28,
        "longitude": 36.82},
                 "accuracyM": 12.5, "source": "gps"},
    "providerPreferences": {"communicationMethod": "sms", "preferredGender": "female",
        "proximityPreference": "nearest"}}');
SELECT is(outcome, 'created', 'a report is created') FROM first_answer;
SELECT is(body -> key, wanted, 'created: ' || key) FROM first_answer, (VALUES
    ('id', '"first"'::jsonb), ('type', '"physical"'), ('incidentDate', '"2026-01-02"'), ('description',
        '"what happened"'),
    ('severity', '"high"'), ('urgencyLevel', '"urgent"'), ('supportServices', '["medical", "legal"]'),
    ('isAnonymous', 'false'), ('anonymity', '"named"'), ('reporter', '"survivor"'), ('assignments', '[]'),
    ('missing', '[]'), ('ignored', '[]'), ('serverVersion', '1'),
    ('location', '{"address": "a house", "description": "behind it", "accuracyM": 12.5, "source": "gps",
                   "coordinates": {"latitude": -1.28, "longitude": 36.82}}'),
    ('providerPreferences', '{"communicationMethod": "sms", "preferredGender": "female",
        "proximityPreference": "nearest", "triageTeams": []}')
    ) AS t (key, wanted);
SELECT is(body ->> 'incidentTime', '23:59:00', 'created: incidentTime') FROM first_answer;
SELECT matches(body ->> 'caseNumber', '^KIN-[0-9]{8}-[0-9]{9}$', 'created: case number of D9') FROM first_answer;
SELECT is(jsonb_array_length(body -> 'needs'), 2, 'created: a need for each service') FROM first_answer;
SELECT ok(jsonb_array_length(body -> 'hotlines') > 0, 'created: hotlines') FROM first_answer;
SELECT matches(body ->> 'serverTime', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'created: serverTime')
    FROM first_answer;
SELECT is(count(*)::int, 10, 'the check digit of case numbers takes every value')
  FROM (SELECT DISTINCT right(body ->> 'caseNumber', 1)
          FROM generate_series(1, 120) AS n, play.call('incident_create', 'zawadi', NULL, jsonb_build_object('id',
              'digit-' || n))) AS t;

SELECT is(play.outcome('incident_create', 'amina', NULL, '{"id": "first", "type": "physical",
    "incidentDate": "2026-01-02", "incidentTime": "23:59", "description": "what happened", "severity": "high",
    "urgencyLevel": "urgent", "supportServices": ["medical", "legal"], "isAnonymous": false,
    "location": {"address": "a house", "description": "behind it", "coordinates": {"latitude": -1.28,
        "longitude": 36.82},
                 "accuracyM": 12.5, "source": "gps"},
    "providerPreferences": {"communicationMethod": "sms", "preferredGender": "female",
        "proximityPreference": "nearest"}}'),
    'ok', 'the same again is a replay');
SELECT is((SELECT count(*)::int FROM play.incident WHERE client_id = 'first'), 1, 'and stores nothing new');
CREATE TEMP TABLE conflict AS
SELECT * FROM play.call('incident_create', 'amina', NULL, '{"id": "first", "type": "sexual", "description": "other"}');
SELECT is(outcome || ' ' || (body ->> 'code'), 'conflict KN401', 'the same id for another report is a conflict')
    FROM conflict;
SELECT is(body #>> '{current,description}', 'what happened', 'with what is stored') FROM conflict;
SELECT is(body #>> '{yours,description}', 'other', 'and what was sent') FROM conflict;
SELECT is((SELECT type FROM play.incident WHERE client_id = 'first'), 'physical', 'and nothing is overwritten');
SELECT is(play.outcome('incident_update', 'amina', '{first}', '{"description": "changed by me"}'), 'ok',
    'after a change of hers');
SELECT is(play.outcome('incident_create', 'amina', NULL, '{"id": "first", "type": "physical",
    "incidentDate": "2026-01-02", "incidentTime": "23:59", "description": "what happened", "severity": "high",
    "urgencyLevel": "urgent", "supportServices": ["medical", "legal"], "isAnonymous": false,
    "location": {"address": "a house", "description": "behind it", "coordinates": {"latitude": -1.28,
        "longitude": 36.82},
                 "accuracyM": 12.5, "source": "gps"},
    "providerPreferences": {"communicationMethod": "sms", "preferredGender": "female",
        "proximityPreference": "nearest"}}'),
    'ok', 'the first payload is a replay still');
SELECT is(body ->> 'description', 'changed by me', 'which shows the record as it is now (SY9)')
  FROM play.call('incident_get', 'amina', '{first}');

CREATE TEMP TABLE wrong AS
SELECT row_number() OVER () AS n, pointer, value::jsonb FROM (VALUES
    ('/type', '1'), ('/type', '"theft"'), ('/type', '{}'), ('/type', '["physical"]'), ('/type', '""'), ('/type',
        '"phys ical"'),
    ('/incidentDate', '"2026-13-01"'), ('/incidentDate', '"2026-02-29"'), ('/incidentDate', '20260101'),
        ('/incidentDate', '"1899-12-31"'),
    ('/incidentDate', '"2026-1-01"'), ('/incidentDate', '"2026-01-01T00:00:00Z"'), ('/incidentDate', '"2201-01-01"'),
    ('/incidentTime', '"24:00"'), ('/incidentTime', '"23:60"'), ('/incidentTime', '"7pm"'), ('/incidentTime', '7'),
        ('/incidentTime', '"23:59:60"'),
    ('/description', '1'), ('/description', '{"a": 1}'), ('/description', '[]'), ('/description', 'true'),
    ('/severity', '"extreme"'), ('/severity', '3'), ('/urgencyLevel', '"later"'), ('/urgencyLevel', 'null1'),
        ('/urgencyLevel', '{}'),
    ('/supportServices', '"magic"'), ('/supportServices', '{"medical": true}'), ('/supportServices', '1'),
    ('/isAnonymous', '"so so"'), ('/isAnonymous', '2'),
    ('/location', '"Kibera"'), ('/location', '[1]'), ('/location', '7'),
    ('/location/address', '1'), ('/location/description', 'false'), ('/location/coordinates', '"x"'),
    ('/location/coordinates', '{"latitude": 91, "longitude": 0}'), ('/location/coordinates',
        '{"latitude": 0, "longitude": -180.01}'),
    ('/location/coordinates', '{"latitude": "0", "longitude": 0}'), ('/location/coordinates', '{"latitude": 0}'),
        ('/location/coordinates', '[0, 0]'),
    ('/location/accuracyM', '-1'), ('/location/accuracyM', '"5"'), ('/location/accuracyM', '10000001'),
        ('/location/source', '"moon"'), ('/location/source', '1'),
    ('/providerPreferences', '"sms"'), ('/providerPreferences/communicationMethod', '"pigeon"'),
    ('/providerPreferences/preferredGender', '"any"'), ('/providerPreferences/preferredGender', '2'),
        ('/providerPreferences/proximityPreference', '"far"')
    ) AS t (pointer, value) WHERE value <> 'null1';
CREATE TEMP TABLE wrong_answer AS
SELECT w.*, a.outcome, a.body FROM wrong w, LATERAL (SELECT string_to_array(ltrim(w.pointer, '/'), '/') AS p) AS s,
    play.call('incident_create', 'amina', NULL, jsonb_build_object('id', 'wrong-' || n, 'severity', 'low') ||
        CASE cardinality(p) WHEN 1 THEN jsonb_build_object(p[1], value)
                            ELSE jsonb_build_object(p[1], jsonb_build_object(p[2], value)) END) AS a;
SELECT is(outcome || ' ' || (body -> 'ignored')::text, 'created ' || jsonb_build_array(jsonb_build_object('pointer',
    pointer, 'code',
          CASE WHEN pointer IN ('/location', '/providerPreferences') THEN 'unknown_field'
              ELSE 'not_understood' END))::text,
          'lenient: ' || pointer || ' ' || value) FROM wrong_answer ORDER BY n;
SELECT is((SELECT count(*)::int FROM play.incident i JOIN wrong_answer w ON i.client_id = 'wrong-' || w.n
            WHERE i.unreadable_sealed IS NULL), 0, 'what could not be read is kept, sealed');
SELECT is(play.outcome('incident_create', 'amina', NULL, jsonb_build_object('id', 'wrong-1', 'severity', 'low', 'type',
    2)),
          'conflict KN401', 'what could not be read counts in the comparison of payloads');

SELECT is(body -> 'ignored', '[{"code": "not_understood", "pointer": "/supportServices/1"},
    {"code": "not_understood", "pointer": "/supportServices/3"}]', 'services that are not known are named one by one')
  FROM play.call('incident_create', 'amina', NULL, '{"id": "s", "supportServices": ["legal", "magic", "legal", 5,
      "medical"]}');
SELECT is(body -> 'supportServices', '["legal", "medical"]', 'the others are kept once each')
    FROM play.call('incident_get', 'amina', '{s}');
SELECT is(body -> 'ignored', '[{"code": "unknown_field", "pointer": "/colour"}]', 'an unknown field is listed')
  FROM play.call('incident_create', 'amina', NULL, '{"id": "u", "colour": {"deep": [1, {"deeper": null}]}}');
SELECT set_eq($$ SELECT e ->> 'pointer' AS pointer, e ->> 'code' AS code FROM play.call('incident_create', 'amina',
    NULL,
        '{"id": "o", "status": "closed", "caseNumber": "KIN-1", "serverVersion": 9, "createdAt": "2020-01-01",
            "needs": []}'),
        jsonb_array_elements(body -> 'ignored') AS e $$,
    $$ VALUES ('/status', 'server_owned'), ('/caseNumber', 'server_owned'), ('/serverVersion', 'server_owned'),
              ('/createdAt', 'server_owned'), ('/needs', 'server_owned') $$,
                  'what only the server owns is ignored and listed');
SELECT is(body ->> 'status' || ' ' || (body ->> 'serverVersion'), 'new 1', 'and has no effect')
    FROM play.call('incident_get', 'amina', '{o}');
SELECT is((SELECT jsonb_array_length(body -> 'ignored') FROM play.call('incident_create', 'amina', NULL,
              (SELECT jsonb_object_agg('f' || n, n) FROM generate_series(1, size) AS n))), least(size, 64),
                  size || ' unknown fields')
  FROM unnest(ARRAY[64, 65]) AS size;
SELECT is(outcome, 'created', 'null counts as absent') FROM play.call('incident_create', 'amina', NULL,
    '{"id": "n", "type": null, "location": null, "supportServices": null}');
SELECT is(outcome || ' ' || (body -> 'missing')::text,
    'created ["type", "incidentDate", "supportServices", "location"]', 'an empty report is a report')
  FROM play.call('incident_create', 'amina', NULL, '{}');

SELECT is((SELECT outcome || ' ' || (body -> 'ignored')::text FROM play.call('incident_create', 'amina', NULL,
    jsonb_build_object('id', id, 'description', repeat(c, n)))),
          'created ' || wanted, id) FROM (VALUES
    ('description-at', 65536, 'x', '[]'), ('description-over', 65537, 'x',
        '[{"code": "not_understood", "pointer": "/description"}]'),
    ('description-at-in-characters', 65536, 'ü', '[]')) AS t (id, n, c, wanted);
SELECT is((SELECT outcome || ' ' || jsonb_array_length(body -> 'ignored') FROM play.call('incident_create', 'amina',
    NULL,
              jsonb_build_object('id', 'address-' || n, 'location', jsonb_build_object('address', repeat('x', n))))),
                  wanted, 'address of ' || n)
  FROM (VALUES (1000, 'created 0'), (1001, 'created 1')) AS t (n, wanted);

SELECT is(play.outcome('incident_create', 'amina', NULL, jsonb_build_object('id', id)), wanted, 'id ' || left(id::text,
    30))
  FROM (VALUES (to_jsonb(repeat('a', 64)), 'created'), (to_jsonb(repeat('a', 65)), 'KN506'), ('""', 'KN506'), ('1',
      'KN506'), ('{}', 'KN506'),
               ('true', 'KN506'), ('"a b"', 'KN506'), ('"a/b"', 'KN506'), ('"é"', 'KN506'), ('"a\n"', 'KN506'),
                   ('"a%"', 'KN506'),
               ('"A.b_c-9"', 'created'), ('null', 'created')) AS t (id, wanted);
SELECT is(play.outcome('incident_create', 'amina', NULL, body), 'KN501', 'body ' || COALESCE(body::text, 'absent'))
  FROM unnest(ARRAY['[]', '"text"', '1', 'null', NULL]::jsonb[]) AS body;
SELECT is(body ->> 'id', id, 'her id comes back byte for byte: ' || id)
    FROM unnest(ARRAY['6F9619FF-8B86-4011-B42D-00C04FC964FF', 'wAtErMeLoNdB16id']) AS id,
  play.call('incident_create', 'amina', NULL, jsonb_build_object('id', id));
SELECT is(play.outcome('incident_get', 'amina', ARRAY[id]), wanted, 'she reads ' || id)
  FROM (VALUES ('6F9619FF-8B86-4011-B42D-00C04FC964FF', 'ok'), ('6f9619ff-8b86-4011-b42d-00c04fc964ff', 'ok'),
      ('watermelondb16id', 'absent KN301'), ('wAtErMeLoNdB16id', 'ok')) AS t (id, wanted);
SELECT is((SELECT (play.call('incident_get', 'dora', ARRAY[i.id::text])).body ->> 'id'), i.id::text,
    'others read the server''s id of ' || i.client_id)
  FROM play.incident i WHERE client_id IN ('6f9619ff-8b86-4011-b42d-00c04fc964ff', 'wAtErMeLoNdB16id');
SELECT isnt((play.call('incident_create', 'amina', NULL,
    '{"id": "11111111-2222-4333-8444-555555555555"}')).body ->> 'x', '', 'a lower-case UUID');
SELECT is((SELECT client_id FROM play.incident WHERE id = '11111111-2222-4333-8444-555555555555'),
    '11111111-2222-4333-8444-555555555555', 'which nobody has is the id');

SELECT is((SELECT outcome || ' ' || (body ->> 'id') FROM play.call('incident_create', 'zawadi', NULL,
    '{"id": "11111111-2222-4333-8444-555555555555", "description": "mine"}')),
          'created 11111111-2222-4333-8444-555555555555', 'somebody else''s id makes an own report');
SELECT is((SELECT count(DISTINCT id)::int FROM play.incident
    WHERE client_id = '11111111-2222-4333-8444-555555555555'), 2, 'with another id inside');
SELECT is(body ->> 'description', wanted, who || ' reads her own') FROM (VALUES ('amina', NULL), ('zawadi',
    'mine')) AS t (who, wanted),
  play.call('incident_get', who, '{11111111-2222-4333-8444-555555555555}');
SELECT is((SELECT n.bucket FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket
    JOIN play.person p ON p.id = i.owner_id
            WHERE p.name = 'zawadi' AND i.client_id = '11111111-2222-4333-8444-555555555555'),
          (SELECT i.id FROM play.incident i JOIN play.person p ON p.id = i.owner_id
            WHERE p.name = 'zawadi' AND i.client_id = '11111111-2222-4333-8444-555555555555'),
                'her needs are of her report');

SELECT is(outcome, 'created', 'a number bomb in an unknown field is a report') FROM play.call('incident_create',
    'amina', NULL, '{"id": "bomb", "x": [1e131071]}');
SELECT cmp_ok((SELECT length(unreadable_sealed) FROM play.incident WHERE client_id = 'bomb'), '<', 500,
    'and stays small');
SELECT is(outcome || ' ' || jsonb_array_length(body -> 'ignored'), 'created 1', 'a number bomb in a number')
    FROM play.call('incident_create', 'amina', NULL, '{"id": "bomb2", "location": {"accuracyM": 1e131071}}');
SELECT is(outcome || ' ' || jsonb_array_length(body -> 'ignored'), 'created 1', 'a number bomb in a place')
    FROM play.call('incident_create', 'amina', NULL, '{"id": "bomb3",
    "location": {"coordinates": {"latitude": 1e131071, "longitude": 1e-16383}}}');

CREATE TEMP TABLE placed AS
SELECT id, wanted, outcome FROM (VALUES
    ('nairobi-by-default', '{"coordinates": {"latitude": -1.2921, "longitude": 36.8219}}', 'true'),
    ('nairobi-none', '{"coordinates": {"latitude": -1.2921, "longitude": 36.8219}, "source": "none"}', 'true'),
    ('nairobi-pinned', '{"coordinates": {"latitude": -1.2921, "longitude": 36.8219}, "source": "pin"}', 'false'),
    ('pole', '{"coordinates": {"latitude": 90, "longitude": 180}}', 'false')) AS t (id, place, wanted),
    play.call('incident_create', 'amina', NULL, jsonb_build_object('id', id, 'location', place::jsonb));
SELECT is((i.cell_latitude IS NULL)::text, wanted, 'no cell for a place that is none: ' || p.id)
  FROM placed p JOIN play.incident i ON i.client_id = p.id;
-- A date begins at midnight in Nairobi: up to a day before the moment it was taken from, at whatever hour this runs.
SELECT is((SELECT body ->> 'urgencyLevel' || ' ' || (body -> 'suggestedServices')::text
    FROM play.call('incident_create', 'amina', NULL, jsonb_build_object('id', 'clock-' || n, 'type', type,
        'incidentDate', ((now() - hours * interval '1 hour') AT TIME ZONE 'Africa/Nairobi')::date,
        'supportServices', services))), wanted, what)
  FROM (VALUES (1, 'sexual', 0, '[]'::jsonb, 'urgent ["medical"]', '6.4: today is urgent and suggests care'),
               (2, 'sexual', 41, '["medical"]', 'urgent []', '6.4: 41 to 65 hours ago is urgent'),
               (3, 'sexual', 67, '["medical"]', 'immediate []', '6.4: 67 to 91 hours ago is immediate'),
               (4, 'sexual', 95, '["medical"]', 'immediate []', '6.4: the day after may be meant, until 120 hours'),
               (5, 'sexual', 121, '[]', 'routine []', '6.4: 121 hours ago is past the window'),
               (6, 'physical', 0, '[]', 'routine []', '6.4: another type has no clock'))
       AS t (n, type, hours, services, wanted, what);
SELECT is((SELECT body ->> 'urgencyLevel' FROM play.call('incident_create', 'amina', NULL,
    '{"id": "clock-unknown", "type": "sexual"}')), 'immediate', '6.4: unknown time counts as open');
SELECT is((SELECT string_agg(state || ' ' || service, ',') FROM kintaraa.need n
    JOIN play.incident i ON i.id = n.bucket WHERE client_id = 'clock-unknown'),
          'needs_dispatcher triage', 'a report that asks for nothing waits for a dispatcher');
SELECT is((SELECT status FROM play.incident WHERE client_id = 'clock-unknown'), 'pending_dispatcher_review',
    'and says so inside');

SELECT is(play.outcome('incident_create', 'clinic', NULL, '{"id": "for-her"}'), 'created', 'a helper reports for her');
SELECT is(play.outcome('incident_create', 'dora', NULL, '{"id": "x"}'), 'refused KN201',
    'a dispatcher does not report');
SELECT is(play.outcome('incident_create', NULL, NULL, '{"id": "x"}'), 'unknown KN101', 'nobody does not report');
SELECT is((SELECT count(*)::int FROM play.broken), 0, 'nothing is broken');
SELECT * FROM finish();
