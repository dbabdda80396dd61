/*-------------------------------------------------------------------------
 *
 * ready.c
 *	  Whether the worker can begin in this database.
 *
 * Called by the worker, which says the reason once in the server log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/installed.h"
#include "keys/keystore.h"
#include "operate/ready.h"

const char *
kn_not_ready(void)
{
	KnLack lack = kn_installed_lack();

	if (lack.reason == NULL)
		lack = kn_keystore_lack();
	return lack.reason ? psprintf("%s: %s", lack.reason, lack.hint) : NULL;
}
