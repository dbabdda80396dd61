/*-------------------------------------------------------------------------
 *
 * sphere.c
 *	  Distances on the earth, and how far they reach on the plane of degrees.
 *
 * Called from routing, whose index knows only planar distance.
 *
 * The bound.  Let q be a place at latitude f, and p a place at the angle d from
 * it.  The great circle from q to p stays within d of q, so no point of it has
 * a latitude beyond |f| + d.  Along it the angle is the integral of
 * sqrt(df^2 + cos^2(f) dl^2), which is at least cos(|f| + d) times the length of
 * its image on the plane, and that image is no shorter than the straight line.
 * Hence planar(q, p) <= d / cos(|f| + d) as long as |f| + d < 90 degrees, with
 * the longitude followed along the arc, which is the short way round.
 * Always, and at the poles where cosine gives nothing: latitude differs by at
 * most d and longitude by at most 180, so planar(q, p) <= sqrt(d^2 + 180^2).
 * Both grow with d, so they hold for every place nearer than d as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "providers/sphere.h"

#define RADIANS(degrees) ((degrees) *M_PI / 180.0)
#define DEGREES(radians) ((radians) *180.0 / M_PI)
/* Far more than the rounding of the index's distances and ours. */
#define PLANAR_SLACK 1e-9

double
kn_distance_km(double latitude1, double longitude1, double latitude2, double longitude2)
{
	double up = sin(RADIANS(latitude2 - latitude1) / 2.0);
	double along = sin(RADIANS(longitude2 - longitude1) / 2.0);
	double half = up * up + cos(RADIANS(latitude1)) * cos(RADIANS(latitude2)) * along * along;

	return 2.0 * KN_EARTH_KM * asin(sqrt(Min(1.0, half)));
}

double
kn_planar_reach(double latitude, double km)
{
	double angle = Min(180.0, DEGREES(km / KN_EARTH_KM));
	double highest = fabs(latitude) + angle;
	double reach = hypot(angle, 180.0);

	if (highest < 90.0)
		reach = Min(reach, angle / cos(RADIANS(highest)));
	return reach * (1.0 + PLANAR_SLACK) + PLANAR_SLACK;
}
