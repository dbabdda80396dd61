/*-------------------------------------------------------------------------
 *
 * base64url.h
 *	  Bytes as text that fits into an address.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_BASE64URL_H
#define KN_KEYS_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

/* Without padding; out is terminated.  Strict: one spelling per value, no other byte. */
extern bool kn_base64url_encode(const void *in, size_t len, char *out, size_t size);
extern bool kn_base64url_decode(const char *in, size_t len,
								unsigned char *out, size_t *out_len); /* in: capacity */

#endif /* KN_KEYS_BASE64URL_H */
