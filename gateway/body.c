/*-------------------------------------------------------------------------
 *
 * body.c
 *	  Gathers bodies, unpacks them, and counts what all of them hold.
 *
 * exchange.c gathers what clients send; ws_command.c, watch.c and subscription.c
 * make short bodies themselves; request.c takes them and frees them when the
 * door has answered.  The total holds from the first byte to body_free(), also
 * for a call whose client has gone, so LIMIT_BODIES_TOTAL bounds memory.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "limits.h"
#include "metrics.h"

#define FIRST_BYTES 2048

static size_t total;

static bool piece_add(void *arg, const char *bytes, size_t len);
static BodyVerdict piece_unpack(BodyIntake *intake, const char *bytes, size_t len);
static Body *body_resize(Body *body, size_t size);
static void inflater_drop(BodyIntake *intake);
static void total_move(size_t more, size_t less);

Body *
body_new(const char *text, size_t len)
{
	Body *body = body_resize(NULL, len + 1);

	if (body == NULL)
		return NULL;
	memcpy(body->text, text, len);
	body->text[len] = '\0';
	body->len = len;
	return body;
}

void
body_free(Body *body)
{
	if (body == NULL)
		return;
	total_move(0, body->size);
	free(body);
}

size_t
body_total(void)
{
	return total;
}

BodyVerdict
body_add(BodyIntake *intake, const char *bytes, size_t len)
{
	if (intake->is_packed)
		return piece_unpack(intake, bytes, len);
	piece_add(intake, bytes, len);
	return intake->verdict;
}

/* A sink of the inflater as well. */
static bool
piece_add(void *arg, const char *bytes, size_t len)
{
	BodyIntake *intake = arg;
	size_t had = intake->body != NULL ? intake->body->len : 0;
	size_t room = intake->body != NULL ? intake->body->size : 0;
	size_t size = room > 0 ? room * 2 : FIRST_BYTES;

	if (len > intake->most - had)
	{
		intake->verdict = BODY_TOO_LONG;
		return false;
	}
	if (had + len + 1 > room)
	{
		Body *body;

		if (size > intake->most + 1)
			size = intake->most + 1;
		if (size < had + len + 1)
			size = had + len + 1;
		body = body_resize(intake->body, size);
		if (body == NULL)
		{
			intake->verdict = BODY_BUSY;
			return false;
		}
		intake->body = body;
	}
	memcpy(intake->body->text + had, bytes, len);
	intake->body->len = had + len;
	intake->body->text[had + len] = '\0';
	intake->verdict = BODY_OK;
	return true;
}

static BodyVerdict
piece_unpack(BodyIntake *intake, const char *bytes, size_t len)
{
	if (intake->inflater == NULL)
	{
		if (total + INFLATE_BYTES <= LIMIT_BODIES_TOTAL)
			intake->inflater = inflate_new();
		if (intake->inflater == NULL)
			return BODY_BUSY;
		total_move(INFLATE_BYTES, 0);
	}
	switch (inflate_feed(intake->inflater, bytes, len, piece_add, intake))
	{
		case INFLATE_OK:
			return BODY_OK;
		case INFLATE_BROKEN:
			return BODY_BROKEN;
		case INFLATE_STOPPED:
			return intake->verdict;
	}
	return BODY_BROKEN;
}

/* takes the body, but on failure; returns new */
static Body *
body_resize(Body *body, size_t size)
{
	size_t had = body != NULL ? body->size : 0;
	Body *resized;

	if (size > LIMIT_BODIES_TOTAL - (total - had))
		return NULL;
	resized = realloc(body, sizeof(Body) + size);
	if (resized == NULL)
		return NULL;
	total_move(size, had);
	resized->size = size;
	return resized;
}

bool
body_is_whole(const BodyIntake *intake)
{
	return !intake->is_packed ||
		   (intake->inflater != NULL && inflate_is_whole(intake->inflater));
}

Body *
body_take(BodyIntake *intake)
{
	Body *body = intake->body;

	intake->body = NULL;
	inflater_drop(intake);
	return body;
}

void
body_drop(BodyIntake *intake)
{
	body_free(body_take(intake));
}

static void
inflater_drop(BodyIntake *intake)
{
	if (intake->inflater == NULL)
		return;
	inflate_free(intake->inflater);
	intake->inflater = NULL;
	total_move(0, INFLATE_BYTES);
}

static void
total_move(size_t more, size_t less)
{
	total = total + more - less;
	metrics_set(METRIC_BODIES_BYTES, (int64_t) total);
}
