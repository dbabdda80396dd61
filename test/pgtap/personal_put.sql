-- What is hers alone: stored sealed, judged by version, never overwritten in silence, never seen by anybody else.
\ir ../data/play.sql
SELECT plan(33);

SELECT lives_ok($$ SELECT play.register('amina'), play.register('zawadi'), play.staff('dora', 'dispatcher') $$,
                'two survivors and a dispatcher come in');

-- One per account.
SELECT is(play.outcome('personal_put', 'amina', '{safety_plan}', '{"notes": "to my aunt", "bagItems": ["id", "keys"]}'),
          'created', 'a plan is stored');
SELECT is(body ->> 'id', 'safety_plan', 'under the name of its noun')
  FROM play.call('personal_get', 'amina', '{safety_plan}');
SELECT is(body -> 'bagItems', '["id", "keys"]', 'with its lists') FROM play.call('personal_get', 'amina',
    '{safety_plan}');
SELECT is(play.outcome('personal_put', 'amina', '{safety_plan}', '{"notes": "to my aunt", "bagItems": ["id", "keys"]}'),
          'ok', 'the same again is the same');
SELECT is(body ->> 'serverVersion', '1', 'and no new version') FROM play.call('personal_get', 'amina', '{safety_plan}');
SELECT is(play.outcome('personal_put', 'amina', '{safety_plan}', '{"notes": "to my uncle"}', NULL,
                       '{"device": "other phone"}'), 'conflict KN407',
                           'another phone''s text without a base is a conflict');
SELECT is(body #>> '{current,notes}', 'to my aunt', 'that shows what is stored')
  FROM play.call('personal_put', 'amina', '{safety_plan}', '{"notes": "to my uncle"}', NULL,
      '{"device": "other phone"}');
SELECT is(count(*)::int, 2, 'and what lost is kept')
  FROM kintaraa.archive WHERE noun = 'safety_plan' AND reason = 'no_base' AND payload_sealed IS NOT NULL;
SELECT is(play.outcome('personal_put', 'amina', '{safety_plan}', '{"notes": "to my uncle", "serverVersion": 1}'), 'ok',
          'with the version she had it is applied');
SELECT is(body ->> 'serverVersion', '2', 'as the next version') FROM play.call('personal_get', 'amina',
    '{safety_plan}');
SELECT is(play.outcome('personal_put', 'amina', '{safety_plan}', '{"notes": "third", "serverVersion": 1}', NULL,
                       '{"device": "other phone"}'), 'conflict KN407', 'an older base of another phone is a conflict');
SELECT is(play.outcome('personal_put', 'amina', '{safety_plan}', '{"notes": "own", "serverVersion": 1}'), 'ok',
          'an older base of the same writer is not');

-- Many, by her own ids.
SELECT is(play.outcome('personal_put', 'amina', ARRAY['emergency_contact', repeat('x', 64)], '{"name": "Aunt"}'),
    'created',
          'an id of 64 characters is taken');
SELECT is(play.outcome('personal_put', 'amina', ARRAY['emergency_contact', repeat('x', 65)], '{"name": "Aunt"}'),
    'KN506',
          'one of 65 is not');
SELECT is(play.outcome('personal_put', 'amina', '{emergency_contact,a b}', '{"name": "Aunt"}'), 'KN506',
          'nor one with a blank');
SELECT is(play.outcome('personal_put', 'zawadi', ARRAY['emergency_contact', repeat('x', 64)], '{"name": "Friend"}'),
          'created', 'two people may use the same id');
SELECT is(body ->> 'name', 'Aunt', 'and each reads her own')
  FROM play.call('personal_get', 'amina', ARRAY['emergency_contact', repeat('x', 64)]);
SELECT is(play.outcome('personal_get', 'zawadi', '{safety_plan}'), 'absent KN301', 'nobody reads another one''s plan');
SELECT is(play.outcome('personal_get', 'dora', '{safety_plan}'), 'absent KN301', 'a dispatcher neither');
SELECT is(play.outcome('personal_get', NULL, '{safety_plan}'), 'unknown KN101', 'without a token nothing');
SELECT is(play.outcome('personal_put', 'amina', '{password,x}', '{}'), 'absent KN301', 'an unknown noun is not there');

-- Moods: the last write wins.
SELECT is(play.outcome('personal_put', 'amina', '{mood_entry,m1}', '{"mood": "sad", "intensity": 7}'), 'created',
    'a mood');
SELECT is(play.outcome('personal_put', 'amina', '{mood_entry,m1}', '{"mood": "happy"}'), 'ok', 'is overwritten');
SELECT is(body -> 'mood', 'null'::jsonb, 'a word that is not in the list counts as missing')
  FROM play.call('personal_put', 'amina', '{mood_entry,m2}', '{"mood": "angry", "intensity": 11}');
SELECT is(count(*)::int, 2, 'a list holds them') FROM play.call('personal_list', 'amina', '{mood_entry}'),
       jsonb_array_elements(body -> 'items');

-- Deleted is deleted; the tombstone holds nothing.
SELECT is(play.outcome('personal_delete', 'amina', '{mood_entry,m1}'), 'none', 'deleted');
SELECT is(play.outcome('personal_delete', 'amina', '{mood_entry,m1}'), 'none', 'again is the same');
SELECT is(play.outcome('personal_delete', 'amina', '{mood_entry,never}'), 'none', 'and of what never was');
SELECT is(play.outcome('personal_get', 'amina', '{mood_entry,m1}'), 'absent KN301', 'it is gone');
SELECT is(play.outcome('personal_put', 'amina', '{mood_entry,m1}', '{"mood": "sad"}'), 'gone KN407',
          'a late write of it is told so');
SELECT is(body_sealed, NULL, 'nothing of it is left') FROM kintaraa.personal WHERE client_key =
    play.key('amina', 'mood_entry', 'm1');
SELECT ok(deleted, 'and its stamp says deleted') FROM kintaraa.change AS c JOIN kintaraa.personal AS p ON p.id = c.id
 WHERE p.client_key = play.key('amina', 'mood_entry', 'm1');
SELECT * FROM finish();
