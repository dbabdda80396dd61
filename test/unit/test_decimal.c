/*-------------------------------------------------------------------------
 *
 * test_decimal.c
 *	  Decimals by integer arithmetic are those of printf, or left to it.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/base/decimal.c */
/* libs: m */
#include <math.h>
#include <stdint.h>

#include "base/decimal.h"

#include "tap.h"

#define DRAWS 300000

static const double edges[] = {
	0.0, -0.0, 0.5, 1.5, 2.5, -0.5, 0.0005,
	0.0015, 0.125, 0.0625, 1e-9, -1e-9, 0.9999, 0.99999999,
	9.9995, -36.8219, 4.9995, 179.9999999, -180.0, 6871.9476735, 6871.9476736,
	36.8219, 68719476735.0, 1e10, 0.05, 0.15, 0.25, 0.35};
static const double left_to_printf[] = {68719476736.0, 1e300, -1e300, INFINITY,
										-INFINITY, NAN, 0.5, 2.5};

static uint64_t
draw(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Whether it is the same, or left to printf; told how many were. */
static bool
agrees(double value, int decimals, int *left)
{
	char ours[KN_DECIMAL_SIZE], theirs[400];

	if (!kn_decimal_text(value, decimals, ours))
	{
		(*left)++;
		return true;
	}
	snprintf(theirs, sizeof(theirs), "%.*f", decimals, value);
	if (strcmp(ours, theirs) == 0)
		return true;
	printf("# %.17g with %d decimals: %s, not %s\n", value, decimals, ours, theirs);
	return false;
}

int
main(void)
{
	char text[KN_DECIMAL_SIZE];
	int left = 0, wrong = 0;

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (int decimals = 0; decimals <= KN_DECIMALS_MAX; decimals++)
			wrong += !agrees(edges[i], decimals, &left);
	ok(wrong == 0, "edges are as printf writes them");
	left = 0;
	for (int i = 0; i < DRAWS; i++)
	{
		double value = ((double) (int64_t) draw() / 9.3e18) * pow(10, (int) (draw() % 12) - 8);

		wrong += !agrees(value, (int) (draw() % (KN_DECIMALS_MAX + 1)), &left);
		wrong += !agrees((double) (int64_t) (draw() % 2000000) / 2000 - 500, 3, &left);
	}
	ok(wrong == 0, "%d numbers as well", DRAWS * 2);
	ok(left < DRAWS * 2 / 3, "and most of them need no printf: %d did", left);
	for (size_t i = 0; i < sizeof(left_to_printf) / sizeof(left_to_printf[0]); i++)
		ok(!kn_decimal_text(left_to_printf[i], 0, text), "%g is left to printf",
		   left_to_printf[i]);
	ok(!kn_decimal_text(1, KN_DECIMALS_MAX + 1, text) && !kn_decimal_text(1, -1, text),
	   "as are other decimals");
	return finish();
}
