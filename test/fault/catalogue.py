"""What a database holds, as text without OIDs, to be compared with that of another one."""

SCHEMAS = "('kintaraa', 'kintaraa_api', 'kintaraa_report', 'kintaraa_ops', 'play', 'cron', 'public')"
CATALOGUE = {
    "roles": "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, "
             "rolbypassrls, rolpassword FROM pg_authid",
    "memberships": "SELECT roleid::regrole, member::regrole, admin_option FROM pg_auth_members",
    "settings of roles": "SELECT datname, setrole::regrole, setconfig FROM pg_db_role_setting "
                         "LEFT JOIN pg_database d ON d.oid = setdatabase",
    "databases": "SELECT datname, datdba::regrole, pg_encoding_to_char(encoding), datcollate, datctype, datistemplate, "
                 "(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a) FROM pg_database",
    "schemas": "SELECT nspname, nspowner::regrole, nspacl FROM pg_namespace WHERE nspname IN " + SCHEMAS,
    "relations": "SELECT oid::regclass, relkind, relpersistence, relowner::regrole, relacl, relrowsecurity, "
                 "relforcerowsecurity, reloptions FROM pg_class WHERE relnamespace::regnamespace::text IN " + SCHEMAS,
    "columns": "SELECT attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attacl, "
               "pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
               "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
               "WHERE attnum > 0 AND relnamespace::regnamespace::text IN " + SCHEMAS,
    "indexes": "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid "
               "WHERE relnamespace::regnamespace::text IN " + SCHEMAS,
    "row security": "SELECT polrelid::regclass, polname, polcmd, polpermissive, polroles::regrole[], "
                    "pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy",
    "domains": "SELECT t.oid::regtype, format_type(typbasetype, typtypmod), typnotnull, typowner::regrole, typacl, "
               "(SELECT string_agg(pg_get_constraintdef(c.oid), ' ' ORDER BY conname) FROM pg_constraint c "
               "WHERE contypid = t.oid) FROM pg_type t WHERE typtype = 'd' AND typnamespace::regnamespace::text IN "
               + SCHEMAS,
    "triggers": "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    "constraints": "SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint "
                   "WHERE connamespace::regnamespace::text IN " + SCHEMAS,
    "functions": "SELECT oid::regprocedure, proowner::regrole, proacl, prosecdef, provolatile, proparallel, proconfig, "
                 "probin, md5(prosrc) FROM pg_proc WHERE pronamespace::regnamespace::text IN " + SCHEMAS,
    "extensions": "SELECT extname, extversion, extowner::regrole, extnamespace::regnamespace, extconfig::regclass[], "
                  "extcondition FROM pg_extension",
    "members of extensions": "SELECT extname, pg_describe_object(classid, objid, 0) FROM pg_depend "
                             "JOIN pg_extension e ON e.oid = refobjid AND refclassid = 'pg_extension'::regclass "
                             "WHERE deptype = 'e'",
    "default rights": "SELECT defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl "
                      "FROM pg_default_acl",
    "sequences": "SELECT schemaname, sequencename, sequenceowner, last_value FROM pg_sequences",
}
TABLES = ("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN "
          + SCHEMAS)


def catalogue_of(server, database="kintaraa"):
    return {name: sorted(row for (row,) in server.psql("SELECT q::text FROM (%s) q" % sql, database=database))
            for name, sql in CATALOGUE.items()}


def rows_of(server):
    """Per table the number of rows and their hash."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        tables = sorted(table for (table,) in cursor.fetchall())
        rows = {}
        for table in tables:
            cursor.execute("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t" % table)
            rows[table] = cursor.fetchone()
        return rows
