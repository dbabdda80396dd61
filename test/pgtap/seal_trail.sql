-- Seals cover finished transactions without gap, and what was done to an entry after them is found.
SELECT plan(22);

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
               ($$at = at + interval '1 microsecond'$$), ($$code = ''$$), ($$request = 'r'$$)) AS c (change);
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

SELECT * FROM finish();
