/*-------------------------------------------------------------------------
 *
 * inflate.h
 *	  Unpacks a gzip body while it arrives.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INFLATE_H
#define INFLATE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Inflater Inflater;

/* Takes a piece of what comes out; false stops. */
typedef bool (*InflateSink)(void *arg, const char *bytes, size_t len);

typedef enum InflateResult
{
	INFLATE_OK,
	INFLATE_BROKEN, /* no gzip, or something follows it */
	INFLATE_STOPPED /* the sink said no */
} InflateResult;

/* What one of them weighs. */
#define INFLATE_BYTES 49152

/* NULL when memory is short. */
Inflater *inflate_new(void);
void inflate_free(Inflater *inflater);

InflateResult inflate_feed(Inflater *inflater, const char *bytes, size_t len, InflateSink sink,
						   void *arg);

/* Has the end come, with a checksum that is right? */
bool inflate_is_whole(const Inflater *inflater);

#endif
