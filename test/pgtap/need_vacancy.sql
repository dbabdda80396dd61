\ir ../data/play.sql
SELECT plan(38);
SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201, 3), play.helper('second', 'healthcare', -1.32, 36.86),
       play.helper('lawyer', 'legal', -1.2804, 36.8204), play.staff('dora', 'dispatcher'),
       play.staff('otto', 'dispatcher'), play.staff('root', 'admin'), play.register('amina') \g /dev/null
CREATE FUNCTION pg_temp.team(who text) RETURNS uuid LANGUAGE sql AS
    $$ SELECT provider FROM play.person WHERE name = who $$;
CREATE FUNCTION pg_temp.load(who text) RETURNS integer LANGUAGE sql AS
    $$ SELECT load FROM kintaraa.provider_dispatch WHERE provider_id = pg_temp.team(who) $$;
CREATE FUNCTION pg_temp.state(incident uuid) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(service || ' ' || state || ' ' || round, ', ' ORDER BY service)
         FROM kintaraa.need WHERE bucket = incident $$;
CREATE FUNCTION pg_temp.held(incident uuid) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(p.name || ' ' || a.status, ', ' ORDER BY a.round, p.name) FROM kintaraa.assignment a
         JOIN play.person p ON p.provider = a.provider_id WHERE a.incident_bucket = incident $$;
CREATE FUNCTION pg_temp.told(who text, incident uuid) RETURNS integer LANGUAGE sql AS
    $$ SELECT count(*)::int FROM kintaraa.notification n JOIN play.person p ON p.id = n.account_id
        WHERE p.name = who AND n.bucket = incident $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(DISTINCT what, ', ') FROM play.broken $$;
CREATE FUNCTION pg_temp.engage(id text, who text DEFAULT 'clinic', urgency text DEFAULT 'routine') RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    incident uuid := play.report('amina', id, '{medical}', jsonb_build_object('urgencyLevel', urgency));
BEGIN
    IF play.outcome('assignment_accept', who, ARRAY[play.offer(who, incident)::text]) <> 'ok' THEN
        RAISE EXCEPTION '% does not accept', who;
    END IF;
    PERFORM play.outcome('incident_status', who, ARRAY[incident::text], '{"status": "in_progress"}');
    RETURN incident;
END
$$;

-- The only helper leaves, by the administrator's hand.
SELECT pg_temp.engage('left') AS left \gset
SELECT is(pg_temp.state(:'left') || ' ' || pg_temp.load('clinic'), 'medical engaged 1 1', 'the clinic is in touch');
SELECT is(play.outcome('account_deactivate', 'root', ARRAY[(SELECT id::text FROM play.person WHERE name = 'clinic')]),
    'none', 'its only helper is switched off');
SELECT is(pg_temp.state(:'left'), 'medical offered 2', 'the need is searched anew in the same transaction');
SELECT is(pg_temp.held(:'left'), 'clinic released, second pending', 'and the next team is asked');
SELECT is(pg_temp.load('clinic'), 0, 'capacity is free again');
SELECT is(pg_temp.told('amina', :'left'), 2, 'she is told');
SELECT ok((SELECT revoked FROM kintaraa.member WHERE bucket = :'left' AND principal = pg_temp.team('clinic')),
    'the team is no member any more');
SELECT ok((SELECT NOT dispatchable FROM kintaraa.provider_dispatch WHERE provider_id = pg_temp.team('clinic')),
    'and is asked for nothing else');
SELECT is(pg_temp.broken(), NULL, 'nothing is left alone');

-- A pending offer to an emptied team does not wait for its time.
SELECT play.report('amina', 'asked') AS asked \gset
SELECT is(pg_temp.held(:'asked'), 'second pending', 'the second is asked');
UPDATE kintaraa.account SET is_active = true WHERE id = (SELECT id FROM play.person WHERE name = 'clinic');
SELECT kintaraa.dispatch_refresh() \g /dev/null
SELECT play.outcome('account_deactivate', 'root', ARRAY[(SELECT id::text FROM play.person
    WHERE name = 'second')]) \g /dev/null
SELECT is(pg_temp.held(:'asked'), 'clinic pending, second withdrawn', 'its offer goes to the next at once');
SELECT is(pg_temp.held(:'left'), 'clinic released, second withdrawn', 'who gave it up is not asked again');
SELECT is(pg_temp.state(:'left'), 'medical needs_dispatcher 2', 'then people are');
SELECT is(pg_temp.told('dora', :'left') || ' ' || pg_temp.told('otto', :'left'), '1 1', 'and are called');
SELECT is(pg_temp.broken(), NULL, 'still nothing is left alone');

-- Whatever a DBA does in psql.
UPDATE kintaraa.account SET is_active = true WHERE role = 'provider';
SELECT kintaraa.dispatch_refresh() \g /dev/null
SELECT play.helper('third', 'healthcare', -1.28, 36.82) \g /dev/null
SELECT pg_temp.engage('dba', 'third', 'immediate') AS dba \gset
CREATE FUNCTION pg_temp.after(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    mine uuid := (SELECT id FROM play.incident WHERE client_id = 'dba');
    seen text;
BEGIN
    EXECUTE statement;
    PERFORM kintaraa.change_flush();
    seen := concat_ws(' ', pg_temp.held(mine), pg_temp.load('third'), pg_temp.broken());
    RAISE EXCEPTION 'back' USING ERRCODE = 'KN999';
EXCEPTION WHEN SQLSTATE 'KN999' THEN
    RETURN seen;
END
$$;
SELECT is(pg_temp.after(format(statement, pg_temp.team('third'), pg_temp.team('lawyer'), :'dba')),
          'clinic withdrawn, second withdrawn, third released, clinic pending, second pending 0', what)
  FROM (VALUES
    ('a helper moved to another team', 'UPDATE kintaraa.account SET provider_id = %2$L WHERE provider_id = %1$L'),
    ('a helper of another role',
     'UPDATE kintaraa.account SET role = ''analyst'', provider_id = NULL WHERE provider_id = %1$L'),
    ('a team switched off', 'UPDATE kintaraa.provider SET is_active = false WHERE id = %1$L'),
    ('a team no longer verified', 'UPDATE kintaraa.provider SET is_verified = false WHERE id = %1$L'),
    ('a team that became police', 'UPDATE kintaraa.provider SET provider_type = ''police'' WHERE id = %1$L'),
    ('its organisation is barred', 'SELECT kintaraa.bar(%3$L, (SELECT organisation_id FROM kintaraa.provider
        WHERE id = %1$L)), kintaraa.case_vacate(%3$L)'),
    ('its only helper is barred', 'SELECT kintaraa.bar(%3$L, (SELECT id FROM kintaraa.account
        WHERE provider_id = %1$L)), kintaraa.case_vacate(%3$L)')) AS t (what, statement);

-- Who stays keeps it.
SELECT play.register('colleague', jsonb_build_object('invitation', kintaraa.invite('provider',
    pg_temp.team('third')))) \g /dev/null
UPDATE kintaraa.account SET is_active = false WHERE id = (SELECT id FROM play.person WHERE name = 'third');
SELECT is((SELECT status::text FROM kintaraa.assignment WHERE incident_bucket = :'dba'
    AND provider_id = pg_temp.team('third')), 'accepted', 'a team with another helper keeps its case');
UPDATE kintaraa.account SET is_active = true WHERE role = 'provider';

-- A session that fires no trigger is found by the worker's net, a race by its second look.
SET LOCAL session_replication_role = replica;
UPDATE kintaraa.account SET is_active = false WHERE provider_id = pg_temp.team('third');
SET LOCAL session_replication_role = origin;
DELETE FROM kintaraa.team_check;
SELECT is(pg_temp.state(:'dba'), 'medical engaged 1', 'nobody noticed');
SELECT kintaraa.dispatch_refresh(), kintaraa.team_check_all(), kintaraa.team_check_run() \g /dev/null
SELECT is(pg_temp.state(:'dba'), 'medical offered 2', 'the worker does');
SELECT is((SELECT count(*)::int FROM kintaraa.team_check), 1, 'and looks again');
UPDATE kintaraa.team_check SET at = at - interval '119 seconds';
SELECT kintaraa.team_check_run() \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.team_check), 1, 'for two minutes');
UPDATE kintaraa.team_check SET at = at - interval '2 seconds';
SELECT kintaraa.team_check_run() \g /dev/null
SELECT is((SELECT count(*)::int FROM kintaraa.team_check), 0, 'and no longer');

-- Whoever deactivates an account may be barred from a case of its team.
SELECT play.helper('fourth', 'counseling', -1.2801, 36.8201), play.staff('rhoda', 'admin') \g /dev/null
SELECT play.report('amina', 'apart', '{counseling}') AS apart \gset
SELECT play.outcome('assignment_accept', 'fourth', ARRAY[play.offer('fourth', :'apart')::text]) \g /dev/null
SELECT kintaraa.bar(:'apart', id) FROM play.person WHERE name = 'rhoda' \g /dev/null
SELECT is((SELECT play.outcome('account_deactivate', 'rhoda', ARRAY[id::text]) FROM play.person WHERE name = 'fourth'),
    'none', 'a barred administrator takes the last account');
SELECT matches(pg_temp.held(:'apart'), 'fourth released', 'and the case is searched for anew');

-- Whoever was told of a waiting need is deleted, and with the account its notices; or leaves a case that is paused.
SELECT play.staff('paul', 'dispatcher') \g /dev/null
INSERT INTO kintaraa.duty (centre_id, account_id, kind, from_at, to_at)
SELECT a.centre_id, a.id, 'dispatcher', now() - interval '1 hour', now() + interval '1 hour'
  FROM kintaraa.account a JOIN play.person p ON p.id = a.id WHERE p.name = 'paul';
SELECT play.report('amina', 'deleted', '{shelter}') AS deleted \gset
SELECT is(pg_temp.told('paul', :'deleted') || ' ' || pg_temp.told('dora', :'deleted'), '1 0',
    'one on duty is called and nobody else');
SELECT play.report('amina', 'held', '{shelter}', '{"urgencyLevel": "immediate"}') AS held \gset
SELECT is(play.outcome('incident_delete', 'amina', '{held}'), 'none', 'she takes one back');
SELECT is(pg_temp.told('paul', :'held') || ' ' || pg_temp.told('dora', :'held'), '2 0', 'which is a task of the same');
DELETE FROM kintaraa.duty;
UPDATE kintaraa.account SET is_active = false WHERE id = (SELECT id FROM play.person WHERE name = 'paul');
SELECT is(pg_temp.told('dora', :'held'), 1, 'who leaves: another is called');
UPDATE kintaraa.account SET is_active = true WHERE id = (SELECT id FROM play.person WHERE name = 'paul');
DELETE FROM kintaraa.notification WHERE bucket = :'deleted' AND account_id <> (SELECT id FROM play.person
    WHERE name = 'paul');
DELETE FROM kintaraa.account WHERE id = (SELECT id FROM play.person WHERE name = 'paul');
SELECT is(pg_temp.told('dora', :'deleted'), 1, 'who is deleted: another is called');

-- Whoever was told of a waiting need leaves the centre.
SELECT play.report('amina', 'waits', '{shelter}') AS waits \gset
SELECT is(pg_temp.told('dora', :'waits') || ' ' || pg_temp.told('root', :'waits'), '1 0', 'the centre is called');
-- what is refused, done all the same
ALTER TABLE kintaraa.account DISABLE TRIGGER dispatcher_moved;
UPDATE kintaraa.account SET is_active = false WHERE role = 'dispatcher';
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE kintaraa.account ENABLE TRIGGER dispatcher_moved;
SELECT is(pg_temp.told('root', :'waits'), 1, 'when it is empty, administrators are');
SELECT play.report('amina', 'now', '{shelter}', '{"urgencyLevel": "immediate"}') AS now \gset
SELECT is(pg_temp.told('root', :'now'), 1, 'and of each immediate report as long as it is');
SELECT * FROM finish();
