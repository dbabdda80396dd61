/*-------------------------------------------------------------------------
 *
 * keys.c
 *	  Fetches the JWKS through the door jwks and keeps its keys ready to use.
 *
 * token.c looks keys up, exchange.c shows the set.  It is fetched at start until
 * it is there, then each minute, and when a token names a key that is not in it.
 * With it comes the time of the database.  Only the kind of key the extension
 * makes is taken: EC on P-256 for ES256.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "database_time.h"
#include "db.h"
#include "jansson_prelude.h"
#include "keys.h"
#include "limits.h"
#include "log.h"

#define COORDINATE 32

static Key keys[LIMIT_KEYS];
static int key_count;
static char *text; /* owns */
static size_t text_len;
static int64_t asked_us;
static int64_t asked_ms;
static int64_t known_ms;
static bool is_asking;
static DbCall call;
static struct event *retry_timer;

static void keys_done(void *arg, const DbAnswer *answer);
static bool keys_take(const char *body, size_t len);
static bool key_read(Key *key, json_t *object);
static bool key_header(Key *key, const char *kid);
static bool key_pem(Key *key, const unsigned char *x, const unsigned char *y);
static EVP_PKEY *key_make(const unsigned char *x, const unsigned char *y);
static bool coordinate_read(unsigned char out[COORDINATE], const char *base64url);
static size_t base64url_write(char *out, const unsigned char *bytes, size_t len);
static void keys_clear(Key *list, int *count);
static void on_retry(evutil_socket_t fd, short what, void *arg);

bool
keys_start(struct event_base *base)
{
	const struct timeval second = {.tv_sec = 1};

	asked_ms = known_ms = -LIMIT_KEYS_FRESH_MS;
	retry_timer = event_new(base, -1, EV_PERSIST, on_retry, NULL);
	if (retry_timer == NULL || evtimer_add(retry_timer, &second) != 0)
		return false;
	keys_refresh();
	return true;
}

void
keys_stop(void)
{
	keys_clear(keys, &key_count);
	free(text);
	text = NULL;
	event_free(retry_timer);
}

void
keys_refresh(void)
{
	if (is_asking || clock_us() / 1000 - asked_ms < LIMIT_KEYS_REFRESH_MS)
		return;
	is_asking = true;
	asked_us = clock_us();
	asked_ms = asked_us / 1000;
	call = (DbCall){
		.lane = LANE_NORMAL,
		.is_read = true,
		.door = "jwks",
		.parameter = {NULL, NULL, NULL, NULL, NULL},
		.done = keys_done,
	};
	db_call(&call);
}

static void
keys_done(void *arg, const DbAnswer *answer)
{
	(void) arg;
	is_asking = false;
	if (answer->outcome == DB_ROW && strcmp(answer->word, "ok") == 0 && answer->body != NULL &&
		keys_take(answer->body, answer->body_len))
		known_ms = clock_us() / 1000;
	else
		log_often(LEVEL_WARN, "keys_unknown", "", "sqlstate=%s",
				  answer->outcome == DB_ERROR ? answer->sqlstate : "-");
}

/* A set without a key we can use changes nothing. */
static bool
keys_take(const char *body, size_t len)
{
	json_t *set = json_loadb(body, len, 0, NULL);
	json_t *list = json_object_get(set, "keys");
	Key fresh[LIMIT_KEYS];
	int count = 0;
	size_t index;
	json_t *object;
	char *copy = malloc(len + 1);

	json_array_foreach(list, index, object)
	{
		if (count < LIMIT_KEYS && key_read(&fresh[count], object))
			count++;
	}
	database_time_note(json_string_value(json_object_get(set, "serverTime")), asked_us);
	json_decref(set);
	if (count == 0 || copy == NULL)
	{
		free(copy);
		return false;
	}
	keys_clear(keys, &key_count);
	memcpy(keys, fresh, sizeof(Key) * (size_t) count);
	key_count = count;
	free(text);
	text = copy;
	memcpy(text, body, len);
	text[text_len = len] = '\0';
	return true;
}

static bool
key_read(Key *key, json_t *object)
{
	unsigned char x[COORDINATE];
	unsigned char y[COORDINATE];
	const char *kty = json_string_value(json_object_get(object, "kty"));
	const char *crv = json_string_value(json_object_get(object, "crv"));
	const char *kid = json_string_value(json_object_get(object, "kid"));

	return kty != NULL && strcmp(kty, "EC") == 0 && crv != NULL && strcmp(crv, "P-256") == 0 &&
		   kid != NULL && coordinate_read(x, json_string_value(json_object_get(object, "x"))) &&
		   coordinate_read(y, json_string_value(json_object_get(object, "y"))) &&
		   key_header(key, kid) && key_pem(key, x, y);
}

/* The signer writes these members in this order and nothing else. */
static bool
key_header(Key *key, const char *kid)
{
	char header[160];
	int len;

	if (strpbrk(kid, "\"\\") != NULL)
		return false;
	len = snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
				   kid);
	if (len >= (int) sizeof(header))
		return false;
	key->header_len = base64url_write(key->header, (const unsigned char *) header, (size_t) len);
	return true;
}

static bool
key_pem(Key *key, const unsigned char *x, const unsigned char *y)
{
	EVP_PKEY *public = key_make(x, y);
	BIO *memory = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long len = 0;

	key->pem = NULL;
	if (public != NULL && memory != NULL && PEM_write_bio_PUBKEY(memory, public) == 1)
		len = BIO_get_mem_data(memory, &bytes);
	if (len > 0 && (key->pem = malloc((size_t) len + 1)) != NULL)
	{
		memcpy(key->pem, bytes, (size_t) len);
		key->pem[len] = '\0';
		key->pem_len = (size_t) len;
	}
	EVP_PKEY_free(public);
	BIO_free(memory);
	return key->pem != NULL;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *
key_make(const unsigned char *x, const unsigned char *y)
{
	unsigned char point[1 + 2 * COORDINATE] = {4};
	OSSL_PARAM params[3];
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	memcpy(point + 1, x, COORDINATE);
	memcpy(point + 1 + COORDINATE, y, COORDINATE);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params[2] = OSSL_PARAM_construct_end();
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool
coordinate_read(unsigned char out[COORDINATE], const char *base64url)
{
	char padded[48];
	unsigned char bytes[48];

	/* 32 bytes are 43 characters. */
	if (base64url == NULL || strlen(base64url) != 43)
		return false;
	snprintf(padded, sizeof(padded), "%s=", base64url);
	for (char *at = padded; *at != '\0'; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/'
											: *at;
	if (EVP_DecodeBlock(bytes, (unsigned char *) padded, 44) != 33)
		return false;
	memcpy(out, bytes, COORDINATE);
	return true;
}

static size_t
base64url_write(char *out, const unsigned char *bytes, size_t len)
{
	int written = EVP_EncodeBlock((unsigned char *) out, bytes, (int) len);

	while (written > 0 && out[written - 1] == '=')
		written--;
	out[written] = '\0';
	for (char *at = out; *at != '\0'; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_'
											: *at;
	return (size_t) written;
}

static void
keys_clear(Key *list, int *count)
{
	for (int i = 0; i < *count; i++)
		free(list[i].pem);
	*count = 0;
}

bool
keys_are_fresh(void)
{
	return key_count > 0 && !is_asking && clock_us() / 1000 - known_ms < LIMIT_KEYS_REFRESH_MS;
}

bool
keys_are_known(void)
{
	return key_count > 0;
}

const Key *
keys_find(const char *token, size_t header_len)
{
	for (int i = 0; i < key_count; i++)
		if (keys[i].header_len == header_len && memcmp(keys[i].header, token, header_len) == 0)
			return &keys[i];
	return NULL;
}

const char *
keys_text(size_t *len)
{
	*len = text_len;
	return text;
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void) fd;
	(void) what;
	(void) arg;
	if (key_count == 0 || clock_us() / 1000 - known_ms > LIMIT_KEYS_FRESH_MS)
		keys_refresh();
}
