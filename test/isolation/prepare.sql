SELECT play.helper('c1', 'healthcare', -1.2801, 36.8201, 1), play.helper('c2', 'healthcare', -1.2802, 36.8202),
       play.helper('c3', 'healthcare', -1.2803, 36.8203), play.staff('dora', 'dispatcher'), play.staff('otto',
           'dispatcher'),
       play.staff('root', 'admin'), play.register('amina');

CREATE FUNCTION play.begin_case() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kintaraa.provider_dispatch SET load = 0;
    PERFORM play.report('amina', 'case-' || (SELECT count(*) FROM play.incident), '{medical}',
        '{"urgencyLevel": "immediate"}');
END
$$;
CREATE FUNCTION play.it() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT id FROM play.incident ORDER BY created_at DESC LIMIT 1 $$;
CREATE FUNCTION play.her() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT client_id FROM play.incident ORDER BY created_at DESC LIMIT 1 $$;
CREATE FUNCTION play.again(story text) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('incident_create', 'amina', NULL, jsonb_build_object('id', play.her(), 'supportServices',
    '{medical}'::text[], 'urgencyLevel', 'immediate', 'location', '{"coordinates": {"latitude": -1.28, "longitude":
    36.82}, "source": "gps"}'::jsonb)
    || CASE WHEN story IS NULL THEN '{}' ELSE jsonb_build_object('description', story) END)
$$;
CREATE FUNCTION play.row_of(who text) RETURNS text LANGUAGE sql STABLE AS $$
SELECT a.id::text FROM kintaraa.assignment a JOIN play.person p ON p.provider = a.provider_id
 WHERE p.name = who AND a.incident_bucket = play.it() ORDER BY a.round DESC LIMIT 1
$$;
CREATE FUNCTION play.accept(who text) RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('assignment_accept', who, ARRAY[play.row_of(who)]) $$;
CREATE FUNCTION play.decline(who text) RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('assignment_decline', who, ARRAY[play.row_of(who)], '{"reason": "capacity"}') $$;
CREATE FUNCTION play.release(who text) RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('assignment_release', who, ARRAY[play.row_of(who)], '{"reason": "ill"}') $$;
CREATE FUNCTION play.off(who text) RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('account_deactivate', 'root', ARRAY[(SELECT id::text FROM play.person WHERE name = who)]) $$;
CREATE FUNCTION play.back(who text) RETURNS integer LANGUAGE sql AS $$
UPDATE kintaraa.account SET is_active = true WHERE id = (SELECT id FROM play.person WHERE name = who);
UPDATE kintaraa.session SET revoked_at = NULL WHERE account_id = (SELECT id FROM play.person WHERE name = who);
SELECT kintaraa.dispatch_refresh();
SELECT kintaraa.change_flush()
$$;
CREATE FUNCTION play.late() RETURNS boolean LANGUAGE sql AS
    $$ SELECT play.report('amina', 'late', '{medical}', '{"urgencyLevel": "immediate"}') IS NOT NULL $$;
CREATE FUNCTION play.take_back(due interval) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM play.outcome('incident_delete', 'amina', ARRAY[play.her()]);
    UPDATE kintaraa.need SET due_at = now() - due WHERE bucket = play.it();
    PERFORM kintaraa.change_flush();
    RETURN 'taken back';
END
$$;
CREATE FUNCTION play.restore() RETURNS text LANGUAGE sql AS
    $$ SELECT play.outcome('case_restore', 'dora', ARRAY[play.it()::text], '{"note": "she called"}') $$;
CREATE FUNCTION play.move(by_whom text, to_whom text) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('assignment_reassign', by_whom, ARRAY[play.it()::text],
                    jsonb_build_object('providerId', (SELECT provider FROM play.person WHERE name = to_whom), 'reason',
                        'spec'))
$$;
CREATE FUNCTION play.assign(by_whom text, to_whom text) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('assignment_assign', by_whom, ARRAY[play.it()::text],
                    jsonb_build_object('providerId', (SELECT provider FROM play.person WHERE name = to_whom)))
$$;
CREATE FUNCTION play.ask(services text[]) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('incident_update', 'amina', ARRAY[play.her()],
                    jsonb_build_object('supportServices', to_jsonb(services)))
$$;
-- Reports whose ids say their order; the first phone of hers has edited the last.
CREATE FUNCTION play.numbered(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT (n || '0000000-0000-4000-8000-000000000000')::uuid $$;
CREATE FUNCTION play.push(device text, records jsonb) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', c.outcome, c.body ->> 'code', (SELECT string_agg(r ->> 'status', ' ' ORDER BY n)
         FROM jsonb_array_elements(c.body -> 'results') WITH ORDINALITY AS u (r, n)))
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('device', device, 'records', records)) AS c
$$;
CREATE FUNCTION play.typed(report text, type text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('table', 'incidents', 'op', 'upsert', 'id', play.numbered(report::integer),
                          'data', jsonb_build_object('type', type), 'base', '{"serverVersion": 1}'::jsonb)
$$;
CREATE FUNCTION play.written(content text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('table', 'journal_entries', 'op', 'upsert', 'id', 'a-day',
                          'data', jsonb_build_object('content', content), 'base', '{"serverVersion": 1}'::jsonb)
$$;
CREATE FUNCTION play.push_types(device text, reports text[], type text) RETURNS text LANGUAGE sql AS $$
SELECT play.push(device, (SELECT jsonb_agg(play.typed(r, type) ORDER BY n)
                            FROM unnest(reports) WITH ORDINALITY AS u (r, n)))
$$;
CREATE FUNCTION play.three_reports() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM play.report('amina', play.numbered(n)::text, '{medical}') FROM unnest(ARRAY[1, 2, 5]) AS n;
    PERFORM play.push('a', jsonb_build_array(play.written('a day') - 'base'));
    RETURN play.push_types('a', ARRAY['5'], 'online');
END
$$;
CREATE FUNCTION play.push_report(device text, name text) RETURNS text LANGUAGE sql AS $$
SELECT play.push(device, jsonb_build_array(jsonb_build_object('table', 'incidents', 'id', name, 'data',
    '{"supportServices": ["medical"], "location": {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "source":
        "gps"}}'::jsonb)))
$$;
CREATE FUNCTION play.make_due() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kintaraa.need SET due_at = now() - interval '1 second' WHERE bucket = play.it();
    UPDATE kintaraa.assignment SET due_at = now() - interval '1 second' WHERE incident_bucket = play.it()
        AND status = 'pending';
    PERFORM kintaraa.change_flush();
END
$$;
CREATE FUNCTION play.stand() RETURNS TABLE (need text, offers text, loads text, status text,
    broken text) LANGUAGE sql AS $$
SELECT (SELECT n.state || ' ' || n.level || ' ' || n.round FROM kintaraa.need n WHERE n.bucket = play.it()),
       (SELECT string_agg(p.name || ' ' || a.status, ', ' ORDER BY a.round, p.name) FROM kintaraa.assignment a
          JOIN play.person p ON p.provider = a.provider_id WHERE a.incident_bucket = play.it()),
       (SELECT string_agg(p.name || ' ' || d.load, ', ' ORDER BY p.name) FROM kintaraa.provider_dispatch d
          JOIN play.person p ON p.provider = d.provider_id),
       (SELECT i.status || CASE WHEN deleted_at IS NOT NULL THEN ' deleted' ELSE '' END FROM play.incident i
           WHERE i.id = play.it()),
       (SELECT string_agg(what, ', ') FROM play.broken WHERE id = play.it() OR id IS NULL)
$$;
CREATE FUNCTION play.note(who text) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', c.outcome, c.body #>> '{results,0,status}', c.body #>> '{results,0,code}')
  FROM play.call('sync_batch', who, NULL, jsonb_build_object('device', who, 'records', jsonb_build_array(
       jsonb_build_object('table', 'notes', 'op', 'upsert', 'id', gen_random_uuid(), 'data',
           jsonb_build_object('incidentId', play.it(), 'text', 'a note'))))) AS c
$$;
-- Her phone's token, and a turn that has come for one guess.
CREATE TABLE play.phone (token jsonb, turn jsonb);
CREATE FUNCTION play.sign_in(password text, context jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
SELECT c.body || jsonb_build_object('outcome', c.outcome) FROM play.call('auth_login', NULL, NULL,
    jsonb_build_object('email', 'amina@play.example', 'password', password)
    || coalesce((SELECT jsonb_build_object('deviceToken', token) FROM play.phone), '{}'), NULL,
    '{"requestId": "play", "network": "192.0.2.0"}'::jsonb || context) AS c
$$;
CREATE FUNCTION play.ready_to_guess() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    device jsonb := play.sign_in('correct horse amina') -> 'deviceToken';
BEGIN
    UPDATE kintaraa.throttle SET failures = 50, until = clock_timestamp() + interval '10 milliseconds';
    INSERT INTO play.phone (turn) VALUES (play.sign_in('her waiting guess') -> 'turn');
    UPDATE play.phone SET token = device;
    -- until the turn has come, which is a step of 50 ms behind the 10
    PERFORM pg_sleep_until(clock_timestamp() + interval '150 milliseconds');
    UPDATE kintaraa.throttle SET until = clock_timestamp() + interval '10 seconds' WHERE failures > 5;
END
$$;
CREATE FUNCTION play.guess(password text, turn boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', a ->> 'outcome', a ->> 'code') FROM play.sign_in(password, CASE WHEN turn
    THEN (SELECT jsonb_build_object('turn', p.turn) FROM play.phone AS p) ELSE '{}' END) AS a
$$;
