-- A number of a case that is taken is drawn again, and nothing else of the report changes.
\ir ../data/play.sql
SELECT plan(17);
SELECT play.register('amina'), play.register('zawadi') \g /dev/null
SELECT play.report('zawadi', 'first') \g /dev/null

-- The next draws give the number of her report.
CREATE SEQUENCE pg_temp.left_over MINVALUE 0 MAXVALUE 1000 INCREMENT -1 START 1000;
CREATE FUNCTION pg_temp.collide() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('pg_temp.left_over') > 0 THEN
        NEW.case_number := (SELECT case_number FROM play.incident WHERE client_id = 'first');
    ELSE
        PERFORM setval('pg_temp.left_over', 1);
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION pg_temp.take(draws integer) RETURNS void LANGUAGE sql AS $$
SELECT setval('pg_temp.left_over', draws + 1) $$;
CREATE FUNCTION pg_temp.create(id text, words text) RETURNS text LANGUAGE sql AS $$
SELECT play.outcome('incident_create', 'amina', NULL, jsonb_build_object('id', id, 'description', words,
    'supportServices', '["medical"]'::jsonb)) $$;
CREATE FUNCTION pg_temp.batch(VARIADIC ids text[]) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(concat_ws(' ', r ->> 'status', r ->> 'code'), ', ' ORDER BY n)
  FROM play.call('sync_batch', 'amina', NULL, jsonb_build_object('records', (SELECT jsonb_agg(jsonb_build_object(
    'table', 'incidents', 'id', id, 'data', jsonb_build_object('description', 'of ' || id))) FROM unnest(ids) AS id))),
    jsonb_array_elements(body -> 'results') WITH ORDINALITY AS e (r, n) $$;
-- What is stored under her ids: under which id, with which words.
CREATE FUNCTION pg_temp.stored(VARIADIC ids text[]) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(format('%s %s', CASE WHEN i.id::text = i.client_id THEN 'same' ELSE 'other' END,
                         (play.call('incident_get', 'amina', ARRAY[i.client_id])).body ->> 'description'),
                  ', ' ORDER BY i.client_id)
  FROM play.incident i WHERE i.client_id = ANY (ids) AND i.owner_id = (SELECT p.id FROM play.person p WHERE p.name =
      'amina') $$;
CREATE TRIGGER aa_collide BEFORE INSERT ON kintaraa.incident FOR EACH ROW EXECUTE FUNCTION pg_temp.collide();

-- Alone.
SELECT pg_temp.take(2) \g /dev/null
SELECT is(pg_temp.create('a0000000-0000-4000-8000-000000000001', 'one'), 'created',
    'two draws are taken, the third is not');
SELECT is(pg_temp.stored('a0000000-0000-4000-8000-000000000001'), 'same one',
    'and the case has the id that the phone gave it');
SELECT is(pg_temp.create('a0000000-0000-4000-8000-000000000001', 'one'), 'ok', 'sent again it is the same');

SELECT pg_temp.take(1000 - 1) \g /dev/null
SELECT is(pg_temp.create('a0000000-0000-4000-8000-000000000002', 'two'), 'XX000', 'without any number it is an error');
SELECT is(pg_temp.stored('a0000000-0000-4000-8000-000000000002'), NULL, 'and nothing is stored');
SELECT pg_temp.take(0) \g /dev/null
SELECT is(pg_temp.create('a0000000-0000-4000-8000-000000000002', 'two'), 'created', 'sent again it is');

-- Her id is somebody else's case, and the number is taken as well.
SELECT is(play.outcome('incident_create', 'zawadi', NULL, '{"id": "a0000000-0000-4000-8000-000000000003"}'), 'created',
    'another one has a case of that id');
SELECT pg_temp.take(1) \g /dev/null
SELECT is(pg_temp.create('a0000000-0000-4000-8000-000000000003', 'three'), 'created', 'only then the id gives way');
SELECT is(pg_temp.stored('a0000000-0000-4000-8000-000000000003'), 'other three', 'and she finds it under her own');

-- In a batch.
SELECT pg_temp.take(2) \g /dev/null
SELECT is(pg_temp.batch('b0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000002',
    'b0000000-0000-4000-8000-000000000003'), 'applied, applied, applied', 'two of three in a batch draw again');
SELECT is(pg_temp.stored('b0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000002',
    'b0000000-0000-4000-8000-000000000003'), 'same of b0000000-0000-4000-8000-000000000001, '
    'same of b0000000-0000-4000-8000-000000000002, same of b0000000-0000-4000-8000-000000000003', 'all keep their ids');
SELECT pg_temp.take(1000 - 1) \g /dev/null
SELECT is(pg_temp.batch('c0000000-0000-4000-8000-000000000001'), 'retry busy',
    'without any number a record is to come again');
SELECT is(pg_temp.stored('c0000000-0000-4000-8000-000000000001'), NULL, 'and is not stored');
SELECT pg_temp.take(0) \g /dev/null
SELECT is(pg_temp.batch('c0000000-0000-4000-8000-000000000001'), 'applied', 'and then it is');

-- Among all of them.
SELECT is(count(*) - count(DISTINCT case_number), 0::bigint, 'no number is there twice') FROM play.incident;
SELECT is((SELECT sum(n) FROM kintaraa.dispatch_delta), (SELECT count(*) FROM play.incident),
    'each is counted once');
SELECT is_empty('SELECT * FROM play.broken', 'and every rule of the data holds');
SELECT * FROM finish();
