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

#include "base/spi.h"
#include "base/told.h"
#include "identity/app_version.h"

#define PARTS 3

static int minimum[PARTS];
static bool has_minimum = false;
static uint64 minimum_told = 0; /* of kn_told(), when it was read */

static void read_minimum(void);
static bool parse(const char *text, int *parts);

static KnStatement select_minimum = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT value #>> '{}' FROM kintaraa.setting WHERE name = 'minimum_app_version'");

bool
kn_app_version_is_old(const char *app_version)
{
	int version[PARTS];

	if (app_version == NULL || !parse(app_version, version))
		return false;
	if (minimum_told != kn_told())
		read_minimum();
	for (int i = 0; has_minimum && i < PARTS; i++)
		if (version[i] != minimum[i])
			return version[i] < minimum[i];
	return false;
}

static void
read_minimum(void)
{
	uint64 told = kn_told();
	bool is_set = kn_run0(&select_minimum) > 0;
	KnRows rows = kn_rows();
	char *text = is_set ? kn_col_text(&rows, 0, 1) : NULL;

	has_minimum = text != NULL && parse(text, minimum);
	minimum_told = told;
}

/* One to three numbers with dots between; what follows a number is a build's own business. */
static bool
parse(const char *text, int *parts)
{
	memset(parts, 0, sizeof(int) * PARTS);
	return sscanf(text, "%9d.%9d.%9d", &parts[0], &parts[1], &parts[2]) >= 1 && parts[0] >= 0;
}
