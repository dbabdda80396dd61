-- Needs that are decided together, in one batch or one turn of the worker, are offered to whom each alone would be.
\ir ../data/play.sql
SELECT plan(11);
SELECT play.register('amina'), play.register('zawadi', '{"language": "sw"}'),
       play.helper('near', 'healthcare', -1.2801, 36.8201), play.helper('next', 'healthcare', -1.2501,
       36.8201) \g /dev/null
SELECT play.team(type, -1.28 + n * 0.02, 36.82 + n * 0.011, telephone => true) FROM generate_series(1, 7) AS n,
       unnest(ARRAY['healthcare', 'legal', 'gbv_rescue']) AS type \g /dev/null
UPDATE kintaraa.provider SET gender = CASE WHEN latitude > -1.2 THEN 'female' ELSE 'male' END,
       languages = CASE WHEN longitude > 36.86 THEN '{sw}'::text[] ELSE '{en}' END;
SELECT kintaraa.change_flush(), kintaraa.dispatch_refresh() \g /dev/null
INSERT INTO kintaraa.policy (kind, version, body)
SELECT kind, 2, jsonb_set(body, '{urgent,levels,0,k}', '3') FROM kintaraa.policy WHERE kind = 'escalation';

-- Every question there is, asked twice by each: 2 places and none, 3 urgencies, 2 services, 2 preferences.
CREATE FUNCTION pg_temp.records(prefix text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_agg(jsonb_build_object('table', 'incidents', 'id', format('%s-%s-%s-%s-%s-%s', prefix, n, place, urgency,
           service, gender), 'data', jsonb_build_object('urgencyLevel', urgency, 'supportServices',
           jsonb_build_array(service), 'providerPreferences', jsonb_build_object('preferredGender', gender)) ||
           CASE WHEN place = 0 THEN '{}' ELSE jsonb_build_object('location', jsonb_build_object('source', 'gps',
           'coordinates', jsonb_build_object('latitude', -1.28 + place * 0.06, 'longitude', 36.82))) END))
  FROM generate_series(1, 2) AS n, generate_series(0, 2) AS place, unnest(ARRAY['routine', 'urgent', 'immediate'])
       AS urgency, unnest(ARRAY['medical', 'legal']) AS service, unnest(ARRAY['no_preference', 'female']) AS gender
$$;
CREATE FUNCTION pg_temp.send(who text, records jsonb) RETURNS bigint LANGUAGE sql AS $$
SELECT count(*) FROM play.call('sync_batch', who, NULL, jsonb_build_object('device', 'd', 'records', records)),
       jsonb_array_elements(body -> 'results') AS r WHERE r ->> 'status' = 'applied'
$$;
-- What was offered for a need, and what its ranking alone says, each with the minutes by term.
CREATE VIEW pg_temp.offered AS
SELECT n.id, i.client_id, (SELECT jsonb_agg(jsonb_build_array(a.provider_id, a.components) ORDER BY a.cost_minutes,
           a.provider_id) FROM kintaraa.assignment a WHERE a.need_id = n.id AND a.incident_bucket = n.bucket) AS stored,
       (SELECT jsonb_agg(jsonb_build_array(t.provider_id, t.components) ORDER BY t.cost, t.provider_id)
          FROM kintaraa.route_trace(n.service, n.urgency_level, i.cell_latitude, i.cell_longitude,
               (l -> 'k')::integer, COALESCE((l -> 'radius_factor')::float8, 1), NULL, i.preferred_gender, NULL,
               ARRAY[o.language], NULL, ARRAY[o.provider_id],
               (SELECT max(offered_at) FROM kintaraa.assignment a WHERE a.need_id = n.id)) AS t) AS alone
  FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket JOIN kintaraa.account o ON o.id = i.owner_id,
       LATERAL (SELECT n.escalation #> ARRAY['levels', (n.level - 1)::text] AS l) AS level
 WHERE n.state = 'offered';

-- As if they had come in the order of a text.
CREATE FUNCTION pg_temp.sweep(prefix text, pattern text, replacement text) RETURNS integer LANGUAGE sql AS $$
UPDATE kintaraa.need SET due_at = now() - interval '1 minute' + place * interval '1 millisecond'
  FROM (SELECT id, row_number() OVER (ORDER BY regexp_replace(client_id, pattern, replacement)) AS place
          FROM play.incident WHERE client_id LIKE prefix || '%') AS i WHERE bucket = i.id;
SELECT kintaraa.change_flush();
SELECT kintaraa.need_sweep(1000)
$$;
CREATE FUNCTION pg_temp.send_all(prefix text) RETURNS numeric LANGUAGE sql AS $$
SELECT sum(pg_temp.send(name, pg_temp.records(prefix || name))) FROM play.person
$$;

SELECT is(pg_temp.send_all('one-'), 288::numeric, 'four send what they wrote without a network');
SELECT is(pg_temp.sweep('one-', '(.*)-(\d-\w+-\w+)-(\w+)$', '\2 \3 \1'), 288,
    'the worker routes all of it in one turn, place by place');
SELECT is((SELECT count(*) FROM pg_temp.offered), 288::bigint, 'each need was offered to somebody');
SELECT is((SELECT count(DISTINCT stored) > 20 FROM pg_temp.offered), true, 'to more than the memo holds');
SELECT is((SELECT string_agg(client_id, ' ') FROM pg_temp.offered WHERE stored IS DISTINCT FROM alone), NULL,
    'each as if it had been alone');
SELECT is(pg_temp.send_all('two-'), 288::numeric, 'they do it again');
SELECT is(pg_temp.sweep('two-', '(.*)-(\d-\w+-\w+)-(\w+)$', '\1 \3 \2'), 288, 'now person by person');
SELECT is((SELECT count(*) FROM pg_temp.offered), 576::bigint, 'each need was offered to somebody');
SELECT is((SELECT string_agg(client_id, ' ') FROM pg_temp.offered WHERE client_id LIKE 'two-%' AND
    stored IS DISTINCT FROM alone), NULL, 'each as if it had been alone');

SELECT is((SELECT sum(pg_temp.send(who, (SELECT jsonb_agg(r) FROM jsonb_array_elements(pg_temp.records('few-' || n))
    WITH ORDINALITY AS t (r, at) WHERE at % 9 = n))) FROM (VALUES ('amina'), ('near')) AS p (who),
    generate_series(0, 8) AS n), 144::numeric, 'batches of eight are routed at once');
SELECT is((SELECT string_agg(client_id, ' ') FROM pg_temp.offered WHERE client_id LIKE 'few-%' AND
    stored IS DISTINCT FROM alone), NULL, 'each as if it had been alone');
SELECT * FROM finish();
