/*-------------------------------------------------------------------------
 *
 * writers.h
 *	  The nouns that devices write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_SYNC_WRITERS_H
#define KN_SYNC_WRITERS_H

#include "records/writer.h"

/* NULL when no device writes that noun. */
extern const KnWriter *kn_writer_of(const char *noun);

#endif
