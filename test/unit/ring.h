/*-------------------------------------------------------------------------
 *
 * ring.h
 *	  A key ring for unit tests; its signing key is the one of RFC 7515, A.3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_TEST_RING_H
#define KN_TEST_RING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyring.h"

#define RING_TITLE "kintaraa key ring 1\n"
#define RING_WRAP_1 "wrap 1 1735689600 nJf9-2P7jQRmJJYTuxkQlkw9BQVyIGT9UVsbqpYP25g\n"
#define RING_WRAP_2 "wrap 2 1735689600 kOGm3x_6VEKfHIHYUW1uecf9by3yQV86t5SzTcgOQHQ\n"
#define RING_INDEX_1 "index 1 1735689600 Y_EWFDw4Pt7muInnvySzcV8LKWyYjQ_TqZFlDL80OFM\n"
#define RING_INDEX_2 "index 2 1735689600 i8mbOIcUXgIOz18zMspvTAfXlbMpirn2k7OxBCgaDFk\n"
#define RING_SIGN_1 "sign 1 1735689600 jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\n"
#define RING_REFRESH_1 "refresh 1 1735689600 rDgcSl9EMbHkiciuz8G5wFDNrFHNYBJoGzdJAIBZvsM\n"
#define RING_REFRESH_7 "refresh 7 1735689600 Cn2NMcS0eMTUja3WQDwkU1Ixrld2AKUP98o2sq8-tEM\n"
#define RING_PSEUDONYM_1 "pseudonym 1 1735689600 X30JqQegMUCA4ghkyazftnF0JHgUX2Zdp8LtaySiIog\n"
#define RING_HASH_1 "hash 1 1735689600 Fxh-2Q5QGyy5osl9Q3oOy-BYX8LzIyam4Zz8-hzU0rM\n"

/* the kinds that have an older key */
#define RING_OLD RING_WRAP_1 RING_INDEX_1 RING_REFRESH_1
#define RING_NEW RING_WRAP_2 RING_INDEX_2 RING_REFRESH_7
#define RING_REST RING_SIGN_1 RING_PSEUDONYM_1 RING_HASH_1
#define RING_TEXT RING_TITLE RING_NEW "# a remark\n\n" RING_OLD RING_REST

#define RING_KID "oKIywvGUpTVTyxMQ"
#define RING_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RING_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

/* Returns new. */
static inline KnKeyring *
ring_of(const char *text)
{
	KnKeyring *ring;

	if (kn_keyring_parse(text, strlen(text), &ring) != KN_KEYRING_OK)
	{
		printf("Bail out! the test's own key ring is refused\n");
		exit(1);
	}
	return ring;
}

#endif /* KN_TEST_RING_H */
