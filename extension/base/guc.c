/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  Every setting of the extension.
 *
 * Called once from _PG_init.  Each has its line in docs/configuration.md.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/guc.h"

char *kn_guc_keyring_file = NULL;
char *kn_guc_database = NULL;
int kn_guc_maintenance = KN_MAINTENANCE_OFF;
int kn_guc_hash_slots = 1;
int kn_guc_registrations_per_hour = 30;
int kn_guc_tick_spacing_max = 50;
int kn_guc_routing_wait = 10000;
bool kn_guc_worker = true;

static const struct config_enum_entry maintenance_modes[] = {
	{"off", KN_MAINTENANCE_OFF, false},
	{"upload_only", KN_MAINTENANCE_UPLOAD_ONLY, false},
	{"read_only", KN_MAINTENANCE_READ_ONLY, false},
	{NULL, 0, false},
};

void
kn_guc_init(void)
{
	DefineCustomStringVariable("kintaraa.keyring_file",
							   "Sets the path of the key ring file, outside the data directory.",
							   NULL, &kn_guc_keyring_file, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomEnumVariable("kintaraa.maintenance",
							 "Sets what clients may do: everything, only send, or only read.",
							 NULL, &kn_guc_maintenance, KN_MAINTENANCE_OFF, maintenance_modes,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kintaraa.hash_slots",
							"Sets how many password hashes may run at once.",
							"Each takes 19 MiB and about 50 ms of one core.",
							&kn_guc_hash_slots, 1, 1, 2, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kintaraa.registrations_per_hour",
							"Sets how many new accounts of one network cost no wait.",
							"Each one more waits, up to half a minute; none is refused.",
							&kn_guc_registrations_per_hour, 30, 1, 1000000, PGC_SUSET, 0, NULL,
							NULL, NULL);
	DefineCustomIntVariable("kintaraa.tick_spacing_max",
							"Sets the longest pause between two ticks under load.",
							NULL, &kn_guc_tick_spacing_max, 50, 2, 1000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("kintaraa.routing_wait",
							"Sets how long needs wait until batches route their own.",
							NULL, &kn_guc_routing_wait, 10000, 0, 3600000, PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
	{
		DefineCustomStringVariable("kintaraa.database",
								   "Sets the database in which the background worker runs.",
								   NULL, &kn_guc_database, "kintaraa", PGC_POSTMASTER, 0,
								   NULL, NULL, NULL);
		DefineCustomBoolVariable("kintaraa.worker",
								 "Sets whether the background worker runs.",
								 NULL, &kn_guc_worker, true, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	}
	MarkGUCPrefixReserved("kintaraa");
}
