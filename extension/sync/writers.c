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

#define PERSONAL(noun_)                                                       \
	{                                                                         \
		.noun = noun_, .apply = kn_personal_apply, .touch = kn_personal_touch \
	}

static const KnWriter writers[] = {
	{.noun = "incident", .apply_many = kn_incident_apply_many, .touch = kn_incident_touch},
	{.noun = "note", .apply = kn_note_apply},
	PERSONAL("safety_plan"),
	PERSONAL("emergency_contact"),
	PERSONAL("preference"),
	PERSONAL("mood_entry"),
	PERSONAL("journal_entry"),
};

const KnWriter *
kn_writer_of(const char *noun)
{
	for (int i = 0; noun != NULL && i < lengthof(writers); i++)
		if (strcmp(writers[i].noun, noun) == 0)
			return &writers[i];
	return NULL;
}
