/*-------------------------------------------------------------------------
 *
 * jws.c
 *	  Access tokens: compact JWS, ES256, in exactly one spelling.
 *
 * Called for every request with a token; keys come from keyring.c, signatures
 * are made and checked in es256.c.  A pure file: nothing is read but the token.
 *
 * Header and payload are compared with the text this file writes itself, so what
 * another reader of JSON might understand in a token does not matter.  A signature
 * has two equivalent values of s; only the smaller is ours, or whoever holds a
 * token could spell it a second way.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "keys/base64url.h"
#include "keys/es256.h"
#include "keys/jws.h"

#define HEADER_BEFORE "{\"alg\":\"ES256\",\"kid\":\""
#define HEADER_AFTER "\",\"typ\":\"JWT\"}"
#define PAYLOAD_BEFORE "{\"iss\":\"kintaraa\",\"aud\":\"kintaraa\",\"sub\":\""

#define UUID_TEXT 36
#define TIME_MAX INT64_C(253402300799) /* the end of year 9999 */

/* the part of a text that has not been read */
typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

/* a token taken apart; bytes are decoded, nothing is proven */
typedef struct Parts
{
	size_t signed_len; /* header, dot, payload, as they stand in the token */
	size_t header_len;
	size_t payload_len;
	char header[KN_JWS_MAX];
	char payload[KN_JWS_MAX];
	unsigned char signature[KN_ES256_SIGNATURE_SIZE];
} Parts;

static const char *const roles[] = {"survivor", "provider", "dispatcher", "admin", "analyst"};

static bool split(const char *token, size_t len, Parts *parts);
static bool decode_text(const char *from, const char *end, char *out, size_t *out_len);
static KnJwsStatus find_key(const KnKeyring *ring, const Parts *parts, const KnKey **key);
static bool is_kid_char(char c);
static bool read_claims(const Parts *parts, KnClaims *claims);
static bool read_exact(Reader *reader, const char *text);
static bool read_uuid(Reader *reader, unsigned char uuid[16]);
static bool read_role(Reader *reader, char role[16]);
static bool read_time(Reader *reader, int64_t *time);
static int hex_value(char c);
static bool has_sound_times(const KnClaims *claims);
static KnJwsStatus check_time(const KnClaims *claims, int64_t now, int skew);
static void uuid_text(const unsigned char uuid[16], char out[UUID_TEXT + 1]);
static bool is_role(const char *role);
static bool encode_parts(const char *header, const char *payload, char *out, size_t size);

KnJwsStatus
kn_jws_verify(const KnKeyring *ring, const char *token, size_t len,
			  int64_t now, int skew, KnClaims *out)
{
	Parts parts;
	KnClaims claims = {0};
	const KnKey *key;
	KnJwsStatus status;

	if (len == 0 || len > KN_JWS_MAX || !split(token, len, &parts))
		return KN_JWS_MALFORMED;
	status = find_key(ring, &parts, &key);
	if (status != KN_JWS_OK)
		return status;
	if (!kn_es256_is_low(parts.signature) ||
		!kn_es256_verify(key->pkey, token, parts.signed_len, parts.signature))
		return KN_JWS_SIGNATURE;
	if (!read_claims(&parts, &claims))
		return KN_JWS_CLAIMS;
	status = check_time(&claims, now, skew);
	if (status == KN_JWS_OK)
		*out = claims;
	return status;
}

static bool
split(const char *token, size_t len, Parts *parts)
{
	const char *end = token + len;
	const char *first = memchr(token, '.', len);
	const char *second = first ? memchr(first + 1, '.', (size_t) (end - first - 1)) : NULL;
	size_t size = sizeof(parts->signature);

	if (second == NULL)
		return false;
	parts->signed_len = (size_t) (second - token);
	return decode_text(token, first, parts->header, &parts->header_len) &&
		   decode_text(first + 1, second, parts->payload, &parts->payload_len) &&
		   kn_base64url_decode(second + 1, (size_t) (end - second - 1),
							   parts->signature, &size) &&
		   size == sizeof(parts->signature);
}

static bool
decode_text(const char *from, const char *end, char *out, size_t *out_len)
{
	*out_len = KN_JWS_MAX;
	return kn_base64url_decode(from, (size_t) (end - from), (unsigned char *) out, out_len);
}

/* The name is compared with those of the ring and used for nothing else. */
static KnJwsStatus
find_key(const KnKeyring *ring, const Parts *parts, const KnKey **key)
{
	Reader reader = {parts->header, parts->header + parts->header_len};
	const char *kid;
	size_t len;

	if (!read_exact(&reader, HEADER_BEFORE))
		return KN_JWS_HEADER;
	kid = reader.at;
	while (reader.at < reader.end && is_kid_char(*reader.at))
		reader.at++;
	len = (size_t) (reader.at - kid);
	if (len == 0 || !read_exact(&reader, HEADER_AFTER) || reader.at != reader.end)
		return KN_JWS_HEADER;
	for (int i = kn_keyring_count(ring, KN_KEY_SIGN) - 1; i >= 0; i--)
	{
		*key = kn_keyring_at(ring, KN_KEY_SIGN, i);
		if (strlen((*key)->kid) == len && memcmp((*key)->kid, kid, len) == 0)
			return KN_JWS_OK;
	}
	return KN_JWS_KEY;
}

static bool
is_kid_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		   c == '-' || c == '_';
}

static bool
read_claims(const Parts *parts, KnClaims *claims)
{
	Reader reader = {parts->payload, parts->payload + parts->payload_len};

	return read_exact(&reader, PAYLOAD_BEFORE) && read_uuid(&reader, claims->sub) &&
		   read_exact(&reader, "\",\"sid\":\"") && read_uuid(&reader, claims->sid) &&
		   read_exact(&reader, "\",\"role\":\"") && read_role(&reader, claims->role) &&
		   read_exact(&reader, "\",\"iat\":") && read_time(&reader, &claims->iat) &&
		   read_exact(&reader, ",\"exp\":") && read_time(&reader, &claims->exp) &&
		   read_exact(&reader, "}") && reader.at == reader.end && has_sound_times(claims);
}

static bool
read_exact(Reader *reader, const char *text)
{
	size_t len = strlen(text);

	if ((size_t) (reader->end - reader->at) < len || memcmp(reader->at, text, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* Lower case only: a second spelling of an id would be a second subject to some caches. */
static bool
read_uuid(Reader *reader, unsigned char uuid[16])
{
	static const int starts[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
	const char *text = reader->at;

	if (reader->end - reader->at < UUID_TEXT ||
		text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
		return false;
	for (int i = 0; i < 16; i++)
	{
		int high = hex_value(text[starts[i]]), low = hex_value(text[starts[i] + 1]);

		if (high < 0 || low < 0)
			return false;
		uuid[i] = (unsigned char) (high << 4 | low);
	}
	reader->at += UUID_TEXT;
	return true;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_role(Reader *reader, char role[16])
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
	{
		if (read_exact(reader, roles[i]))
		{
			memcpy(role, roles[i], strlen(roles[i]) + 1);
			return true;
		}
	}
	return false;
}

/* Digits only, no leading zero. */
static bool
read_time(Reader *reader, int64_t *time)
{
	const char *start = reader->at;
	int64_t value = 0;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
	{
		value = value * 10 + (*reader->at++ - '0');
		if (value > TIME_MAX)
			return false;
	}
	*time = value;
	return reader->at > start && (*start != '0' || reader->at == start + 1);
}

static bool
has_sound_times(const KnClaims *claims)
{
	return claims->iat >= 0 && claims->exp > claims->iat && claims->exp <= TIME_MAX &&
		   claims->exp - claims->iat <= KN_JWS_LIFE_MAX;
}

static KnJwsStatus
check_time(const KnClaims *claims, int64_t now, int skew)
{
	if (skew < 0)
		skew = 0;
	if (skew > KN_JWS_SKEW_MAX)
		skew = KN_JWS_SKEW_MAX;
	if (claims->exp + skew <= now)
		return KN_JWS_EXPIRED;
	return claims->iat - skew > now ? KN_JWS_EARLY : KN_JWS_OK;
}

bool
kn_jws_sign(const KnKeyring *ring, const KnClaims *claims, char *out, size_t size)
{
	const KnKey *key = kn_keyring_current(ring, KN_KEY_SIGN);
	char header[128], payload[512], sub[UUID_TEXT + 1], sid[UUID_TEXT + 1];
	unsigned char signature[KN_ES256_SIGNATURE_SIZE];
	size_t len;

	if (key == NULL || !is_role(claims->role) || !has_sound_times(claims))
		return false;
	uuid_text(claims->sub, sub);
	uuid_text(claims->sid, sid);
	snprintf(header, sizeof(header), HEADER_BEFORE "%s" HEADER_AFTER, key->kid);
	snprintf(payload, sizeof(payload),
			 PAYLOAD_BEFORE "%s\",\"sid\":\"%s\",\"role\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
			 sub, sid, claims->role, (long long) claims->iat, (long long) claims->exp);
	if (!encode_parts(header, payload, out, size))
		return false;
	len = strlen(out);
	if (!kn_es256_sign(key->pkey, out, len, signature) || size - len < 2)
		return false;
	out[len] = '.';
	return kn_base64url_encode(signature, sizeof(signature), out + len + 1, size - len - 1);
}

static bool
is_role(const char *role)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
	{
		if (strncmp(role, roles[i], sizeof(((KnClaims *) 0)->role)) == 0)
			return true;
	}
	return false;
}

static void
uuid_text(const unsigned char uuid[16], char out[UUID_TEXT + 1])
{
	static const char digits[] = "0123456789abcdef";
	char *at = out;

	for (int i = 0; i < 16; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[uuid[i] >> 4];
		*at++ = digits[uuid[i] & 15];
	}
	*at = '\0';
}

static bool
encode_parts(const char *header, const char *payload, char *out, size_t size)
{
	size_t len;

	if (!kn_base64url_encode(header, strlen(header), out, size))
		return false;
	len = strlen(out);
	if (size - len < 2)
		return false;
	out[len] = '.';
	return kn_base64url_encode(payload, strlen(payload), out + len + 1, size - len - 1);
}
