/*-------------------------------------------------------------------------
 *
 * shift.c
 *	  Hours of work: is somebody there at this moment?
 *
 * Called from provider_dispatch.c, which asks it once a minute for every
 * provider with hours, and from the profile door.  Only the wall clock of the
 * zone counts, so that a shift keeps its hours when clocks are moved.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "base/limits.h"
#include "providers/shift.h"

#define MINUTES_OF_DAY 1440

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const char *const members[] = {"sun", "mon", "tue", "wed", "thu",
									  "fri", "sat", "closed", NULL};

static bool local_time(TimestampTz at, const char *zone, struct pg_tm *out);
static bool day_covers(JsonbContainer *hours, int julian, int minute);
static bool is_closed(JsonbContainer *hours, int julian);
static bool shift_at(JsonbContainer *shifts, uint32 i, int *from, int *to);
static int clock_minute(const JsonbValue *value);
static void check_day(JsonbContainer *hours, const char *day);
static void check_closed(JsonbContainer *hours);
static bool is_date(const JsonbValue *value);
static bool has_form(const JsonbValue *value, const char *form);

PG_FUNCTION_INFO_V1(kn_shift_open_sql);

bool
kn_shift_open(JsonbContainer *hours, const char *zone, TimestampTz at)
{
	struct pg_tm tm;
	int today;
	int minute;

	if (hours == NULL || !JsonContainerIsObject(hours))
		return true;
	if (!local_time(at, zone, &tm))
		return false;
	today = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	minute = tm.tm_hour * 60 + tm.tm_min;
	return day_covers(hours, today, minute) ||
		   day_covers(hours, today - 1, minute + MINUTES_OF_DAY);
}

/* An unknown zone is nobody's: UTC counts. */
static bool
local_time(TimestampTz at, const char *zone, struct pg_tm *out)
{
	pg_tz *tz = pg_tzset(zone);
	fsec_t fraction;
	int offset;

	return timestamp2tm(at, &offset, out, &fraction, NULL, tz ? tz : pg_tzset("UTC")) == 0;
}

/* Does a shift that begins on that day cover the minute, counted from the day's midnight? */
static bool
day_covers(JsonbContainer *hours, int julian, int minute)
{
	JsonbValue *day = kn_in_member(hours, day_names[j2day(julian)]);
	JsonbContainer *shifts;

	if (day == NULL || day->type != jbvBinary || !JsonContainerIsArray(day->val.binary.data) ||
		is_closed(hours, julian))
		return false;
	shifts = day->val.binary.data;
	for (uint32 i = 0; i < JsonContainerSize(shifts); i++)
	{
		int from;
		int to;

		if (shift_at(shifts, i, &from, &to) && from <= minute && minute < to)
			return true;
	}
	return false;
}

static bool
is_closed(JsonbContainer *hours, int julian)
{
	JsonbValue *closed = kn_in_member(hours, "closed");
	int year;
	int month;
	int day;
	char date[32];

	if (closed == NULL || closed->type != jbvBinary ||
		!JsonContainerIsArray(closed->val.binary.data))
		return false;
	j2date(julian, &year, &month, &day);
	snprintf(date, sizeof(date), "%04d-%02d-%02d", year, month, day);
	for (uint32 i = 0; i < JsonContainerSize(closed->val.binary.data); i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(closed->val.binary.data, i);

		if (item->type == jbvString && item->val.string.len == (int) strlen(date) &&
			memcmp(item->val.string.val, date, strlen(date)) == 0)
			return true;
	}
	return false;
}

/*
 * Minutes from the midnight its day begins with; an end at or before the start is the next
 * day's.
 */
static bool
shift_at(JsonbContainer *shifts, uint32 i, int *from, int *to)
{
	JsonbValue *pair = getIthJsonbValueFromContainer(shifts, i);

	if (pair->type != jbvBinary || !JsonContainerIsArray(pair->val.binary.data) ||
		JsonContainerSize(pair->val.binary.data) != 2)
		return false;
	*from = clock_minute(getIthJsonbValueFromContainer(pair->val.binary.data, 0));
	*to = clock_minute(getIthJsonbValueFromContainer(pair->val.binary.data, 1));
	if (*from < 0 || *to < 0 || *from == MINUTES_OF_DAY)
		return false;
	if (*to <= *from)
		*to += MINUTES_OF_DAY;
	return true;
}

/* HH:MM up to 24:00 as minutes; -1 for anything else. */
static int
clock_minute(const JsonbValue *value)
{
	const char *text;
	int minute;

	if (!has_form(value, "dd:dd"))
		return -1;
	text = value->val.string.val;
	minute = ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] - '0';
	return text[3] > '5' || minute > MINUTES_OF_DAY ? -1 : minute;
}

static bool
has_form(const JsonbValue *value, const char *form)
{
	if (value->type != jbvString || value->val.string.len != (int) strlen(form))
		return false;
	for (int i = 0; form[i]; i++)
	{
		char c = value->val.string.val[i];

		if (form[i] == 'd' ? !isdigit((unsigned char) c) : c != form[i])
			return false;
	}
	return true;
}

void
kn_shift_check(JsonbContainer *hours)
{
	kn_in_only(hours, members);
	for (int i = 0; day_names[i]; i++)
		check_day(hours, day_names[i]);
	check_closed(hours);
}

static void
check_day(JsonbContainer *hours, const char *day)
{
	JsonbValue *shifts = kn_in_member(hours, day);
	bool fits = true;
	int from;
	int to;

	if (shifts == NULL)
		return;
	fits = shifts->type == jbvBinary && JsonContainerIsArray(shifts->val.binary.data) &&
		   JsonContainerSize(shifts->val.binary.data) <= KN_SHIFTS_MAX;
	for (uint32 i = 0; fits && i < JsonContainerSize(shifts->val.binary.data); i++)
		fits = shift_at(shifts->val.binary.data, i, &from, &to);
	if (!fits)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, psprintf("hours/%s", day),
					   "the shifts of a day are not of the right form",
					   "Send pairs of times, such as [[\"08:00\",\"17:00\"]].");
}

static void
check_closed(JsonbContainer *hours)
{
	JsonbValue *closed = kn_in_member(hours, "closed");
	bool fits = true;

	if (closed == NULL)
		return;
	fits = closed->type == jbvBinary && JsonContainerIsArray(closed->val.binary.data) &&
		   JsonContainerSize(closed->val.binary.data) <= KN_CLOSED_DAYS_MAX;
	for (uint32 i = 0; fits && i < JsonContainerSize(closed->val.binary.data); i++)
		fits = is_date(getIthJsonbValueFromContainer(closed->val.binary.data, i));
	if (!fits)
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "hours/closed",
					   "the closed days are not of the right form",
					   "Send dates, such as [\"2026-12-25\"].");
}

static bool
is_date(const JsonbValue *value)
{
	int year;
	int month;
	int day;
	int back[3];

	if (!has_form(value, "dddd-dd-dd"))
		return false;
	year = atoi(pnstrdup(value->val.string.val, 4));
	month = atoi(pnstrdup(value->val.string.val + 5, 2));
	day = atoi(pnstrdup(value->val.string.val + 8, 2));
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	j2date(date2j(year, month, day), &back[0], &back[1], &back[2]);
	return back[0] == year && back[1] == month && back[2] == day;
}

/* shift_open(hours jsonb, zone text, at timestamptz) */
Datum
kn_shift_open_sql(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(kn_shift_open(&PG_GETARG_JSONB_P(0)->root,
								 text_to_cstring(PG_GETARG_TEXT_PP(1)),
								 PG_GETARG_TIMESTAMPTZ(2)));
}
