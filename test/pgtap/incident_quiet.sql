-- Refusals of teams are nothing that she, her helpers or whoever holds her phone can count.
\ir ../data/play.sql
SELECT plan(9);
SELECT play.register('amina'), play.staff('dora', 'dispatcher'), play.helper('c1', 'healthcare', -1.281, 36.821),
       play.helper('c2', 'healthcare', -1.282, 36.822), play.helper('law', 'legal', -1.28, 36.82) \g /dev/null
CREATE FUNCTION pg_temp.shown(who text, id text) RETURNS jsonb LANGUAGE sql AS $$
SELECT c.body - 'serverTime' FROM play.call('incident_get', who, ARRAY[id]) AS c $$;
CREATE FUNCTION pg_temp.refuse_all(incident uuid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    n integer := 0; offer record;
BEGIN
    LOOP
        SELECT p.name, a.id INTO offer FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id
         WHERE a.incident_bucket = incident AND a.status = 'pending' AND a.service = 'medical' LIMIT 1;
        EXIT WHEN NOT FOUND;
        n := n + (play.outcome('assignment_decline', offer.name, ARRAY[offer.id::text], '{"reason": "capacity"}') =
    'ok')::int;
        EXIT WHEN n > 9;
    END LOOP;
    RETURN n;
END
$$;
SELECT play.report('amina', 'alone') AS alone, play.report('amina', 'helped', '{medical,legal}') AS helped \gset
SELECT is(play.outcome('assignment_accept', 'law', ARRAY[play.offer('law', :'helped')::text]), 'ok', 'a lawyer helps');
CREATE TEMP TABLE before AS SELECT who, id, pg_temp.shown(who, id) AS seen
  FROM (VALUES ('amina', 'alone'), ('amina', 'helped'), ('law', :'helped')) AS t (who, id);
SELECT is(status, 'new', 'nobody has refused') FROM kintaraa.incident WHERE id = :'alone';
SELECT cmp_ok(pg_temp.refuse_all(id), '>=', 2, 'all teams refuse') FROM unnest(ARRAY[:'alone', :'helped']::uuid[]) AS
    id;
SELECT is(status, 'pending_dispatcher_review', 'it waits for a dispatcher') FROM kintaraa.incident WHERE id = :'alone';
SELECT is(pg_temp.shown(who, id), seen, format('%s reads the same of %s, version and time too', who,
          CASE id WHEN 'alone' THEN id ELSE 'helped' END)) FROM before;
SELECT is(body ->> 'status', 'pending_dispatcher_review', 'a dispatcher reads what is')
  FROM play.call('incident_get', 'dora', ARRAY[:'alone']);
SELECT * FROM finish();
