/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  From an e-mail and a password to what rows are found by.
 *
 * Called by account.c and attempt.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "base/errcodes.h"
#include "base/input.h"
#include "identity/secret.h"
#include "keys/keystore.h"
#include "keys/normalise.h"

static void blind(const char *purpose, const char *email, unsigned char *out);

void
kn_secret_email(const char *text, KnEmail *out)
{
	if (!kn_normalise_email(text, out->text, sizeof(out->text)))
		kn_input_error(ERRCODE_KN_FIELD_VALUE, "email", "the field is not an e-mail address",
					   "Send an address such as name@example.org.");
	blind("account.email", out->text, out->index);
	blind("account.salt", out->text, out->salt);
}

static void
blind(const char *purpose, const char *email, unsigned char *out)
{
	StaticAssertStmt(KN_PASSWORD_SALT_SIZE == KN_BLIND_SIZE, "a blind index is the salt");
	if (!kn_blind_index(kn_keystore(), purpose, email, strlen(email), out))
		elog(ERROR, "could not make a blind index");
}

void
kn_secret_require_strong(char *password, const char *pointer)
{
	KnPasswordStatus status = kn_password_check(password, strlen(password));

	if (status == KN_PASSWORD_OK)
		return;
	OPENSSL_cleanse(password, strlen(password));
	if (status == KN_PASSWORD_COMMON)
		kn_input_error(ERRCODE_KN_PASSWORD_WEAK, pointer,
					   "the password is one that many people use",
					   "Choose another one, such as a few words that do not belong together.");
	kn_input_error(ERRCODE_KN_FIELD_LENGTH, pointer, "the password is too short or too long",
				   psprintf("Send %d to %d characters.", KN_PASSWORD_MIN, KN_PASSWORD_MAX));
}

bool
kn_secret_hash(const char *password, const KnEmail *email,
			   unsigned char hash[KN_PASSWORD_HASH_SIZE])
{
	return kn_password_hash(password, strlen(password), email->salt, hash);
}
