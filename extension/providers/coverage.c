/*-------------------------------------------------------------------------
 *
 * coverage.c
 *	  Who would be asked here, now?  A dry run of routing, without any case.
 *
 * Called from SQL (door dispatch_coverage).  Finds the hole before a survivor
 * does: fewer than two providers for a service at a place is one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "base/errcodes.h"
#include "base/filter.h"
#include "base/limits.h"
#include "identity/door.h"
#include "providers/routing.h"
#include "providers/routing_policy.h"

/* Fewer than this many at a place is a gap. */
#define ENOUGH 2
#define STEP_DEFAULT 0.25
#define STEP_MIN 0.01

typedef struct Points
{
	int n;
	double latitude[KN_COVERAGE_POINTS_MAX];
	double longitude[KN_COVERAGE_POINTS_MAX];
} Points;

static void read_points(KnCall *call, Points *points);
static void read_named(const char *text, Points *points);
static void read_box(KnCall *call, const char *text, Points *points);
static void add_point(Points *points, double latitude, double longitude, const char *pointer);
static void render_point(KnJson *json, const KnRoutingPolicy *policy, const char *service,
						 KnUrgency urgency, double latitude, double longitude);
static void render_service(KnJson *json, const char *service, KnUrgency urgency, double latitude,
						   double longitude);

/*
 * GET /dispatch/coverage ?points=lat,lon;… or ?box=south,west,north,east &step, &service &urgency
 * -> {"items": [{"latitude","longitude","services": [{"service","providers","nearestKm","gap"}]}]}
 */
static void
dispatch_coverage(KnCall *call)
{
	static const KnFilter filters[] = {{"points", NULL},
									   {"box", NULL},
									   {"step", NULL},
									   {"service", NULL},
									   {"urgency", kn_urgency_names},
									   KN_FILTER_END};
	const KnRoutingPolicy *policy = kn_routing_policy();
	char *urgency_text = kn_query_text(call->query, "urgency");
	KnUrgency urgency = urgency_text ? kn_urgency_parse(urgency_text) : KN_URGENT;
	char *service = kn_query_text(call->query, "service");
	Points points = {0};

	call->noun = "provider";
	kn_filters_check(call->query, filters);
	if (service && !kn_service_known(service))
		kn_input_error(ERRCODE_KN_QUERY, "service", "the service is unknown",
					   "Send a service of the routing policy, or none for all.");
	read_points(call, &points);
	kn_json_open(&call->json, '{');
	kn_json_pair_int(&call->json, "policyVersion", policy->version);
	kn_json_pair_int(&call->json, "enough", ENOUGH);
	kn_json_pair_int(&call->json, "countedUpTo", KN_OFFERS_MAX);
	kn_json_key(&call->json, "items");
	kn_json_open(&call->json, '[');
	for (int i = 0; i < points.n; i++)
		render_point(&call->json, policy, service, urgency, points.latitude[i],
					 points.longitude[i]);
	kn_json_close(&call->json, ']');
	kn_json_close(&call->json, '}');
}
KN_DOOR(dispatch_coverage, dispatch_coverage, KN_ROLE_DISPATCHER | KN_ROLE_ADMIN,
		KN_DOOR_READS | KN_DOOR_DISPATCH,
		"GET /dispatch/coverage: who would be asked at these places now. Query: points or "
		"box and step, service, urgency.");

static void
read_points(KnCall *call, Points *points)
{
	char *named = kn_query_text(call->query, "points");
	char *box = kn_query_text(call->query, "box");

	if ((named == NULL) == (box == NULL))
		kn_input_error(ERRCODE_KN_QUERY, "points", "exactly one of points and box is needed",
					   "Send points=-1.28,36.82;0.1,34.7 or box=-1.5,36.5,-1.0,37.1.");
	if (named)
		read_named(named, points);
	else
		read_box(call, box, points);
}

static void
read_named(const char *text, Points *points)
{
	for (;;)
	{
		double latitude;
		double longitude;
		int used = 0;

		if (sscanf(text, "%lf,%lf%n", &latitude, &longitude, &used) != 2 ||
			(text[used] != ';' && text[used] != '\0'))
			kn_input_error(ERRCODE_KN_QUERY, "points", "a point is not latitude and longitude",
						   "Send degrees, such as points=-1.28,36.82;0.1,34.7.");
		add_point(points, latitude, longitude, "points");
		if (text[used] == '\0')
			return;
		text += used + 1;
	}
}

/* The middles of cells of a step in degrees. */
static void
read_box(KnCall *call, const char *text, Points *points)
{
	char *step_text = kn_query_text(call->query, "step");
	double step = STEP_DEFAULT;
	double edge[4];
	char rest;

	if (step_text && (sscanf(step_text, "%lf%c", &step, &rest) != 1 || !(step >= STEP_MIN) ||
					  !(step <= 90.0)))
		kn_input_error(ERRCODE_KN_QUERY, "step", "the step is not a number of degrees",
					   "Send degrees from 0.01 to 90.");
	if (sscanf(text, "%lf,%lf,%lf,%lf%c", &edge[0], &edge[1], &edge[2], &edge[3], &rest) != 4 ||
		!(edge[0] < edge[2]) || !(edge[1] < edge[3]) || !(fabs(edge[0]) <= 90.0) ||
		!(fabs(edge[1]) <= 180.0) || !(fabs(edge[2]) <= 90.0) || !(fabs(edge[3]) <= 180.0))
		kn_input_error(ERRCODE_KN_QUERY, "box", "the box is not south, west, north and east",
					   "Send degrees, such as box=-1.5,36.5,-1.0,37.1.");
	for (int row = 0; edge[0] + (row + 0.5) * step < edge[2]; row++)
		for (int column = 0; edge[1] + (column + 0.5) * step < edge[3]; column++)
			add_point(points, edge[0] + (row + 0.5) * step, edge[1] + (column + 0.5) * step, "box");
}

static void
add_point(Points *points, double latitude, double longitude, const char *pointer)
{
	if (points->n == KN_COVERAGE_POINTS_MAX)
		kn_input_error(ERRCODE_KN_QUERY, pointer, "there are too many points",
					   psprintf("Ask for at most %d.", KN_COVERAGE_POINTS_MAX));
	if (!(fabs(latitude) <= 90.0) || !(fabs(longitude) <= 180.0))
		kn_input_error(ERRCODE_KN_QUERY, pointer, "a point is not on the earth",
					   "Latitude comes first and is at most 90, longitude at most 180.");
	points->latitude[points->n] = latitude;
	points->longitude[points->n] = longitude;
	points->n++;
}

static void
render_point(KnJson *json, const KnRoutingPolicy *policy, const char *service, KnUrgency urgency,
			 double latitude, double longitude)
{
	kn_json_open(json, '{');
	kn_json_key(json, "latitude");
	kn_json_float(json, latitude, 5);
	kn_json_key(json, "longitude");
	kn_json_float(json, longitude, 5);
	kn_json_key(json, "services");
	kn_json_open(json, '[');
	for (int i = 0; i < policy->n_services; i++)
		if (service ? strcmp(service, policy->services[i].service) == 0
					: strcmp(policy->services[i].service, KN_TRIAGE) != 0)
			render_service(json, policy->services[i].service, urgency, latitude, longitude);
	kn_json_close(json, ']');
	kn_json_close(json, '}');
}

static void
render_service(KnJson *json, const char *service, KnUrgency urgency, double latitude,
			   double longitude)
{
	KnRouteNeed need = {
		.has_place = true,
		.latitude = latitude,
		.longitude = longitude,
		.service = service,
		.urgency = urgency,
	};
	double nearest = NAN;
	KnRoute route;

	kn_route(&need, KN_OFFERS_MAX, GetCurrentTimestamp(), &route);
	for (int i = 0; i < route.n; i++)
		if (!(nearest <= route.best[i].km))
			nearest = route.best[i].km;
	kn_json_open(json, '{');
	kn_json_pair_text(json, "service", service);
	kn_json_pair_int(json, "providers", route.n);
	kn_json_key(json, "nearestKm");
	kn_json_float(json, nearest, 1);
	kn_json_pair_bool(json, "gap", route.n < ENOUGH);
	kn_json_close(json, '}');
}
