/*-------------------------------------------------------------------------
 *
 * tls.c
 *	  One TLS context: certificate, versions, and connections made from it.
 *
 * main.c starts it, http.c makes connections.  TLS 1.2 and 1.3 only, with the
 * ciphers OpenSSL holds for good; idle connections give their buffers back.
 *
 *-------------------------------------------------------------------------
 */
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "config.h"
#include "log.h"
#include "tls.h"

static SSL_CTX *context; /* owns; NULL when TLS is off */

static SSL_CTX *context_load(FILE *complaint);
static bool context_set(SSL_CTX *fresh, FILE *complaint);
static bool complain(FILE *complaint, const char *setting, const char *file);

bool
tls_start(FILE *complaint)
{
	if (*config_get()->tls_cert == '\0')
		return true;
	context = context_load(complaint);
	return context != NULL;
}

/* returns new (free with SSL_CTX_free) */
static SSL_CTX *
context_load(FILE *complaint)
{
	SSL_CTX *fresh = SSL_CTX_new(TLS_server_method());

	if (fresh == NULL)
	{
		complain(complaint, "TLS", "OpenSSL");
		return NULL;
	}
	if (context_set(fresh, complaint))
		return fresh;
	SSL_CTX_free(fresh);
	return NULL;
}

static bool
context_set(SSL_CTX *fresh, FILE *complaint)
{
	const Config *config = config_get();

	SSL_CTX_set_min_proto_version(fresh, TLS1_2_VERSION);
	SSL_CTX_set_mode(fresh, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(fresh, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
								   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (SSL_CTX_set_cipher_list(fresh, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
		return complain(complaint, "TLS", "the list of ciphers");
	if (SSL_CTX_use_certificate_chain_file(fresh, config->tls_cert) != 1)
		return complain(complaint, "KINTARAA_TLS_CERT", config->tls_cert);
	if (SSL_CTX_use_PrivateKey_file(fresh, config->tls_key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(fresh) != 1)
		return complain(complaint, "KINTARAA_TLS_KEY", config->tls_key);
	return true;
}

void
tls_reload(void)
{
	char reason[256] = "";
	FILE *complaint;
	SSL_CTX *fresh;

	if (context == NULL)
		return;
	complaint = fmemopen(reason, sizeof(reason) - 1, "w");
	fresh = context_load(complaint != NULL ? complaint : stderr);
	if (complaint != NULL)
		fclose(complaint);
	if (fresh != NULL)
		log_line(LEVEL_INFO, "tls_reload", "done=1");
	else
		log_line(LEVEL_ERROR, "tls_reload", "done=0 reason=%s", log_text(reason));
	if (fresh == NULL)
		return;
	/* Open connections keep the old one until they end. */
	SSL_CTX_free(context);
	context = fresh;
}

static bool
complain(FILE *complaint, const char *setting, const char *file)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	fprintf(complaint, "%s: %s cannot be used: %s.\n", setting, file,
			reason != NULL ? reason : "no such file");
	ERR_clear_error();
	return false;
}

void
tls_stop(void)
{
	SSL_CTX_free(context);
	context = NULL;
}

bool
tls_is_on(void)
{
	return context != NULL;
}

struct bufferevent *
tls_accept(struct event_base *base, evutil_socket_t fd)
{
	SSL *ssl = SSL_new(context);
	struct bufferevent *bev;

	/* libevent frees it on most of its ways to fail: a count of our own makes that safe. */
	if (ssl == NULL || SSL_up_ref(ssl) != 1)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
										 BEV_OPT_CLOSE_ON_FREE);
	SSL_free(ssl);
	if (bev == NULL)
		return NULL;
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

void
tls_log_failure(struct bufferevent *bev)
{
	unsigned long error = bufferevent_get_openssl_error(bev);
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

	log_line(LEVEL_DEBUG, "tls_failed", "reason=%s", log_text(reason != NULL ? reason : "closed"));
}

void
tls_goodbye(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (ssl == NULL)
		return;
	SSL_shutdown(ssl);
	ERR_clear_error();
}
