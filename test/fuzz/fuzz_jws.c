/*-------------------------------------------------------------------------
 *
 * fuzz_jws.c
 *	  Hostile tokens, refresh tokens and base64url.
 *
 * The first byte chooses: the rest is a token as it comes; or a payload, or a
 * header, that we sign, so that what lies behind the signature is reached as well.
 * Whatever is accepted must be the one spelling of its value.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/jws.c extension/keys/refresh.c extension/keys/blind.c extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/normalise.c extension/keys/keyring.c extension/keys/es256.c */
/* libs: crypto */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/base64url.h"
#include "keys/es256.h"
#include "keys/jws.h"
#include "keys/normalise.h"

#include "../unit/ring.h"

#define NOW 1800000000
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"
#define PAYLOAD                                         \
	"{\"iss\":\"kintaraa\",\"aud\":\"kintaraa\","       \
	"\"sub\":\"01234567-89ab-4cde-8f01-23456789abcd\"," \
	"\"sid\":\"fedcba98-7654-4210-8edc-ba9876543210\"," \
	"\"role\":\"survivor\",\"iat\":1800000000,\"exp\":1800000900}"

static KnKeyring *ring;

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* What was accepted must be what we would have written ourselves, up to the signature. */
static void
try_token(const char *token, size_t len)
{
	char again[KN_JWS_MAX + 1];
	KnClaims claims;
	const char *dot;

	if (kn_jws_verify(ring, token, len, NOW, 30, &claims) != KN_JWS_OK)
		return;
	require(kn_jws_sign(ring, &claims, again, sizeof(again)) && strlen(again) == len);
	dot = strrchr(again, '.');
	require(memcmp(token, again, (size_t) (dot - again) + 1) == 0);
}

static void
try_signed(const void *header, size_t header_len, const void *payload, size_t payload_len)
{
	char token[4 * KN_JWS_MAX];
	unsigned char signature[KN_ES256_SIGNATURE_SIZE];
	size_t at;

	if (header_len + payload_len > 2 * KN_JWS_MAX)
		return;
	kn_base64url_encode(header, header_len, token, sizeof(token));
	at = strlen(token);
	token[at++] = '.';
	kn_base64url_encode(payload, payload_len, token + at, sizeof(token) - at);
	at += strlen(token + at);
	require(kn_es256_sign(kn_keyring_current(ring, KN_KEY_SIGN)->pkey, token, at, signature));
	token[at++] = '.';
	kn_base64url_encode(signature, sizeof(signature), token + at, sizeof(token) - at);
	try_token(token, strlen(token));
}

static void
try_refresh(const char *token, size_t len)
{
	unsigned char session[16];
	char again[KN_REFRESH_SIZE];
	uint64_t generation;

	if (kn_refresh_check(ring, token, len, session, &generation))
		require(kn_refresh_make(ring, session, generation, again, sizeof(again)) &&
				len == strlen(again) && memcmp(token, again, len) == 0);
}

static void
try_base64url(const char *text, size_t len)
{
	unsigned char *bytes = malloc(len + 1);
	char *again = malloc(len + 1);
	size_t size = len;

	if (kn_base64url_decode(text, len, bytes, &size))
		require(kn_base64url_encode(bytes, size, again, len + 1) && memcmp(text, again, len) == 0);
	free(bytes);
	free(again);
}

/* A normal form is the normal form of itself. */
static void
try_normal_forms(const char *data, size_t len)
{
	char *text = malloc(len + 1);
	char once[KN_EMAIL_MAX + 1], twice[KN_EMAIL_MAX + 1];

	memcpy(text, data, len);
	text[len] = '\0';
	if (kn_normalise_email(text, once, sizeof(once)))
		require(kn_normalise_email(once, twice, sizeof(twice)) && strcmp(once, twice) == 0);
	if (kn_normalise_phone(text, "254", once, sizeof(once)))
		require(kn_normalise_phone(once, "254", twice, sizeof(twice)) && strcmp(once, twice) == 0);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *) data + 1;

	if (ring == NULL)
		ring = ring_of(RING_TEXT);
	if (size == 0)
		return 0;
	switch (data[0])
	{
		case 'p':
			try_signed(HEADER, strlen(HEADER), rest, size - 1);
			break;
		case 'h':
			try_signed(rest, size - 1, PAYLOAD, strlen(PAYLOAD));
			break;
		case 'r':
			try_refresh(rest, size - 1);
			break;
		case 'b':
			try_base64url(rest, size - 1);
			break;
		case 'n':
			try_normal_forms(rest, size - 1);
			break;
		default:
			try_token(rest, size - 1);
	}
	return 0;
}
