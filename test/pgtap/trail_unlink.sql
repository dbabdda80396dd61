-- Old entries of survivors lose the pseudonym that linked their cases, and the seals hold as before.
SELECT plan(12);
SELECT kintaraa.epoch_check() \g /dev/null
INSERT INTO kintaraa.audit (x, action, outcome, code, actor, actor_role, noun, target, fields, request) VALUES
    ('5', 'incident_create', 'created', NULL, '\x0102', 'survivor', 'incident', gen_random_uuid(), '', 'one'),
    ('5', 'incident_update', 'refused', 'KN201', '\x0102', 'survivor', 'incident', gen_random_uuid(), NULL, 'one'),
    ('6', 'me_update', 'ok', NULL, '\x0102', 'survivor', 'account', gen_random_uuid(), 'phone', NULL),
    ('6', 'incident_get', 'ok', NULL, '\x0304', 'provider', 'incident', gen_random_uuid(), NULL, 'two'),
    ('7', 'auth_login', 'ok', NULL, NULL, NULL, 'session', gen_random_uuid(), NULL, NULL);
SELECT is(kintaraa.seal(), 5::bigint, 'five entries are sealed');
SELECT root FROM kintaraa.audit_seal ORDER BY n DESC LIMIT 1 \gset
ALTER TABLE kintaraa.audit DROP COLUMN targets, DROP COLUMN digest;
DO $$
BEGIN
    EXECUTE 'SET LOCAL search_path = ''''; SET LOCAL ROLE kintaraa_owner; '
        || (SELECT script FROM kintaraa.migrations() WHERE number = 22);
END
$$;
RESET ROLE;
RESET search_path;
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE actor = '\x0102'), 0, 'her pseudonym is gone');
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE request = 'one'), 0, 'and the id of the request');
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE noun IN ('account', 'session') AND target IS NOT NULL), 0,
    'and her account and her session');
SELECT is((SELECT encode(actor, 'hex') || request FROM kintaraa.audit WHERE actor_role = 'provider'), '0304two',
    'those of staff stay');
SELECT is((SELECT count(*)::int FROM kintaraa.audit WHERE noun = 'incident' AND target IS NOT NULL), 3,
    'and so does what was done to which case');
SELECT results_eq('SELECT ok, first_bad FROM kintaraa.audit_verify()', $$VALUES (true, NULL::bigint)$$,
    'the seals hold');
SELECT is((SELECT root FROM kintaraa.audit_seal ORDER BY n DESC LIMIT 1), :'root'::bytea, 'with the root they had');

CREATE FUNCTION pg_temp.holds_after(act text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    held boolean;
BEGIN
    EXECUTE act;
    SELECT v.ok INTO held FROM kintaraa.audit_verify() AS v;
    RAISE EXCEPTION USING ERRCODE = 'TT000', MESSAGE = held::text;
EXCEPTION WHEN SQLSTATE 'TT000' THEN
    RETURN SQLERRM::boolean;
END
$$;
SELECT ok(pg_temp.holds_after('SELECT 1'), 'nothing done, nothing found');
SELECT ok(NOT pg_temp.holds_after($$UPDATE kintaraa.audit SET outcome = 'ok' WHERE outcome = 'refused'$$),
    'what is left of such an entry cannot be changed');
SELECT ok(NOT pg_temp.holds_after(
    $$UPDATE kintaraa.audit SET actor = '\x05', digest = sha256('') WHERE request = 'two'$$),
    'nor another one under the cover of a digest');
SELECT ok(NOT pg_temp.holds_after($$DELETE FROM kintaraa.audit WHERE action = 'trail_unlink'$$),
    'nor the sum be taken away');
SELECT * FROM finish();
