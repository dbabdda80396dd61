/*-------------------------------------------------------------------------
 *
 * note.h
 *	  A helper's note on a case.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_WORK_NOTE_H
#define KN_WORK_NOTE_H

#include "records/record.h"

/* A note is only ever added; for a case the author's team has lost it is parked. */
extern void kn_note_apply(KnCall *call, const KnWrite *write, KnRecordResult *out);

/* The notes of ids that the caller's team wrote, each as a JSON object. */
typedef void (*KnNoteOut)(void *arg, const char *json, int len);
/* The id by which the caller's phone knows a note: the author's is her own. */
extern const char *kn_note_id_for(const KnCaller *caller, const pg_uuid_t *id);
extern void kn_note_render(const KnCaller *caller, const pg_uuid_t *ids, int n, KnNoteOut out,
						   void *arg);

#endif
