/*-------------------------------------------------------------------------
 *
 * routes.h
 *	  Which door, lane and proof belong to a method and a path.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ROUTES_H
#define ROUTES_H

#include <stdbool.h>

#include "http_parse.h"
#include "lane.h"
#include "url.h"

typedef enum RouteKind
{
	ROUTE_DOOR,
	ROUTE_RECORD, /* a door that takes what a survivor wrote: mended, never refused for its form */
	ROUTE_UPLOAD, /* the same in many records: a long body, also packed */
	ROUTE_BULK,   /* a door that reads much, at the expense of its caller's account */
	ROUTE_PULL,   /* the same, that tells what is new; its caller may wait for that */
	ROUTE_SOCKET,
	ROUTE_HEALTH,
	ROUTE_READY,
	ROUTE_METRICS,
	ROUTE_KEYS,
	ROUTE_OPENAPI
} RouteKind;

typedef struct Route
{
	HttpMethod method;
	const char *pattern;
	const char *door; /* in kintaraa_api */
	Lane lane;
	bool needs_token;
	RouteKind kind;
} Route;

#define ROUTE_ALLOW_MAX 64

typedef struct RouteMatch
{
	const Route *route; /* NULL: nothing, or not with this method */
	bool is_known_path;
	int parameter_count;
	UrlText parameter[URL_SEGMENTS_MAX]; /* borrows from the Url */
	char allow[ROUTE_ALLOW_MAX];         /* value of Allow for a known path */
} RouteMatch;

/* Splits the patterns; once, before routes_find(). */
void routes_start(void);

void routes_find(RouteMatch *match, HttpMethod method, const Url *url);

int route_index(const Route *route);

/* "POST /api/incidents"; NULL after the last.  The last is for what had no route. */
const char *route_name(int index);
int route_unknown_index(void);

#endif
