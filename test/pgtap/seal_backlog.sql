-- A backlog is sealed in pieces of whole transactions; the chain goes through all of them.
SELECT plan(6);

SELECT ok(kintaraa.epoch_check(), 'the first epoch begins');
INSERT INTO kintaraa.audit (x, action, outcome)
SELECT (i / 10 + 3)::text::xid8, 'a', 'ok' FROM generate_series(0, 5009) AS i;
SELECT is(kintaraa.seal(), 5000::bigint, 'five thousand entries are one piece');
SELECT is(kintaraa.seal(), 10::bigint, 'one transaction more is the next');
SELECT is((SELECT count(*) FROM kintaraa.audit_seal AS s JOIN kintaraa.audit_seal AS p
             ON p.to_x = s.from_x AND p.root = s.previous_root), 1::bigint, 'which begins where the first ended');
SELECT results_eq('SELECT ok, sealed, unsealed FROM kintaraa.audit_verify()',
                  $$VALUES (true, 5010::bigint, 0::bigint)$$, 'both hold');
DELETE FROM kintaraa.audit_seal WHERE n = (SELECT min(n) FROM kintaraa.audit_seal);
SELECT is((SELECT ok FROM kintaraa.audit_verify()), false, 'a removed seal is found');

SELECT * FROM finish();
