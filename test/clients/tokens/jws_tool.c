/*-------------------------------------------------------------------------
 *
 * jws_tool.c
 *	  Our tokens at the command line, for tests that hold others against them.
 *
 *		jws_tool RING create           makes a key ring
 *		jws_tool RING add              adds a signing key
 *		jws_tool RING jwks             prints the public keys
 *		jws_tool RING sign             a line "sub sid role iat exp" becomes a token
 *		jws_tool RING raw              a line of hex becomes a signature of those bytes
 *		jws_tool RING verify NOW       a line of hex, a token, becomes a status
 *
 * Tokens come as hex, since a forged one may hold any byte.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/base64url.h"
#include "keys/es256.h"
#include "keys/jws.h"

#define LINE_MAX_SIZE 65536

static const char *const statuses[] = {
	[KN_JWS_OK] = "ok",
	[KN_JWS_MALFORMED] = "malformed",
	[KN_JWS_HEADER] = "header",
	[KN_JWS_KEY] = "key",
	[KN_JWS_SIGNATURE] = "signature",
	[KN_JWS_CLAIMS] = "claims",
	[KN_JWS_EXPIRED] = "expired",
	[KN_JWS_EARLY] = "early",
};

static void
die(const char *why)
{
	fprintf(stderr, "jws_tool: %s\n", why);
	exit(2);
}

static size_t
read_hex(const char *text, unsigned char *out)
{
	size_t len = 0;
	unsigned value;

	while (sscanf(text + 2 * len, "%2x", &value) == 1)
		out[len++] = (unsigned char) value;
	return len;
}

static void
read_uuid(const char *text, unsigned char out[16])
{
	char digits[33];
	size_t len = 0;

	for (; *text != '\0' && len < 32; text++)
	{
		if (*text != '-')
			digits[len++] = *text;
	}
	digits[len] = '\0';
	if (read_hex(digits, out) != 16)
		die("not a uuid");
}

static void
sign_line(const KnKeyring *ring, const char *line)
{
	KnClaims claims = {0};
	char sub[37], sid[37], token[KN_JWS_MAX + 1];
	long long iat, exp;

	if (sscanf(line, "%36s %36s %15s %lld %lld", sub, sid, claims.role, &iat, &exp) != 5)
		die("not the line of a token");
	read_uuid(sub, claims.sub);
	read_uuid(sid, claims.sid);
	claims.iat = iat;
	claims.exp = exp;
	if (!kn_jws_sign(ring, &claims, token, sizeof(token)))
		die("claims that are not signed");
	puts(token);
}

static void
sign_bytes(const KnKeyring *ring, const char *line)
{
	unsigned char *bytes = malloc(strlen(line) / 2 + 1), signature[KN_ES256_SIGNATURE_SIZE];
	char text[KN_ES256_SIGNATURE_SIZE * 2];
	size_t len = read_hex(line, bytes);

	if (!kn_es256_sign(kn_keyring_current(ring, KN_KEY_SIGN)->pkey, bytes, len, signature))
		die("could not sign");
	kn_base64url_encode(signature, sizeof(signature), text, sizeof(text));
	puts(text);
	free(bytes);
}

static void
verify_line(const KnKeyring *ring, const char *line, long long now)
{
	char *token = malloc(strlen(line) / 2 + 1);
	size_t len = read_hex(line, (unsigned char *) token);
	KnClaims claims;

	puts(statuses[kn_jws_verify(ring, token, len, now, 0, &claims)]);
	free(token);
}

static void
for_each_line(const KnKeyring *ring, const char *verb, long long now)
{
	static char line[LINE_MAX_SIZE];

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		if (strcmp(verb, "sign") == 0)
			sign_line(ring, line);
		else if (strcmp(verb, "raw") == 0)
			sign_bytes(ring, line);
		else if (strcmp(verb, "verify") == 0)
			verify_line(ring, line, now);
		else
			die("unknown verb");
	}
}

int
main(int argc, char **argv)
{
	static char jwks[KN_KEYRING_TEXT_MAX];
	KnKeyringStatus status;
	KnKeyring *ring;

	if (argc < 3)
		die("ring and verb are missing");
	if (strcmp(argv[2], "create") == 0)
		return kn_keyring_create(argv[1]) != KN_KEYRING_OK;
	if (strcmp(argv[2], "add") == 0)
		return kn_keyring_add(argv[1], KN_KEY_SIGN) != KN_KEYRING_OK;
	status = kn_keyring_load(argv[1], &ring);
	if (status != KN_KEYRING_OK)
		die(kn_keyring_describe(status));
	if (strcmp(argv[2], "jwks") == 0)
	{
		if (!kn_keyring_jwks(ring, jwks, sizeof(jwks)))
			die("too many keys");
		puts(jwks);
	}
	else
		for_each_line(ring, argv[2], argc > 3 ? atoll(argv[3]) : 0);
	kn_keyring_free(ring);
	return 0;
}
