-- notification_list, notification_read: one's own, newest first, a class and a sentence that says nothing.
\ir include/identity.sql
SELECT plan(17);

CREATE TEMP TABLE hers AS SELECT pg_temp.register('amina@example.org', 'three wet goats') AS a;
CREATE TEMP TABLE his AS SELECT pg_temp.register('otieno@example.org', 'four dry goats') AS a;
CREATE FUNCTION pg_temp.list(query jsonb DEFAULT '{}', context jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
    $$ SELECT pg_temp.door('notification_list', pg_temp.access(a), query => query, context => context) FROM hers $$;

SELECT is(pg_temp.told(pg_temp.door('notification_list', NULL)), 'unknown KN101', 'nobody reads them without a token');
SELECT is(pg_temp.list() - 'serverTime', '{"items":[],"next":null,"outcome":"ok"}', 'there are none at first');

INSERT INTO kintaraa.notification (id, account_id, class, created_at)
SELECT format('00000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid, pg_temp.user_id(a),
       (ARRAY['new_case', 'case_update', 'duty_call', 'account', 'system'])[i % 5 + 1],
       now() - make_interval(mins => i / 2)
  FROM hers, generate_series(1, 101) AS i;
INSERT INTO kintaraa.notification (id, account_id, class)
SELECT '00000000-0000-4000-8000-aaaaaaaaaaaa', pg_temp.user_id(a), 'system' FROM his;
SELECT kintaraa.change_flush();

SELECT is(jsonb_array_length(pg_temp.list() -> 'items'), 50, 'fifty are a page');
SELECT is(jsonb_array_length(pg_temp.list('{"limit":"100"}') -> 'items'), 100, 'a hundred when asked for');
SELECT throws_ok($$SELECT pg_temp.list('{"limit":"101"}')$$, 'KN508', NULL, 'one more is refused');
SELECT throws_ok($$SELECT pg_temp.list('{"after":"yesterday"}')$$, 'KN508', NULL, 'so is a page that is not ours');
SELECT is((WITH RECURSIVE page AS (
               SELECT pg_temp.list('{"limit":"40"}') AS p
               UNION ALL
               SELECT pg_temp.list(jsonb_build_object('limit', '40', 'after', p ->> 'next')) FROM page
                WHERE p ->> 'next' IS NOT NULL)
           SELECT count(DISTINCT i ->> 'id') FROM page, jsonb_array_elements(p -> 'items') AS i), 101::bigint,
          'pages have each of hers');
SELECT is((WITH RECURSIVE page AS (
               SELECT pg_temp.list('{"limit":"40"}') AS p
               UNION ALL
               SELECT pg_temp.list(jsonb_build_object('limit', '40', 'after', p ->> 'next')) FROM page
                WHERE p ->> 'next' IS NOT NULL)
           SELECT count(*) FROM page, jsonb_array_elements(p -> 'items') AS i), 101::bigint, 'once, and none of his');
SELECT set_eq($$SELECT jsonb_object_keys(pg_temp.list() #> '{items,0}')$$,
              ARRAY['id', 'class', 'text', 'createdAt', 'readAt'], 'an item is this and no more');
SELECT is((SELECT count(DISTINCT i ->> 'text') FROM jsonb_array_elements(pg_temp.list() -> 'items') AS i), 5::bigint,
          'there are five sentences');
SELECT is((SELECT count(DISTINCT i ->> 'text') FROM jsonb_array_elements(
              pg_temp.list('{}', '{"language":"sw"}') -> 'items') AS i
            WHERE i ->> 'text' ~ 'kwako|kazi|akaunti|programu'), 5::bigint, 'in Swahili when asked for');

SELECT is(pg_temp.told(pg_temp.door('notification_read', pg_temp.access(a), NULL,
    ARRAY['00000000-0000-4000-8000-000000000001'])), 'none', 'one is marked as read') FROM hers;
SELECT ok((SELECT read_at IS NOT NULL FROM kintaraa.notification WHERE id = '00000000-0000-4000-8000-000000000001'),
          'and is');
SELECT is(pg_temp.told(pg_temp.door('notification_read', pg_temp.access(a), NULL,
    ARRAY['00000000-0000-4000-8000-000000000001'])), 'none', 'again is harmless') FROM hers;
SELECT is(pg_temp.told(pg_temp.door('notification_read', pg_temp.access(a), NULL,
    ARRAY['00000000-0000-4000-8000-aaaaaaaaaaaa'])), 'absent KN301', 'another one''s is not there') FROM hers;
SELECT is(pg_temp.told(pg_temp.door('notification_read', pg_temp.access(a), NULL, ARRAY['x'])), 'absent KN301',
          'nor is what is no id') FROM hers;
SELECT is((SELECT read_at FROM kintaraa.notification WHERE id = '00000000-0000-4000-8000-aaaaaaaaaaaa'), NULL,
          'and it was not marked');

SELECT * FROM finish();
