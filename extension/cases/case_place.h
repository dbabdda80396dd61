/*-------------------------------------------------------------------------
 *
 * case_place.h
 *	  What routing knows of a case: where it is, and who must not be asked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_CASE_PLACE_H
#define KN_CASES_CASE_PLACE_H

#include "access/barred.h"
#include "base/spi.h"

/*
 * Never who she is, and of where she is the cell: whom routing asks, in what
 * order and how far away they are is told to people who must not work out more.
 */
typedef struct KnCasePlace
{
	bool has_cell;
	double cell_latitude;
	double cell_longitude;
	char *preferred_gender; /* NULL when none */
	char *language;         /* of her account */
	int triage_types;       /* bit t for type number t that she named; 0 when none */
	int n_barred;
	pg_uuid_t *barred;
} KnCasePlace;

extern void kn_case_place(const pg_uuid_t *incident, KnCasePlace *out);
/* Of a column with types of teams; 0 when it names none. */
extern int kn_triage_types(const KnRows *rows, uint64 row, int column);

#define KN_BARRED_OF_INCIDENT KN_BARRED_OF("i.id")
/* A team with nobody left in it who may see the case. */
#define KN_EMPTIED_TEAMS                                                          \
	"SELECT q.id FROM (" KN_BARRED_OF_INCIDENT ") b JOIN kintaraa.account e "     \
	"    ON e.id = b.principal JOIN kintaraa.provider q ON q.id = e.provider_id " \
	" WHERE NOT " KN_TEAM_MAY("i.id", "q")

/*
 * The columns of a place, and the tables beside kintaraa.incident i that they come from.  The
 * team that reported for somebody is not asked to help, as whom she barred or left is not.
 */
#define KN_PLACE_COLUMNS                                                                    \
	"i.cell_latitude, i.cell_longitude, i.preferred_gender, a.language, "                   \
	"ARRAY(" KN_BARRED_OF_INCIDENT "UNION ALL " KN_EMPTIED_TEAMS "UNION ALL "               \
	"      SELECT l.provider_id FROM kintaraa.left_team l WHERE l.bucket = i.id UNION ALL " \
	"      SELECT a.provider_id WHERE a.provider_id IS NOT NULL), i.triage_teams "
#define KN_PLACE_FROM " JOIN kintaraa.account a ON a.id = i.owner_id "
/* They begin at column first. */
extern void kn_case_place_read(const KnRows *rows, uint64 row, int first, KnCasePlace *out);

#endif
