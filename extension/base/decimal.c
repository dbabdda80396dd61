/*-------------------------------------------------------------------------
 *
 * decimal.c
 *	  A number with fixed decimals as text, by integer arithmetic.
 *
 * Called by json.c for places and figures; printf costs six times as much.  A
 * pure file.  The number is scaled to an integer.  Below LARGEST the product is
 * wrong by less than 2^-17, so that a fraction further than SURE from a half is
 * rounded as printf rounds the exact value; what lies nearer is left to printf.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdint.h>

#include "base/decimal.h"

#define LARGEST 68719476736.0 /* 2^36 */
#define SURE 0.001

bool
kn_decimal_text(double value, int decimals, char out[KN_DECIMAL_SIZE])
{
	static const double scales[KN_DECIMALS_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
	char digits[KN_DECIMAL_SIZE];
	double scaled, whole;
	uint64_t rest;
	int n = 0;

	if (decimals < 0 || decimals > KN_DECIMALS_MAX)
		return false;
	scaled = fabs(value) * scales[decimals];
	if (!(scaled < LARGEST))
		return false;
	whole = floor(scaled);
	if (fabs(scaled - whole - 0.5) < SURE)
		return false;
	rest = (uint64_t) whole + (scaled - whole > 0.5);
	while (n <= decimals || rest > 0)
	{
		digits[n++] = (char) ('0' + rest % 10);
		rest /= 10;
	}
	if (signbit(value))
		*out++ = '-';
	while (n > 0)
	{
		*out++ = digits[--n];
		if (n == decimals && n > 0)
			*out++ = '.';
	}
	*out = '\0';
	return true;
}
