-- What is too old goes, in batches; what is a day younger stays.
SELECT plan(18);

INSERT INTO kintaraa.account (id, role, email_index, password_hash)
VALUES ('00000000-0000-4000-8000-0000000000aa', 'survivor', '', '');
SELECT kintaraa.change_flush();

INSERT INTO kintaraa.notification (id, account_id, class, created_at)
SELECT gen_random_uuid(), '00000000-0000-4000-8000-0000000000aa', 'system', now() - make_interval(days => age)
  FROM (VALUES (89), (91), (91), (91)) AS a (age);
INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at)
SELECT gen_random_uuid(), 'incident', gen_random_uuid(), '3', 1, 0, deleted, now() - make_interval(days => age)
  FROM (VALUES (true, 179), (true, 181), (false, 400)) AS a (deleted, age);
INSERT INTO kintaraa.member (principal, bucket, relation, revoked, changed_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'helper', revoked, now() - make_interval(days => age)
  FROM (VALUES (true, 179), (true, 181), (false, 400)) AS a (revoked, age);
INSERT INTO kintaraa.applied (account_id, device, noun, client_key, hash, version, outcome, at)
SELECT gen_random_uuid(), 'd', 'incident', 'i', '', 1, 'applied', now() - make_interval(days => age)
  FROM (VALUES (179), (181)) AS a (age);
INSERT INTO kintaraa.archive (id, owner_id, noun, row_id_sealed, reason, at)
SELECT gen_random_uuid(), gen_random_uuid(), 'incident', 'i', 'conflict', now() - make_interval(days => age)
  FROM (VALUES (364), (366)) AS a (age);
INSERT INTO kintaraa.session (id, account_id, expires_at)
SELECT gen_random_uuid(), '00000000-0000-4000-8000-0000000000aa', now() - make_interval(days => age)
  FROM (VALUES (29), (31)) AS a (age);
INSERT INTO kintaraa.invitation (id, code_index, role, expires_at)
SELECT gen_random_uuid(), age::text::bytea, 'admin', now() - make_interval(days => age)
  FROM (VALUES (29), (31)) AS a (age);
INSERT INTO kintaraa.organisation (id, kind, name)
VALUES ('00000000-0000-4000-8000-0000000000bb', 'dispatch_centre', 'Centre');
INSERT INTO kintaraa.duty (centre_id, account_id, kind, from_at, to_at)
SELECT '00000000-0000-4000-8000-0000000000bb', '00000000-0000-4000-8000-0000000000aa', 'dispatcher',
       now() - make_interval(days => 400 + age), now() - make_interval(days => age)
  FROM (VALUES (364), (366)) AS a (age);
INSERT INTO kintaraa.duty_ended (id, centre_id, at)
SELECT gen_random_uuid(), '00000000-0000-4000-8000-0000000000bb', now() - make_interval(days => age)
  FROM (VALUES (364), (366)) AS a (age);
INSERT INTO kintaraa.throttle (key, updated_at)
SELECT age::text::bytea, now() - make_interval(hours => age) FROM (VALUES (47), (49)) AS a (age);
SELECT kintaraa.change_flush();

SELECT is(kintaraa.retention_run(2), 2, 'a full batch says that there is more');
SELECT is((SELECT count(*) FROM kintaraa.notification), 2::bigint, 'it deleted no more than a batch');
SELECT is(kintaraa.retention_run(2), 1, 'the next one is not full');
SELECT is((SELECT count(*) FROM kintaraa.notification), 1::bigint, 'a young notification stays');
SELECT is((SELECT count(*) FROM kintaraa.change WHERE noun = 'notification' AND deleted), 3::bigint,
          'phones hear that the others are gone');
SELECT is((SELECT count(*) FROM kintaraa.change WHERE noun = 'incident'), 2::bigint,
          'of changes only old tombstones go');
SELECT is((SELECT count(*) FROM kintaraa.member WHERE relation = 'helper'), 2::bigint,
          'of memberships only those long revoked go');
SELECT is((SELECT count(*) FROM kintaraa.applied), 1::bigint, 'old outcomes of devices go');
SELECT is((SELECT count(*) FROM kintaraa.archive), 1::bigint, 'old losing versions go');
SELECT is((SELECT count(*) FROM kintaraa.session), 1::bigint, 'sessions that ended long ago go');
SELECT is((SELECT count(*) FROM kintaraa.invitation), 1::bigint, 'invitations likewise');
SELECT is((SELECT count(*) FROM kintaraa.throttle), 1::bigint, 'and wrong guesses');
SELECT is((SELECT count(*) FROM kintaraa.duty), 1::bigint, 'and duties of more than a year ago');
SELECT is((SELECT count(*) FROM kintaraa.duty_ended), 1::bigint, 'and what was taken back then');
SELECT is(kintaraa.retention_run(2), 0, 'again finds nothing');

-- A phone with the oldest cursor that is still good hears of what was removed since then.
INSERT INTO kintaraa.tick (t, snapshot, epoch)
SELECT (extract(epoch FROM now() - interval '190 days') * 1000)::bigint * 1000 + 1, '3:3:', 1;
INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at)
SELECT gen_random_uuid(), 'incident', gen_random_uuid(), '3', 1, 0, true, now() - make_interval(days => age)
  FROM (VALUES (185), (195)) AS a (age);
INSERT INTO kintaraa.member (principal, bucket, relation, revoked, changed_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'helper', true, now() - make_interval(days => age)
  FROM (VALUES (185), (195)) AS a (age);
SELECT is(kintaraa.retention_run(5), 1, 'of those two one is kept');
SELECT is((SELECT count(*) FROM kintaraa.change WHERE deleted AND updated_at < now() - interval '181 days'), 1::bigint,
          'a removal that the oldest cursor has not heard of stays');
SELECT is((SELECT count(*) FROM kintaraa.member WHERE revoked AND changed_at < now() - interval '181 days'), 1::bigint,
          'and so does the end of a membership');

SELECT * FROM finish();
