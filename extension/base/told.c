/*-------------------------------------------------------------------------
 *
 * told.c
 *	  Rules that a backend reads once, and anew when it is told that they changed.
 *
 * Called wherever rows of policy, setting or organisation are kept in memory;
 * the trigger kintaraa.policy_changed() tells.  Any relation's change counts:
 * reading again is cheap and rare.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"

#include "base/told.h"

static uint64 told = 1;

static void count(Datum arg, Oid relid);

void
kn_told_init(void)
{
	CacheRegisterRelcacheCallback(count, (Datum) 0);
}

uint64
kn_told(void)
{
	return told;
}

static void
count(Datum arg, Oid relid)
{
	told++;
}
