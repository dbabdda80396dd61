/*-------------------------------------------------------------------------
 *
 * app_version.c
 *	  Apps that are too old are told so.
 *
 * Called by door.c.  The setting is read once per backend and anew when
 * settings change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"

#include "base/errcodes.h"
#include "base/spi.h"
#include "identity/app_version.h"

#define PARTS 3

static int minimum[PARTS];
static bool has_minimum = false;
static bool is_read = false;

static void forget(Datum arg, Oid relid);
static void read_minimum(void);
static bool parse(const char *text, int *parts);

/* Fresh: a change that came after the door's snapshot is told once, and what is read now stays. */
static KnStatement select_minimum = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT value #>> '{}' FROM kintaraa.setting WHERE name = 'minimum_app_version'");

void
kn_app_version_init(void)
{
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
}

static void
forget(Datum arg, Oid relid)
{
	is_read = false;
}

void
kn_app_version_check(const KnCall *call)
{
	int version[PARTS];

	if (call->app_version == NULL || (call->door->flags & KN_DOOR_UPLOAD) ||
		!parse(call->app_version, version))
		return;
	if (!is_read)
		read_minimum();
	for (int i = 0; has_minimum && i < PARTS; i++)
	{
		if (version[i] > minimum[i])
			return;
		if (version[i] < minimum[i])
			kn_refuse(ERRCODE_KN_UPGRADE_REQUIRED, "this version of the app is too old",
					  "Install the current version; what you have written is kept.");
	}
}

static void
read_minimum(void)
{
	KnRows rows;
	char *text;

	is_read = true; /* before the read: an invalidation during it must win */
	has_minimum = false;
	if (kn_run0(&select_minimum) == 0)
		return;
	rows = kn_rows();
	text = kn_col_text(&rows, 0, 1);
	has_minimum = text != NULL && parse(text, minimum);
}

/* One to three numbers with dots between; what follows a number is a build's own business. */
static bool
parse(const char *text, int *parts)
{
	memset(parts, 0, sizeof(int) * PARTS);
	return sscanf(text, "%9d.%9d.%9d", &parts[0], &parts[1], &parts[2]) >= 1 && parts[0] >= 0;
}
