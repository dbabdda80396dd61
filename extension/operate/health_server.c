/*-------------------------------------------------------------------------
 *
 * health_server.c
 *	  What of the server others can take away: writing, standbys, connections,
 *	  who may connect.
 *
 * Called by health.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "utils/backend_status.h"
#include "utils/guc.h"

#include "base/guc.h"
#include "base/installed.h"
#include "base/limits.h"
#include "base/shared.h"
#include "base/spi.h"
#include "keys/keystore.h"
#include "operate/health.h"
#include "operate/health_report.h"

static void examine_encoding(KnReport *report);
static void examine_writable(KnReport *report);
static void examine_maintenance(KnReport *report);
static void examine_standbys(KnReport *report);
static void examine_connections(KnReport *report);
static void examine_closed(KnReport *report);

PG_FUNCTION_INFO_V1(kn_may_promote_sql);

/* What anybody may do here that kintaraa.close_database() takes away. */
static KnStatement open_doors = {
	.sql = "SELECT pg_catalog.string_agg(o.what, ', ' ORDER BY o.what) FROM ("
		   " SELECT a.privilege_type AS what FROM pg_catalog.pg_database d, "
		   "  pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a "
		   "  WHERE d.datname = pg_catalog.current_database() AND a.grantee = 0 "
		   " UNION ALL "
		   " SELECT 'statistics of tables' WHERE EXISTS ("
		   "  SELECT FROM kintaraa.statistics_functions() f "
		   "   JOIN pg_catalog.pg_proc p ON p.oid = f, "
		   "   pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a "
		   "   WHERE a.grantee = 0) "
		   " UNION ALL "
		   " SELECT 'large objects' WHERE EXISTS ("
		   "  SELECT FROM pg_catalog.pg_proc p, "
		   "   pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a "
		   "   WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace "
		   "     AND p.proname IN ('lo_create', 'lo_creat', 'lo_from_bytea') AND a.grantee = 0)"
		   ") AS o",
	.actor = KN_AS_SYSTEM,
};

/*
 * What the gateways' logins were told by ALTER ROLE and ALTER DATABASE: whether one
 * only reads, whether one goes by the server's setting, whether the one who asks
 * was told something of its own.
 */
static KnStatement logins_read_only = {
	.sql = "WITH login AS ( "
		   "  SELECT r.oid, r.rolname = SESSION_USER AS asks, "
		   "         r.rolcanlogin AND NOT r.rolsuper "
		   "         AND pg_catalog.pg_has_role(r.oid, 'kintaraa_gateway', 'MEMBER') "
		   "         AS is_gateway, "
		   "         (SELECT pg_catalog.split_part(c, '=', 2)::boolean "
		   "            FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c "
		   "           WHERE s.setrole IN (0, r.oid) AND s.setdatabase IN (0, d.oid) "
		   "             AND pg_catalog.split_part(c, '=', 1) = 'default_transaction_read_only' "
		   "           ORDER BY s.setrole <> 0 AND s.setdatabase <> 0 DESC, s.setrole <> 0 DESC, "
		   "                    s.setdatabase <> 0 DESC LIMIT 1) AS reads_only "
		   "    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d "
		   "   WHERE d.datname = pg_catalog.current_database()) "
		   "SELECT COALESCE(pg_catalog.bool_or(l.reads_only) FILTER (WHERE l.is_gateway), false), "
		   "       COALESCE(pg_catalog.bool_or(l.reads_only IS NULL) "
		   "                FILTER (WHERE l.is_gateway), true), "
		   "       COALESCE(pg_catalog.bool_or(l.reads_only IS NOT NULL) "
		   "                FILTER (WHERE l.asks), false) "
		   "  FROM login l",
	.actor = KN_AS_SYSTEM,
};

void
kn_health_server(KnReport *report)
{
	kn_health_find(report, "recovery", false,
				   RecoveryInProgress() ? "a standby: doors say that it is read only" : "a primary",
				   NULL);
	examine_encoding(report);
	examine_writable(report);
	examine_maintenance(report);
	examine_standbys(report);
	examine_connections(report);
	if (kn_installed_lack().reason == NULL)
		examine_closed(report);
}

/* What is sent is UTF-8; what another encoding lacks is an error. */
static void
examine_encoding(KnReport *report)
{
	kn_health_find(report, "encoding", true, GetDatabaseEncodingName(),
				   GetDatabaseEncoding() == PG_UTF8
					   ? NULL
					   : "Restore a dump into a database made with ENCODING 'UTF8': what this one "
						 "cannot write is refused.");
}

/* As the gateways' next transactions find it, whoever asks. */
static void
examine_writable(KnReport *report)
{
	bool here = strcmp(GetConfigOptionResetString("default_transaction_read_only"), "on") == 0;
	bool reads_only = false;

	if (!RecoveryInProgress())
	{
		KnRows rows;

		SPI_connect();
		kn_run0(&logins_read_only);
		rows = kn_rows();
		/* what holds for this session is the server's setting unless it has one of its own */
		reads_only = kn_col_bool(&rows, 0, 1) ||
					 (here && kn_col_bool(&rows, 0, 2) && !kn_col_bool(&rows, 0, 3));
		SPI_finish();
	}
	kn_health_find(report, "writable", true,
				   reads_only ? "transactions only read" : "transactions may write",
				   reads_only ? "Set default_transaction_read_only = off, for server, database and "
								"role: no report is taken until then."
							  : NULL);
}

/* Left on by mistake it looks like a fault of the phones. */
static void
examine_maintenance(KnReport *report)
{
	bool is_off = kn_guc_maintenance == KN_MAINTENANCE_OFF;

	kn_health_find(report, "maintenance", false,
				   GetConfigOption("kintaraa.maintenance", false, false),
				   is_off ? NULL
						  : "When the work is over, set kintaraa.maintenance = off and reload: "
							"until then clients are answered with KN202.");
}

/* Every report waits for a standby that is demanded and not there. */
static void
examine_standbys(KnReport *report)
{
	SyncRepStandbyData *standbys;
	int there = 0;
	int wanted = 0;

	if (SyncRepConfig != NULL && !RecoveryInProgress())
	{
		wanted = SyncRepConfig->num_sync;
		there = SyncRepGetCandidateStandbys(&standbys);
	}
	kn_health_find(report, "standbys", true,
				   psprintf("%d of %d that every report waits for", Min(there, wanted), wanted),
				   there >= wanted ? NULL
								   : "Start the synchronous standbys, or let "
									 "synchronous_standby_names demand fewer: no report is "
									 "answered until then.");
}

static void
examine_connections(KnReport *report)
{
	int n = pgstat_fetch_stat_numbackends();
	int used = 0;
	int unused;

	for (int i = 1; i <= n; i++)
	{
		LocalPgBackendStatus *entry = pgstat_fetch_stat_local_beentry(i);

		used += entry != NULL && entry->backendStatus.st_backendType == B_BACKEND;
	}
	unused = Max(MaxConnections - ReservedBackends - used, 0);
	kn_health_find(report, "connections", false, psprintf("%d of %d free", unused, MaxConnections),
				   unused >= KN_GATEWAY_CONNECTIONS
					   ? NULL
					   : "A gateway that starts anew finds too few: raise max_connections, or "
						 "limit others with ALTER ROLE ... CONNECTION LIMIT.");
}

static void
examine_closed(KnReport *report)
{
	KnRows rows;
	char *open;

	SPI_connect();
	kn_run0(&open_doors);
	rows = kn_rows();
	open = kn_col_text(&rows, 0, 1);
	kn_health_find(report, "closed", false,
				   open ? psprintf("any login has: %s", open) : "to logins that are not named",
				   open ? "Run SELECT kintaraa.close_database() as a superuser."
						: NULL);
	SPI_finish();
}

/* kintaraa.may_promote() -> true, or an error that says why not */
PGDLLEXPORT Datum
kn_may_promote_sql(PG_FUNCTION_ARGS)
{
	KnLack lack = kn_installed_lack();

	if (kn_shared() == NULL)
		lack = (KnLack){"the library kintaraa is not preloaded",
						"Add kintaraa to shared_preload_libraries and restart the server."};
	else if (!kn_guc_worker)
		lack = (KnLack){"the worker is switched off", "Set kintaraa.worker = on and restart."};
	else if (lack.reason == NULL)
		lack = kn_keystore_lack();
	if (lack.reason != NULL)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this server must not take over: %s", lack.reason),
				errhint("%s", lack.hint));
	PG_RETURN_BOOL(true);
}
