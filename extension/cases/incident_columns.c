/*-------------------------------------------------------------------------
 *
 * incident_columns.c
 *	  The columns of a report, as a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cases/incident_columns.h"

#define COUNT(...) +1

static const char *const kn_reporters[] = {"survivor", "provider", NULL};

/* clang-format off */
static const KnColumn columns[] = {
	INCIDENT_COLUMNS(KN_COLUMN_ROW)
	/* opened by nobody's reading of a report: see docs/security.md */
	{"unreadable_sealed", "", KN_COLUMN_SEALED_TEXT, KN_COLUMN_KEPT,
	 AT(unreadable), AT(unreadable), "incident.unreadable"},
};
/* clang-format on */

const KnColumns kn_incident_columns = {
	.table = "kintaraa.incident",
	.columns = columns,
	.n = lengthof(columns),
	.n_read = INCIDENT_COLUMNS(COUNT),
};
