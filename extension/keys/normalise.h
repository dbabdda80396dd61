/*-------------------------------------------------------------------------
 *
 * normalise.h
 *	  One text for all spellings of an address or a number.
 *
 *
 * A blind index is only as good as its normal form: two spellings of one number
 * must give one text before they are hashed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_NORMALISE_H
#define KN_KEYS_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sizes.h"

/* Trims spaces, lowers ASCII letters, keeps UTF-8; false when it cannot be an address. */
extern bool kn_normalise_email(const char *in, char *out, size_t size);

/* E.164 ("+254712345678"); default_country is digits, used when none is written. */
extern bool kn_normalise_phone(const char *in, const char *default_country,
							   char *out, size_t size);

#endif /* KN_KEYS_NORMALISE_H */
