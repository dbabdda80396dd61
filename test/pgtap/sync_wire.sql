-- What a pull is made of, in one transaction: shapes of rows, and what is written into a page key.
\ir ../data/play.sql
SELECT plan(19);
SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.staff('dora',
    'dispatcher') \g /dev/null
SELECT kintaraa.epoch_check(), kintaraa.tick_write(true) \g /dev/null
SELECT play.report('amina', 'Flat.1', '{medical}',
    '{"type": "online", "description": "words", "incidentTime": "07:05", "location":
    {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "accuracyM": 12, "address": "Plot 7", "source": "gps"},
    "providerPreferences": {"communicationMethod": "sms"}}') AS incident \gset
SELECT play.outcome('personal_put', 'amina', '{preference}',
    '{"quietHours": {"from": "22:00"}, "shareLocation": true}') \g /dev/null
CREATE FUNCTION pg_temp.flat(who text, tab text) RETURNS SETOF jsonb LANGUAGE sql AS $$
SELECT jsonb_array_elements((play.call('sync_pull', who)).body #> ARRAY['changes', tab, 'updated']) $$;

SELECT is(row - ARRAY(SELECT k FROM jsonb_object_keys(row) AS k WHERE k !~
    '^(id|type|description|incident_time|location_.*|provider_pref.*method|server_version|removed)$'),
    '{"id": "Flat.1", "type": "online", "description": "words", "incident_time": "07:05:00",
        "location_coordinates_latitude": -1.28, "location_coordinates_longitude": 36.82,
      "location_accuracy_m": 12, "location_address": "Plot 7", "location_description": null, "location_source": "gps",
      "provider_preferences_communication_method": "sms", "server_version": 1, "removed": false}', 'members of objects
          are columns')
  FROM pg_temp.flat('amina', 'incidents') AS row;
SELECT is(jsonb_typeof(row -> 'support_services') || ' ' || (row ->> 'support_services') || ' ' || jsonb_typeof(row ->
    'needs'), 'string ["medical"] string', 'lists are JSON text')
  FROM pg_temp.flat('amina', 'incidents') AS row;
SELECT ok((row ->> 'created_at')::bigint BETWEEN 1600000000000 AND 9999999999999, 'times are milliseconds') FROM
    pg_temp.flat('amina', 'incidents') AS row;
SELECT is((row ->> 'quiet_hours')::json ->> 'from', '22:00', 'other objects are JSON text') FROM pg_temp.flat('amina',
    'preferences') AS row;
SELECT is(jsonb_typeof(row -> 'share_location'), 'boolean', 'flags are flags') FROM pg_temp.flat('amina',
    'preferences') AS row;
SELECT is((SELECT count(*)::int FROM pg_temp.flat('clinic', 'incidents')), 0, 'an offer is no case');
SELECT is(row ->> 'incident_cell_latitude' IS NOT NULL AND row ->> 'incident_case_number' IS NULL, true,
    'it is a card: a cell and no number') FROM pg_temp.flat('clinic', 'assignments') AS row;
SELECT is(row ->> 'description' IS NULL AND row ->> 'location_address' IS NULL AND row ->> 'id' = :'incident', true,
    'a dispatcher''s row has no words, no address and our id')
  FROM pg_temp.flat('dora', 'incidents') AS row;

-- What is pulled can be pushed as it is and changes nothing.
SELECT is((play.call('sync_push', 'amina', NULL, jsonb_build_object('incidents', jsonb_build_object('updated', (SELECT
    jsonb_agg(row) FROM pg_temp.flat('amina', 'incidents') AS row)),
    'preferences', jsonb_build_object('updated', (SELECT jsonb_agg(row || '{"_status": "updated", "_changed": ""}')
        FROM pg_temp.flat('amina', 'preferences') AS row))), NULL,
    '{"device": "p1", "requestId": "play", "network": "192.0.2.0"}')).outcome, 'ok', 'rows go back as they came');
SELECT is(array_agg(c.noun || ' ' || c.version ORDER BY c.noun), '{"incident 1","preference 1"}', 'and are no change')
  FROM kintaraa.change c WHERE c.noun = 'preference' OR c.noun = 'incident';
SELECT is((SELECT count(*)::int FROM kintaraa.archive), 0, 'nor anything to keep');

-- An old copy of a row does not take back what the server wrote.
CREATE FUNCTION pg_temp.edit(sent jsonb) RETURNS text LANGUAGE sql AS $$
SELECT outcome FROM play.call('sync_push', 'amina', NULL, jsonb_build_object('incidents',
    jsonb_build_object('updated', jsonb_build_array(sent))), NULL,
    '{"device": "p1", "requestId": "play", "network": "192.0.2.0"}') $$;
SELECT r AS old FROM pg_temp.flat('amina', 'incidents') AS r \gset
UPDATE kintaraa.incident SET urgency_level = 'immediate' WHERE id = :'incident';
SELECT kintaraa.change_flush() \g /dev/null
SELECT is(pg_temp.edit(:'old'::jsonb || '{"_status": "updated", "_changed": "description",
    "description": "other words"}'), 'ok', 'words of an old copy');
SELECT is(description || ' ' || urgency, 'other words immediate', 'are taken, its urgency is not')
  FROM (SELECT row ->> 'description' AS description, row ->> 'urgency_level' AS urgency FROM pg_temp.flat('amina',
      'incidents') AS row) AS r;
SELECT is(pg_temp.edit(row || '{"_status": "updated", "_changed": "location_coordinates_latitude",
    "location_coordinates_latitude": -1.3}'), 'ok', 'half of a point')
  FROM pg_temp.flat('amina', 'incidents') AS row;
SELECT is((row ->> 'location_coordinates_latitude')::float8 || ' ' || (row ->>
    'location_coordinates_longitude')::float8 || ' ' || (row ->> 'location_address'), '-1.3 36.82 Plot 7',
    'comes with its other half')
  FROM pg_temp.flat('amina', 'incidents') AS row;
SELECT is(pg_temp.edit(row || '{"_status": "updated", "_changed": "urgency_level", "urgency_level": "routine"}') ||
    ' ' ||
    (SELECT row ->> 'urgency_level' FROM pg_temp.flat('amina', 'incidents') AS row), 'ok routine',
        'she lowers it herself') FROM pg_temp.flat('amina', 'incidents') AS row;

-- Forms of since that need no second transaction.
SELECT is(play.outcome('sync_updates', 'amina', query => jsonb_build_object('since', since)), wanted, 'since ' || since)
  FROM (VALUES ('0', 'ok'), ('2026-02-30T00:00:00Z', 'ok'), ('2026-1-01T00:00:00Z', 'KN508')) AS t (since, wanted);
SELECT * FROM finish();
