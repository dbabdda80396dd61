-- Who would be asked here, now.
\ir ../data/play.sql
SELECT plan(19);

SELECT play.staff('dora', 'dispatcher'), play.helper('clinic', 'healthcare', -1.0, 36.0),
       play.team('healthcare', -1.01, 36.0, telephone => true), play.register('amina') \g /dev/null

CREATE FUNCTION pg_temp.ask(query jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT (play.call('dispatch_coverage', 'dora', query => query)).body
$$;
SELECT is(jsonb_array_length(pg_temp.ask('{"points": "-1.0,36.0;40,40"}') -> 'items'), 2, 'one item for each point');
SELECT is(pg_temp.ask('{"points": "-1.0,36.0", "service": "medical"}') #> '{items,0,services}',
          '[{"service": "medical", "providers": 2, "nearestKm": 0.0, "gap": false}]', 'two providers are enough');
SELECT is(pg_temp.ask('{"points": "40,40", "service": "medical"}') #> '{items,0,services}',
          '[{"service": "medical", "providers": 0, "nearestKm": null, "gap": true}]', 'nobody is a gap');
SELECT is(jsonb_array_length(pg_temp.ask('{"points": "0,0"}') #> '{items,0,services}'), 8, 'no service asks for all');
SELECT is(jsonb_array_length(pg_temp.ask('{"box": "-2,36,-1,37"}') -> 'items'), 16,
       'a box of one degree has sixteen cells');
SELECT is(jsonb_array_length(pg_temp.ask('{"box": "0,0,20,20", "step": "1", "service": "legal"}') -> 'items'), 400,
       'four hundred points');
SELECT is(play.outcome('dispatch_coverage', 'dora', query => query), 'KN508', 'refused: ' || query::text)
       FROM unnest(ARRAY[
    '{"box": "0,0,20,21", "step": "1"}', '{}', '{"points": "1,2", "box": "0,0,1,1"}', '{"points": "91,2"}',
        '{"points": "1"}',
    '{"points": "1,2;"}', '{"box": "1,0,0,1"}', '{"box": "0,0,1,1", "step": "0"}',
        '{"points": "1,2", "service": "dentist"}',
    '{"points": "1,2", "urgency": "now"}']::jsonb[]) AS query;
SELECT is(play.outcome('dispatch_coverage', who, query => '{"points": "1,2"}'), 'refused KN201', who || ' may not ask')
  FROM unnest(ARRAY['clinic', 'amina']) AS who;
SELECT ok(play.outcome('dispatch_coverage', NULL, query => '{"points": "1,2"}') LIKE 'unknown KN1%', 'nor may nobody');
SELECT finish();
