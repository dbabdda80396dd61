/*-------------------------------------------------------------------------
 *
 * attempt.c
 *	  A try to open an account with an e-mail and a password.
 *
 * Called by session.c and account.c.  Whoever tries stands in a line.  The line
 * of strangers belongs to an e-mail and a network: KN_THROTTLE_FREE distinct wrong
 * secrets cost nothing, after that each try waits for a turn, KN_TURN_SECONDS at
 * most.  Who holds the token of a device that signed in before has a line of its
 * own, in which only that device's account can be opened; what others guess does
 * not lengthen it.  A secret that does not open that account is a stranger's try
 * at every other account of the e-mail.
 *
 * Nobody waits inside the database.  A try that must wait is refused with KN601
 * and a ticket that names its turn; the gateway keeps the request, and sends it
 * again with the ticket when its time has come.  The ticket is bound to the line
 * and to the secrets, so it buys one look at these and nothing else.  Only when
 * all turns of the next KN_TURN_SECONDS are taken is there no ticket.  One who
 * registers always gets one: a full line would shut a whole network out.
 *
 * What is found, hashed, waited and written is the same whether or not the
 * e-mail has an account: the salt is a keyed hash of the e-mail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/errcodes.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "base/spi.h"
#include "identity/attempt.h"
#include "identity/hash_slot.h"
#include "keys/keystore.h"
#include "keys/ticket.h"

#define TURN_AT KN_BLIND_SIZE
#define BOUND_AT (TURN_AT + 8)

/* What is done after a refusal undid the body. */
typedef struct Aftermath
{
	KnAttempt attempt;
	bool counts;     /* hash was wrong in the lines of the attempt */
	bool counts_own; /* hash was wrong in the line of the device */
	bool takes_turn;
	unsigned char hash[KN_PASSWORD_HASH_SIZE];
} Aftermath;

static void bind_secrets(KnAttempt *attempt, char *const *secrets, int n);
static bool has_waited(KnCall *call, const KnAttempt *attempt);
static void require_turn(KnCall *call, const KnAttempt *attempt);
static bool has_own_line(const KnAttempt *attempt);
static bool opens_own(const KnAttempt *attempt, const unsigned char *hash);
static Aftermath *aftermath(KnCall *call, const KnAttempt *attempt, const unsigned char *hash);
static void run_aftermath(KnCall *call);
static void take_turn(KnCall *call, const KnAttempt *attempt);
static void extend_turn(KnCall *call, const KnAttempt *attempt, TimestampTz turn, int64 wait);
static bool has_account(const KnEmail *email);

/* Plain comparison is enough: what is compared is an Argon2 output under a secret salt. */
static KnStatement match_account = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT a.id, pg_catalog.count(*) OVER () > 1, i.used_by IS NOT NULL "
	"  FROM kintaraa.account a "
	"  LEFT JOIN kintaraa.invitation i ON i.code_index = $4 AND i.used_by = a.id "
	" WHERE a.email_index = $1 AND a.password_hash = $2 AND a.is_active "
	" ORDER BY i.used_by IS NULL, (a.role = $3) IS NOT TRUE, a.role = 'survivor', "
	"       (SELECT pg_catalog.max(r.created_at) FROM kintaraa.incident r WHERE r.owner_id = a.id) "
	"       DESC NULLS LAST, a.created_at DESC, a.id LIMIT 1",
	BYTEAOID, BYTEAOID, TEXTOID, BYTEAOID);

static KnStatement find_email = KN_READ(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.account WHERE email_index = $1 LIMIT 1",
	BYTEAOID);

static KnStatement match_own = KN_FRESH(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.account WHERE id = $1 AND password_hash = $2 AND is_active",
	UUIDOID, BYTEAOID);

void
kn_attempt_init(KnCall *call, KnAttempt *attempt, const char *email, const char *device_token,
				bool is_registration)
{
	static const unsigned char none[UUID_LEN] = {0};
	unsigned char place[UUID_LEN];
	int64 day = GetCurrentTimestamp() / USECS_PER_DAY;

	kn_secret_email(email, &attempt->email);
	kn_throttle_init(&attempt->strangers, "throttle.login", attempt->email.index, call->network);
	kn_throttle_init(&attempt->network, "throttle.register", none, call->network);
	kn_throttle_init(&attempt->registering, "throttle.registering", none, call->network);
	attempt->is_registration = is_registration;
	attempt->is_known = kn_known_device_find(device_token, &attempt->email, &attempt->device);
	if (!attempt->is_known)
		return;
	/* a row for each day, so that the count begins anew with it */
	memcpy(place, attempt->device.id.data, UUID_LEN);
	for (int i = 0; i < 8; i++)
		place[i] ^= (unsigned char) (day >> (8 * i));
	kn_throttle_init(&attempt->own, "throttle.device", place, NULL);
}

void
kn_attempt_hash(KnCall *call, KnAttempt *attempt, char *const *secrets, int n,
				unsigned char *hashes)
{
	volatile int done = 0;

	PG_TRY();
	{
		bind_secrets(attempt, secrets, n);
		attempt->has_waited = has_waited(call, attempt);
		require_turn(call, attempt);
		kn_hash_slot_take();
		/* the second look is for those who waited for a slot while others guessed */
		require_turn(call, attempt);
		if (kn_mutant("no_decoy_hash") && !has_account(&attempt->email))
		{
			memset(hashes, 0, (Size) n * KN_PASSWORD_HASH_SIZE);
			done = n;
		}
		while (done < n && kn_secret_hash(secrets[done], &attempt->email,
										  hashes + done * KN_PASSWORD_HASH_SIZE))
			done++;
	}
	PG_FINALLY();
	{
		kn_hash_slot_release();
		for (int i = 0; i < n; i++)
			OPENSSL_cleanse(secrets[i], strlen(secrets[i]));
	}
	PG_END_TRY();
	if (done < n)
		elog(ERROR, "could not hash a password");
}

/* For a build that tells the difference on purpose; no other one asks. */
static bool
has_account(const KnEmail *email)
{
	KnArgs args = {0};

	kn_arg_bytes(&args, email->index, KN_BLIND_SIZE);
	return kn_run(&find_email, &args) == 1;
}

static void
bind_secrets(KnAttempt *attempt, char *const *secrets, int n)
{
	StringInfoData text;

	initStringInfo(&text);
	appendBinaryStringInfo(&text, (const char *) attempt->strangers.key, KN_BLIND_SIZE);
	for (int i = 0; i < n; i++)
		appendBinaryStringInfo(&text, secrets[i], (int) strlen(secrets[i]) + 1);
	if (!kn_blind_index(kn_keystore(), "throttle.turn", text.data, text.len, attempt->bound))
		elog(ERROR, "could not make a blind index");
	OPENSSL_cleanse(text.data, text.len);
	pfree(text.data);
}

/* Is the request's ticket one for this line and these secrets, and is it its turn? */
static bool
has_waited(KnCall *call, const KnAttempt *attempt)
{
	unsigned char content[KN_TICKET_CONTENT];
	TimestampTz now = GetCurrentTimestamp();
	uint64 turn = 0;

	if (call->turn == NULL ||
		!kn_ticket_check(kn_keystore(), KN_TICKET_TURN, call->turn, strlen(call->turn), content) ||
		memcmp(content, attempt->strangers.key, KN_BLIND_SIZE) != 0 ||
		memcmp(content + BOUND_AT, attempt->bound, KN_BLIND_SIZE) != 0)
		return false;
	for (int i = 0; i < 8; i++)
		turn = turn << 8 | content[TURN_AT + i];
	return (TimestampTz) turn <= now &&
		   (TimestampTz) turn > now - KN_TURN_GRACE_SECONDS * USECS_PER_SEC;
}

static void
require_turn(KnCall *call, const KnAttempt *attempt)
{
	if (attempt->has_waited || has_own_line(attempt) ||
		!(kn_throttle_waits(&attempt->strangers) ||
		  (attempt->is_registration && kn_throttle_pace(&attempt->network) > 0)))
		return;
	aftermath(call, attempt, NULL)->takes_turn = true;
	kn_refuse(ERRCODE_KN_SLOW_DOWN, "too many attempts",
			  "Wait as many seconds as retryAfter says, then try again.");
}

static bool
has_own_line(const KnAttempt *attempt)
{
	return attempt->is_known && !kn_throttle_is_used_up(&attempt->own, KN_DEVICE_SECRETS);
}

bool
kn_attempt_open(KnCall *call, KnAttempt *attempt, const unsigned char *hash, KnRole role,
				const unsigned char *code, KnOpened *out)
{
	KnArgs args = {0};
	KnRows rows;

	/* in a line of its own nothing but the device's account may be found out */
	if (!attempt->has_waited && has_own_line(attempt) && !opens_own(attempt, hash) &&
		kn_throttle_waits(&attempt->strangers))
	{
		Aftermath *after = aftermath(call, attempt, hash);

		after->counts_own = true;
		after->takes_turn = true;
		kn_refuse(ERRCODE_KN_SLOW_DOWN, "too many attempts",
				  "Wait as many seconds as retryAfter says, then try again.");
	}
	kn_arg_bytes(&args, attempt->email.index, KN_BLIND_SIZE);
	kn_arg_bytes(&args, hash, KN_PASSWORD_HASH_SIZE);
	kn_arg_text(&args, role == KN_ROLE_NONE ? NULL : kn_role_name(role));
	kn_arg_bytes(&args, code, KN_BLIND_SIZE);
	if (kn_run(&match_account, &args) == 0)
		return false;
	rows = kn_rows();
	kn_col_uuid(&rows, 0, 1, &out->account);
	out->has_others = kn_col_bool(&rows, 0, 2);
	out->was_invited = kn_col_bool(&rows, 0, 3);
	return true;
}

static bool
opens_own(const KnAttempt *attempt, const unsigned char *hash)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &attempt->device.account);
	kn_arg_bytes(&args, hash, KN_PASSWORD_HASH_SIZE);
	return kn_run(&match_own, &args) == 1;
}

/* Rows are locked in one order everywhere: the device's, the strangers', the network's. */
void
kn_attempt_count(const KnAttempt *attempt, const unsigned char *hash)
{
	if (attempt->is_known)
		kn_throttle_count(&attempt->own, hash);
	kn_throttle_count(&attempt->strangers, hash);
}

void
kn_attempt_refuse(KnCall *call, const KnAttempt *attempt, const unsigned char *hash, int code,
				  const char *message, const char *hint)
{
	aftermath(call, attempt, hash)->counts = true;
	kn_refuse(code, message, hint);
}

void
kn_attempt_refuse_twin(KnCall *call, const KnAttempt *attempt, const unsigned char *hash,
					   const char *pointer)
{
	aftermath(call, attempt, hash)->counts = true;
	kn_input_error(ERRCODE_KN_PASSWORD_WEAK, pointer,
				   "this e-mail and this password open another account",
				   "Choose another password.");
}

static Aftermath *
aftermath(KnCall *call, const KnAttempt *attempt, const unsigned char *hash)
{
	Aftermath *after = MemoryContextAllocZero(call->memory, sizeof(Aftermath));

	after->attempt = *attempt;
	if (hash != NULL)
		memcpy(after->hash, hash, KN_PASSWORD_HASH_SIZE);
	call->refusal_state = after;
	call->after_refusal = run_aftermath;
	return after;
}

/* In the order of kn_attempt_count(). */
static void
run_aftermath(KnCall *call)
{
	const Aftermath *after = call->refusal_state;

	if (after->counts)
		kn_attempt_count(&after->attempt, after->hash);
	if (after->counts_own)
		kn_throttle_count(&after->attempt.own, after->hash);
	if (after->takes_turn)
		take_turn(call, &after->attempt);
}

static void
take_turn(KnCall *call, const KnAttempt *attempt)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz turn = now;
	int pace = attempt->is_registration ? kn_throttle_pace(&attempt->network) : 0;

	if (kn_throttle_waits(&attempt->strangers) && !kn_throttle_turn(&attempt->strangers, &turn))
	{
		kn_call_extend(call, "retryAfter", psprintf("%d", KN_TURN_SECONDS));
		return;
	}
	if (pace > 0)
	{
		TimestampTz paced = kn_throttle_pace_turn(&attempt->registering, now, pace);

		turn = Max(turn, paced);
	}
	kn_call_extend(call, "retryAfter",
				   psprintf("%d", (int) ((turn - now) / USECS_PER_SEC) + 1));
	extend_turn(call, attempt, turn, turn - now);
}

static void
extend_turn(KnCall *call, const KnAttempt *attempt, TimestampTz turn, int64 wait)
{
	unsigned char content[KN_TICKET_CONTENT];
	char text[KN_TICKET_SIZE];

	memcpy(content, attempt->strangers.key, KN_BLIND_SIZE);
	for (int i = 0; i < 8; i++)
		content[TURN_AT + i] = (unsigned char) ((uint64) turn >> (56 - 8 * i));
	memcpy(content + BOUND_AT, attempt->bound, KN_BLIND_SIZE);
	if (!kn_ticket_make(kn_keystore(), KN_TICKET_TURN, content, text, sizeof(text)))
		elog(ERROR, "could not make a ticket");
	kn_call_extend(call, "turn", psprintf("\"%s\"", text));
	kn_call_extend(call, "waitMs", psprintf(INT64_FORMAT, wait / 1000 + 1));
}
