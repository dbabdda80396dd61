/*-------------------------------------------------------------------------
 *
 * test_jws.c
 *	  A token is accepted in its one spelling, and in no other.
 *
 * Tokens here are signed with the right key, so that each is refused for what it
 * says and not for its signature; more kinds are in test/clients/tokens.
 *
 *-------------------------------------------------------------------------
 */
/* sources: extension/keys/jws.c extension/keys/refresh.c extension/keys/blind.c extension/keys/hash.c extension/keys/random.c extension/keys/base64url.c extension/keys/keyring.c extension/keys/es256.c */
/* libs: crypto */
#include "keys/base64url.h"
#include "keys/es256.h"
#include "keys/jws.h"

#include "tap.h"

#include "ring.h"

#define NOW 1800000000

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"
#define SUB "01234567-89ab-4cde-8f01-23456789abcd"
#define SID "fedcba98-7654-4210-8edc-ba9876543210"
#define START "{\"iss\":\"kintaraa\",\"aud\":\"kintaraa\","
#define WHO "\"sub\":\"" SUB "\",\"sid\":\"" SID "\",\"role\":\"survivor\","
#define PAYLOAD START WHO "\"iat\":1800000000,\"exp\":1800000900}"

typedef struct Case
{
	const char *name, *text;
} Case;

static const Case headers[] = {
	{"empty", ""},
	{"no object", "\"ES256\""},
	{"alg none", "{\"alg\":\"none\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"},
	{"alg in lower case", "{\"alg\":\"es256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"},
	{"alg HS256", "{\"alg\":\"HS256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"},
	{"typ at+jwt", "{\"alg\":\"ES256\",\"kid\":\"" RING_KID "\",\"typ\":\"at+jwt\"}"},
	{"no typ", "{\"alg\":\"ES256\",\"kid\":\"" RING_KID "\"}"},
	{"no kid", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"},
	{"empty kid", "{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"JWT\"}"},
	{"a kid that is a path", "{\"alg\":\"ES256\",\"kid\":\"../../key\",\"typ\":\"JWT\"}"},
	{"a kid that is SQL", "{\"alg\":\"ES256\",\"kid\":\"' OR 1=1 --\",\"typ\":\"JWT\"}"},
	{"another order", "{\"kid\":\"" RING_KID "\",\"alg\":\"ES256\",\"typ\":\"JWT\"}"},
	{"one member more", "{\"alg\":\"ES256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\",\"cty\":\"x\"}"},
	{"a member twice", "{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"},
	{"a blank", "{\"alg\": \"ES256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\"}"},
	{"a blank behind", HEADER " "},
	{"two objects", HEADER HEADER},
	{"cut", "{\"alg\":\"ES256\",\"kid\":\"" RING_KID "\",\"typ\":\"JWT\""},
};

static const Case payloads[] = {
	{"empty", ""},
	{"null", "null"},
	{"an object without members", "{}"},
	{"another issuer", "{\"iss\":\"kintara\",\"aud\":\"kintaraa\"," WHO "\"iat\":1800000000,\"exp\":1800000900}"},
	{"another audience", "{\"iss\":\"kintaraa\",\"aud\":\"other\"," WHO "\"iat\":1800000000,\"exp\":1800000900}"},
	{"audiences", "{\"iss\":\"kintaraa\",\"aud\":[\"kintaraa\"]," WHO "\"iat\":1800000000,\"exp\":1800000900}"},
	{"exp a string", START WHO "\"iat\":1800000000,\"exp\":\"1800000900\"}"},
	{"exp a real", START WHO "\"iat\":1800000000,\"exp\":1800000900.0}"},
	{"exp with an exponent", START WHO "\"iat\":1800000000,\"exp\":18e8}"},
	{"exp negative", START WHO "\"iat\":1800000000,\"exp\":-1}"},
	{"exp with a plus", START WHO "\"iat\":1800000000,\"exp\":+1800000900}"},
	{"exp with a leading zero", START WHO "\"iat\":1800000000,\"exp\":01800000900}"},
	{"exp beyond 64 bits", START WHO "\"iat\":1800000000,\"exp\":18446744075509552516}"},
	{"exp after year 9999", START WHO "\"iat\":253402300700,\"exp\":253402300800}"},
	{"exp missing", START WHO "\"iat\":1800000000}"},
	{"exp empty", START WHO "\"iat\":1800000000,\"exp\":}"},
	{"exp not after iat", START WHO "\"iat\":1800000000,\"exp\":1800000000}"},
	{"a life one second too long", START WHO "\"iat\":1800000000,\"exp\":1800086401}"},
	{"iat a string", START WHO "\"iat\":\"1800000000\",\"exp\":1800000900}"},
	{"iat negative", START WHO "\"iat\":-1,\"exp\":1800000900}"},
	{"sub in capitals", START "\"sub\":\"01234567-89AB-4CDE-8F01-23456789ABCD\",\"sid\":\"" SID "\",\"role\":\"survivor\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"sub without dashes", START "\"sub\":\"0123456789ab4cde8f0123456789abcd\",\"sid\":\"" SID "\",\"role\":\"survivor\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"sub with dashes elsewhere", START "\"sub\":\"0123456-789ab-4cde-8f01-23456789abcd\",\"sid\":\"" SID "\",\"role\":\"survivor\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"sub with another letter", START "\"sub\":\"0123456g-89ab-4cde-8f01-23456789abcd\",\"sid\":\"" SID "\",\"role\":\"survivor\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"an unknown role", START "\"sub\":\"" SUB "\",\"sid\":\"" SID "\",\"role\":\"root\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"a role in capitals", START "\"sub\":\"" SUB "\",\"sid\":\"" SID "\",\"role\":\"Survivor\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"a longer role", START "\"sub\":\"" SUB "\",\"sid\":\"" SID "\",\"role\":\"administrator\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"a shorter role", START "\"sub\":\"" SUB "\",\"sid\":\"" SID "\",\"role\":\"surv\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"no role", START "\"sub\":\"" SUB "\",\"sid\":\"" SID "\",\"iat\":1800000000,\"exp\":1800000900}"},
	{"one member more", START WHO "\"iat\":1800000000,\"exp\":1800000900,\"x\":1}"},
	{"exp twice", START WHO "\"iat\":1800000000,\"exp\":1800000900,\"exp\":1900000000}"},
	{"another order", START WHO "\"exp\":1800000900,\"iat\":1800000000}"},
	{"a blank", START " " WHO "\"iat\":1800000000,\"exp\":1800000900}"},
	{"a line end behind", PAYLOAD "\n"},
	{"an escaped letter", "{\"iss\":\"k\\u0069ntaraa\",\"aud\":\"kintaraa\"," WHO "\"iat\":1800000000,\"exp\":1800000900}"},
	{"a byte order mark", "\xef\xbb\xbf" PAYLOAD},
};

static const char *const known_roles[] = {"survivor", "provider", "dispatcher", "admin", "analyst"};

static KnKeyring *ring;

static KnClaims
claims_of(const char *role, int64_t iat, int64_t exp)
{
	KnClaims claims = {.iat = iat, .exp = exp};

	from_hex("0123456789ab4cde8f0123456789abcd", claims.sub);
	from_hex("fedcba98765442108edcba9876543210", claims.sid);
	snprintf(claims.role, sizeof(claims.role), "%s", role);
	return claims;
}

/* Signs any header and payload with the ring's own key. */
static void
sign_text(const char *header, const char *payload, char *out, size_t size)
{
	unsigned char signature[64];
	size_t len;

	kn_base64url_encode(header, strlen(header), out, size);
	len = strlen(out);
	out[len++] = '.';
	kn_base64url_encode(payload, strlen(payload), out + len, size - len);
	len = strlen(out);
	kn_es256_sign(kn_keyring_current(ring, KN_KEY_SIGN)->pkey, out, len, signature);
	out[len++] = '.';
	kn_base64url_encode(signature, 64, out + len, size - len);
}

static KnJwsStatus
verify(const char *token, int64_t now)
{
	KnClaims claims;

	return kn_jws_verify(ring, token, strlen(token), now, 0, &claims);
}

static void
test_published_vector(void)
{
	static const char signed_text[] =
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
		"LmNvbS9pc19yb290Ijp0cnVlfQ";
	static const char text[] =
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	EVP_PKEY *own = kn_keyring_current(ring, KN_KEY_SIGN)->pkey, *public;
	unsigned char signature[64], point[65] = {4};
	size_t size = 64, half = 32;

	kn_base64url_decode(text, strlen(text), signature, &size);
	kn_base64url_decode(RING_X, 43, point + 1, &half);
	half = 32;
	kn_base64url_decode(RING_Y, 43, point + 33, &half);
	public = kn_es256_public(point);
	ok(public != NULL && kn_es256_verify(public, signed_text, strlen(signed_text), signature),
	   "ES256, RFC 7515 A.3, under the published public key");
	ok(kn_es256_verify(own, signed_text, strlen(signed_text), signature),
	   "ES256, RFC 7515 A.3, under the key of the private scalar");
	ok(!kn_es256_is_low(signature), "that signature has the larger s");
	ok(!kn_es256_verify(public, signed_text, strlen(signed_text) - 1, signature),
	   "it does not fit another text");
	EVP_PKEY_free(public);
	point[64] ^= 1;
	ok(kn_es256_public(point) == NULL, "a point off the curve is no key");
}

static void
test_round_trip(void)
{
	char token[KN_JWS_MAX + 1], wanted[KN_JWS_MAX + 1];
	KnClaims back;

	for (size_t i = 0; i < sizeof(known_roles) / sizeof(known_roles[0]); i++)
	{
		KnClaims claims = claims_of(known_roles[i], NOW, NOW + 900);

		ok(kn_jws_sign(ring, &claims, token, sizeof(token)) &&
			   kn_jws_verify(ring, token, strlen(token), NOW, 0, &back) == KN_JWS_OK &&
			   memcmp(back.sub, claims.sub, 16) == 0 && memcmp(back.sid, claims.sid, 16) == 0 &&
			   strcmp(back.role, claims.role) == 0 && back.iat == NOW && back.exp == NOW + 900,
		   "the claims of role %s come back", known_roles[i]);
	}
	KnClaims claims = claims_of("survivor", NOW, NOW + 900);

	kn_jws_sign(ring, &claims, token, sizeof(token));
	sign_text(HEADER, PAYLOAD, wanted, sizeof(wanted));
	ok(memcmp(token, wanted, (size_t) (strrchr(wanted, '.') - wanted)) == 0,
	   "header and payload are the agreed text");
	ok(verify(wanted, NOW) == KN_JWS_OK, "the agreed text signed elsewhere is accepted");
}

static void
test_refused_texts(void)
{
	char token[2 * KN_JWS_MAX];

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
	{
		sign_text(headers[i].text, PAYLOAD, token, sizeof(token));
		ok(verify(token, NOW) == KN_JWS_HEADER, "header refused: %s", headers[i].name);
	}
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
	{
		sign_text(HEADER, payloads[i].text, token, sizeof(token));
		ok(verify(token, NOW) == KN_JWS_CLAIMS, "claims refused: %s", payloads[i].name);
	}
	sign_text("{\"alg\":\"ES256\",\"kid\":\"AAAAAAAAAAAAAAAA\",\"typ\":\"JWT\"}", PAYLOAD, token,
			  sizeof(token));
	ok(verify(token, NOW) == KN_JWS_KEY, "an unknown kid is told apart");
	sign_text("{\"alg\":\"ES256\",\"kid\":\"" RING_KID "A\",\"typ\":\"JWT\"}", PAYLOAD, token,
			  sizeof(token));
	ok(verify(token, NOW) == KN_JWS_KEY, "a longer kid is unknown");
	sign_text("{\"alg\":\"ES256\",\"kid\":\"oKIywvGUpTVTyxM\",\"typ\":\"JWT\"}", PAYLOAD, token,
			  sizeof(token));
	ok(verify(token, NOW) == KN_JWS_KEY, "a shorter kid is unknown");
}

static void
test_every_change_is_refused(void)
{
	char token[KN_JWS_MAX + 1], *cut;
	KnClaims claims = claims_of("survivor", NOW, NOW + 900);
	int accepted = 0;
	size_t len;

	kn_jws_sign(ring, &claims, token, sizeof(token));
	len = strlen(token);
	for (size_t bit = 0; bit < len * 8; bit++)
	{
		token[bit / 8] ^= (char) (1 << bit % 8);
		accepted += kn_jws_verify(ring, token, len, NOW, 0, &claims) == KN_JWS_OK;
		token[bit / 8] ^= (char) (1 << bit % 8);
	}
	ok(accepted == 0, "a token with any bit turned is refused");
	accepted = 0;
	for (size_t shorter = 0; shorter < len; shorter++)
	{
		/* a block of that size, so that reading past the end is noticed */
		cut = malloc(shorter ? shorter : 1);
		memcpy(cut, token, shorter);
		accepted += kn_jws_verify(ring, cut, shorter, NOW, 0, &claims) == KN_JWS_OK;
		memcpy(cut, token + len - shorter, shorter);
		accepted += kn_jws_verify(ring, cut, shorter, NOW, 0, &claims) == KN_JWS_OK;
		free(cut);
	}
	ok(accepted == 0, "a token cut at any byte, from either end, is refused");
	accepted = 0;
	for (int byte = 0; byte < 256; byte++)
	{
		token[len] = (char) byte;
		accepted += kn_jws_verify(ring, token, len + 1, NOW, 0, &claims) == KN_JWS_OK;
	}
	ok(accepted == 0, "a token with any byte behind it is refused");
	ok(kn_jws_verify(ring, NULL, 0, NOW, 0, &claims) == KN_JWS_MALFORMED, "nothing is no token");
	ok(kn_jws_verify(ring, token, len, NOW, 0, &claims) == KN_JWS_OK, "the token itself still is");
}

/* s becomes order - s */
static void
other_s(unsigned char signature[64])
{
	static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	unsigned char n[32];
	int borrow = 0;

	from_hex(order, n);
	for (int i = 31; i >= 0; i--)
	{
		int d = n[i] - signature[32 + i] - borrow;

		borrow = d < 0;
		signature[32 + i] = (unsigned char) d;
	}
}

static KnJwsStatus
with_signature(const char *token, const unsigned char signature[64])
{
	char other[KN_JWS_MAX + 1];
	size_t len = (size_t) (strrchr(token, '.') - token) + 1;

	memcpy(other, token, len);
	kn_base64url_encode(signature, 64, other + len, sizeof(other) - len);
	return verify(other, NOW);
}

static void
test_signatures(void)
{
	char token[KN_JWS_MAX + 1];
	KnClaims claims = claims_of("survivor", NOW, NOW + 900);
	unsigned char signature[64], changed[64];
	size_t size = 64;
	int low = 0, fits = 0;

	for (int i = 0; i < 64; i++)
	{
		size = 64;
		kn_jws_sign(ring, &claims, token, sizeof(token));
		kn_base64url_decode(strrchr(token, '.') + 1, 86, signature, &size);
		low += kn_es256_is_low(signature);
		fits += verify(token, NOW) == KN_JWS_OK;
	}
	ok(low == 64 && fits == 64, "of the two values of s, tokens always carry the smaller");
	memcpy(changed, signature, 64);
	other_s(changed);
	ok(kn_es256_verify(kn_keyring_current(ring, KN_KEY_SIGN)->pkey, token,
					   (size_t) (strrchr(token, '.') - token), changed) &&
		   with_signature(token, changed) == KN_JWS_SIGNATURE,
	   "the larger s would fit, and is refused as a second spelling");
	memset(changed, 0, 64);
	ok(with_signature(token, changed) == KN_JWS_SIGNATURE, "r and s zero are refused");
	memcpy(changed + 32, signature + 32, 32);
	ok(with_signature(token, changed) == KN_JWS_SIGNATURE, "r zero is refused");
	memcpy(changed, signature, 32);
	memset(changed + 32, 0, 32);
	ok(with_signature(token, changed) == KN_JWS_SIGNATURE, "s zero is refused");
	memset(changed, 0xff, 32);
	memcpy(changed + 32, signature + 32, 32);
	ok(with_signature(token, changed) == KN_JWS_SIGNATURE, "r above the order is refused");
	memcpy(changed, signature + 32, 32);
	memcpy(changed + 32, signature, 32);
	ok(with_signature(token, changed) == KN_JWS_SIGNATURE,
	   "r and s in the other order are refused");
	ok(with_signature(token, signature) == KN_JWS_OK, "the signature itself fits");
}

static void
test_times(void)
{
	char token[KN_JWS_MAX + 1];
	KnClaims claims = claims_of("survivor", NOW, NOW + 900), back;
	size_t len;

	kn_jws_sign(ring, &claims, token, sizeof(token));
	len = strlen(token);
	ok(verify(token, NOW + 899) == KN_JWS_OK && verify(token, NOW + 900) == KN_JWS_EXPIRED,
	   "a token ends with the second of exp");
	ok(verify(token, NOW) == KN_JWS_OK && verify(token, NOW - 1) == KN_JWS_EARLY,
	   "a token begins with the second of iat");
	ok(kn_jws_verify(ring, token, len, NOW + 929, 30, &back) == KN_JWS_OK &&
		   kn_jws_verify(ring, token, len, NOW + 930, 30, &back) == KN_JWS_EXPIRED &&
		   kn_jws_verify(ring, token, len, NOW - 30, 30, &back) == KN_JWS_OK &&
		   kn_jws_verify(ring, token, len, NOW - 31, 30, &back) == KN_JWS_EARLY,
	   "skew is granted at both ends, to the second");
	ok(kn_jws_verify(ring, token, len, NOW + 930, 3600, &back) == KN_JWS_EXPIRED &&
		   kn_jws_verify(ring, token, len, NOW + 900, -5, &back) == KN_JWS_EXPIRED &&
		   kn_jws_verify(ring, token, len, NOW + 899, -5, &back) == KN_JWS_OK,
	   "skew is never more than half a minute, nor less than none");
	ok(verify(token, INT64_MAX) == KN_JWS_EXPIRED && verify(token, INT64_MIN) == KN_JWS_EARLY,
	   "an absurd clock is no trouble");
	memset(&back, 7, sizeof(back));
	kn_jws_verify(ring, token, len, NOW + 900, 0, &back);
	ok(back.iat == 0x0707070707070707, "claims of a refused token are not handed out");
	claims.exp = NOW + KN_JWS_LIFE_MAX;
	ok(kn_jws_sign(ring, &claims, token, sizeof(token)) && verify(token, NOW) == KN_JWS_OK,
	   "the longest life is accepted");
	claims.exp++;
	ok(!kn_jws_sign(ring, &claims, token, sizeof(token)), "a longer one is not signed");
}

static void
test_sign_refuses(void)
{
	char token[KN_JWS_MAX + 1];
	KnClaims claims = claims_of("root", NOW, NOW + 900);
	int wrote = 0;
	size_t len;

	ok(!kn_jws_sign(ring, &claims, token, sizeof(token)), "an unknown role is not signed");
	claims = claims_of("survivor", NOW, NOW);
	ok(!kn_jws_sign(ring, &claims, token, sizeof(token)), "an empty life is not signed");
	claims = claims_of("survivor", -1, 900);
	ok(!kn_jws_sign(ring, &claims, token, sizeof(token)), "a time before 1970 is not signed");
	memset(claims.role, 's', sizeof(claims.role));
	claims.iat = 0;
	ok(!kn_jws_sign(ring, &claims, token, sizeof(token)), "a role without an end is not signed");
	claims = claims_of("survivor", NOW, NOW + 900);
	kn_jws_sign(ring, &claims, token, sizeof(token));
	len = strlen(token);
	ok(kn_jws_sign(ring, &claims, token, len + 1), "a token fits exactly");
	for (size_t size = 0; size <= len; size++)
	{
		char *small = malloc(size ? size : 1);

		wrote += kn_jws_sign(ring, &claims, small, size);
		free(small);
	}
	ok(wrote == 0, "a buffer too small by any number of bytes is refused");
}

static void
test_length(void)
{
	char token[KN_JWS_MAX + 2];
	KnClaims claims;

	memset(token, 'A', sizeof(token));
	token[900] = token[937] = '.';
	ok(kn_jws_verify(ring, token, KN_JWS_MAX, NOW, 0, &claims) == KN_JWS_HEADER,
	   "the longest token is read");
	token[900] = token[937] = 'A';
	token[902] = token[938] = '.';
	ok(kn_jws_verify(ring, token, KN_JWS_MAX + 1, NOW, 0, &claims) == KN_JWS_MALFORMED,
	   "a longer one is not");
}

static void
test_rotated_key(void)
{
	KnKeyring *newer = ring_of(RING_TEXT "sign 2 1735689600 "
										 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n");
	char token[KN_JWS_MAX + 1];
	KnClaims claims = claims_of("survivor", NOW, NOW + 900), back;

	kn_jws_sign(ring, &claims, token, sizeof(token));
	ok(kn_jws_verify(newer, token, strlen(token), NOW, 0, &back) == KN_JWS_OK,
	   "a token of the older key is still accepted");
	kn_jws_sign(newer, &claims, token, sizeof(token));
	ok(kn_jws_verify(newer, token, strlen(token), NOW, 0, &back) == KN_JWS_OK,
	   "the newer key signs");
	ok(verify(token, NOW) == KN_JWS_KEY, "a key that is not in the ring is unknown");
	kn_keyring_free(newer);
}

static void
test_refresh(void)
{
	KnKeyring *old = ring_of(RING_TITLE RING_OLD RING_REST);
	KnKeyring *new = ring_of(RING_TITLE RING_NEW RING_REST);
	unsigned char session[16] = "a session of her", back[16];
	char token[KN_REFRESH_SIZE + 1], again[KN_REFRESH_SIZE];
	uint64_t generation = 0;
	int accepted = 0;

	ok(kn_refresh_make(ring, session, UINT64_C(0x0123456789abcdef), token, KN_REFRESH_SIZE) &&
		   strlen(token) == KN_REFRESH_SIZE - 1 &&
		   kn_refresh_check(ring, token, KN_REFRESH_SIZE - 1, back, &generation) &&
		   memcmp(back, session, 16) == 0 && generation == UINT64_C(0x0123456789abcdef),
	   "session and generation come back");
	kn_refresh_make(ring, session, UINT64_C(0x0123456789abcdef), again, sizeof(again));
	ok(strcmp(token, again) == 0, "the same session and generation give the same token");
	ok(!kn_refresh_make(ring, session, 1, again, KN_REFRESH_SIZE - 1), "one byte less is refused");
	for (size_t bit = 0; bit < (KN_REFRESH_SIZE - 1) * 8; bit++)
	{
		token[bit / 8] ^= (char) (1 << bit % 8);
		accepted += kn_refresh_check(ring, token, KN_REFRESH_SIZE - 1, back, &generation);
		token[bit / 8] ^= (char) (1 << bit % 8);
	}
	ok(accepted == 0, "a refresh token with any bit turned is refused");
	for (size_t len = 0; len < KN_REFRESH_SIZE - 1; len++)
		accepted += kn_refresh_check(ring, token, len, back, &generation);
	token[KN_REFRESH_SIZE - 1] = 'A';
	accepted += kn_refresh_check(ring, token, KN_REFRESH_SIZE, back, &generation);
	ok(accepted == 0, "a refresh token cut at any byte, or longer, is refused");
	kn_refresh_make(old, session, 5, token, sizeof(token));
	ok(kn_refresh_check(ring, token, KN_REFRESH_SIZE - 1, back, &generation) && generation == 5,
	   "a token of an older key is accepted");
	ok(!kn_refresh_check(new, token, KN_REFRESH_SIZE - 1, back, &generation),
	   "a token of a key that was taken out is refused");
	kn_keyring_free(old);
	kn_keyring_free(new);
}

int
main(void)
{
	ring = ring_of(RING_TEXT);
	test_published_vector();
	test_round_trip();
	test_refused_texts();
	test_every_change_is_refused();
	test_signatures();
	test_times();
	test_sign_refuses();
	test_length();
	test_rotated_key();
	test_refresh();
	kn_keyring_free(ring);
	return finish();
}
