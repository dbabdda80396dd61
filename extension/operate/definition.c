/*-------------------------------------------------------------------------
 *
 * definition.c
 *	  Code and rules of the catalogue held against those of the library.
 *
 * Called by kintaraa.health() and, through kintaraa.definitions(), by
 * kintaraa.migrate(), which puts back what is lost.  The statements are here and
 * not in functions of SQL, which somebody may have replaced.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/definition_table.h"
#include "base/function_table.h"
#include "operate/definition.h"

PG_FUNCTION_INFO_V1(kn_definitions_sql);

/* The texts are those that catalogue.awk makes of sql/. */
static KnStatement functions_differing = KN_READ(
	KN_AS_SYSTEM,
	"WITH found AS ("
	" SELECT p.oid::regprocedure::text AS name,"
	"        trim(format('%s(%s) %s', p.oid::regproc,"
	"          regexp_replace(pg_get_function_arguments(p.oid),"
	"            ' DEFAULT [^,]*|\\mIN ', '', 'g'),"
	"          pg_get_function_result(p.oid))) AS signature,"
	"        concat_ws('|', p.prokind, l.lanname, p.provolatile,"
	"          CASE WHEN p.proisstrict THEN 'strict' ELSE '' END,"
	"          CASE WHEN p.prosecdef THEN 'definer' ELSE '' END, p.proparallel,"
	"          coalesce(array_to_string(p.proconfig, ','), ''),"
	"          CASE WHEN p.proowner = e.extowner THEN '' ELSE pg_get_userbyid(p.proowner) END,"
	"          encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')) AS print,"
	"        l.lanname = 'c' AND p.probin <> '$libdir/kintaraa' AS is_strange,"
	"        EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
	"                 WHERE a.grantee = 0) AS is_open"
	"   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
	"   JOIN pg_language l ON l.oid = p.prolang, pg_extension e"
	"  WHERE e.extname = 'kintaraa'"
	"    AND n.nspname IN ('kintaraa', 'kintaraa_api', 'kintaraa_report', 'kintaraa_ops')), "
	"wanted AS (SELECT trim(w.signature) AS signature, w.print"
	"             FROM unnest($1, $2) AS w (signature, print)) "
	"SELECT coalesce(f.name, w.signature), w.signature IS NOT NULL"
	"  FROM found f FULL JOIN wanted w ON w.signature = f.signature"
	" WHERE f.print IS DISTINCT FROM w.print OR f.is_strange OR f.is_open ORDER BY 1",
	TEXTARRAYOID, TEXTARRAYOID);

static KnStatement definitions_differing = KN_READ(
	KN_AS_SYSTEM,
	"WITH found AS ("
	" SELECT 'policy' AS kind, format('%I ON %s', p.polname, c.oid::regclass) AS name,"
	"        format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, c.oid::regclass,"
	"          CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,"
	"          CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'"
	"                        WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,"
	"          (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC'"
	"                                    ELSE quote_ident(pg_get_userbyid(r)) END, ', ')"
	"             FROM unnest(p.polroles) AS r),"
	"          ' USING (' || pg_get_expr(p.polqual, c.oid) || ')',"
	"          ' WITH CHECK (' || pg_get_expr(p.polwithcheck, c.oid) || ')') AS statement"
	"   FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
	"   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'kintaraa'"
	" UNION ALL"
	" SELECT 'trigger', format('%I ON %s', t.tgname, c.oid::regclass),"
	"        pg_get_triggerdef(t.oid)"
	"          || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' -- disabled: ' || t.tgenabled::text END"
	"   FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
	"   JOIN pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE n.nspname = 'kintaraa' AND NOT t.tgisinternal"
	" UNION ALL"
	" SELECT 'row security', c.oid::regclass::text,"
	"        format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', c.oid::regclass,"
	"          CASE WHEN c.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,"
	"          CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END)"
	"   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE n.nspname = 'kintaraa' AND c.relkind IN ('r', 'p') AND c.relname <> 'migration'"
	" UNION ALL"
	" SELECT 'view', c.oid::regclass::text,"
	"        format('CREATE VIEW %s%s AS %s', c.oid::regclass,"
	"          ' WITH (' || array_to_string(c.reloptions, ', ') || ')',"
	/* a column that is named by its type comes back without AS */
	"          rtrim(trim(replace(pg_get_viewdef(c.oid), '::text AS text,', '::text,')), ';'))"
	"        || coalesce(format('; COMMENT ON VIEW %s IS %L', c.oid::regclass,"
	"                           obj_description(c.oid, 'pg_class')), '')"
	"        || coalesce((SELECT string_agg(format('; GRANT %s ON %s TO %s', a.privilege_type,"
	"              c.oid::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC'"
	"                               ELSE quote_ident(pg_get_userbyid(a.grantee)) END), ''"
	"              ORDER BY a.privilege_type, pg_get_userbyid(a.grantee))"
	"             FROM aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner), '')"
	"   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE n.nspname IN ('kintaraa', 'kintaraa_ops', 'kintaraa_report') AND c.relkind = 'v'), "
	"wanted AS (SELECT w.kind, w.name, w.statement"
	"             FROM unnest($1, $2, $3) AS w (kind, name, statement)) "
	"SELECT coalesce(f.kind, w.kind), coalesce(f.name, w.name), w.statement, f.text"
	"  FROM (SELECT kind, name, regexp_replace(statement, '\\s+', ' ', 'g') AS text FROM found) f"
	"  FULL JOIN wanted w ON w.kind = f.kind AND w.name = f.name"
	" WHERE f.text IS DISTINCT FROM w.statement ORDER BY 1, 2",
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID);

KnRows
kn_functions_differing(void)
{
	char **signatures = palloc(sizeof(char *) * kn_function_count);
	char **prints = palloc(sizeof(char *) * kn_function_count);
	KnArgs args = {0};

	for (int i = 0; i < kn_function_count; i++)
	{
		signatures[i] = (char *) kn_functions[i].signature;
		prints[i] = (char *) kn_functions[i].print;
	}
	kn_arg_text_array(&args, signatures, kn_function_count);
	kn_arg_text_array(&args, prints, kn_function_count);
	kn_run(&functions_differing, &args);
	return kn_rows();
}

KnRows
kn_definitions_differing(void)
{
	char **parts[3];
	KnArgs args = {0};

	for (int part = 0; part < lengthof(parts); part++)
		parts[part] = palloc(sizeof(char *) * Max(kn_definition_count, 1));
	for (int i = 0; i < kn_definition_count; i++)
	{
		parts[0][i] = (char *) kn_definitions[i].kind;
		parts[1][i] = (char *) kn_definitions[i].name;
		parts[2][i] = (char *) kn_definitions[i].statement;
	}
	for (int part = 0; part < lengthof(parts); part++)
		kn_arg_text_array(&args, parts[part], kn_definition_count);
	kn_run(&definitions_differing, &args);
	return kn_rows();
}

/* kintaraa.definitions() -> setof (kind, name, wanted, found): what differs */
PGDLLEXPORT Datum
kn_definitions_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	KnRows rows;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	rows = kn_definitions_differing();
	for (uint64 i = 0; i < rows.n; i++)
	{
		Datum values[4] = {0};
		bool nulls[4];

		for (int column = 0; column < 4; column++)
			values[column] = kn_col(&rows, i, column + 1, &nulls[column]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
