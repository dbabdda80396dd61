/*-------------------------------------------------------------------------
 *
 * incident_number.c
 *	  The number of a case, which people read to each other.
 *
 * Called by incident.c and incident_record.c.  Random, so that no number tells
 * how many there were; with a check digit, so that one that was misread or
 * misheard opens no other case.  Numbers of version 1.0 have six digits in
 * front of it instead of eight and stay as they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/datetime.h"

#include "base/errcodes.h"
#include "base/input.h"
#include "base/spi.h"
#include "cases/incident_number.h"
#include "keys/random.h"

#define NAIROBI_HOURS 3
#define DIGITS 8
#define DIGITS_BEFORE 6 /* of version 1.0 */
#define PREFIX "KIN"
#define DAY_DIGITS 8

static int check_digit(const char *digits, int n);

static KnStatement select_numbered = KN_READ(
	KN_AS_SYSTEM, "SELECT id FROM kintaraa.incident WHERE case_number = $1", TEXTOID);

char *
kn_case_number(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t fsec;
	uint64 random;
	char digits[DIGITS + 1];

	at += NAIROBI_HOURS * (int64) USECS_PER_HOUR;
	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	kn_random(&random, sizeof(random));
	for (int i = 0; i < DIGITS; i++, random /= 10)
		digits[i] = '0' + random % 10;
	digits[DIGITS] = '\0';
	return psprintf(PREFIX "-%04d%02d%02d-%s%d", tm.tm_year, tm.tm_mon, tm.tm_mday, digits,
					check_digit(digits, DIGITS));
}

/* Luhn: every other digit doubled, digits of a product added. */
static int
check_digit(const char *digits, int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
	{
		int digit = digits[i] - '0';

		sum += i % 2 == 0 ? digit * 2 / 10 + digit * 2 % 10 : digit;
	}
	return (10 - sum % 10) % 10;
}

char *
kn_case_number_parse(const char *text)
{
	char digits[DAY_DIGITS + DIGITS + 2];
	const char *tail = digits + DAY_DIGITS;
	int n = 0;
	int rest;

	while (*text == ' ')
		text++;
	if (pg_strncasecmp(text, PREFIX, strlen(PREFIX)) == 0)
		text += strlen(PREFIX);
	for (; *text != '\0' && n < (int) sizeof(digits); text++)
		if (*text >= '0' && *text <= '9')
			digits[n++] = *text;
		else if (*text != ' ' && *text != '-')
			n = sizeof(digits);
	rest = n - DAY_DIGITS - 1;
	if (n >= (int) sizeof(digits) || (rest != DIGITS && rest != DIGITS_BEFORE) ||
		tail[rest] != '0' + check_digit(tail, rest))
		kn_input_error(ERRCODE_KN_QUERY, "caseNumber", "that is no number of a case",
					   "Look at it again, such as KIN-20260215-123456786; its last digit tells "
					   "whether the others are right.");
	return psprintf(PREFIX "-%.*s-%.*s", DAY_DIGITS, digits, rest + 1, tail);
}

bool
kn_case_number_find(const char *number, pg_uuid_t *incident)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_text(&args, number);
	if (kn_run(&select_numbered, &args) == 0)
		return false;
	rows = kn_rows();
	return kn_col_uuid(&rows, 0, 1, incident);
}
