\ir ../data/play.sql
SELECT plan(98);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.helper('lawyer', 'legal', -1.2802, 36.8202),
    play.helper('police', 'police', -1.2803, 36.8203),
       play.staff('dora', 'dispatcher'), play.register('amina'), play.register('zawadi') \g /dev/null

SELECT play.report('amina', 'page-' || n, CASE WHEN n % 2 = 0 THEN '{medical}'::text[] ELSE '{}' END,
                   jsonb_build_object('type', CASE WHEN n % 3 = 0 THEN 'online' ELSE 'physical' END))
                       FROM generate_series(1, 25) AS n \g /dev/null
CREATE FUNCTION pg_temp.pages(door text, who text, size integer,
    filter jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb;
    next text;
BEGIN
    LOOP
        answer := (play.call(door, who, query => filter || jsonb_build_object('limit',
            size::text) || COALESCE(jsonb_build_object('after', next), '{}'))).body;
        RETURN QUERY SELECT i ->> 'id' FROM jsonb_array_elements(answer -> 'items') AS i;
        next := answer ->> 'next';
        EXIT WHEN next IS NULL;
    END LOOP;
END
$$;
SELECT is(array_agg(id ORDER BY n), (SELECT array_agg('page-' || n ORDER BY n DESC) FROM generate_series(1, 25) AS n),
    'her list in pages of ' || size || ' is complete and in order')
  FROM unnest(ARRAY[1, 7, 24, 25, 26, 100]) AS size, LATERAL (SELECT * FROM pg_temp.pages('incident_list', 'amina',
      size) WITH ORDINALITY AS p (id, n)) AS p GROUP BY size;
SELECT is((SELECT count(DISTINCT id)::int FROM pg_temp.pages('incident_list', 'dora', 4) AS id), 25,
    'a dispatcher''s list in pages of 4 is complete');
SELECT is((SELECT count(*)::int FROM pg_temp.pages('incident_list', 'amina', 3, filter)), wanted,
    'filter ' || filter::text)
  FROM (VALUES ('{"type": "online"}'::jsonb, 8), ('{"type": "femicide"}', 0), ('{"status": "new"}', 25),
      ('{"urgency": "routine"}', 25), ('{"urgency": "routine", "type": "physical"}', 17)) AS t (filter, wanted);
SELECT is(play.outcome('incident_list', 'amina', query => query), wanted, 'page ' || query::text) FROM (VALUES
    ('{"limit": "0"}'::jsonb, 'KN508'), ('{"limit": "1"}', 'ok'), ('{"limit": "100"}', 'ok'), ('{"limit": "101"}',
        'KN508'), ('{"limit": "x"}', 'KN508'), ('{"limit": ""}', 'KN508'),
    ('{"limit": "9999999999999999999"}', 'KN508'), ('{"after": "x"}', 'KN508'), ('{"after": "1"}', 'KN508'),
        ('{"after": "-1.11111111-2222-4333-8444-555555555555"}', 'KN508'),
    ('{"after": "99999999999999999999.11111111-2222-4333-8444-555555555555"}', 'KN508'),
        ('{"after": "1.11111111-2222-4333-8444-55555555555"}', 'KN508')) AS t (query, wanted);
SELECT is(jsonb_array_length((play.call('incident_list', who)).body -> 'items'), 0, who || ' lists none of it')
    FROM unnest(ARRAY['zawadi', 'lawyer']) AS who;

SELECT play.report('amina', 'change', '{medical}', '{"description": "before"}') AS change \gset
SELECT is(body ->> 'description' || ' ' || (body ->> 'serverVersion'), 'after 2',
    'a change answers with the record and its version') FROM play.call('incident_update', 'amina', '{change}',
    '{"description": "after"}');
INSERT INTO play.person (name, token, id, email) SELECT 'her other phone', c.body #>> '{tokens,access}', p.id, p.email
  FROM play.person p, play.call('auth_login', NULL, NULL, jsonb_build_object('email', p.email, 'password',
      'correct horse amina', 'device', 'other')) AS c WHERE p.name = 'amina';
CREATE TEMP TABLE conflict AS SELECT * FROM play.call('incident_update', 'her other phone', '{change}',
    '{"description": "base 1", "serverVersion": 1}');
SELECT is(outcome || ' ' || (body ->> 'code'), 'conflict KN407', 'an older base of another phone is a conflict')
    FROM conflict;
SELECT is(body #>> '{current,description}', 'after', 'with the record as it is') FROM conflict;
SELECT is((SELECT count(*)::int FROM kintaraa.archive a, conflict c WHERE a.id::text = c.body ->> 'archiveId'
    AND position('base 1' IN a::text) = 0 AND a.payload_sealed IS NOT NULL), 1,
    'C2: and what was sent is kept, sealed');
SELECT is((play.call('incident_get', 'amina', '{change}')).body ->> 'description', 'after', 'nothing is overwritten');
SELECT is(play.outcome('incident_update', 'her other phone', '{change}',
    '{"description": "base 2", "serverVersion": 2}'), 'ok', 'the present base is taken');
SELECT (play.call('incident_get', 'amina', '{change}')).body ->> 'serverVersion' AS version \gset
SELECT is(play.outcome('incident_update', 'amina', '{change}',
    jsonb_build_object('severity', (ARRAY['low', 'high', 'low', 'low', 'low', 'medium'])[n]),
    context => jsonb_build_object('ifMatch', match)), wanted, 'If-Match ' || match)
  FROM (VALUES (1, format('"%s"', :version - 1), 'stale KN412'), (2, format('"%s"', :version), 'ok'), (3, :'version',
      'stale KN412'), (4, '"x"', 'stale KN412'), (5, '*', 'ok'), (6, (:version + 2)::text, 'ok')) AS t (n, match,
      wanted) ORDER BY n;
SELECT is(play.outcome('incident_update', 'amina', '{change}',
    '{"severity": "medium"}', context => '{"ifMatch": "\"1\""}'),
    'ok', 'the same again is no conflict, whatever If-Match says');
SELECT is(play.outcome('incident_update', who, ARRAY[CASE who WHEN 'dora' THEN :'change' ELSE 'change' END],
    '{"description": "not mine"}'), wanted, who || ' does not change it')
  FROM (VALUES ('zawadi', 'absent KN301'), ('clinic', 'absent KN301'), ('dora', 'refused KN201'), (NULL,
      'unknown KN101')) AS t (who, wanted);
SELECT is(play.outcome('incident_update', 'amina', '{change}', body), 'KN501', 'a change is an object')
    FROM unnest(ARRAY['[]', '1', NULL]::jsonb[]) AS body;
SELECT is(body ->> 'status' || (body ->> 'id'), 'newchange', 'what the server owns is not changed')
    FROM play.call('incident_update', 'amina', '{change}', '{"status": "closed", "id": "other", "caseNumber": "x"}');
SELECT is(body ->> 'description' || ' ' || (body ->> 'severity'), 'base 2 medium', 'fields that are not given stay')
    FROM play.call('incident_get', 'amina', '{change}');
SELECT is(body -> 'ignored', '[{"code": "not_understood", "pointer": "/severity"}]',
    'what a change could not be read as is told') FROM play.call('incident_update', 'amina', '{change}',
    '{"severity": "magic"}');

SELECT is(array_agg(service || ' ' || round ORDER BY service), '{"medical 1"}', 'one need at first') FROM kintaraa.need
    WHERE bucket = :'change';
CREATE TEMP TABLE offers_before AS SELECT id FROM kintaraa.assignment WHERE incident_bucket = :'change';
SELECT is(play.outcome('incident_update', 'amina', '{change}', '{"supportServices": ["medical", "legal"]}'), 'ok',
    'she asks for legal aid in addition');
SELECT is(array_agg(service || ' ' || state || ' ' || round ORDER BY service),
    '{"legal offered 1","medical offered 1"}', 'that need opens and is offered, the other is as it was')
    FROM kintaraa.need WHERE bucket = :'change';
SELECT is((SELECT array_agg(service || ' ' || status) FROM kintaraa.assignment WHERE incident_bucket = :'change'
    AND id NOT IN (SELECT id FROM offers_before)), '{"legal pending"}', 'one new offer');
SELECT is(play.outcome('incident_update', 'amina', '{change}', '{"supportServices": ["medical", "legal"]}'), 'ok',
    'the same again');
SELECT is((SELECT count(*)::int FROM kintaraa.assignment WHERE incident_bucket = :'change'), 2, 'offers nothing anew');

SELECT is(body ->> 'urgencyLevel', 'immediate', 'she raises the urgency') FROM play.call('incident_update', 'amina',
    '{change}', '{"urgencyLevel": "immediate"}');
SELECT is((SELECT array_agg(DISTINCT urgency_level) FROM kintaraa.need WHERE bucket = :'change'), '{immediate}',
    '6.8: needs that wait are hurried');
SELECT cmp_ok((SELECT max(due_at) FROM kintaraa.need WHERE bucket = :'change'), '<', now() + interval '10 minutes',
    '6.8: and are due soon');
SELECT is(body ->> 'urgencyLevel', 'immediate', 'another change does not lower it') FROM play.call('incident_update',
    'amina', '{change}', '{"description": "calmer"}');
SELECT is(body ->> 'urgencyLevel', 'routine', 'she lowers it herself') FROM play.call('incident_update', 'amina',
    '{change}', '{"urgencyLevel": "routine"}');
SELECT is((SELECT count(*)::int FROM play.broken), 0, 'counters are exact after that');
SELECT is(play.outcome('incident_list', 'amina',
    query => '{"status": "pending_dispatcher_review", "limit": "100"}'), 'KN508',
    'PV9: a filter does not tell the inner state');
SELECT is(body ->> 'urgencyLevel', 'immediate', 'the clinical clock raises it') FROM play.call('incident_update',
    'amina', '{change}', '{"type": "sexual"}');

SELECT is(play.outcome('need_withdraw', 'amina', '{change,police}'), 'absent KN301', 'a service she did not ask for');
SELECT is(play.outcome('need_withdraw', who, ARRAY[:'change', 'legal']), wanted, who || ' does not withdraw it')
  FROM (VALUES ('zawadi', 'absent KN301'), ('lawyer', 'absent KN301')) AS t (who, wanted);
SELECT is(body - 'serverTime', '{"service": "legal", "status": "paused"}', 'she withdraws legal aid')
    FROM play.call('need_withdraw', 'amina', '{change,legal}');
SELECT is(play.outcome('need_withdraw', 'amina', '{change,legal}'), 'ok', 'again is the same answer');
SELECT is((SELECT array_agg(service || ' ' || status ORDER BY service) FROM kintaraa.assignment
    WHERE incident_bucket = :'change'), '{"legal withdrawn","medical pending"}', 'its offer ends, the other goes on');
SELECT is(play.outcome('incident_update', 'amina', '{change}', '{"supportServices": ["medical", "legal"]}'), 'ok',
    'she wants it after all');
SELECT is(array_agg(service || ' ' || state || ' ' || round ORDER BY service),
    '{"legal offered 2","medical offered 1"}', 'it is searched for in a new round') FROM kintaraa.need
    WHERE bucket = :'change';
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'change')::text]), 'ok',
    'the clinic accepts');
SELECT is(play.outcome('need_withdraw', 'clinic', ARRAY[:'change', 'medical']), 'refused KN201',
    'a helper does not withdraw, it releases');
SELECT is(play.outcome('need_withdraw', 'amina', '{change,medical}'), 'ok', 'she withdraws what is engaged');
SELECT is(play.outcome('incident_get', 'clinic', ARRAY[:'change']), 'absent KN301', 'PV7: the clinic reads no more');
SELECT is((SELECT d.load FROM kintaraa.provider_dispatch d JOIN play.person p ON p.provider = d.provider_id
    WHERE p.name = 'clinic'), 0, 'and has its capacity back');
SELECT is((SELECT count(*)::int FROM play.broken), 0, 'nothing is broken');

SELECT is((SELECT array_agg(i ->> 'kind' || COALESCE(' ' || (i ->> 'status'), '') ORDER BY n)
    FROM jsonb_array_elements((play.call('incident_timeline', 'amina',
    '{change}')).body -> 'items') WITH ORDINALITY AS t (i, n))::text,
          '{reported,"status in_progress","status new",engaged}', 'C21: her timeline holds no inner state') ;
SELECT is((SELECT count(*)::int FROM jsonb_array_elements((play.call('incident_timeline', 'dora',
    ARRAY[:'change'])).body -> 'items') AS i WHERE i ->> 'kind' = 'status'), 2, 'a dispatcher''s shows every step');
SELECT is(play.outcome('incident_timeline', who, ARRAY[:'change']), 'absent KN301', who || ' has no timeline of it')
    FROM unnest(ARRAY['zawadi', 'lawyer', 'clinic']) AS who;

SELECT play.report('amina', 'gone', '{medical,police}') AS gone \gset
SELECT is(play.outcome('assignment_accept', 'clinic', ARRAY[play.offer('clinic', :'gone')::text]), 'ok',
    'the clinic accepts another one');
SELECT is(play.outcome('incident_delete', who, ARRAY[:'gone']), wanted, who || ' does not take it back')
    FROM (VALUES ('zawadi', 'absent KN301'), ('dora', 'refused KN201'), ('police', 'absent KN301'), ('clinic',
    'refused KN205')) AS t (who, wanted);
SELECT is(play.outcome('incident_delete', 'amina', '{gone}'), 'none', 'she takes it back');
SELECT is(play.outcome('incident_delete', 'amina', '{gone}'), 'none', 'again is the same answer');
SELECT is(play.outcome('incident_get', who, ARRAY[CASE who WHEN 'amina' THEN 'gone' ELSE :'gone' END]), 'absent KN301',
    'it is hidden from ' || who) FROM unnest(ARRAY['amina', 'clinic', 'police']) AS who;
SELECT is(play.outcome('incident_get', 'dora', ARRAY[:'gone']), 'ok', 'but not from the centre');
SELECT is((SELECT array_agg(DISTINCT state) FROM kintaraa.need WHERE bucket = :'gone'), '{paused}',
    'its needs are paused');
SELECT is((SELECT array_agg(DISTINCT status) FROM kintaraa.assignment WHERE incident_bucket = :'gone'),
    '{accepted,withdrawn}', 'its offers have ended');
SELECT is((SELECT count(*)::int FROM kintaraa.member WHERE bucket = :'gone' AND NOT revoked AND relation <> 'owner'),
    0, 'nobody but her is a member');
SELECT is(play.outcome('assignment_accept', 'police', ARRAY[play.offer('police', :'gone', 'withdrawn')::text]),
    'conflict KN403', 'accepting it comes too late');
SELECT is((SELECT count(*)::int FROM play.broken), 0, 'nothing is broken');
SELECT * FROM finish();
