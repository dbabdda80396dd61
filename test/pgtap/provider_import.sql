-- A DBA's list of facilities.
\ir ../data/play.sql
SELECT plan(50);

\set csv `cat "$(git rev-parse --show-toplevel 2>/dev/null || echo .)/test/data/facilities-kenya.csv"`
CREATE FUNCTION pg_temp.import(csv text, type text DEFAULT 'healthcare',
    organisation text DEFAULT 'Ministry') RETURNS integer
    LANGUAGE sql AS $$ SELECT kintaraa.provider_import(organisation, type, csv) $$;
CREATE FUNCTION pg_temp.refused(csv text, type text DEFAULT 'healthcare',
    organisation text DEFAULT 'Ministry') RETURNS text
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN pg_temp.import(csv, type, organisation);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

CREATE TEMP TABLE clock AS SELECT clock_timestamp() AS start;
SELECT is(pg_temp.import(:'csv', organisation => 'Kenya'), 6044, 'the real facilities of Kenya');
SELECT ok(clock_timestamp() - start < interval '5 seconds', 'within seconds') FROM clock;
SELECT is(pg_temp.import(:'csv', organisation => 'Kenya'), 0, 'again changes nothing');
SELECT is(count(*)::int, 6044, 'each can be offered work') FROM kintaraa.provider_dispatch WHERE dispatchable;
SELECT is(count(*)::int, 1, 'the organisation is made once') FROM kintaraa.organisation WHERE name = 'Kenya';
SELECT ok(is_verified AND by_telephone AND NOT is_demo AND name = 'Aiyebo Dispensary' AND admin_area = 'Baringo'
       AND latitude = 0.65783
          AND longitude = 35.80768, 'a facility as it stands in the list') FROM kintaraa.provider
              WHERE facility_code = '36569';

\set head 'facility_id,name,latitude,longitude\n'
SELECT is(pg_temp.import(E'facility_id,name,latitude,longitude\n' || rest), n, 'read: ' || rest) FROM (VALUES
    ('', 0), ('a1,A,1,2', 1), (E'a2,A,1,2\n', 1), (E'a3,A,1,2\r\na4,B,1,2\r\n', 2), (E'a5,"A, ""B""\nC",1,2', 1),
    (E'\na6,A,1,2\n\n', 1), ('a7,A,-90,180', 1), ('a8,A,90,-180', 1), ('a9,A,1e1,+2.5', 1)) AS v (rest, n);
SELECT is(name, E'A, "B"\nC', 'quotes are taken off') FROM kintaraa.provider WHERE facility_code = 'a5';
SELECT is(pg_temp.import(E'\ufefflongitude,latitude,x,name,facility_id\n2,1,y,Z,b1'), 1,
       'columns in any order, and a byte order mark');
SELECT is(pg_temp.import(E'facility_id,name,latitude,longitude\nb1,"Ž",1,2.5'), 1, 'a changed line changes one');
SELECT ok(name = 'Ž' AND longitude = 2.5, 'as it says') FROM kintaraa.provider WHERE facility_code = 'b1';
SELECT is(pos[0], 2.5::float8, 'and routing knows it') FROM kintaraa.provider_dispatch d
       JOIN kintaraa.provider p ON p.id = d.provider_id
 WHERE facility_code = 'b1';
SELECT ok(EXISTS (SELECT FROM kintaraa.change c JOIN kintaraa.provider p ON p.id = c.id WHERE c.noun = 'provider'
       AND p.facility_code = 'b1'), 'with a stamp');

SELECT is(pg_temp.refused(csv), 'KN504 ' || error, error) FROM (VALUES
    ('', 'line 1: there is no header'),
    ('facility_id,name,latitude', 'line 1: column "longitude" is missing'),
    (E'facility_id,name,latitude,longitude\nc1,A,1,2\nc2,A,1', 'line 3: there are 3 fields and the header has 4'),
    (E'facility_id,name,latitude,longitude\nc1,A,1,2,3', 'line 2: there are 5 fields and the header has 4'),
    (E'facility_id,name,latitude,longitude\nc1,"A\nB",1,2\nc2,A,x,2', 'line 4: latitude is not a number'),
    (E'facility_id,name,latitude,longitude\nc1,A,,2', 'line 2: latitude is not a number'),
    (E'facility_id,name,latitude,longitude\nc1,A,nan,2', 'line 2: latitude is not a number'),
    (E'facility_id,name,latitude,longitude\nc1,A,0x1,2', 'line 2: latitude is not a number'),
    (E'facility_id,name,latitude,longitude\nc1,A,90.1,2', 'line 2: latitude is not between -90 and 90'),
    (E'facility_id,name,latitude,longitude\nc1,A,1,-180.5', 'line 2: longitude is not between -180 and 180'),
    (E'facility_id,name,latitude,longitude\n,A,1,2', 'line 2: facility_id is empty'),
    (E'facility_id,name,latitude,longitude\nc1,,1,2', 'line 2: name is empty'),
    (E'facility_id,name,latitude,longitude\nc1,A,1,2\nc2,A,1,2\nc1,B,1,2',
        'line 4: facility_id "c1" stands in line 2 already'),
    (E'facility_id,name,latitude,longitude\nc1,"A,1,2', 'line 2: a quote is not closed'),
    (E'facility_id,name,latitude,longitude\nc1,"A"B,1,2', 'line 2: text follows the quote that ends a field'),
    (E'facility_id,name,latitude,longitude\nc1,A"B,1,2', 'line 2: a quote stands inside a field that is not quoted'),
    (E'facility_id,name,latitude,longitude\n' || repeat('c', 65) || ',A,1,2',
        'line 2: facility_id is longer than 64 characters'),
    (E'facility_id,name,latitude,longitude\nc1,' || repeat('ž', 201) || ',1,2',
        'line 2: name is longer than 200 characters'),
    ('facility_id,name,latitude,longitude' || repeat(',', 61), 'line 1: there are too many fields')) AS v (csv, error);
SELECT is(pg_temp.import(E'facility_id,name,latitude,longitude\n' || repeat('c', 64) || ',' || repeat('ž', 200)
       || ',1,2'), 1, 'at the limits');
SELECT is(pg_temp.import('facility_id,name,latitude,longitude' || repeat(',', 60) || E'\nc9,A,1,2' || repeat(',', 60)),
       1, 'sixty-four fields');
SELECT is(pg_temp.refused(E'facility_id,name,latitude,longitude\na1,A,1,2', organisation => 'Another'),
          'KN504 line 2: facility "a1" is known with another organisation or type',
              'a facility stays with its organisation');
SELECT is(pg_temp.refused(E'facility_id,name,latitude,longitude\na1,A,1,2', 'legal'),
          'KN504 line 2: facility "a1" is known with another organisation or type', 'and keeps its type');
SELECT is(pg_temp.refused(E'facility_id,name,latitude,longitude\nd1,A,1,2', 'nurse'),
       'KN504 the provider type is unknown', 'the type is known');
SELECT is(pg_temp.refused(E'facility_id,name,latitude,longitude\nd1,A,1,2', organisation => name),
       'KN505 the organisation''s name is empty or too long',
          'the organisation has a name') FROM unnest(ARRAY['', repeat('o', 201)]) AS name;
SELECT is(count(*)::int, 0, 'nothing of a refused list is stored') FROM kintaraa.provider WHERE facility_code IN ('c1',
       'c2', 'd1');
SELECT ok(NOT has_function_privilege(role, 'kintaraa.provider_import(text,text,text,boolean,boolean)', 'EXECUTE'), role
       || ' may not import')
  FROM unnest(ARRAY['kintaraa_gateway', 'kintaraa_door']) AS role;
SELECT finish();
