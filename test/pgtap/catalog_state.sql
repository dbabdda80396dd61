SELECT plan(25);
CREATE TEMP VIEW our_table AS SELECT c.oid, c.relname AS name, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
    c.relacl
  FROM pg_class c WHERE c.relnamespace = 'kintaraa'::regnamespace AND c.relkind IN ('r', 'p');
CREATE TEMP VIEW our_function AS SELECT p.oid::regprocedure AS signature, p.* FROM pg_proc p
 WHERE p.pronamespace IN ('kintaraa'::regnamespace, 'kintaraa_api'::regnamespace, 'kintaraa_report'::regnamespace,
     'kintaraa_ops'::regnamespace);

SELECT cmp_ok((SELECT count(*) FROM our_table), '>=', 25::bigint, 'the tables are there');
SELECT is((SELECT array_agg(name ORDER BY name) FROM our_table WHERE NOT (relrowsecurity AND relforcerowsecurity)),
    ARRAY['migration']::name[], 'row security is forced on every table but migration');
SELECT is((SELECT array_agg(name) FROM our_table WHERE relowner <> 'kintaraa_owner'::regrole), NULL,
    'every table belongs to kintaraa_owner');
SELECT is((SELECT array_agg(c.relname) FROM pg_class c WHERE c.relnamespace IN ('kintaraa'::regnamespace)
    AND c.relkind IN ('S', 'v', 'm', 'i') AND c.relowner <> 'kintaraa_owner'::regrole), NULL,
    'so do sequences and indexes');
SELECT is((SELECT array_agg(t.name) FROM our_table t WHERE t.name <> 'migration' AND NOT EXISTS (SELECT
    FROM pg_policy p WHERE p.polrelid = t.oid AND p.polroles = ARRAY['kintaraa_system'::regrole::oid])), NULL,
    'the system role has a policy on every table');
SELECT is((SELECT array_agg(p.polrelid::regclass || ' ' || p.polname) FROM pg_policy p
    JOIN our_table t ON t.oid = p.polrelid
            WHERE cardinality(p.polroles) <> 1 OR p.polroles && ARRAY[0, 'kintaraa_owner'::regrole::oid,
                'kintaraa_gateway'::regrole::oid]), NULL,
                'each policy is for one role, none for PUBLIC, owner or gateway');
SELECT is((SELECT array_agg(polrelid::regclass || ' ' || polroles::text) FROM (SELECT polrelid, polroles, polcmd
    FROM pg_policy p JOIN our_table t ON t.oid = p.polrelid GROUP BY 1, 2, 3 HAVING count(*) > 1) AS d), NULL,
    'one policy for each role and command');
SELECT is((SELECT array_agg(p.polrelid::regclass || ' ' || p.polname) FROM pg_policy p
    JOIN our_table t ON t.oid = p.polrelid
            WHERE concat(pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck,
                p.polrelid)) ~* '\mor\M'), NULL, 'no policy holds an OR');
SELECT is((SELECT array_agg(p.polrelid::regclass || ' ' || p.polname) FROM pg_policy p
    JOIN our_table t ON t.oid = p.polrelid
            WHERE p.polroles <> ARRAY['kintaraa_system'::regrole::oid]
                AND p.polroles <> ARRAY['kintaraa_report'::regrole::oid] AND p.polcmd <> 'a' AND pg_get_expr(p.polqual,
                p.polrelid) !~ '(can_see|caller_may|me|principals)\('), NULL,
                'without a proven caller the policies of doors let nothing through');

SELECT is((SELECT array_agg(name) FROM our_table, aclexplode(relacl) AS a WHERE a.grantee = 0), NULL,
    'PUBLIC has no privilege on a table');
SELECT is((SELECT array_agg(a.attrelid::regclass || '.' || a.attname) FROM pg_attribute a
    JOIN our_table t ON t.oid = a.attrelid, aclexplode(a.attacl) AS x WHERE x.grantee = 0), NULL, 'nor on a column');
SELECT is((SELECT array_agg(signature) FROM our_function f, aclexplode(COALESCE(f.proacl, acldefault('f',
    f.proowner))) AS a WHERE a.grantee = 0), NULL, 'nor on a function');
SELECT is((SELECT array_agg(nspname) FROM pg_namespace n, aclexplode(n.nspacl) AS a WHERE nspname LIKE 'kintaraa%'
    AND a.grantee = 0), NULL, 'nor on a schema');
SELECT is((SELECT array_agg(c.relname) FROM pg_class c, aclexplode(c.relacl) AS a
    WHERE c.relnamespace::regnamespace::text LIKE 'kintaraa%' AND a.grantee = 0), NULL, 'nor on a view or sequence');

SELECT is((SELECT array_agg(name) FROM our_table, aclexplode(relacl) AS a
    WHERE a.grantee = 'kintaraa_gateway'::regrole), NULL, 'the gateway has no privilege on a table');
SELECT is((SELECT array_agg(signature) FROM our_function f, aclexplode(f.proacl) AS a
    WHERE a.grantee = 'kintaraa_gateway'::regrole AND f.pronamespace <> 'kintaraa_api'::regnamespace), NULL,
    'nor on a function that is no door');
SELECT is((SELECT array_agg(roleid::regrole || ' in ' || member::regrole) FROM pg_auth_members
    WHERE roleid::regrole::text LIKE 'kintaraa%'), NULL, 'no role is in another');
SELECT is((SELECT array_agg(rolname) FROM pg_roles WHERE rolname LIKE 'kintaraa%'
    AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR (rolbypassrls
    AND rolname <> 'kintaraa_backup'))), NULL, 'no role can more than its grants; backup alone passes row security');

SELECT is((SELECT array_agg(signature) FROM our_function WHERE prosecdef AND COALESCE(array_to_string(proconfig, ' '),
    '') !~ '^search_path=pg_catalog, pg_temp$'), NULL,
    'every SECURITY DEFINER function has its search_path pinned, pg_temp last');
SELECT is((SELECT array_agg(signature) FROM our_function f WHERE f.pronamespace = 'kintaraa_api'::regnamespace
    AND f.proname NOT IN ('health', 'jwks')
            AND f.proowner NOT IN ('kintaraa_door'::regrole, 'kintaraa_dispatch'::regrole,
                'kintaraa_system'::regrole)), NULL, 'doors belong to the roles that own doors');
SELECT is((SELECT array_agg(signature) FROM our_function f WHERE f.prosecdef
    AND f.proowner IN ('kintaraa_owner'::regrole, 'postgres'::regrole)), NULL,
    'the owner of tables and the superuser own no SECURITY DEFINER function');
SELECT is((SELECT array_agg(proname ORDER BY proname) FROM our_function
    WHERE pronamespace = 'kintaraa_api'::regnamespace AND prosecdef IS FALSE), NULL, 'every door is SECURITY DEFINER');

SELECT is((SELECT array_agg(pg_describe_object(d.classid, d.objid, d.objsubid)) FROM pg_depend d
    JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
            WHERE e.extname = 'kintaraa' AND d.deptype = 'e' AND (d.classid IN ('pg_class'::regclass,
                'pg_type'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass)
               OR (d.classid = 'pg_namespace'::regclass AND d.objid = 'kintaraa'::regnamespace))), NULL,
                   'no table, type, view or the schema of state is a member of the extension');
SELECT is((WITH member AS (SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    AND d.refclassid = 'pg_extension'::regclass WHERE e.extname = 'kintaraa' AND d.deptype = 'e')
           SELECT array_agg(pg_describe_object(d.classid, d.objid, d.objsubid)) FROM pg_depend d
               JOIN member m ON m.classid = d.refclassid AND m.objid = d.refobjid
            WHERE d.classid IN ('pg_class'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass,
                'pg_type'::regclass)
              AND NOT (d.refclassid = 'pg_namespace'::regclass AND d.refobjid IN ('kintaraa_report'::regnamespace,
                  'kintaraa_ops'::regnamespace))), NULL,
          'no column, default, index or constraint depends on the extension');
SELECT is((SELECT array_agg(attrelid::regclass || '.' || attname) FROM pg_attribute a
    JOIN our_table t ON t.oid = a.attrelid JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_type b ON b.oid = y.typbasetype
            WHERE a.attnum > 0 AND NOT a.attisdropped AND 'pg_catalog'::regnamespace
                NOT IN (y.typnamespace, COALESCE(b.typnamespace, 0))), NULL,
                'columns have built-in types, or domains over them that are state too');
SELECT * FROM finish();
