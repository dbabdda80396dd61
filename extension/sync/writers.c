/*-------------------------------------------------------------------------
 *
 * writers.c
 *	  The nouns that devices write.
 *
 * Called by push.c and push_read.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cases/incident_record.h"
#include "records/personal.h"
#include "sync/writers.h"
#include "work/note.h"

static const KnWriter writers[] = {
	{.noun = "incident", .apply_many = kn_incident_apply_many, .touch = kn_incident_touch},
	{.noun = "note", .apply = kn_note_apply},
};

/* Of all that is hers alone. */
static const KnWriter personal = {.apply = kn_personal_apply, .touch = kn_personal_touch};

const KnWriter *
kn_writer_of(const char *noun)
{
	if (noun == NULL)
		return NULL;
	for (int i = 0; i < lengthof(writers); i++)
		if (strcmp(writers[i].noun, noun) == 0)
			return &writers[i];
	return kn_personal_noun(noun) != NULL ? &personal : NULL;
}
