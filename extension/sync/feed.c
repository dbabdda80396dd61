/*-------------------------------------------------------------------------
 *
 * feed.c
 *	  The feed: which frames go to which open sockets of a gateway.
 *
 * Called by the gateway: once when it starts, once for each socket, and once
 * for each tick.  A subscription is made with a live token only, so a stolen
 * gateway hears no more than its sockets did.
 *
 * Joining and reading exclude each other for one gateway: whoever joins before
 * a read is part of it, whoever joins after begins at a tick that the read has
 * reached.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/mutant.h"
#include "identity/door.h"
#include "sync/feed_store.h"
#include "sync/news.h"

static void feed_start(KnCall *call);
static void feed_join(KnCall *call);
static void feed_leave(KnCall *call);
static int64 cursor_of(JsonbContainer *body);
static bool catch_up(KnCall *call, KnNews *news, int64 cursor, int64 *newest);
static void write_frame(void *arg, int64 tick, const char *text, const int64 *ids, int n);
static int64 require_newest(int64 newest);
static void put_frame(void *arg, int64 tick, const char *text, const int64 *ids, int n);
static void put_row(ReturnSetInfo *result, const char *text, const int64 *ids, int n,
					int64 cursor);

PG_FUNCTION_INFO_V1(kn_feed_next);

/* Subscriptions are not durable and sockets must open in every maintenance mode. */
#define FEED_FLAGS (KN_DOOR_READS | KN_DOOR_UPLOAD)

static void
feed_start(KnCall *call)
{
	KnCursor cursor;
	pg_uuid_t gateway;

	kn_spi_read_only(false);
	kn_cursor_resolve(0, &cursor);
	(void) require_newest(cursor.newest);
	kn_gateway_insert(&gateway);
	kn_json_open(&call->json, '{');
	kn_json_pair_uuid(&call->json, "gateway", &gateway);
	kn_json_pair_int(&call->json, "cursor", cursor.newest);
	kn_json_close(&call->json, '}');
}
KN_DOOR(feed_start, feed_start, KN_ROLE_NONE, FEED_FLAGS,
		"Gives a gateway the number under which its sockets subscribe.");

static int64
require_newest(int64 newest)
{
	if (newest == 0)
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("the background worker has not begun yet"),
				errhint("See kintaraa.health()."));
	return newest;
}

static void
feed_join(KnCall *call)
{
	static const char *const members[] = {"gateway", "cursor", "mode", NULL};
	static const char *const modes[] = {"delta", "poke", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	const KnCaller *caller = call->caller;
	pg_uuid_t gateway;
	KnNews news = {.gateway = &gateway};
	int64 cursor;
	int64 newest;
	int64 ends;
	bool resumed;
	char *mode;

	kn_in_only(body, members);
	kn_in_uuid(body, "gateway", true, &gateway);
	cursor = cursor_of(body);
	mode = kn_in_choice(body, "mode", modes, false);
	news.only_pokes = news.has_pokes = mode != NULL && strcmp(mode, "poke") == 0;
	kn_spi_read_only(false);
	kn_lock_named_shared(KN_LOCK_GATEWAY, gateway.data);
	if (!kn_gateway_known(&gateway))
		kn_refuse_absent();
	ends = caller->expires_at + (int64) KN_FEED_GRACE_SECONDS * USECS_PER_SEC;
	news.only = kn_subscription_insert(&gateway, caller, ends, news.only_pokes);
	resumed = catch_up(call, &news, cursor, &newest);
	kn_json_open(&call->json, '{');
	kn_json_pair_int(&call->json, "subscription", news.only);
	kn_json_pair_text(&call->json, "role", kn_role_name(caller->role));
	kn_json_pair_int(&call->json, "cursor", newest);
	kn_json_pair_bool(&call->json, "resumed", resumed);
	kn_json_pair_int(&call->json, "expiresIn",
					 Max(0, (ends - GetCurrentTimestamp()) / USECS_PER_SEC));
	kn_json_key(&call->json, "frames");
	kn_json_open(&call->json, '[');
	if (resumed)
		kn_news_deliver(&news, write_frame, &call->json);
	kn_json_close(&call->json, ']');
	kn_json_close(&call->json, '}');
}
KN_DOOR(feed_join, feed_join, KN_ROLE_ANY, FEED_FLAGS,
		"Subscribes the bearer of a live token, with all since her cursor when that is "
		"possible.");

/* No number of ours, however large it is, is as none: the client reads anew. */
static int64
cursor_of(JsonbContainer *body)
{
	JsonbValue *member = kn_in_member(body, "cursor");
	double number;

	if (member == NULL || member->type == jbvNull)
		return -1;
	if (member->type != jbvNumeric)
		kn_input_error(ERRCODE_KN_FIELD_TYPE, "cursor", "the cursor is not a number",
					   "Send the cursor of an earlier answer, or leave it out.");
	if (!kn_number(member, &number) || number < 0 || number > (double) KN_CURSOR_MAX ||
		floor(number) != number)
		return -1;
	return (int64) number;
}

/* Whether all since the cursor is in news; otherwise the client fetches its scope anew. */
static bool
catch_up(KnCall *call, KnNews *news, int64 cursor, int64 *newest)
{
	KnCursor since;

	kn_cursor_resolve_own(&call->caller->account, cursor, &since);
	*newest = require_newest(since.newest);
	if (since.known && kn_mutant("no_resume"))
		kn_cursor_resolve(*newest, &since);
	if (!since.known)
		return false;
	news->after = since.plain;
	return kn_news_collect(news, &since, KN_RESUME_CHANGES_MAX) && news->n <= KN_RESUME_FRAMES_MAX;
}

static void
write_frame(void *arg, int64 tick, const char *text, const int64 *ids, int n)
{
	kn_json_raw(arg, text, strlen(text));
}

static void
feed_leave(KnCall *call)
{
	static const char *const members[] = {"gateway", "subscriptions", NULL};
	JsonbContainer *body = kn_in_object(call->body);
	JsonbValue *member = kn_in_member(body, "subscriptions");
	JsonbContainer *list;
	pg_uuid_t gateway;
	Datum *ids;
	int n;

	kn_in_only(body, members);
	kn_in_uuid(body, "gateway", true, &gateway);
	if (member == NULL || member->type != jbvBinary ||
		!JsonContainerIsArray(member->val.binary.data))
		kn_input_error(ERRCODE_KN_FIELD_TYPE, "subscriptions", "subscriptions is not an array",
					   "Send the numbers that feed_join gave.");
	list = member->val.binary.data;
	n = JsonContainerSize(list);
	if (n > KN_LEAVE_MAX)
		kn_input_error(ERRCODE_KN_FIELD_LENGTH, "subscriptions", "too many subscriptions",
					   psprintf("Send at most %d at once.", KN_LEAVE_MAX));
	ids = palloc(sizeof(Datum) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(list, i);

		if (item->type != jbvNumeric)
			kn_input_error(ERRCODE_KN_FIELD_TYPE, "subscriptions", "a subscription is a number",
						   "Send the numbers that feed_join gave.");
		ids[i] = DirectFunctionCall1(numeric_int8, NumericGetDatum(item->val.numeric));
	}
	kn_subscription_delete(&gateway, ids, n);
	call->outcome = KN_NONE;
}
KN_DOOR(feed_leave, feed_leave, KN_ROLE_NONE, FEED_FLAGS,
		"Ends subscriptions of a gateway; those it does not have are no error.");

/*
 * kintaraa_api.feed_next(gateway uuid, after bigint)
 *	  -> setof (subscriptions bigint[], frame text, cursor bigint)
 * The last row has only the cursor that was reached.
 */
PGDLLEXPORT Datum
kn_feed_next(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t *gateway = PG_GETARG_UUID_P(0);
	KnNews news = {.gateway = gateway, .after = PG_GETARG_INT64(1)};
	KnCursor since;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	kn_spi_read_only(false);
	kn_lock_named(KN_LOCK_GATEWAY, gateway->data);
	kn_cursor_resolve(news.after, &since);
	if (!kn_gateway_seen(gateway, &news) || !since.known)
		ereport(ERROR,
				errcode(ERRCODE_KN_ABSENT),
				errmsg("the gateway or its cursor is not known here"),
				errhint("Start the feed again and let every socket join anew."));
	if (news.has_readers && (since.newest > news.after || news.has_expired) &&
		!kn_news_collect(&news, &since, KN_FEED_CHANGES_MAX))
		ereport(ERROR,
				errcode(ERRCODE_KN_ABSENT),
				errmsg("more than %d records changed since the cursor", KN_FEED_CHANGES_MAX),
				errhint("Start the feed again and let every socket join anew."));
	/* A session may end without a tick; its row must still count as news. */
	if (news.n_ended > 0)
		put_row(result, "{\"type\":\"session.ended\"}", news.ended, news.n_ended, since.newest + 1);
	kn_news_deliver(&news, put_frame, result);
	put_row(result, NULL, NULL, 0, since.newest);
	SPI_finish();
	return (Datum) 0;
}

static void
put_frame(void *arg, int64 tick, const char *text, const int64 *ids, int n)
{
	put_row(arg, text, ids, n, tick);
}

static void
put_row(ReturnSetInfo *result, const char *text, const int64 *ids, int n, int64 cursor)
{
	Datum values[3] = {0};
	bool nulls[3] = {text == NULL, text == NULL, false};
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));

	if (text != NULL)
	{
		for (int i = 0; i < n; i++)
			items[i] = Int64GetDatum(ids[i]);
		values[0] = PointerGetDatum(construct_array(items, n, INT8OID, sizeof(int64),
													FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		values[1] = CStringGetTextDatum(text);
	}
	values[2] = Int64GetDatum(cursor);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
