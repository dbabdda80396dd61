-- Who is ranked for a need: the service map, the hard filters, the terms of the cost.
\ir ../data/play.sql
SELECT plan(40);

CREATE TEMP TABLE team (name text PRIMARY KEY, id uuid);
INSERT INTO team SELECT t, play.team(t, -1.0, 36.0 + n * 0.01, telephone => true)
  FROM unnest(ARRAY['healthcare', 'legal', 'police', 'counseling', 'social', 'gbv_rescue',
      'chw']) WITH ORDINALITY AS u (t, n);

CREATE FUNCTION pg_temp.found(service text, urgency text DEFAULT 'urgent') RETURNS text LANGUAGE sql AS $$
SELECT COALESCE(string_agg(provider_type, ' ' ORDER BY provider_type), '-')
  FROM kintaraa.route_trace(service, urgency, -1.0, 36.0, 8)
$$;
SELECT is(pg_temp.found(service), types, service || ' is served by ' || types)
  FROM (VALUES ('medical', 'healthcare'), ('legal', 'legal'), ('counseling', 'counseling'), ('police', 'police'),
               ('shelter', 'gbv_rescue social'), ('financial', 'social'), ('emergency', 'gbv_rescue healthcare'),
               ('community', 'chw'), ('advocacy', '-'), ('', '-')) AS v (service, types);
SELECT is(pg_temp.found('shelter', 'routine'), 'social', 'routine is never offered to gbv_rescue');
SELECT is(pg_temp.found('emergency', 'immediate'), 'gbv_rescue healthcare', 'immediate is');

-- One provider, one filter at a time.
CREATE FUNCTION pg_temp.reasons(filter text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer;
BEGIN
    EXECUTE 'SELECT count(*) FROM kintaraa.route_trace(''legal'', ''urgent'', -1.0, 36.0' || filter || ')' INTO n;
    RETURN n;
END
$$;
UPDATE kintaraa.provider SET gender = 'female', languages = '{en,sw}', skills = '{child,trauma}'
 WHERE id = (SELECT id FROM team WHERE name = 'legal');
SELECT kintaraa.dispatch_refresh() \g /dev/null
SELECT is(pg_temp.reasons(filter), n, 'legal' || filter)
  FROM (VALUES ('', '1'), (', required_gender => ''female''', '1'), (', required_gender => ''male''', '0'),
               (', required_languages => ''{luo,sw}''', '1'), (', required_languages => ''{luo}''', '0'),
               (', required_skills => ''{child,trauma}''', '1'), (', required_skills => ''{child,forensic}''', '0'),
               (', radius_factor => 0.03', '1'), (', radius_factor => 0.02', '0'),
               (', k => 0', '0'), (', k => 100', '1')) AS v (filter, n);
SELECT is((SELECT count(*) FROM kintaraa.route_trace('legal', 'urgent', -1.0, 36.0, excluded => ARRAY[id]))::int, 0,
       'an excluded provider is not ranked')
  FROM team WHERE name = 'legal';
SELECT is((SELECT count(*) FROM kintaraa.route_trace('legal', 'urgent', -1.0, 36.0,
       excluded => ARRAY[p.organisation_id]))::int, 0,
          'nor one of an excluded organisation') FROM team t JOIN kintaraa.provider p ON p.id = t.id
              WHERE t.name = 'legal';
UPDATE kintaraa.provider_dispatch SET load = capacity - 1 WHERE provider_id = (SELECT id FROM team
    WHERE name = 'legal');
SELECT is(pg_temp.reasons(''), '1', 'one place left is enough');
UPDATE kintaraa.provider_dispatch SET load = capacity WHERE provider_id = (SELECT id FROM team WHERE name = 'legal');
SELECT is(pg_temp.reasons(''), '0', 'none is not');
UPDATE kintaraa.provider_dispatch SET load = 5, last_offer_at = now() - interval '12 hours', ack_minutes = 4
 WHERE provider_id = (SELECT id FROM team WHERE name = 'legal');

-- Terms, worked out by hand: 2.2 km, half full, last offer 12 hours ago, answers in 4 minutes, wrong gender.
SELECT t FROM kintaraa.route_trace('legal', 'urgent', -1.0, 36.0, preferred_gender => 'male', at => now()),
       LATERAL unnest(ARRAY[
       is(round(km::numeric, 2), 2.22, 'kilometres'),
       is(components ->> 'travel', '9.226', 'travel: 3 minutes and 1.4 times the way at 30 km/h'),
       is(components ->> 'ack', '4.000', 'answer'),
       is(components ->> 'load', '5.000', 'load: 20 minutes times a quarter'),
       is(components ->> 'fairness', '3.679', 'fairness: 10 minutes over e'),
       is(components ->> 'mismatch', '15.000', 'one preference unmet'),
       is(round(cost::numeric, 3), 9.226 + 4 + 5 + 3.679 + 15, 'cost is their sum')]) AS t;
SELECT is(round(cost::numeric, 3), 9.226 + 4 + 0.5 + 0.368 + 1.5, 'immediate: only travel and answer count in full')
  FROM kintaraa.route_trace('legal', 'immediate', -1.0, 36.0, preferred_gender => 'male', at => now());
SELECT is(round(cost::numeric, 3), 9.226 + 4 + 10 + 7.358 + 15, 'routine: load and fairness count twice')
  FROM kintaraa.route_trace('legal', 'routine', -1.0, 36.0, preferred_gender => 'male', at => now());
SELECT ok(km IS NULL AND round(cost::numeric, 3) = 4 + 5 + 3.679, 'without a place the way counts nothing')
  FROM kintaraa.route_trace('legal', 'urgent', NULL, NULL, at => now());
SELECT is(provider_id, (SELECT id FROM team WHERE name = 'legal'), 'a place that is none counts as unknown')
  FROM kintaraa.route_trace('legal', 'urgent', 'NaN', 36.0);

-- Twins: the same in everything but id and idleness.
INSERT INTO team SELECT 'twin ' || n, play.team('chw', 2.0, 38.0, telephone => true) FROM generate_series(1, 3) AS n;
SELECT is(array_agg(provider_id ORDER BY rank), (SELECT array_agg(id ORDER BY id) FROM team WHERE name LIKE 'twin%'),
       'a tie goes by id')
  FROM kintaraa.route_trace('community', 'urgent', 2.0, 38.0);
UPDATE kintaraa.provider_dispatch SET last_offer_at = now() - interval '100 days'
    WHERE provider_id = (SELECT min(id::text)::uuid FROM team WHERE name LIKE 'twin%');
SELECT is((array_agg(provider_id ORDER BY rank))[3], (SELECT min(id::text)::uuid FROM team WHERE name LIKE 'twin%'),
       'and before that by idleness')
  FROM kintaraa.route_trace('community', 'immediate', 2.0, 38.0);
SELECT kintaraa.change_flush() \g /dev/null
SELECT finish();
