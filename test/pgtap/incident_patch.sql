-- Null in a change empties a field; what is not there, and what cannot be read, changes nothing and is kept.
\ir ../data/play.sql
SELECT plan(38);
SELECT play.register('amina') \g /dev/null
CREATE FUNCTION pg_temp.whole(id text) RETURNS void LANGUAGE sql AS $$
SELECT play.report('amina', id, '{legal}', '{"type": "physical", "incidentDate": "2026-01-02", "incidentTime": "10:00",
    "description": "words", "severity": "high", "urgencyLevel": "urgent", "isAnonymous": true, "location": {"address":
    "here", "description": "by the tree", "coordinates": {"latitude": -1.28, "longitude": 36.82}, "accuracyM": 5,
    "source": "pin"}, "providerPreferences": {"communicationMethod": "sms", "preferredGender": "female",
    "proximityPreference": "nearest"}}') $$;
CREATE FUNCTION pg_temp.patch(id text, change jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT body FROM play.call('incident_update', 'amina', ARRAY[id], change) $$;
CREATE FUNCTION pg_temp.record(id text) RETURNS jsonb LANGUAGE sql AS $$
SELECT body FROM play.call('incident_get', 'amina', ARRAY[id]) $$;

SELECT pg_temp.whole('one') \g /dev/null
SELECT is(pg_temp.patch('one', jsonb_build_object(key, NULL)) -> key, wanted::jsonb, key || ' is emptied')
  FROM (VALUES ('type', 'null'), ('incidentDate', 'null'), ('incidentTime', 'null'), ('description', 'null'),
      ('severity', 'null'), ('supportServices', '[]'), ('urgencyLevel', '"routine"')) AS t (key, wanted);
SELECT is((SELECT occurred_from IS NULL AND occurred_to IS NULL FROM play.incident WHERE client_id = 'one'), true,
    'what followed from the date is too');
SELECT is(pg_temp.patch('one', '{"isAnonymous": null}') ->> 'anonymity', 'confidential',
    'null never makes a report named');
SELECT is(pg_temp.patch('one', '{"location": {"address": null}}') -> 'location' -> 'address', 'null',
    'a member of an object');
SELECT is(pg_temp.record('one') #>> '{location,description}', 'by the tree', 'the others stay');
SELECT is(pg_temp.patch('one', '{"location": null}') -> 'location', '{"address": null, "description": null,
    "coordinates": null, "accuracyM": null, "source": null}', 'a whole object');
SELECT is((SELECT cell_latitude IS NULL AND point_sealed IS NULL FROM play.incident WHERE client_id = 'one'), true,
    'no trace of the place stays');
SELECT is(pg_temp.patch('one', '{"providerPreferences": {"preferredGender": null}}') -> 'providerPreferences',
    '{"communicationMethod": "sms", "preferredGender": null, "proximityPreference": "nearest", "triageTeams": []}',
    'a preference');
SELECT is(pg_temp.patch('one', '{"nonsense": null, "status": null}') -> 'ignored', '[]',
    'what is not there is no matter');
SELECT is((SELECT string_agg(service || ' ' || state, ', ') FROM kintaraa.need n
    JOIN play.incident i ON i.id = n.bucket WHERE i.client_id = 'one'), 'legal needs_dispatcher',
    'a need is hers to withdraw');

-- Urgency.
SELECT play.report('amina', 'clock', '{medical}', '{"type": "sexual"}') \g /dev/null
SELECT is(pg_temp.record('clock') ->> 'urgencyLevel', 'immediate', 'the clinical clock raised it');
SELECT is(pg_temp.patch('clock', '{"urgencyLevel": null, "type": "physical"}') ->> 'urgencyLevel', 'immediate',
    'null where she asked for none does not lower it');

-- Batches and pushes go the same way.
SELECT pg_temp.whole('two') \g /dev/null
CREATE FUNCTION pg_temp.batch(data jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT body #> '{results,0}' FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', 'p1', 'records',
    jsonb_build_array(jsonb_build_object('table', 'incidents', 'id', 'two', 'base', play.base('amina', 'two'),
    'data', data)))) $$;
CREATE FUNCTION pg_temp.push(columns jsonb) RETURNS text LANGUAGE sql AS $$
SELECT outcome FROM play.call('sync_push', 'amina', NULL, jsonb_build_object('incidents', jsonb_build_object('updated',
    jsonb_build_array(columns || jsonb_build_object('id', 'two',
        'server_version', play.base('amina', 'two') -> 'serverVersion')))), NULL,
    '{"device": "p1", "requestId": "play", "network": "192.0.2.0"}') $$;
SELECT is(pg_temp.batch('{"description": null}') ->> 'status', 'applied', 'a record of a batch');
SELECT is(pg_temp.record('two') -> 'description', 'null', 'is emptied as well');
SELECT is(pg_temp.batch('{"description": null, "isAnonymous": null}') ->> 'status', 'unchanged',
    'null where there is nothing is no change');
SELECT is(pg_temp.push('{"severity": null, "type": null, "_changed": "severity"}'), 'ok', 'a row of a push');
SELECT is(pg_temp.record('two') -> 'severity', 'null', 'is emptied');
SELECT is(pg_temp.record('two') ->> 'type', 'physical', 'in the columns she changed');
SELECT is(pg_temp.push('{"location_coordinates_latitude": null, "location_coordinates_longitude": null,
    "location_address": "there", "_changed": "location_coordinates_latitude,location_coordinates_longitude"}'), 'ok',
    'a place is given up');
SELECT is(pg_temp.record('two') -> 'location', '{"address": "there", "description": "by the tree", "coordinates": null,
    "accuracyM": 5.0, "source": "pin"}', 'both halves of it');
SELECT is(pg_temp.push('{"type": null}'), 'ok', 'a row that does not say what was changed');
SELECT is(pg_temp.record('two') ->> 'type', 'physical', 'empties nothing');
SELECT is(pg_temp.record('two') ->> 'anonymity', 'confidential', 'a change that does not say so makes nobody named');

-- What cannot be read.
SELECT is(pg_temp.patch('two', '{"type": "magic", "colour": "red", "severity": "low"}') -> 'ignored',
    '[{"code": "not_understood", "pointer": "/type"}, {"code": "unknown_field", "pointer": "/colour"}]'::jsonb,
    'what a change could not be read as is told');
SELECT is(pg_temp.record('two') ->> 'type' || ' ' || (pg_temp.record('two') ->> 'severity'), 'physical low',
    'the field stays, the rest of the change is stored');
SELECT is(pg_temp.patch('two', '{"status": "closed"}') -> 'ignored',
    '[{"code": "server_owned", "pointer": "/status"}]', 'what the server owns is told, and needs no keeping');
SELECT is(pg_temp.batch('{"type": "more magic"}') - '{archiveId,updatedAt,serverVersion,current}'::text[],
    '{"table": "incidents", "id": "two", "status": "unchanged", "replayed": true}', 'a batch does not fail for it');
SELECT is((SELECT array_agg(i -> 'data' ORDER BY i ->> 'at', i #>> '{data,colour}' NULLS LAST)
    FROM play.call('archive_list', 'amina', query => '{"reason": "unreadable"}') AS c,
    jsonb_array_elements(c.body -> 'items') AS i)::text[],
    ARRAY['{"type": "magic", "colour": "red", "severity": "low"}',
    '{"type": "more magic"}'], 'she finds both in the archive');
SELECT is((SELECT count(*)::int FROM kintaraa.archive WHERE payload_sealed IS NULL), 0, 'sealed');

-- Her account.
SELECT is(body #>> '{user,firstName}', NULL, 'null empties a name') FROM play.call('me_update', 'amina', NULL,
    '{"firstName": null}');
SELECT is(play.outcome('me_update', 'amina', NULL, '{"language": null}'), 'KN502', 'but not a language');
SELECT is(body #> '{user,isAnonymous}', 'true', 'and null names nobody')
  FROM play.call('me_update', 'amina', NULL, '{"isAnonymous": null}');
SELECT * FROM finish();
