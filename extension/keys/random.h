/*-------------------------------------------------------------------------
 *
 * random.h
 *	  Random bytes and ids.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_KEYS_RANDOM_H
#define KN_KEYS_RANDOM_H

#include <stddef.h>

/* Never returns without len random bytes: a dead generator ends the process. */
extern void kn_random(void *out, size_t len);
extern void kn_uuid4(unsigned char out[16]);

#endif /* KN_KEYS_RANDOM_H */
