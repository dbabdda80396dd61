\ir ../data/play.sql
SELECT plan(148);

SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.helper('counsel', 'counseling', -1.2802, 36.8202),
       play.helper('loser', 'healthcare', -1.2803, 36.8203), play.helper('decliner', 'healthcare', -1.2804, 36.8204),
       play.helper('candidate', 'legal', -1.2805, 36.8205), play.helper('stranger', 'police', -1.2806, 36.8206),
       play.staff('dora', 'dispatcher'), play.staff('barred', 'dispatcher'), play.staff('admin', 'admin'),
           play.staff('analyst', 'analyst'),
       play.register('amina', '{"firstName": "MarkFirst", "lastName": "MarkLast", "phone": "+254711222333"}'),
       play.register('zawadi') \g /dev/null

SELECT play.report('amina', kind, '{medical,counseling,legal}', jsonb_build_object(
    'type', 'femicide', 'urgencyLevel', 'immediate', 'incidentDate', '2025-03-04', 'description', 'MarkDescription',
    'severity', 'high', 'isAnonymous', kind = 'confidential',
    'location', '{"address": "MarkAddress", "description": "MarkPlace", "source": "gps", "accuracyM": 7171717.0,
                  "coordinates": {"latitude": -1.2811119, "longitude": 36.8222229}}'::jsonb,
    'providerPreferences', '{"communicationMethod": "call", "preferredGender": "female",
        "proximityPreference": "specific_facility"}'::jsonb))
  FROM unnest(ARRAY['named', 'confidential']) AS kind \g /dev/null
CREATE TEMP TABLE kase AS SELECT client_id AS kind, id FROM play.incident WHERE client_id IN ('named',
    'confidential');
INSERT INTO kintaraa.barred SELECT k.id, p.id FROM kase k, play.person p WHERE p.name = 'barred';

SELECT is(play.outcome('assignment_decline', 'decliner', ARRAY[play.offer('decliner', id)::text],
    '{"reason": "distance", "note": "MarkNote"}'), 'ok', kind || ': one declines') FROM kase;
SELECT is(count(*)::int, 5, kind || ': the others have their offers')
  FROM kase k, kintaraa.assignment a WHERE a.incident_bucket = k.id GROUP BY kind;

CREATE TEMP TABLE seen (kind text, who text, path text, outcome text, body text);
CREATE FUNCTION pg_temp.look(stage text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen
    SELECT k.kind, p.name || stage, d.path, c.outcome, c.body::text
      FROM kase k, play.person p, (VALUES ('incident_get'), ('incident_timeline'), ('recommendation_list')) AS d (path),
           play.call(d.path, p.name, ARRAY[CASE WHEN p.name = 'amina' THEN k.kind ELSE k.id::text END],
                     query => CASE WHEN d.path = 'recommendation_list' THEN '{"service": "medical"}'::jsonb END) AS c
     WHERE to_regproc('kintaraa_api.' || d.path) IS NOT NULL
    UNION ALL
    SELECT k.kind, p.name || stage, d.path, c.outcome, item::text
      FROM play.person p, (VALUES ('incident_list'), ('assignment_list'), ('dispatch_queue'),
          ('notification_list')) AS d (path),
           play.call(d.path, p.name) AS c, kase k,
           LATERAL (SELECT COALESCE(jsonb_agg(i), '[]') AS item FROM jsonb_array_elements(COALESCE(c.body -> 'items',
               '[]')) AS i
                     WHERE i::text LIKE '%' || k.id || '%' OR (p.name = 'amina' AND i ->> 'id' = k.kind)
                        OR i::text LIKE '%' || (SELECT case_number FROM play.incident n
                            WHERE n.id = k.id) || '%') AS items;
END
$$;
SELECT pg_temp.look(' before') \g /dev/null

INSERT INTO seen
SELECT k.kind, o.who || ' after', 'accept', c.outcome, c.body::text
  FROM kase k, (VALUES ('clinic'), ('counsel'), ('loser'), ('candidate'), ('dora')) AS o (who),
       play.call('assignment_accept', o.who, ARRAY[COALESCE(play.offer(o.who, k.id), gen_random_uuid())::text]) AS c
 WHERE o.who IN ('clinic', 'counsel');
INSERT INTO seen
SELECT k.kind, 'loser after', 'accept', c.outcome, c.body::text
  FROM kase k, play.call('assignment_accept', 'loser', ARRAY[play.offer('loser', k.id, 'withdrawn')::text]) AS c;
INSERT INTO seen
SELECT k.kind, 'decliner after', 'accept', c.outcome, c.body::text
  FROM kase k, play.call('assignment_accept', 'decliner', ARRAY[play.offer('decliner', k.id, 'declined')::text]) AS c;
INSERT INTO seen
SELECT k.kind, 'stranger after', 'accept', c.outcome, c.body::text
  FROM kase k, play.call('assignment_accept', 'stranger', ARRAY[play.offer('candidate', k.id)::text]) AS c;
SELECT pg_temp.look(' after') \g /dev/null
INSERT INTO seen
SELECT k.kind, o.who || ' after', 'status', c.outcome, c.body::text
  FROM kase k, (VALUES ('clinic'), ('dora')) AS o (who), play.call('incident_status', o.who, ARRAY[k.id::text],
      '{"status": "in_progress"}') AS c;

CREATE TEMP TABLE mark (class text, value text);
INSERT INTO mark VALUES ('narrative', 'MarkDescription'), ('date', '2025-03-04'), ('place', 'MarkAddress'), ('place',
    'MarkPlace'),
    ('place', '1.2811119'), ('place', '36.8222229'), ('place', '7171717'), ('person', 'MarkFirst'), ('person',
        'MarkLast'),
    ('person', '711222333'), ('person', 'amina@play'), ('note', 'MarkNote'), ('case', 'femicide'), ('case',
        'specific_facility'),
    ('card', '-1.2825'), ('decline', 'declined'), ('decline', 'distance"');
INSERT INTO mark SELECT 'account', p.id::text FROM play.person p WHERE p.name = 'amina';
INSERT INTO mark SELECT 'others', 'Team of ' || name FROM play.person WHERE name IN ('loser', 'decliner', 'candidate');
INSERT INTO mark SELECT 'helpers', 'Team of ' || name FROM play.person WHERE name IN ('clinic', 'counsel');

CREATE TEMP VIEW found AS
SELECT s.kind, s.who, s.path, string_agg(DISTINCT s.outcome, ',') AS outcome,
       COALESCE(string_agg(DISTINCT m.class, ' ' ORDER BY m.class) FILTER (WHERE position(m.value IN s.body) > 0),
           '') AS classes
  FROM seen s CROSS JOIN mark m GROUP BY 1, 2, 3;

CREATE TEMP TABLE wanted (who text, path text, named text, confidential text);
INSERT INTO wanted VALUES
    ('amina before', 'incident_get', 'case date narrative place', NULL),
    ('amina before', 'incident_list', 'case date narrative place', NULL),
    ('amina after', 'incident_get', 'case date helpers narrative place', NULL),
    ('amina after', 'incident_list', 'case date helpers narrative place', NULL),
    ('amina after', 'incident_timeline', '', NULL),
    ('clinic before', 'assignment_list', 'card', NULL), ('clinic before', 'incident_get', '', NULL), ('clinic before',
        'incident_list', '', NULL),
    ('clinic before', 'incident_timeline', '', NULL), ('counsel before', 'assignment_list', 'card', NULL),
        ('counsel before', 'incident_get', '', NULL),
    ('candidate after', 'assignment_list', 'card', NULL), ('candidate after', 'incident_get', '', NULL),
        ('candidate after', 'incident_list', '', NULL),
    ('clinic after', 'accept', 'card', NULL), ('clinic after', 'assignment_list', 'card', NULL), ('clinic after',
        'status', '', NULL),
    ('clinic after', 'incident_get', 'card case date helpers narrative person place',
        'card case date helpers narrative place'),
    ('clinic after', 'incident_list', 'card case date helpers place', NULL), ('clinic after', 'incident_timeline', '',
        NULL),
    ('counsel after', 'incident_get', 'card case date helpers narrative person', 'card case date helpers narrative'),
    ('counsel after', 'incident_list', 'card case date helpers', NULL), ('counsel after', 'accept', 'card', NULL),
    ('loser after', 'accept', '', NULL), ('loser after', 'incident_get', '', NULL), ('loser after', 'incident_list',
        '', NULL), ('loser after', 'incident_timeline', '', NULL),
    ('decliner after', 'accept', 'decline', NULL), ('decliner after', 'incident_get', '', NULL), ('decliner after',
        'incident_list', '', NULL),
    ('stranger after', 'accept', '', NULL), ('stranger after', 'incident_get', '', NULL), ('stranger after',
        'incident_list', '', NULL), ('stranger after', 'assignment_list', '', NULL),
    ('zawadi after', 'incident_get', '', NULL), ('zawadi after', 'incident_list', '', NULL), ('zawadi after',
        'incident_timeline', '', NULL), ('zawadi after', 'dispatch_queue', '', NULL),
    ('analyst after', 'incident_get', '', NULL), ('analyst after', 'incident_list', '', NULL), ('analyst after',
        'dispatch_queue', '', NULL), ('analyst after', 'assignment_list', '', NULL),
    ('dora after', 'incident_get', 'card case date decline helpers narrative others person place',
        'card case date decline helpers narrative others place'),
    ('dora after', 'incident_list', 'card decline helpers others', NULL), ('dora after', 'dispatch_queue', 'card',
        NULL),
    ('dora before', 'dispatch_queue', 'card', NULL), ('dora after', 'incident_timeline', '', NULL), ('dora after',
        'status', '', NULL),
    ('admin after', 'incident_get', 'card case date decline helpers narrative others person place',
        'card case date decline helpers narrative others place'),
    ('admin after', 'incident_list', 'card decline helpers others', NULL), ('admin after', 'dispatch_queue',
        'card', NULL),
    ('barred after', 'incident_get', '', NULL), ('barred after', 'incident_list', '', NULL), ('barred after',
        'dispatch_queue', '', NULL), ('barred after', 'incident_timeline', '', NULL);
SELECT is(f.classes, COALESCE(CASE f.kind WHEN 'confidential' THEN w.confidential END, w.named),
    f.kind || ': ' || w.who || ' ' || w.path)
  FROM wanted w LEFT JOIN found f USING (who, path) ORDER BY w.who, w.path, f.kind;

SELECT is((SELECT string_agg(format('%s: %s on %s sees %s', f.kind, f.who, f.path, f.classes), E'\n') FROM found f
            WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.who = f.who AND w.path = f.path)
              AND f.classes NOT IN ('', 'card', CASE WHEN f.who LIKE 'amina%' OR f.who LIKE 'dora%' OR f.who LIKE
                  'admin%'
                                                    THEN f.classes ELSE '' END, CASE WHEN f.who LIKE 'decliner%'
                                                        THEN 'decline' ELSE '' END)), NULL, 'no path shows more');
SELECT ok(count(*) >= 150, 'many answers were searched') FROM found;
SELECT is((SELECT string_agg(DISTINCT who || ' ' || path, ', ') FROM found WHERE classes ~ '\m(note|account)\M'), NULL,
          'PV3: the note of a decline and her account id are on no path');

SELECT is((SELECT body - 'serverTime' FROM play.call('incident_get', who, ARRAY[k.id::text])),
          (SELECT body - 'serverTime' FROM play.call('incident_get', who, ARRAY[gen_random_uuid()::text])),
              'PV2: ' || who || ' cannot tell ' || kind || ' from no case')
  FROM kase k, unnest(ARRAY['loser', 'decliner', 'candidate', 'stranger', 'zawadi', 'barred']) AS who;
SELECT is((SELECT body - 'serverTime' FROM play.call('assignment_accept', who, ARRAY[play.offer('candidate',
    k.id)::text])),
          (SELECT body - 'serverTime' FROM play.call('assignment_accept', who, ARRAY[gen_random_uuid()::text])),
              'PV8: ' || who || ' cannot tell another team''s offer from none')
  FROM kase k, unnest(ARRAY['loser', 'stranger']) AS who WHERE kind = 'named';
SELECT is((SELECT body -> 'items' -> 0 -> 'incidentId' FROM play.call('assignment_list', who,
    query => jsonb_build_object('status', status))), 'null', 'PV2: no handle is left in the row of ' || who)
  FROM (VALUES ('loser', 'withdrawn'), ('decliner', 'declined')) AS t (who, status);

SELECT is((SELECT string_agg(n ->> 'service', ' ' ORDER BY n ->> 'service')
             FROM jsonb_array_elements((play.call('incident_get', who, ARRAY[k.id::text])).body -> 'needs') AS n),
          service, 'PV5: ' || who || ' learns of her own need only')
  FROM kase k, (VALUES ('clinic', 'medical'), ('counsel', 'counseling')) AS t (who, service) WHERE kind = 'named';
SELECT is((SELECT string_agg(n ->> 'service', ' ')
             FROM jsonb_array_elements((play.call('incident_timeline', who, ARRAY[k.id::text])).body -> 'items') AS n),
          service, 'PV5: the timeline tells ' || who || ' of her own team only')
  FROM kase k, (VALUES ('clinic', 'medical'), ('counsel', 'counseling')) AS t (who, service) WHERE kind = 'named';
SELECT is((SELECT count(*) > 0 FROM jsonb_array_elements((play.call('incident_timeline', who,
              ARRAY[CASE who WHEN 'amina' THEN 'named' ELSE k.id::text END])).body -> 'items') AS n
            WHERE n ->> 'by' = 'machine'),
          who = 'amina', 'nor by what moved the case when another team accepted: ' || who)
  FROM kase k, unnest('{clinic,counsel,amina}'::text[]) AS who WHERE kind = 'named';
SELECT is((play.call('incident_list', who, query => '{"type": "femicide"}')).outcome, 'KN508',
          'PV9: ' || who || ' cannot filter by what her list does not show')
  FROM unnest(ARRAY['dora', 'admin']) AS who;

SELECT play.report(who, id, '{medical}', '{"isAnonymous": true, "urgencyLevel": "immediate", "type": "online"}')
    FROM (VALUES ('amina', 'an7-a'), ('zawadi', 'an7-b')) AS t (who, id) \g /dev/null
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', i.id)::text]), 'ok',
    'AN7: the clinic accepts') FROM play.incident i WHERE client_id LIKE 'an7%';
SELECT is((SELECT jsonb_object_agg(key, value) FROM jsonb_each((play.call('incident_get', 'clinic',
    ARRAY[a.id::text])).body)
            WHERE key NOT IN ('id', 'caseNumber', 'needs', 'assignments', 'createdAt', 'updatedAt', 'serverTime')),
          (SELECT jsonb_object_agg(key, value) FROM jsonb_each((play.call('incident_get', 'clinic',
              ARRAY[b.id::text])).body)
            WHERE key NOT IN ('id', 'caseNumber', 'needs', 'assignments', 'createdAt', 'updatedAt', 'serverTime')),
                'AN7: nothing but ids and times differs')
  FROM play.incident a, play.incident b WHERE a.client_id = 'an7-a' AND b.client_id = 'an7-b';

SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE action = 'incident_get' AND actor_role = 'survivor'
    AND outcome = 'ok'), 0, 'AU1: her own reads leave no entry');
SELECT cmp_ok((SELECT count(*)::int FROM kintaraa.audit a JOIN kase k ON a.target = k.id WHERE action = 'incident_get'
    AND actor_role = 'dispatcher' AND outcome = 'ok'), '>=', 2, 'AU1: a dispatcher''s read leaves one');
SELECT is((SELECT string_agg(DISTINCT m.value, ' ') FROM kintaraa.audit a, mark m WHERE m.class IN ('narrative',
    'place', 'person', 'note', 'account') AND position(m.value IN a::text) > 0), NULL, 'AU2: no entry holds a value');
SELECT * FROM finish();
