/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  Every setting of the extension.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_GUC_H
#define KN_BASE_GUC_H

typedef enum KnMaintenance
{
	KN_MAINTENANCE_OFF,
	KN_MAINTENANCE_UPLOAD_ONLY,
	KN_MAINTENANCE_READ_ONLY
} KnMaintenance;

extern char *kn_guc_keyring_file;
extern char *kn_guc_database;
extern int kn_guc_maintenance;
extern int kn_guc_hash_slots;
extern int kn_guc_registrations_per_hour;
extern int kn_guc_tick_spacing_max;
extern int kn_guc_routing_wait;
extern bool kn_guc_worker;

extern void kn_guc_init(void);

#endif
