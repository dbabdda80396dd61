/*-------------------------------------------------------------------------
 *
 * mutant.h
 *	  Switches that break one guard each, so that tests can show they notice.
 *
 * Only a build with KN_MUTANTS has them; in every other one kn_mutant() is
 * false and costs nothing.  test/mutated.py builds it, kn.mutant chooses.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_MUTANT_H
#define KN_BASE_MUTANT_H

#ifdef KN_MUTANTS
#include "utils/guc.h"

static inline bool
kn_mutant(const char *name)
{
	const char *now = GetConfigOption("kn.mutant", true, false);

	return now != NULL && strcmp(now, name) == 0;
}

/* Fails here, as when memory is short. */
#define kn_fail_if(name)                                                  \
	do                                                                    \
	{                                                                     \
		if (kn_mutant(name))                                              \
			ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg(name)); \
	} while (0)
#else
#define kn_mutant(name) false
#define kn_fail_if(name) ((void) 0)
#endif

#endif
