/*-------------------------------------------------------------------------
 *
 * sphere.h
 *	  Distances on the earth, and how far they reach on the plane of degrees.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_PROVIDERS_SPHERE_H
#define KN_PROVIDERS_SPHERE_H

#define KN_EARTH_KM 6371.0088 /* mean radius */

/* Kilometres between two places in degrees. */
extern double kn_distance_km(double latitude1, double longitude1, double latitude2,
							 double longitude2);
/*
 * Every place within km of a place at that latitude lies within this distance
 * on the plane of (longitude, latitude) in degrees, when longitude is counted
 * the short way round.
 */
extern double kn_planar_reach(double latitude, double km);

#endif
