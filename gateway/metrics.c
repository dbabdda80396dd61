/*-------------------------------------------------------------------------
 *
 * metrics.c
 *	  What the gateway did, in numbers.
 *
 * Everybody counts, service.c shows.  A worker writes its own block only, and
 * readers accept that a sum may be a moment old.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "limits.h"
#include "metrics.h"

#define ROUTES_MAX 96
#define BOUNDS 12
#define CLASSES 6 /* by the first digit of the status */

static const int64_t bound_micros[BOUNDS] = {1000, 2500, 5000, 10000, 25000, 50000, 100000,
											 250000, 500000, 1000000, 2500000, 10000000};

typedef struct RouteCount
{
	int64_t answers[CLASSES];
	int64_t micros;
	int64_t within[BOUNDS + 1];
} RouteCount;

typedef struct LaneCount
{
	int64_t waiting;
	int64_t idle;
	int64_t ready;
	int64_t refused;
} LaneCount;

typedef struct Block
{
	int64_t value[METRIC_COUNT];
	RouteCount route[ROUTES_MAX];
	LaneCount lane[LANE_COUNT];
} Block;

typedef struct MetricName
{
	const char *name;
	bool is_gauge;
	const char *help;
} MetricName;

/* clang-format off */
static const MetricName metric_names[METRIC_COUNT] = {
	[METRIC_CONNECTIONS_OPEN]     = {"connections_open",           true,  "Open client connections, WebSockets included."},
	[METRIC_CONNECTIONS_ACCEPTED] = {"connections_accepted_total", false, "Client connections accepted."},
	[METRIC_CONNECTIONS_REFUSED]  = {"connections_refused_total",  false, "Client connections refused by a limit."},
	[METRIC_REQUESTS_MALFORMED]   = {"requests_malformed_total",   false, "Requests refused by the HTTP parser."},
	[METRIC_REQUESTS_TIMED_OUT]   = {"requests_timed_out_total",   false, "Requests that did not arrive in time."},
	[METRIC_BYTES_IN]             = {"bytes_in_total",             false, "Bytes received from clients."},
	[METRIC_BYTES_OUT]            = {"bytes_out_total",            false, "Bytes sent to clients."},
	[METRIC_BODIES_BYTES]         = {"bodies_bytes",               true,  "Bytes of bodies that are held, from their first byte to the answer."},
	[METRIC_CLOCK_AHEAD]          = {"clock_ahead_milliseconds",   true,  "By how much the clock here is ahead of the database's; of all workers together."},
	[METRIC_TLS_FAILED]           = {"tls_failed_total",           false, "TLS handshakes that failed."},
	[METRIC_SOCKETS_OPEN]         = {"sockets_open",               true,  "Open WebSockets."},
	[METRIC_SOCKETS_OPENED]       = {"sockets_opened_total",       false, "WebSockets opened."},
	[METRIC_SOCKETS_SLOW]         = {"sockets_slow_total",         false, "WebSockets closed because they did not read."},
	[METRIC_SOCKETS_BEHIND]       = {"sockets_behind_total",       false, "Times a WebSocket lost frames because it did not read."},
	[METRIC_POKES]                = {"socket_pokes_total",         false, "Pokes sent to WebSockets."},
	[METRIC_SOCKET_MESSAGES_IN]   = {"socket_messages_total",      false, "Messages received on WebSockets."},
	[METRIC_FRAMES_OUT]           = {"socket_frames_total",        false, "Frames of the feed sent to WebSockets."},
	[METRIC_TOKENS_VERIFIED]      = {"tokens_verified_total",      false, "Tokens whose signature was checked and good."},
	[METRIC_TOKENS_CACHED]        = {"tokens_cached_total",        false, "Tokens known from before."},
	[METRIC_TOKENS_REFUSED]       = {"tokens_refused_total",       false, "Tokens refused without asking the database."},
	[METRIC_TOKENS_UNCHECKED]     = {"tokens_unchecked_total",     false, "Tokens left to the database alone."},
	[METRIC_DB_LOST]              = {"database_lost_total",        false, "Statements whose outcome is unknown."},
	[METRIC_DB_CONNECTS]          = {"database_connects_total",    false, "Database connections made."},
	[METRIC_DB_RETRIES]           = {"database_retries_total",     false, "Reads sent a second time after a lost connection."},
	[METRIC_PULLS_PARKED]         = {"pulls_parked",               true,  "Pulls that wait for news."},
	[METRIC_PULLS_REMEMBERED]     = {"pulls_remembered_total",     false, "Pulls answered without the database."},
	[METRIC_PULLS_WATCHED]        = {"pulls_watched",              true,  "Tokens whose news is heard for their pulls."},
	[METRIC_READS_WAITING]        = {"reads_waiting",              true,  "Readings that wait for their account's budget."},
	[METRIC_READS_WAITED]         = {"reads_waited_total",         false, "Readings that had to wait for their account's budget."},
	[METRIC_READS_REFUSED]        = {"reads_refused_total",        false, "Readings refused because too many waited, or one too long."},
	[METRIC_BUDGETS]              = {"read_budgets",               true,  "Accounts whose reading is remembered."},
	[METRIC_FEED_CALLS]           = {"feed_calls_total",           false, "Times the feed was read."},
	[METRIC_FEED_RECONNECTS]      = {"feed_reconnects_total",      false, "Times the listening connection was made."},
};
/* clang-format on */

static const char *const lane_names[LANE_COUNT] = {"sos", "normal", "hash", "file", "report"};

static Block *blocks;
static Block *mine;
static int block_count;

static void render_values(JsonText *out);
static void render_routes(JsonText *out, const char *(*route_name)(int route));
static void render_route(JsonText *out, const char *name, int route);
static void render_lanes(JsonText *out);
static void add(JsonText *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int64_t sum(size_t at);

bool
metrics_start(int workers)
{
	blocks = mmap(NULL, sizeof(Block) * (size_t) workers, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	block_count = workers;
	if (blocks == MAP_FAILED)
		return false;
	mine = blocks;
	return true;
}

void
metrics_use(int worker)
{
	mine = &blocks[worker];
	/* A worker that crashed took its connections along. */
	mine->value[METRIC_CONNECTIONS_OPEN] = 0;
	mine->value[METRIC_SOCKETS_OPEN] = 0;
	mine->value[METRIC_PULLS_PARKED] = 0;
	mine->value[METRIC_PULLS_WATCHED] = 0;
	mine->value[METRIC_READS_WAITING] = 0;
	mine->value[METRIC_BUDGETS] = 0;
}

void
metrics_add(Metric metric, int64_t n)
{
	mine->value[metric] += n;
}

void
metrics_set(Metric metric, int64_t n)
{
	mine->value[metric] = n;
}

void
metrics_request(int route, int status, int64_t micros)
{
	RouteCount *count = &mine->route[route];
	int bound = 0;

	while (bound < BOUNDS && micros > bound_micros[bound])
		bound++;
	count->answers[status / 100 % CLASSES]++;
	count->micros += micros;
	count->within[bound]++;
}

void
metrics_lane(Lane lane, int64_t waiting, int64_t idle, int64_t ready)
{
	mine->lane[lane].waiting = waiting;
	mine->lane[lane].idle = idle;
	mine->lane[lane].ready = ready;
}

void
metrics_lane_refused(Lane lane)
{
	mine->lane[lane].refused++;
}

void
metrics_render(JsonText *out, const char *(*route_name)(int route))
{
	render_values(out);
	render_lanes(out);
	render_routes(out, route_name);
}

static void
render_values(JsonText *out)
{
	for (int i = 0; i < METRIC_COUNT; i++)
	{
		const MetricName *metric = &metric_names[i];

		add(out, "# HELP kintaraa_gateway_%s %s\n# TYPE kintaraa_gateway_%s %s\n", metric->name,
			metric->help, metric->name, metric->is_gauge ? "gauge" : "counter");
		add(out, "kintaraa_gateway_%s %lld\n", metric->name,
			(long long) sum(offsetof(Block, value[i])));
	}
}

static void
render_lanes(JsonText *out)
{
	static const struct
	{
		const char *name;
		const char *type;
		const char *help;
		size_t at;
	} kinds[] = {
		/* clang-format off */
		{"lane_waiting", "gauge", "Requests waiting for a database connection.", offsetof(LaneCount, waiting)},
		{"lane_idle", "gauge", "Database connections without work.", offsetof(LaneCount, idle)},
		{"lane_ready", "gauge", "Database connections that are up.", offsetof(LaneCount, ready)},
		{"lane_refused_total", "counter", "Requests refused because the lane was full or too slow.", offsetof(LaneCount, refused)},
		/* clang-format on */
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
	{
		add(out, "# HELP kintaraa_gateway_%s %s\n# TYPE kintaraa_gateway_%s %s\n", kinds[k].name,
			kinds[k].help, kinds[k].name, kinds[k].type);
		for (int i = 0; i < LANE_COUNT; i++)
			add(out, "kintaraa_gateway_%s{lane=\"%s\"} %lld\n", kinds[k].name, lane_names[i],
				(long long) sum(offsetof(Block, lane[i]) + kinds[k].at));
	}
}

static void
render_routes(JsonText *out, const char *(*route_name)(int route))
{
	const char *name;

	add(out, "# HELP kintaraa_gateway_requests_total Answers by route and class of status.\n"
			 "# TYPE kintaraa_gateway_requests_total counter\n");
	for (int route = 0; route < ROUTES_MAX && (name = route_name(route)) != NULL; route++)
		for (int class = 1; class < CLASSES; class ++)
		{
			int64_t n = sum(offsetof(Block, route[route].answers[class]));

			if (n > 0)
				add(out, "kintaraa_gateway_requests_total{route=\"%s\",status=\"%dxx\"} %lld\n",
					name, class, (long long) n);
		}
	add(out, "# HELP kintaraa_gateway_request_seconds Time from the whole request to the answer.\n"
			 "# TYPE kintaraa_gateway_request_seconds histogram\n");
	for (int route = 0; route < ROUTES_MAX && (name = route_name(route)) != NULL; route++)
		render_route(out, name, route);
}

/* Routes nobody called are left out: the list would be long and say nothing. */
static void
render_route(JsonText *out, const char *name, int route)
{
	int64_t total = 0;

	for (int i = 0; i <= BOUNDS; i++)
		total += sum(offsetof(Block, route[route].within[i]));
	if (total == 0)
		return;
	total = 0;
	for (int i = 0; i <= BOUNDS; i++)
	{
		char bound[16] = "+Inf";

		if (i < BOUNDS)
			snprintf(bound, sizeof(bound), "%g", (double) bound_micros[i] / 1e6);
		total += sum(offsetof(Block, route[route].within[i]));
		add(out, "kintaraa_gateway_request_seconds_bucket{route=\"%s\",le=\"%s\"} %lld\n", name,
			bound, (long long) total);
	}
	add(out, "kintaraa_gateway_request_seconds_sum{route=\"%s\"} %.6f\n", name,
		(double) sum(offsetof(Block, route[route].micros)) / 1e6);
	add(out, "kintaraa_gateway_request_seconds_count{route=\"%s\"} %lld\n", name,
		(long long) total);
}

static void
add(JsonText *out, const char *format, ...)
{
	char line[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len > 0)
		json_add_raw(out, line, (size_t) len < sizeof(line) ? (size_t) len : sizeof(line) - 1);
}

/* Over all workers, of the counter that lies at this offset of a block. */
static int64_t
sum(size_t at)
{
	int64_t total = 0;

	for (int i = 0; i < block_count; i++)
		total += *(const int64_t *) ((const char *) &blocks[i] + at);
	return total;
}
