-- For whom a case must never reach, it does not exist: not before an offer, nor with one, nor after acceptance.
\ir ../data/play.sql
SELECT plan(12);
SELECT play.register('amina'), play.helper('near', 'healthcare', -1.2801, 36.8201),
       play.helper('far', 'healthcare', -1.2811, 36.8301) \g /dev/null
CREATE FUNCTION pg_temp.principal(who text, kind text) RETURNS uuid LANGUAGE sql AS $$
SELECT CASE kind WHEN 'account' THEN p.id WHEN 'team' THEN p.provider ELSE t.organisation_id END
  FROM play.person p JOIN kintaraa.provider t ON t.id = p.provider WHERE p.name = who
$$;
CREATE TEMP TABLE kind AS SELECT unnest(ARRAY['account', 'team', 'organisation']) AS kind;
SELECT play.report('amina', kind || '-offered'), play.report('amina', kind || '-accepted') FROM kind \g /dev/null
CREATE TEMP TABLE kase AS SELECT k.kind, i.id, play.offer('near', i.id) AS offer, i.client_id LIKE '%accepted' AS accepts
  FROM kind k JOIN kintaraa.incident i ON i.client_id LIKE k.kind || '-%';
SELECT play.outcome('assignment_accept', 'near', ARRAY[offer::text]) FROM kase WHERE accepts \g /dev/null
INSERT INTO kintaraa.barred SELECT id, pg_temp.principal('near', kind) FROM kase;

SELECT is(play.outcome('assignment_accept', 'near', ARRAY[offer::text]), 'absent KN301',
    kind || ': an offer cannot be accepted') FROM kase WHERE NOT accepts ORDER BY kind;
SELECT is(play.outcome('assignment_decline', 'near', ARRAY[offer::text], '{"reason": "capacity"}'), 'absent KN301',
    kind || ': nor declined') FROM kase WHERE NOT accepts ORDER BY kind;
SELECT is(play.outcome('incident_get', 'near', ARRAY[id::text]), 'absent KN301',
    kind || ': a case that is held cannot be read') FROM kase WHERE accepts ORDER BY kind;
SELECT is(play.outcome('incident_status', 'near', ARRAY[id::text], '{"status": "completed"}'), 'absent KN301',
    kind || ': nor moved') FROM kase WHERE accepts ORDER BY kind;
SELECT * FROM finish();
