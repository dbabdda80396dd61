/*-------------------------------------------------------------------------
 *
 * kintaraa.c
 *	  Loading the library.
 *
 * Called once per process, and by the postmaster when preloaded.  Each room
 * declares itself; this is their table of contents.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "base/guc.h"
#include "base/installed.h"
#include "base/limits.h"
#include "base/shared.h"
#include "base/spi.h"
#include "base/told.h"
#include "identity/caller.h"
#include "keys/vault.h"
#include "operate/health.h"
#include "trail/audit.h"
#include "trail/change.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static void require_server(void);

void
_PG_init(void)
{
	require_server();
	kn_guc_init();
	kn_vault_init();
	kn_shared_init();
	kn_spi_init();
	kn_installed_init();
	kn_change_init();
	kn_audit_init();
	kn_caller_init();
	kn_told_init();
	kn_health_init();
	kn_worker_init();
}

/* Older servers have holes in row security that the whole design stands on. */
static void
require_server(void)
{
	int version = atoi(GetConfigOption("server_version_num", false, false));

	if (version < KN_SERVER_MIN)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("kintaraa needs PostgreSQL %d.%d or newer", KN_SERVER_MIN / 10000,
					   KN_SERVER_MIN % 10000),
				errhint("Install the current minor release of PostgreSQL 15."));
}
