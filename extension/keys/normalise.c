/*-------------------------------------------------------------------------
 *
 * normalise.c
 *	  The one spelling of an e-mail address and of a telephone number.
 *
 * Called before a blind index is made or looked up; calls nothing.  Two spellings
 * that people take for one address must come out the same, or an account could
 * be made twice and found once.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "base/limits.h"
#include "keys/normalise.h"

#define EMAIL_MIN 3
#define LOCAL_MAX 64
#define PHONE_MIN 8 /* digits with the country code */
#define PHONE_MAX 15
#define NATIONAL_MIN 7 /* digits without the country code */
#define COUNTRY_MAX 3

/* the digits of a number as written, and what stood before them */
typedef struct Dialled
{
	bool plus;
	size_t count;
	char digits[PHONE_MAX + 4]; /* room for "00" or a trunk zero, and the terminator */
} Dialled;

static bool is_blank(char c);
static bool is_address(const char *text, size_t len);
static bool collect_digits(const char *in, Dialled *number);
static bool is_country(const char *country);
static const char *without_trunk(const char *national);

bool
kn_normalise_email(const char *in, char *out, size_t size)
{
	size_t len;

	while (is_blank(*in))
		in++;
	len = strlen(in);
	while (len > 0 && is_blank(in[len - 1]))
		len--;
	if (len < EMAIL_MIN || len > KN_EMAIL_MAX || len >= size || !is_address(in, len))
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char) (in[i] >= 'A' && in[i] <= 'Z' ? in[i] + ('a' - 'A') : in[i]);
	out[len] = '\0';
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_address(const char *text, size_t len)
{
	const char *at = memchr(text, '@', len);
	size_t local = at ? (size_t) (at - text) : 0;

	if (local == 0 || local > LOCAL_MAX || local == len - 1 ||
		memchr(at + 1, '@', len - local - 1) != NULL)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return true;
}

bool
kn_normalise_phone(const char *in, const char *default_country, char *out, size_t size)
{
	Dialled number = {0};
	const char *country = "", *rest;
	size_t len;

	if (!is_country(default_country) || !collect_digits(in, &number))
		return false;
	len = strlen(default_country);
	rest = number.digits;
	if (!number.plus && strncmp(rest, "00", 2) == 0)
	{
		number.plus = true;
		rest += 2;
	}
	/* a national number with the country's digits in front, written without a plus */
	if (strncmp(rest, default_country, len) == 0 &&
		(number.plus || strlen(without_trunk(rest + len)) > NATIONAL_MIN))
	{
		country = default_country;
		rest = without_trunk(rest + len);
	}
	else if (!number.plus)
	{
		country = default_country;
		rest = without_trunk(rest);
	}
	len = strlen(country) + strlen(rest);
	if (len < PHONE_MIN || len > PHONE_MAX || *rest == '0' || len + 2 > size ||
		(*country != '\0' && strlen(rest) < NATIONAL_MIN))
		return false;
	out[0] = '+';
	memcpy(out + 1, country, strlen(country));
	memcpy(out + 1 + strlen(country), rest, strlen(rest) + 1);
	return true;
}

/* Blanks and the marks people group digits with are dropped; a plus may only lead. */
static bool
collect_digits(const char *in, Dialled *number)
{
	for (; *in != '\0'; in++)
	{
		if (*in >= '0' && *in <= '9')
		{
			if (number->count == sizeof(number->digits) - 1)
				return false;
			number->digits[number->count++] = *in;
		}
		else if (*in == '+' && !number->plus && number->count == 0)
			number->plus = true;
		else if (!is_blank(*in) && strchr("-.()/", *in) == NULL)
			return false;
	}
	return number->count > 0;
}

static bool
is_country(const char *country)
{
	size_t len = strlen(country);

	return len >= 1 && len <= COUNTRY_MAX && country[0] != '0' &&
		   strspn(country, "0123456789") == len;
}

/* "+254 (0)712 ..." is a common way to write a number that works at home and abroad. */
static const char *
without_trunk(const char *national)
{
	return *national == '0' ? national + 1 : national;
}
