/*-------------------------------------------------------------------------
 *
 * attempt.h
 *	  A try to open an account with an e-mail and a password.
 *
 * Signing in, registering and changing a password all are one, and count in
 * the same line; attempt.c has the story.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_IDENTITY_ATTEMPT_H
#define KN_IDENTITY_ATTEMPT_H

#include "identity/known_device.h"
#include "identity/secret.h"
#include "identity/throttle.h"

typedef struct KnAttempt
{
	KnEmail email;
	KnThrottle strangers;   /* of the e-mail and the network */
	KnThrottle network;     /* registrations; used when is_registration */
	KnThrottle registering; /* those of a network who wait */
	KnThrottle own;         /* of the known device; used when is_known */
	KnKnownDevice device;
	bool is_known;
	bool is_registration;
	bool has_waited;
	unsigned char bound[KN_BLIND_SIZE]; /* what a turn is good for: these very secrets */
} KnAttempt;

/* What a right password opened. */
typedef struct KnOpened
{
	pg_uuid_t account;
	bool has_others;  /* other accounts of the same e-mail and password */
	bool was_invited; /* by the code that was asked for */
} KnOpened;

/* device_token may be NULL; raises KN504 with pointer email. */
extern void kn_attempt_init(KnCall *call, KnAttempt *attempt, const char *email,
							const char *device_token, bool is_registration);
/*
 * Waits for its turn by raising KN601, then hashes secrets[i] into hashes + i *
 * KN_PASSWORD_HASH_SIZE and cleanses the secrets, whatever happens.  Takes no
 * lock and wants none held.
 */
extern void kn_attempt_hash(KnCall *call, KnAttempt *attempt, char *const *secrets, int n,
							unsigned char *hashes);
/*
 * The account that the password opens: of several the one a code (or NULL)
 * invited, of that role (or KN_ROLE_NONE), staff, with the latest report.
 */
extern bool kn_attempt_open(KnCall *call, KnAttempt *attempt, const unsigned char *hash,
							KnRole role, const unsigned char *code, KnOpened *out);
/* A wrong secret: counted now, or with the refusal that is raised. */
extern void kn_attempt_count(const KnAttempt *attempt, const unsigned char *hash);
extern void kn_attempt_refuse(KnCall *call, const KnAttempt *attempt, const unsigned char *hash,
							  int code, const char *message,
							  const char *hint) pg_attribute_noreturn();
/* The same for a refusal that points at a field of the body. */
extern void kn_attempt_refuse_twin(KnCall *call, const KnAttempt *attempt,
								   const unsigned char *hash,
								   const char *pointer) pg_attribute_noreturn();

#endif
