/*-------------------------------------------------------------------------
 *
 * routes.c
 *	  The product's table of contents.
 *
 * http.c asks which line a request belongs to.  HEAD counts as GET.  A literal
 * segment stands before a {parameter} in its place, so the first match is right.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "routes.h"

#define GET HTTP_GET
#define POST HTTP_POST
#define PUT HTTP_PUT
#define PATCH HTTP_PATCH
#define DELETE HTTP_DELETE

#define SOS LANE_SOS
#define NORMAL LANE_NORMAL
#define HASH LANE_HASH
#define REPORT LANE_REPORT

#define TOKEN true
#define OPEN false

/* clang-format off */
static const Route routes[] = {
	{POST,   "/api/auth/register",                        "auth_register",            HASH,   OPEN,  ROUTE_DOOR},
	{POST,   "/api/auth/login",                           "auth_login",               HASH,   OPEN,  ROUTE_DOOR},
	{POST,   "/api/auth/refresh",                         "auth_refresh",             NORMAL, OPEN,  ROUTE_DOOR},
	{POST,   "/api/auth/logout",                          "auth_logout",              NORMAL, OPEN,  ROUTE_DOOR},
	{GET,    "/api/me",                                   "me_get",                   NORMAL, TOKEN, ROUTE_DOOR},
	{PATCH,  "/api/me",                                   "me_update",                NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/me/password",                          "me_password",              HASH,   TOKEN, ROUTE_DOOR},
	{GET,    "/api/me/sessions",                          "session_list",             NORMAL, TOKEN, ROUTE_DOOR},
	{DELETE, "/api/me/sessions/{id}",                     "session_revoke",           NORMAL, TOKEN, ROUTE_DOOR},

	{GET,    "/api/me/records/{noun}",                    "personal_list",            NORMAL, TOKEN, ROUTE_BULK},
	{GET,    "/api/me/records/{noun}/{id}",               "personal_get",             NORMAL, TOKEN, ROUTE_DOOR},
	{PUT,    "/api/me/records/{noun}/{id}",               "personal_put",             NORMAL, TOKEN, ROUTE_RECORD},
	{DELETE, "/api/me/records/{noun}/{id}",               "personal_delete",          NORMAL, TOKEN, ROUTE_DOOR},

	{POST,   "/api/incidents",                            "incident_create",          SOS,    TOKEN, ROUTE_RECORD},
	{GET,    "/api/incidents",                            "incident_list",            NORMAL, TOKEN, ROUTE_BULK},
	{GET,    "/api/incidents/updates",                    "sync_updates",             NORMAL, TOKEN, ROUTE_PULL},
	{GET,    "/api/sync/pull",                            "sync_pull",                NORMAL, TOKEN, ROUTE_PULL},
	{POST,   "/api/sync/batch",                           "sync_batch",               SOS,    TOKEN, ROUTE_UPLOAD},
	{POST,   "/api/sync/push",                            "sync_push",                SOS,    TOKEN, ROUTE_UPLOAD},
	{GET,    "/api/sync/digest",                          "sync_digest",              NORMAL, TOKEN, ROUTE_BULK},
	{GET,    "/api/sync/manifest",                        "sync_manifest",            NORMAL, TOKEN, ROUTE_BULK},
	{GET,    "/api/sync/archive",                         "archive_list",             NORMAL, TOKEN, ROUTE_BULK},
	{GET,    "/api/incidents/{id}",                       "incident_get",             NORMAL, TOKEN, ROUTE_DOOR},
	{PATCH,  "/api/incidents/{id}",                       "incident_update",          NORMAL, TOKEN, ROUTE_RECORD},
	{DELETE, "/api/incidents/{id}",                       "incident_delete",          NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/status",                "incident_status",          NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/incidents/{id}/timeline",              "incident_timeline",        NORMAL, TOKEN, ROUTE_BULK},
	{POST,   "/api/incidents/{id}/needs/{service}/withdraw", "need_withdraw",         NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/needs/{service}/ask",   "need_ask",                 NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/needs/{service}/reached", "need_reached",           NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/needs/{service}/unreached", "need_unreached",       NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/needs/{service}/another-team", "need_another",      NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/restore",               "case_restore",             NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/assign",                "assignment_assign",        NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/incidents/{id}/reassign",              "assignment_reassign",      NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/incidents/{id}/recommendations",       "recommendation_list",      NORMAL, TOKEN, ROUTE_DOOR},

	{GET,    "/api/assignments",                          "assignment_list",          NORMAL, TOKEN, ROUTE_BULK},
	{POST,   "/api/assignments/{id}/accept",              "assignment_accept",        NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/assignments/{id}/decline",             "assignment_decline",       NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/assignments/{id}/release",             "assignment_release",       NORMAL, TOKEN, ROUTE_DOOR},

	{GET,    "/api/providers",                            "provider_list",            NORMAL, TOKEN, ROUTE_BULK},
	{GET,    "/api/providers/me",                         "provider_get",             NORMAL, TOKEN, ROUTE_DOOR},
	{PATCH,  "/api/providers/me",                         "provider_update",          NORMAL, TOKEN, ROUTE_DOOR},
	{PUT,    "/api/providers/me/availability",            "provider_availability",    NORMAL, TOKEN, ROUTE_DOOR},

	{GET,    "/api/dispatch/queue",                       "dispatch_queue",           NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/dispatch/dashboard",                   "dispatch_dashboard",       NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/dispatch/coverage",                    "dispatch_coverage",        REPORT, TOKEN, ROUTE_BULK},
	{GET,    "/api/dispatch/duty",                        "duty_list",                NORMAL, TOKEN, ROUTE_DOOR},
	{POST,   "/api/dispatch/duty",                        "duty_create",              NORMAL, TOKEN, ROUTE_DOOR},
	{DELETE, "/api/dispatch/duty/{id}",                   "duty_end",                 NORMAL, TOKEN, ROUTE_DOOR},

	{GET,    "/api/notifications",                        "notification_list",        NORMAL, TOKEN, ROUTE_BULK},
	{POST,   "/api/notifications/{id}/read",              "notification_read",        NORMAL, TOKEN, ROUTE_DOOR},

	{POST,   "/api/admin/invitations",                    "invitation_create",        NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/admin/accounts",                       "account_list",             NORMAL, TOKEN, ROUTE_BULK},
	{POST,   "/api/admin/accounts/{id}/deactivate",       "account_deactivate",       NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/admin/settings",                       "setting_list",             NORMAL, TOKEN, ROUTE_DOOR},
	{PUT,    "/api/admin/settings/{name}",                "setting_put",              NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/admin/policies/{kind}",                "policy_get",               NORMAL, TOKEN, ROUTE_DOOR},
	{PUT,    "/api/admin/policies/{kind}",                "policy_put",               NORMAL, TOKEN, ROUTE_DOOR},
	{GET,    "/api/admin/audit",                          "audit_list",               REPORT, TOKEN, ROUTE_BULK},

	{GET,    "/ws",                                       NULL,                       NORMAL, OPEN,  ROUTE_SOCKET},
	{GET,    "/",                                         NULL,                       NORMAL, OPEN,  ROUTE_SOCKET},
	{GET,    "/healthz",                                  NULL,                       NORMAL, OPEN,  ROUTE_HEALTH},
	{GET,    "/readyz",                                   "health",                   NORMAL, OPEN,  ROUTE_READY},
	{GET,    "/metrics",                                  NULL,                       NORMAL, OPEN,  ROUTE_METRICS},
	{GET,    "/.well-known/jwks.json",                    NULL,                       NORMAL, OPEN,  ROUTE_KEYS},
	{GET,    "/api/openapi.json",                         NULL,                       NORMAL, OPEN,  ROUTE_OPENAPI},
};
/* clang-format on */

#define ROUTE_TOTAL ((int) (sizeof(routes) / sizeof(routes[0])))

typedef struct Segment
{
	const char *at;
	size_t len;
	bool is_parameter;
} Segment;

typedef struct Pattern
{
	int count;
	Segment segment[URL_SEGMENTS_MAX];
	char name[80];
} Pattern;

static Pattern patterns[ROUTE_TOTAL];

static const char *const method_names[] = {
	[HTTP_GET] = "GET",
	[HTTP_HEAD] = "HEAD",
	[HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH",
	[HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS",
};

static void pattern_split(Pattern *pattern, const char *text);
static bool pattern_matches(const Pattern *pattern, const Url *url, RouteMatch *match);
static void allow_write(char allow[ROUTE_ALLOW_MAX], unsigned methods);

void
routes_start(void)
{
	for (int i = 0; i < ROUTE_TOTAL; i++)
	{
		pattern_split(&patterns[i], routes[i].pattern);
		snprintf(patterns[i].name, sizeof(patterns[i].name), "%s %s",
				 method_names[routes[i].method], routes[i].pattern);
	}
}

static void
pattern_split(Pattern *pattern, const char *text)
{
	pattern->count = 0;
	while (*text == '/' && text[1] != '\0')
	{
		Segment *segment = &pattern->segment[pattern->count++];

		segment->at = ++text;
		segment->len = strcspn(text, "/");
		segment->is_parameter = *text == '{';
		text += segment->len;
	}
}

void
routes_find(RouteMatch *match, HttpMethod method, const Url *url)
{
	unsigned methods = 0;

	match->route = NULL;
	if (method == HTTP_HEAD)
		method = HTTP_GET;
	for (int i = 0; i < ROUTE_TOTAL && match->route == NULL; i++)
	{
		if (!pattern_matches(&patterns[i], url, match))
			continue;
		methods |= 1u << routes[i].method;
		if (routes[i].method == method)
			match->route = &routes[i];
	}
	match->is_known_path = methods != 0;
	if (match->route == NULL && match->is_known_path)
		allow_write(match->allow, methods);
}

static bool
pattern_matches(const Pattern *pattern, const Url *url, RouteMatch *match)
{
	if (pattern->count != url->segment_count)
		return false;
	match->parameter_count = 0;
	for (int i = 0; i < pattern->count; i++)
	{
		const Segment *segment = &pattern->segment[i];
		const UrlText *text = &url->segment[i];

		if (segment->is_parameter)
			match->parameter[match->parameter_count++] = *text;
		else if (segment->len != text->len || memcmp(segment->at, text->at, text->len) != 0)
			return false;
	}
	return true;
}

static void
allow_write(char allow[ROUTE_ALLOW_MAX], unsigned methods)
{
	size_t len = 0;

	if (methods & 1u << HTTP_GET)
		methods |= 1u << HTTP_HEAD;
	methods |= 1u << HTTP_OPTIONS;
	for (int i = HTTP_GET; i <= HTTP_OPTIONS; i++)
		if (methods & 1u << i)
			len += (size_t) snprintf(allow + len, ROUTE_ALLOW_MAX - len, "%s%s",
									 len > 0 ? ", " : "", method_names[i]);
}

int
route_index(const Route *route)
{
	return (int) (route - routes);
}

const char *
route_name(int index)
{
	if (index < ROUTE_TOTAL)
		return patterns[index].name;
	return index == ROUTE_TOTAL ? "-" : NULL;
}

int
route_unknown_index(void)
{
	return ROUTE_TOTAL;
}
