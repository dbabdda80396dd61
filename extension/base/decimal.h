/*-------------------------------------------------------------------------
 *
 * decimal.h
 *	  A number with fixed decimals as text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_BASE_DECIMAL_H
#define KN_BASE_DECIMAL_H

#include <stdbool.h>

#define KN_DECIMALS_MAX 7
#define KN_DECIMAL_SIZE 24 /* sign, digits, point, zero */

/* What printf("%.*f") writes; false when only printf can tell how to round. */
extern bool kn_decimal_text(double value, int decimals, char out[KN_DECIMAL_SIZE]);

#endif
