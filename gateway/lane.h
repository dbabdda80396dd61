/*-------------------------------------------------------------------------
 *
 * lane.h
 *	  The lanes: each has database connections and a queue of its own, so that a
 *	  flood of one kind of work cannot stop another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LANE_H
#define LANE_H

typedef enum Lane
{
	LANE_SOS, /* reports and calls for help; may borrow idle connections of LANE_NORMAL */
	LANE_NORMAL,
	LANE_HASH, /* doors that hash a password */
	LANE_FILE,
	LANE_REPORT, /* doors that read much */
	LANE_COUNT
} Lane;

#endif
