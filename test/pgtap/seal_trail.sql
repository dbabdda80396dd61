-- Seals cover finished transactions without gap, and what was done to an entry after them is found.
SELECT plan(29);

SELECT ok(kintaraa.epoch_check(), 'the first epoch begins');
SELECT is(kintaraa.seal(), 0::bigint, 'an empty trail needs no seal');
SELECT is((SELECT count(*) FROM kintaraa.audit_seal), 0::bigint, 'and gets none');
SELECT results_eq('SELECT ok, sealed, unsealed, first_bad FROM kintaraa.audit_verify()',
                  $$VALUES (true, 0::bigint, 0::bigint, NULL::bigint)$$, 'an empty trail holds');

INSERT INTO kintaraa.audit (x, action, outcome, actor, target, fields)
VALUES ('5', 'a', 'ok', '\x01', gen_random_uuid(), 'type'), ('6', 'b', 'refused', NULL, NULL, NULL),
       ('6', 'c', 'ok', NULL, NULL, '');
SELECT is(kintaraa.seal(), 3::bigint, 'what is finished is sealed');
INSERT INTO kintaraa.audit (action, outcome) VALUES ('open', 'ok');
SELECT is(kintaraa.seal(), 0::bigint, 'an entry of a transaction that runs is not');
INSERT INTO kintaraa.audit (x, action, outcome)
SELECT pg_snapshot_xmin(pg_current_snapshot()), 'above', 'ok';
SELECT is(kintaraa.seal(), 0::bigint, 'nor is one above it');
SELECT results_eq('SELECT ok, sealed, unsealed FROM kintaraa.audit_verify()',
                  $$VALUES (true, 3::bigint, 2::bigint)$$, 'a sealed trail holds');

-- Each act is undone before the next.
CREATE FUNCTION pg_temp.bad_after(act text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    BEGIN
        EXECUTE act;
        SELECT v.first_bad INTO found FROM kintaraa.audit_verify() AS v;
        RAISE EXCEPTION USING ERRCODE = 'TT000', MESSAGE = coalesce(found::text, '');
    EXCEPTION WHEN SQLSTATE 'TT000' THEN
        RETURN nullif(SQLERRM, '')::bigint;
    END;
END
$$;
SELECT is(pg_temp.bad_after('SELECT 1'), NULL, 'nothing done, nothing found');
SELECT ok(pg_temp.bad_after(format('UPDATE kintaraa.audit SET %s WHERE action = %L', change, 'a')) IS NOT NULL,
          'found: ' || change)
  FROM (VALUES ($$outcome = 'no'$$), ($$actor = '\x02'$$), ($$fields = NULL$$), ($$target = NULL$$),
               ($$at = at + interval '1 microsecond'$$), ($$code = ''$$), ($$request = 'r'$$),
               ($$targets = ARRAY[gen_random_uuid()]$$), ($$targets = '{}'$$)) AS c (change);
SELECT ok(pg_temp.bad_after($$DELETE FROM kintaraa.audit WHERE action = 'b'$$) IS NOT NULL,
          'a removed entry is found');
SELECT ok(pg_temp.bad_after($$INSERT INTO kintaraa.audit (x, action, outcome) VALUES ('5', 'late', 'ok')$$) IS NOT NULL,
          'a back-dated entry is found');
SELECT ok(pg_temp.bad_after($$UPDATE kintaraa.audit SET n = DEFAULT WHERE action = 'b'$$) IS NOT NULL,
          'two entries in another order are found');
SELECT ok(pg_temp.bad_after($$UPDATE kintaraa.audit SET x = '6' WHERE action = 'a'$$) IS NOT NULL,
          'an entry moved to another transaction is found');
SELECT ok(pg_temp.bad_after($$UPDATE kintaraa.audit_seal SET root = sha256(root)$$) IS NOT NULL,
          'a root that was replaced is found');
SELECT ok(pg_temp.bad_after($$UPDATE kintaraa.audit_seal SET from_x = '2'$$) IS NOT NULL,
          'a gap between seals is found');

-- Whoever cuts off the end leaves a chain that holds; a root that left the machine tells.
SELECT encode(root, 'hex') AS root FROM kintaraa.audit_seal ORDER BY n DESC LIMIT 1 \gset
SELECT ok((SELECT ok FROM kintaraa.audit_verify(:'root')), 'the newest root is there');
SELECT ok((SELECT ok FROM kintaraa.audit_verify(repeat('0', 64))), 'so is the one before the first seal');
SELECT throws_ok($$SELECT kintaraa.audit_verify('cafe')$$, '22023', 'this is not a root of the audit trail',
    'what is no root is an error');
SELECT is((SELECT ok FROM kintaraa.audit_verify(repeat('ab', 32))), false, 'a root of elsewhere is not there');
DELETE FROM kintaraa.audit_seal;
DELETE FROM kintaraa.audit WHERE x < '100';
SELECT results_eq(
    format('SELECT a.ok, b.ok FROM kintaraa.audit_verify() AS a, kintaraa.audit_verify(%L) AS b', :'root'),
    $$VALUES (true, false)$$, 'an end that was cut off is found by its root alone');
SELECT * FROM finish();
