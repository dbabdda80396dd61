-- Idempotency-Key stands for the id of a client that makes none; an old app is told to upgrade, reports are taken.
\ir ../data/play.sql
SELECT plan(11);

SELECT lives_ok($$ SELECT play.register('amina'), play.register('zawadi') $$, 'two survivors come in');
CREATE TEMP TABLE answer AS
SELECT * FROM play.call('incident_create', 'amina', NULL, '{"type": "physical"}', NULL, '{"idempotencyKey": "tap-1"}');
SELECT is(outcome, 'created', 'the first time it is created') FROM answer;
SELECT is(outcome, 'ok', 'the same key and payload are a replay')
  FROM play.call('incident_create', 'amina', NULL, '{"type": "physical"}', NULL, '{"idempotencyKey": "tap-1"}');
SELECT is(body ->> 'caseNumber', (SELECT body ->> 'caseNumber' FROM answer), 'of the same case')
  FROM play.call('incident_create', 'amina', NULL, '{"type": "physical"}', NULL, '{"idempotencyKey": "tap-1"}');
SELECT is(outcome, 'conflict', 'the same key with another payload is a conflict')
  FROM play.call('incident_create', 'amina', NULL, '{"type": "sexual"}', NULL, '{"idempotencyKey": "tap-1"}');
SELECT is(outcome, 'created', 'the key is hers alone')
  FROM play.call('incident_create', 'zawadi', NULL, '{"type": "physical"}', NULL, '{"idempotencyKey": "tap-1"}');
SELECT is(body ->> 'id', 'mine', 'an id of her own wins over the key')
  FROM play.call('incident_create', 'amina', NULL, '{"id": "mine"}', NULL, '{"idempotencyKey": "tap-1"}');

UPDATE kintaraa.setting SET value = '"2.3.0"' WHERE name = 'minimum_app_version';
SELECT is(play.outcome('incident_list', 'amina', context => '{"appVersion": "2.2.9"}'), 'refused KN203',
          'one below the minimum is told to upgrade');
SELECT is(play.outcome('incident_list', 'amina', context => '{"appVersion": "2.3.0"}'), 'ok',
          'the minimum itself is let in');
SELECT is(play.outcome('incident_list', 'amina', context => '{"appVersion": "none"}'), 'ok',
          'what is no version is let in');
SELECT is(play.outcome('incident_create', 'amina', NULL, '{"id": "old-app"}', NULL, '{"appVersion": "1.0"}'), 'created',
          'a report of an old app is taken all the same');
SELECT * FROM finish();
