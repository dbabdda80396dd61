/*-------------------------------------------------------------------------
 *
 * health.c
 *	  What is missing or dangerous about this server, and how to mend it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "keep/health.h"

void
kn_health_init(void)
{
}
