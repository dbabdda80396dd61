/*-------------------------------------------------------------------------
 *
 * pull.c
 *	  What changed since a cursor, for one caller.
 *
 * Called by sync_doors.c.  A cursor is a tick of ours; a time that a phone
 * made up is never trusted to skip anything.  A page of a first sync belongs
 * to the tick the first page began with: after the last page the client pulls
 * once more from that tick, and has everything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "utils/datetime.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "sync/pull.h"

/* clang-format off */
#define RECENT_MAX 200                            /* changes anywhere up to which the index on x leads */
/* clang-format on */
#define UNTRUSTED_MINUTES 15                      /* how far a phone's own time is set back */
#define FIRST_CURSOR INT64CONST(1000000000000000) /* 16 digits: milliseconds and a tag */

static bool parse_digits(const char *text, int64 *out);
static void resolve_page(KnPull *pull);
static bool parse_iso(const char *text, int64 *micros, int *decimals);
static void since_untrusted(KnPull *pull, KnCall *call, int64 ms);
static void since_cursor(KnPull *pull, int64 cursor);
static void begin_at(KnPull *pull);
static void collect_by_bucket(KnPull *pull);
static void require_page(const KnPull *pull);
static void bad_page(void) pg_attribute_noreturn();

void
kn_pull_since(KnPull *pull, KnCall *call, const char *since)
{
	int64 number;
	int decimals;

	pull->caller = call->caller;
	if (since == NULL || *since == '\0' || strcmp(since, "null") == 0 ||
		strcmp(since, "undefined") == 0 || strcmp(since, "0") == 0)
	{
		since_cursor(pull, 0);
		pull->resync = false;
		return;
	}
	if (parse_digits(since, &number))
	{
		if (number >= FIRST_CURSOR && number % 1000 != 0)
			since_cursor(pull, number);
		else
			since_untrusted(pull, call, number >= FIRST_CURSOR ? number / 1000 : number);
	}
	else if (parse_iso(since, &number, &decimals))
	{
		/* six decimals are ours: the last three are the epoch's tag */
		if (decimals == 6 && number % 1000 != 0)
			since_cursor(pull, number);
		else
			since_untrusted(pull, call, number / 1000);
	}
	else
		kn_input_error(ERRCODE_KN_QUERY, "since", "since is neither a cursor nor a time",
					   "Send the cursor or serverTime of an earlier answer, or leave it out.");
}

static void
since_cursor(KnPull *pull, int64 cursor)
{
	kn_cursor_resolve_in_snapshot(&pull->caller->account, cursor, &pull->since);
	begin_at(pull);
}

static void
begin_at(KnPull *pull)
{
	int64 cursor = pull->since.plain;

	pull->since_tick = cursor;
	pull->first = !pull->since.known && !pull->since.lags;
	pull->resync = pull->first && !kn_mutant("no_replacement");
	pull->cursor = pull->since.lags ? cursor : pull->since.newest;
	if (pull->since.known && kn_mutant("stuck_cursor"))
		pull->cursor = cursor;
}

/* The older of that time less a margin and what the device is known to have. */
static void
since_untrusted(KnPull *pull, KnCall *call, int64 ms)
{
	int64 now = (int64) (GetCurrentTimestamp() / 1000) +
				(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
	int64 acked = call->device ? kn_pull_acked(call->caller, call->device) : 0;
	int64 cursor = (Min(ms, now) - UNTRUSTED_MINUTES * 60 * INT64CONST(1000)) * 1000 +
				   kn_pull_current_tag();

	if (acked == 0)
		cursor = 0; /* nothing is known of what it has: everything */
	else
		cursor = Min(cursor, acked);
	kn_cursor_resolve_time(cursor, &pull->since);
	begin_at(pull);
}

static bool
parse_digits(const char *text, int64 *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno == ERANGE || *out > KN_CURSOR_MAX)
		*out = KN_CURSOR_MAX; /* as late as no tick will be */
	return *end == '\0';
}

/* YYYY-MM-DDThh:mm:ss[.f…](Z|±hh:mm) as microseconds since 1970. */
static bool
parse_iso(const char *text, int64 *micros, int *decimals)
{
	int year, month, day, hour, minute, second, used = 0;
	int64 fraction = 0;
	int offset_h = 0, offset_m = 0;
	char sign;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
			   &used) != 6 ||
		used != 19 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
		second > 60 || year < 1970 || year > 9999)
		return false;
	text += used;
	*decimals = 0;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++)
			if ((*decimals)++ < 6)
				fraction = fraction * 10 + (*text - '0');
	for (int i = *decimals; i < 6; i++)
		fraction *= 10;
	if (sscanf(text, "%c%2d:%2d", &sign, &offset_h, &offset_m) < 1 ||
		(sign != 'Z' && sign != '+' && sign != '-' && sign != ' '))
		return false;
	*micros = (((int64) (date2j(year, month, day) - UNIX_EPOCH_JDATE) * SECS_PER_DAY + hour * 3600 +
				minute * 60 + second) -
			   (sign == '-' ? -1 : 1) * (offset_h * 3600 + offset_m * 60)) *
				  USECS_PER_SEC +
			  fraction;
	return true;
}

void
kn_pull_collect(KnPull *pull)
{
	if (pull->since.lags)
		return;
	if (pull->has_page)
	{
		resolve_page(pull);
		require_page(pull);
		pull->cursor = pull->page.tick;
	}
	if (pull->first || pull->caller->has_centre || !kn_pull_news(pull))
		collect_by_bucket(pull);
	if (!pull->first && !pull->has_page)
		kn_pull_barred(pull);
	kn_pull_sort(pull);
	pull->page.tick = pull->cursor;
}

static void
collect_by_bucket(KnPull *pull)
{
	if (!pull->first && !pull->has_page &&
		kn_pull_count_since(&pull->since, RECENT_MAX) < RECENT_MAX)
		kn_pull_recent(pull);
	else
		kn_pull_scope(pull);
}

/* Another one's page would leave out all that comes before it. */
static void
resolve_page(KnPull *pull)
{
	KnCursor cursor;

	kn_cursor_resolve_in_snapshot(&pull->caller->account, pull->page.tick, &cursor);
	if (!cursor.known && !cursor.lags)
		bad_page();
	pull->page.tick = cursor.plain;
}

/* A standby that has not replayed the tick of the first page would leave rows out for good. */
static void
require_page(const KnPull *pull)
{
	if (pull->page.tick > pull->since.newest && RecoveryInProgress())
		ereport(ERROR,
				errcode(ERRCODE_KN_NOT_READY),
				errmsg("this standby is behind the page that was asked for"));
}

char *
kn_pull_page_text(const KnPull *pull)
{
	if (!pull->more)
		return NULL;
	return psprintf(INT64_FORMAT ".%s.%s.%s",
					kn_cursor_mark(&pull->caller->account, pull->page.tick),
					kn_uuid_text(&pull->page.bucket),
					pull->page.noun, kn_uuid_text(&pull->page.id));
}

KnPullPage
kn_pull_page_parse(const char *text)
{
	KnPullPage page = {0};
	long long tick;
	char bucket[37];
	char id[37];
	int used = 0;

	if (sscanf(text, "%lld.%36[0-9a-f-].%31[a-z_].%36[0-9a-f-]%n", &tick, bucket, page.noun,
			   id, &used) != 4 ||
		text[used] != '\0' || tick <= 0 || tick > KN_CURSOR_MAX ||
		!kn_uuid_parse(bucket, &page.bucket) || !kn_uuid_parse(id, &page.id))
		bad_page();
	page.tick = tick;
	return page;
}

static void
bad_page(void)
{
	kn_input_error(ERRCODE_KN_QUERY, "pageToken", "the page key is not one of ours",
				   "Send the pageToken of the page before, or leave it out.");
}
