/*-------------------------------------------------------------------------
 *
 * known_device.c
 *	  Devices on which the right password was given before.
 *
 * Called by attempt.c, session.c, account.c and admin.c.  The pattern is that of
 * device cookies: what strangers guess slows strangers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/spi.h"
#include "identity/known_device.h"
#include "keys/keystore.h"
#include "keys/random.h"
#include "keys/ticket.h"

#define ROW_AT UUID_LEN
#define GENERATION_AT (2 * UUID_LEN)

static bool is_alive(const KnKnownDevice *device, int64 generation, const KnEmail *email);
static int64 see(pg_uuid_t *id, const pg_uuid_t *account, const pg_uuid_t *session);
static void make_room(const pg_uuid_t *account);

static KnStatement find_alive = KN_READ(
	KN_AS_SYSTEM,
	"SELECT FROM kintaraa.known_device d JOIN kintaraa.account a ON a.id = d.account_id "
	" WHERE d.id = $1 AND d.account_id = $2 AND d.generation = $3 AND a.email_index = $4 "
	"   AND a.is_active AND d.seen_at > pg_catalog.now() - pg_catalog.make_interval(days => $5)",
	UUIDOID, UUIDOID, INT8OID, BYTEAOID, INT4OID);

static KnStatement see_device = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.known_device SET session_id = $3, seen_at = pg_catalog.now() "
	" WHERE id = $1 AND account_id = $2 RETURNING generation",
	UUIDOID, UUIDOID, UUIDOID);

static KnStatement insert_device = KN_WRITE(
	KN_AS_SYSTEM,
	"INSERT INTO kintaraa.known_device (id, account_id, session_id) VALUES ($1, $2, $3)",
	UUIDOID, UUIDOID, UUIDOID);

static KnStatement make_device_room = KN_WRITE(
	KN_AS_SYSTEM,
	"DELETE FROM kintaraa.known_device WHERE id IN "
	"(SELECT d.id FROM kintaraa.known_device d WHERE d.account_id = $1 "
	"  ORDER BY d.seen_at DESC, d.id OFFSET $2)",
	UUIDOID, INT4OID);

static KnStatement end_all = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.known_device SET generation = generation + 1 WHERE account_id = $1",
	UUIDOID);

static KnStatement end_one = KN_WRITE(
	KN_AS_SYSTEM,
	"UPDATE kintaraa.known_device SET generation = generation + 1 WHERE session_id = $1",
	UUIDOID);

bool
kn_known_device_find(const char *token, const KnEmail *email, KnKnownDevice *out)
{
	unsigned char content[KN_TICKET_CONTENT];
	uint64 generation = 0;

	if (token == NULL || !kn_ticket_check(kn_keystore(), KN_TICKET_DEVICE, token, strlen(token),
										  content))
		return false;
	memcpy(out->account.data, content, UUID_LEN);
	memcpy(out->id.data, content + ROW_AT, UUID_LEN);
	for (int i = 0; i < 8; i++)
		generation = generation << 8 | content[GENERATION_AT + i];
	return is_alive(out, (int64) generation, email);
}

static bool
is_alive(const KnKnownDevice *device, int64 generation, const KnEmail *email)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, &device->id);
	kn_arg_uuid(&args, &device->account);
	kn_arg_bigint(&args, generation);
	kn_arg_bytes(&args, email->index, KN_BLIND_SIZE);
	kn_arg_int(&args, KN_DEVICE_DAYS);
	return kn_run(&find_alive, &args) == 1;
}

char *
kn_known_device_token(const KnKnownDevice *device, const pg_uuid_t *account,
					  const pg_uuid_t *session)
{
	unsigned char content[KN_TICKET_CONTENT];
	char text[KN_TICKET_SIZE];
	int64 generation;
	pg_uuid_t id = {0};

	if (device != NULL && kn_uuid_equal(&device->account, account))
		id = device->id;
	generation = see(&id, account, session);
	memcpy(content, account->data, UUID_LEN);
	memcpy(content + ROW_AT, id.data, UUID_LEN);
	for (int i = 0; i < 8; i++)
		content[GENERATION_AT + i] = (unsigned char) ((uint64) generation >> (56 - 8 * i));
	if (!kn_ticket_make(kn_keystore(), KN_TICKET_DEVICE, content, text, sizeof(text)))
		elog(ERROR, "could not make a device token");
	return pstrdup(text);
}

/* Returns the generation of the row, which is a new one when id names none. */
static int64
see(pg_uuid_t *id, const pg_uuid_t *account, const pg_uuid_t *session)
{
	KnArgs args = {0};
	KnRows rows;

	kn_arg_uuid(&args, id);
	kn_arg_uuid(&args, account);
	kn_arg_uuid(&args, session);
	if (kn_run(&see_device, &args) == 1)
	{
		rows = kn_rows();
		return kn_col_bigint(&rows, 0, 1, 0);
	}
	make_room(account);
	args = (KnArgs){0};
	kn_uuid4(id->data);
	kn_arg_uuid(&args, id);
	kn_arg_uuid(&args, account);
	kn_arg_uuid(&args, session);
	kn_run(&insert_device, &args);
	return 0;
}

static void
make_room(const pg_uuid_t *account)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, account);
	kn_arg_int(&args, KN_DEVICES_MAX - 1);
	kn_run(&make_device_room, &args);
}

void
kn_known_device_end_all(const pg_uuid_t *account)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, account);
	kn_run(&end_all, &args);
}

void
kn_known_device_end(const pg_uuid_t *session)
{
	KnArgs args = {0};

	kn_arg_uuid(&args, session);
	kn_run(&end_one, &args);
}
