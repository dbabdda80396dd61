/*-------------------------------------------------------------------------
 *
 * metrics.h
 *	  Counters of all workers, and their text for Prometheus.
 *
 * The counters lie in memory shared by all workers, one block each, so that any
 * worker can answer for all and a restart of one loses nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json_text.h"
#include "lane.h"

typedef enum Metric
{
	METRIC_CONNECTIONS_OPEN,
	METRIC_CONNECTIONS_ACCEPTED,
	METRIC_CONNECTIONS_REFUSED,
	METRIC_REQUESTS_MALFORMED,
	METRIC_REQUESTS_TIMED_OUT,
	METRIC_BYTES_IN,
	METRIC_BYTES_OUT,
	METRIC_BODIES_BYTES,
	METRIC_CLOCK_AHEAD,
	METRIC_TLS_FAILED,
	METRIC_SOCKETS_OPEN,
	METRIC_SOCKETS_OPENED,
	METRIC_SOCKETS_SLOW,
	METRIC_SOCKETS_BEHIND,
	METRIC_POKES,
	METRIC_SOCKET_MESSAGES_IN,
	METRIC_FRAMES_OUT,
	METRIC_TOKENS_VERIFIED,
	METRIC_TOKENS_CACHED,
	METRIC_TOKENS_REFUSED,
	METRIC_TOKENS_UNCHECKED,
	METRIC_DB_LOST,
	METRIC_DB_CONNECTS,
	METRIC_DB_RETRIES,
	METRIC_PULLS_PARKED,
	METRIC_PULLS_REMEMBERED,
	METRIC_PULLS_WATCHED,
	METRIC_READS_WAITING,
	METRIC_READS_WAITED,
	METRIC_READS_REFUSED,
	METRIC_BUDGETS,
	METRIC_FEED_CALLS,
	METRIC_FEED_RECONNECTS,
	METRIC_COUNT
} Metric;

/* In the supervisor, before any worker. */
bool metrics_start(int workers);
void metrics_use(int worker);

void metrics_add(Metric metric, int64_t n);
void metrics_set(Metric metric, int64_t n);
void metrics_request(int route, int status, int64_t micros);
void metrics_lane(Lane lane, int64_t waiting, int64_t idle, int64_t ready);
void metrics_lane_refused(Lane lane);

/* route_name borrows; NULL ends the list */
void metrics_render(JsonText *out, const char *(*route_name)(int route));

#endif
