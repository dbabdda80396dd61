/*-------------------------------------------------------------------------
 *
 * case_place.c
 *	  What routing knows of a case: where it is, and who must not be asked.
 *
 * Called by incident_open.c, escalation.c, sweep.c and recommendation.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "cases/case_place.h"
#include "cases/incident_store.h"
#include "providers/provider.h"

static KnStatement select_place = KN_READ(
	KN_AS_SYSTEM,
	"SELECT " KN_PLACE_COLUMNS " FROM kintaraa.incident i " KN_PLACE_FROM " WHERE i.id = $1",
	UUIDOID);

void
kn_case_place(const pg_uuid_t *incident, KnCasePlace *out)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, incident);
	if (kn_run(&select_place, &args) == 0)
		elog(ERROR, "a need has no incident");
	rows = kn_rows();
	kn_case_place_read(&rows, 0, 1, out);
}

void
kn_case_place_read(const KnRows *rows, uint64 row, int first, KnCasePlace *out)
{
	bool is_null;
	Datum barred = kn_col(rows, row, first + 4, &is_null);
	Datum *items;

	memset(out, 0, sizeof(*out));
	out->has_cell = !kn_col_is_null(rows, row, first);
	out->cell_latitude = kn_col_float(rows, row, first, 0);
	out->cell_longitude = kn_col_float(rows, row, first + 1, 0);
	out->preferred_gender = kn_col_text(rows, row, first + 2);
	out->language = kn_col_text(rows, row, first + 3);
	deconstruct_array(DatumGetArrayTypeP(barred), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &items,
					  NULL, &out->n_barred);
	out->barred = palloc(sizeof(pg_uuid_t) * Max(out->n_barred, 1));
	for (int i = 0; i < out->n_barred; i++)
		out->barred[i] = *DatumGetUUIDP(items[i]);
	out->triage_types = kn_triage_types(rows, row, first + 5);
}

int
kn_triage_types(const KnRows *rows, uint64 row, int column)
{
	int n;
	char **names = kn_col_text_array(rows, row, column, &n);
	int types = 0;

	for (int i = 0; i < n; i++)
		types |= 1 << kn_word_number(kn_provider_types, names[i]);
	return types & ~1; /* number 0 is no type */
}
