/*-------------------------------------------------------------------------
 *
 * inflate.c
 *	  gzip, a piece at a time.
 *
 * exchange.c feeds it.  Whatever is packed leaves in small pieces and the sink
 * may say no at each, so that a bomb costs no more than the limit of the sink.
 * One member is one body: a second one behind it is as wrong as any other
 * bytes that nobody would read.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <zlib.h>

#include "inflate.h"

#define PIECE_BYTES 16384
#define GZIP_ONLY (MAX_WBITS + 16)

struct Inflater
{
	z_stream stream;
	bool is_whole;
};

Inflater *
inflate_new(void)
{
	Inflater *inflater = calloc(1, sizeof(*inflater));

	if (inflater == NULL)
		return NULL;
	if (inflateInit2(&inflater->stream, GZIP_ONLY) == Z_OK)
		return inflater;
	free(inflater);
	return NULL;
}

void
inflate_free(Inflater *inflater)
{
	if (inflater == NULL)
		return;
	inflateEnd(&inflater->stream);
	free(inflater);
}

InflateResult
inflate_feed(Inflater *inflater, const char *bytes, size_t len, InflateSink sink, void *arg)
{
	z_stream *stream = &inflater->stream;
	char piece[PIECE_BYTES];
	int result = Z_OK;

	if (len > 0 && inflater->is_whole)
		return INFLATE_BROKEN;
	stream->next_in = (Bytef *) bytes;
	stream->avail_in = (uInt) len;
	do
	{
		stream->next_out = (Bytef *) piece;
		stream->avail_out = sizeof(piece);
		result = inflate(stream, Z_NO_FLUSH);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return INFLATE_BROKEN;
		if (stream->avail_out < sizeof(piece) &&
			!sink(arg, piece, sizeof(piece) - stream->avail_out))
			return INFLATE_STOPPED;
	} while (result == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0));
	inflater->is_whole = result == Z_STREAM_END;
	return inflater->is_whole && stream->avail_in > 0 ? INFLATE_BROKEN : INFLATE_OK;
}

bool
inflate_is_whole(const Inflater *inflater)
{
	return inflater->is_whole;
}
