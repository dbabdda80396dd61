/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  Registering the background worker.
 *
 * Called once by the postmaster when the library is preloaded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "worker/worker.h"

void
kn_worker_init(void)
{
}
